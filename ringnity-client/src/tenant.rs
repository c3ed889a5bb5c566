//! Which tenant a visitor without a session means: Ringnity's words for two client-wide parameters.

use crate::ClientBuilder;

impl ClientBuilder {
    /// The tenant's public widget key, for calls that no session and no host name gives a tenant.
    ///
    /// Goes out as `X-Ringnity-Public-Key` with the operations that take it. Not a secret.
    pub fn public_key(self, key: impl Into<String>) -> Self {
        self.parameter("X-Ringnity-Public-Key", key)
    }

    /// The tenant's slug, for calls that no session and no host name gives a tenant.
    ///
    /// Goes out as `slug` in the query of the operations that take it.
    pub fn tenant_slug(self, slug: impl Into<String>) -> Self {
        self.parameter("slug", slug)
    }
}

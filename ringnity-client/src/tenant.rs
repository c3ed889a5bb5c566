//! Which tenant is meant by requests without a session. These names are Ringnity's, so this file is not part of
//! `runtime`.

use crate::ClientBuilder;

impl ClientBuilder {
    /// Sets the tenant's public widget key (`rn_pk_…`), for operations that can be called without a session.
    ///
    /// It is sent as `X-Ringnity-Public-Key` with the operations that accept it. Public keys are not secret.
    pub fn public_key(self, key: impl Into<String>) -> Self {
        self.parameter("X-Ringnity-Public-Key", key)
    }

    /// Sets the tenant's slug, for operations that can be called without a session.
    ///
    /// It is sent as the query parameter `slug` with the operations that accept it.
    pub fn tenant_slug(self, slug: impl Into<String>) -> Self {
        self.parameter("slug", slug)
    }
}

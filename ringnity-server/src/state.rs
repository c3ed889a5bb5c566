//! What every request shares: the rules with their store, and the contract's checks.

use ringnity_api::{Boundary, Call, Cors, Hooks, TenantHints as Said};

use crate::app::tenants::{self, TenantHints};
use crate::app::{App, AppError};

/// The state of a running server.
pub struct State {
    /// The rules.
    pub app: App,
    /// Checks of requests and answers.
    pub boundary: Boundary,
}

impl State {
    /// What a request without a credential says of its tenant.
    pub fn tenant_hints(&self, call: &Call) -> TenantHints {
        let said = Said::of(call);
        TenantHints {
            host_slug: said.host.and_then(|host| self.app.urls.slug_of_host(&host)),
            public_key: said.public_key,
            slug: said.slug,
        }
    }
}

impl Hooks for State {
    fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    /// Pages may read an answer when their origin is on an allowed domain of the tenant that the request names.
    async fn cors(&self, call: &Call, origin: &str) -> Cors {
        let hints = self.tenant_hints(call);
        let origin = origin.to_owned();
        let allowed = self
            .app
            .store
            .read(move |c| {
                let tenant = tenants::tenant_of_hints(c, &hints)?;
                tenants::must_be_allowed_origin(c, &tenant.id, Some(&origin))?;
                Ok::<_, AppError>(())
            })
            .await;
        if allowed.is_ok() { Cors::Allow } else { Cors::Deny }
    }
}

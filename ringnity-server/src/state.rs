//! What every request shares: the rules with their store, and the contract's checks.

use ringnity_api::{Boundary, Call, Cors, Hooks};
use tracing::warn;

use crate::app::tenants;
use crate::app::{App, AppError};

/// The state of a running server.
pub struct State {
    /// The rules.
    pub app: App,
    /// Checks of requests and answers.
    pub boundary: Boundary,
}

impl Hooks for State {
    fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    /// Pages may read an answer when their origin is on an allowed domain of the tenant that the request names.
    async fn cors(&self, call: &Call, origin: &str) -> Cors {
        let hints = crate::routes::hints(self, call);
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

    fn broken_answer(&self, call: &Call, lines: &[String]) {
        warn!(
            request_id = call.request_id(),
            operation = call.operation().id,
            faults = lines.join("; "),
            "an answer breaks the contract"
        );
    }
}

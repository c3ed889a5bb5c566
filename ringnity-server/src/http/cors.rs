//! CORS: which pages may read responses.

use ringnity_api::{Call, Cors};
use ringnity_types::ErrorCode;

use super::state::{PageDecision, RequestState, State};
use super::tenant_hints::tenant_hints;
use crate::app::tenants;
use crate::app::{AppError, AppResult};

/// The kinds of credential that pages of a tenant's customers hold.
const HELD_BY_PAGES: [&str; 4] = ["visitor", "agent", "admin", "oauth"];

impl PageDecision {
    /// The decision that `outcome` contains; `None` for errors that say nothing about the page.
    pub(super) fn of<T>(outcome: &AppResult<T>) -> Option<Self> {
        match outcome {
            Ok(_) => Some(Self::Allowed),
            Err(error) if error.code == ErrorCode::SdkOriginNotAllowed => Some(Self::Denied),
            Err(_) => None,
        }
    }
}

impl RequestState {
    /// Keeps the decision that `outcome` contains, so that the CORS headers agree with it.
    pub(super) fn set_page<T>(&self, outcome: &AppResult<T>) {
        if let Some(decision) = PageDecision::of(outcome) {
            // A later decision about the same page can only be the same.
            let _ = self.page.set(decision);
        }
    }
}

impl State {
    /// Pages may read a response when their origin is on an allowed domain of the tenant that the request is for, or
    /// of any tenant where it is for none.
    pub(super) async fn cors_decision(&self, call: &Call<RequestState>, origin: &str) -> Cors {
        if self.app.urls.is_dashboard(origin) {
            return Cors::AllowWithCookies;
        }
        let accepts = call.operation().accepts;
        if !accepts.is_empty() && !accepts.iter().any(|access| HELD_BY_PAGES.contains(&access.kind)) {
            // Pages of customers hold neither Server API keys nor sessions of the dashboard.
            return Cors::Deny;
        }
        match call.state().page.get() {
            Some(PageDecision::Allowed) => return Cors::Allow,
            Some(PageDecision::Denied) => return Cors::Deny,
            None => {}
        }
        if call.state().idempotency_key.get().is_none() {
            // The request did not reach its handler.
            return self.cors_without_tenant(call, origin).await;
        }
        let hints = tenant_hints(&self.app, call);
        let origin = origin.to_owned();
        let allowed = self
            .app
            .store
            .read(move |c| {
                if !hints.name_tenant() {
                    return tenants::any_tenant_allows_origin(c, &origin);
                }
                tenants::resolve_tenant_for_origin(c, &hints, Some(&origin))?;
                Ok::<_, AppError>(true)
            })
            .await;
        if allowed.is_ok_and(|allowed| allowed) { Cors::Allow } else { Cors::Deny }
    }

    /// The decision for preflights and for requests that were rejected before the tenant was known. Their responses
    /// hold nothing that is not public, so the domain of any tenant will do, and a decision may be seconds old.
    async fn cors_without_tenant(&self, call: &Call<RequestState>, origin: &str) -> Cors {
        let now = self.app.now();
        if let Some(cors) = self.cors_cache.get(origin, now) {
            return cors;
        }
        // Beyond the rate limit nothing is looked up, and the page may read its 429. A request that follows a preflight
        // is checked by itself.
        if self.app.limits.requests.count_anonymous(call.state().client_address, now).is_some() {
            return Cors::Allow;
        }
        let page = origin.to_owned();
        let listed = self.app.store.read(move |c| tenants::any_tenant_allows_origin(c, &page)).await;
        let Ok(listed) = listed else { return Cors::Deny };
        let cors = if listed { Cors::Allow } else { Cors::Deny };
        self.cors_cache.insert(origin, cors, now);
        cors
    }
}

//! What a request without a credential says about its tenant.

use ringnity_api::{RequestHead, TenantHints as HeadHints};

use super::state::RequestState;
use crate::app::App;
use crate::app::tenants::TenantHints;

/// Host, public key and slug of a request, as far as it has them.
pub(super) fn tenant_hints(app: &App, head: &RequestHead<RequestState>) -> TenantHints {
    let hints = HeadHints::of(head);
    TenantHints {
        host_slug: hints.host.as_deref().and_then(|host| app.urls.slug_of_host(host)),
        public_key: hints.public_key,
        slug: hints.slug,
        feature: None,
    }
}

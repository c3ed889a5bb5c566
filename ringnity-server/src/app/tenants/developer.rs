//! Developer settings of a tenant: allowed domains and SDK readiness.

use ringnity_store::tenants as stored;
use ringnity_store::{Conn, TenantId};
use ringnity_types::{DeveloperSettings, DeveloperTestRequest, Readiness, UpdateAllowedDomainsRequest};

use crate::app::tenants::domains;
use crate::app::tenants::readiness::{ReadinessQuery, readiness};
use crate::app::{App, AppResult, tenants};

/// Returns the developer settings.
pub async fn get_developer_settings(app: &App, tenant: TenantId) -> AppResult<DeveloperSettings> {
    let now = app.now();
    app.store.read(move |c| settings(c, &tenant, now)).await
}

/// Replaces the list of allowed domains.
pub async fn update_developer_allowed_domains(
    app: &App,
    tenant: TenantId,
    request: UpdateAllowedDomainsRequest,
) -> AppResult<DeveloperSettings> {
    let wanted = domains::normalize_all(&request.allowed_domains, "/body/allowedDomains")?;
    let now = app.now();
    app.store
        .write(move |c| {
            tenants::replace_domains(c, &tenant, &wanted, now)?;
            settings(c, &tenant, now)
        })
        .await
}

/// Checks whether the tenant can use the SDKs, from a given page.
pub async fn test_developer_sdk_settings(
    app: &App,
    tenant: TenantId,
    request: Option<DeveloperTestRequest>,
) -> AppResult<Readiness> {
    let DeveloperTestRequest { origin, slug, service } = request.unwrap_or_default();
    let query = ReadinessQuery { origin, service };
    let now = app.now();
    app.store
        .read(move |c| {
            if let Some(slug) = &slug {
                let own = stored::tenant_get(c, &tenant)?.ok_or_else(tenants::tenant_not_found)?;
                if own.slug != *slug {
                    return Err(tenants::tenant_not_found());
                }
            }
            readiness(c, &tenant, &query, now)
        })
        .await
}

/// Checks whether the tenant can use the SDKs, for its backend.
pub async fn get_sdk_readiness(app: &App, tenant: TenantId) -> AppResult<Readiness> {
    let now = app.now();
    app.store.read(move |c| readiness(c, &tenant, &ReadinessQuery::default(), now)).await
}

fn settings(
    c: &mut Conn,
    tenant: &TenantId,
    now: chrono::DateTime<chrono::Utc>,
) -> AppResult<DeveloperSettings> {
    let own = stored::tenant_get(c, tenant)?.ok_or_else(tenants::tenant_not_found)?;
    let services = readiness(c, tenant, &ReadinessQuery::default(), now)?.services;
    Ok(DeveloperSettings {
        tenant: Some(tenants::private_view(&own)),
        allowed_domains: Some(stored::tenant_domain_list(c, tenant)?),
        public_key: Some(own.public_key),
        services,
    })
}

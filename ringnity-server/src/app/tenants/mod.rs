//! Tenants: views, lookup for requests without a credential, allowed domains.

pub mod developer;
pub mod domains;
pub mod readiness;
pub mod server_keys;
pub mod services;

use chrono::{DateTime, Utc};
use ringnity_store::tenants::{self, Quota, Tenant as Stored};
use ringnity_store::{Conn, TenantId};
use ringnity_types::{ErrorCode, Tenant, TenantData};

use crate::app::{App, AppError, AppResult, ErrorKind, plans};

/// What a request says about its tenant, apart from the credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantHints {
    /// Slug from the host name.
    pub host_slug: Option<String>,
    /// Public key from header or query.
    pub public_key: Option<String>,
    /// Slug from the query or the body.
    pub slug: Option<String>,
    /// The feature that the tenant's plan must include for the operation.
    pub feature: Option<&'static str>,
}

impl TenantHints {
    /// Whether any hint is present.
    pub fn name_tenant(&self) -> bool {
        self.host_slug.is_some() || self.public_key.is_some() || self.slug.is_some()
    }
}

/// Returns the tenant of a Server API key.
pub async fn get_server_tenant(app: &App, tenant: TenantId) -> AppResult<TenantData> {
    let stored =
        app.store.read(move |c| tenants::tenant_get(c, &tenant)?.ok_or_else(tenant_not_found)).await?;
    Ok(TenantData { tenant: Some(private_view(&stored)) })
}

/// Finds the active tenant that `hints` name: by the slug of the host, else the public key, else the slug. Its plan
/// must include the feature that the operation needs.
pub fn resolve_tenant(c: &mut Conn, hints: &TenantHints) -> AppResult<Stored> {
    let found = if let Some(slug) = &hints.host_slug {
        tenants::tenant_by_slug(c, slug)?
    } else if let Some(key) = &hints.public_key {
        tenants::tenant_by_public_key(c, key)?
    } else if let Some(slug) = &hints.slug {
        tenants::tenant_by_slug(c, slug)?
    } else {
        return Err(AppError::new(
            ErrorKind::Unauthenticated,
            ErrorCode::SdkSessionRequired,
            "The request does not name a tenant. Send the X-Ringnity-Public-Key header, the apiKey or slug query parameter, or use the tenant's host name.",
        ));
    };
    let tenant = found.ok_or_else(tenant_not_found)?;
    ensure_active(&tenant)?;
    if let Some(feature) = hints.feature {
        plans::require_for_tenant(c, &tenant.id, feature)?;
    }
    Ok(tenant)
}

/// Finds the active tenant with that id.
pub fn active_tenant(c: &mut Conn, id: &TenantId) -> AppResult<Stored> {
    let tenant = tenants::tenant_get(c, id)?.ok_or_else(tenant_not_found)?;
    ensure_active(&tenant)?;
    Ok(tenant)
}

/// Rejects a disabled tenant.
pub fn ensure_active(tenant: &Stored) -> AppResult<()> {
    if tenant.is_active {
        return Ok(());
    }
    Err(AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::SdkClientInactive,
        "The tenant is disabled. Ask the operators of the platform to enable it.",
    ))
}

/// Replaces the list of allowed domains, within the plan's limit.
pub fn replace_domains(
    c: &mut Conn,
    tenant: &TenantId,
    wanted: &[String],
    now: DateTime<Utc>,
) -> AppResult<()> {
    let count = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    let code = ErrorCode::DeveloperDomainLimitReached;
    plans::must_have_room(c, tenant, Quota::AllowedDomains, count, code, |limit| {
        format!(
            "The plan allows {limit} domains, and the list has {count}. Remove some, or upgrade the plan."
        )
    })?;
    Ok(tenants::tenant_domain_replace(c, tenant, wanted, now)?)
}

/// Rejects browser pages outside the tenant's domains. `origin` is absent for apps and servers.
pub fn ensure_origin_allowed(c: &mut Conn, tenant: &TenantId, origin: Option<&str>) -> AppResult<()> {
    let Some(origin) = origin else { return Ok(()) };
    // Read only entries that could match: this runs with each request.
    let listed = tenants::tenant_domain_matching(c, tenant, &domains::matching_entries(origin))?;
    if domains::origin_allowed(origin, &listed) {
        return Ok(());
    }
    Err(AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::SdkOriginNotAllowed,
        "This origin is not allowed. Add its domain to the tenant's allowed domains.",
    )
    .detail(format!("origin {origin} matches no allowed domain")))
}

/// Finds the tenant that `hints` name and checks the origin, for requests without a token. With a token, both were
/// checked when it was verified.
pub fn resolve_tenant_for_origin(
    c: &mut Conn,
    hints: &TenantHints,
    origin: Option<&str>,
) -> AppResult<Stored> {
    let tenant = resolve_tenant(c, hints)?;
    ensure_origin_allowed(c, &tenant.id, origin)?;
    Ok(tenant)
}

/// Whether any active tenant allows `origin`, for requests whose tenant is not known yet.
pub fn any_tenant_allows_origin(c: &mut Conn, origin: &str) -> AppResult<bool> {
    let listed = tenants::tenant_domain_matching_any(c, &domains::matching_entries(origin))?;
    Ok(domains::origin_allowed(origin, &listed))
}

/// The tenant as its own systems see it.
pub fn private_view(stored: &Stored) -> Tenant {
    Tenant {
        client_id: stored.id.to_string(),
        slug: Some(stored.slug.clone()),
        name: stored.name.clone(),
        company_name: stored.company_name.clone(),
        email: Some(stored.email.clone()),
        phone: stored.phone.clone(),
        timezone: Some(stored.timezone.clone()),
        is_active: Some(stored.is_active),
    }
}

/// The tenant as anybody sees it: without contact data of the owner.
pub fn public_view(stored: &Stored) -> Tenant {
    Tenant { email: None, phone: None, ..private_view(stored) }
}

/// The error for an unknown tenant.
pub fn tenant_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::SdkClientNotFound,
        "The tenant does not exist. Check the slug or the public key; the developer settings show both.",
    )
}

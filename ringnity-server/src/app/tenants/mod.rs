//! Tenants as their own people and their visitors see them, and how a request without a credential names one.

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

/// What a request says about the tenant it is for, beside any credential.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantHints {
    /// Slug in the host name.
    pub host_slug: Option<String>,
    /// Public key from header or query.
    pub public_key: Option<String>,
    /// Slug from the query or the body.
    pub slug: Option<String>,
    /// The feature that the tenant's plan must include for the operation.
    pub feature: Option<&'static str>,
}

impl TenantHints {
    /// Whether they name a tenant at all.
    pub fn name_tenant(&self) -> bool {
        self.host_slug.is_some() || self.public_key.is_some() || self.slug.is_some()
    }
}

/// The tenant of a Server API key.
pub async fn get_server_tenant(app: &App, tenant: TenantId) -> AppResult<TenantData> {
    let stored =
        app.store.read(move |c| tenants::tenant_get(c, &tenant)?.ok_or_else(tenant_not_found)).await?;
    Ok(TenantData { tenant: Some(private_view(&stored)) })
}

/// The tenant that `hints` name: the host's slug first, then the public key, then a slug. It must be active, and its plan
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
            "This request names no tenant. Send the X-Ringnity-Public-Key header, the apiKey or slug query, or use the tenant's own host name.",
        ));
    };
    let tenant = found.ok_or_else(tenant_not_found)?;
    ensure_active(&tenant)?;
    if let Some(feature) = hints.feature {
        plans::require_for_tenant(c, &tenant.id, feature)?;
    }
    Ok(tenant)
}

/// The tenant with that id. It must be active.
pub fn active_tenant(c: &mut Conn, id: &TenantId) -> AppResult<Stored> {
    let tenant = tenants::tenant_get(c, id)?.ok_or_else(tenant_not_found)?;
    ensure_active(&tenant)?;
    Ok(tenant)
}

/// Refuses a tenant that is switched off.
pub fn ensure_active(tenant: &Stored) -> AppResult<()> {
    if tenant.is_active {
        return Ok(());
    }
    Err(AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::SdkClientInactive,
        "This tenant is switched off. Its owner can ask the platform's operators to switch it on again.",
    ))
}

/// Puts another list of allowed domains in place of the one there is, if the plan allows as many.
pub fn replace_domains(
    c: &mut Conn,
    tenant: &TenantId,
    wanted: &[String],
    now: DateTime<Utc>,
) -> AppResult<()> {
    let count = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    let code = ErrorCode::DeveloperDomainLimitReached;
    plans::must_have_room(c, tenant, Quota::AllowedDomains, count, code, |limit| {
        format!("The plan allows {limit} domains and these are {count}. Leave some out, or change the plan.")
    })?;
    Ok(tenants::tenant_domain_replace(c, tenant, wanted, now)?)
}

/// Refuses a browser page that is not on one of the tenant's domains. `origin` is absent for apps and servers.
pub fn ensure_origin_allowed(c: &mut Conn, tenant: &TenantId, origin: Option<&str>) -> AppResult<()> {
    let Some(origin) = origin else { return Ok(()) };
    // Each page asks with each request: only what could let it in is read.
    let listed = tenants::tenant_domain_matching(c, tenant, &domains::matching_entries(origin))?;
    if domains::origin_allowed(origin, &listed) {
        return Ok(());
    }
    Err(AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::SdkOriginNotAllowed,
        "Pages of this origin may not use this tenant. Add its domain to the tenant's allowed domains.",
    )
    .detail(format!("origin {origin} is on none of the allowed domains")))
}

/// The tenant that `hints` name, if it is active and its pages include the one that asks: for whoever comes without
/// a token. With a token, the same was asked when the token was read.
pub fn resolve_tenant_for_origin(
    c: &mut Conn,
    hints: &TenantHints,
    origin: Option<&str>,
) -> AppResult<Stored> {
    let tenant = resolve_tenant(c, hints)?;
    ensure_origin_allowed(c, &tenant.id, origin)?;
    Ok(tenant)
}

/// Whether any tenant that is served lists `origin`: all that can be asked before a request says which tenant it
/// is about.
pub fn any_tenant_allows_origin(c: &mut Conn, origin: &str) -> AppResult<bool> {
    let listed = tenants::tenant_domain_matching_any(c, &domains::matching_entries(origin))?;
    Ok(domains::origin_allowed(origin, &listed))
}

/// What a tenant's own systems may know of it.
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

/// What anybody may know of a tenant: not how to write to its owner.
pub fn public_view(stored: &Stored) -> Tenant {
    Tenant { email: None, phone: None, ..private_view(stored) }
}

/// The answer where no such tenant exists.
pub fn tenant_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::SdkClientNotFound,
        "There is no such tenant. Check the slug or the public key: the owner's developer settings show both.",
    )
}

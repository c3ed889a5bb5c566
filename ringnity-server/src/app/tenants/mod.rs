//! Tenants as their own people and their visitors see them, and how a request without a credential names one.

pub mod credentials;
pub mod developer;
pub mod domains;
pub mod readiness;
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
}

impl TenantHints {
    /// Whether they name a tenant at all.
    pub fn say_anything(&self) -> bool {
        self.host_slug.is_some() || self.public_key.is_some() || self.slug.is_some()
    }
}

/// The tenant of a Server API key.
pub async fn get_server_tenant(app: &App, tenant: TenantId) -> AppResult<TenantData> {
    let stored = app.store.read(move |c| tenants::tenant_get(c, &tenant)?.ok_or_else(unknown)).await?;
    Ok(TenantData { tenant: Some(own_view(&stored)) })
}

/// The tenant that `hints` name: the host's slug first, then the public key, then a slug. It must be active.
pub fn tenant_of_hints(c: &mut Conn, hints: &TenantHints) -> AppResult<Stored> {
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
    let tenant = found.ok_or_else(unknown)?;
    must_be_active(&tenant)?;
    Ok(tenant)
}

/// The tenant with that id. It must be active.
pub fn active(c: &mut Conn, id: &TenantId) -> AppResult<Stored> {
    let tenant = tenants::tenant_get(c, id)?.ok_or_else(unknown)?;
    must_be_active(&tenant)?;
    Ok(tenant)
}

/// Refuses a tenant that is switched off.
pub fn must_be_active(tenant: &Stored) -> AppResult<()> {
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
pub fn must_be_allowed_origin(c: &mut Conn, tenant: &TenantId, origin: Option<&str>) -> AppResult<()> {
    let Some(origin) = origin else { return Ok(()) };
    // Each page asks with each request: only what could let it in is read.
    let listed = tenants::tenant_domain_matching(c, tenant, &domains::entries_for(origin))?;
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
pub fn tenant_of_page(c: &mut Conn, hints: &TenantHints, origin: Option<&str>) -> AppResult<Stored> {
    let tenant = tenant_of_hints(c, hints)?;
    must_be_allowed_origin(c, &tenant.id, origin)?;
    Ok(tenant)
}

/// Whether any tenant that is served lists `origin`: all that can be asked before a request says which tenant it
/// is about.
pub fn is_on_some_domain(c: &mut Conn, origin: &str) -> AppResult<bool> {
    let listed = tenants::tenant_domain_matching_any(c, &domains::entries_for(origin))?;
    Ok(domains::origin_allowed(origin, &listed))
}

/// What a tenant's own systems may know of it.
pub fn own_view(stored: &Stored) -> Tenant {
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
    Tenant { email: None, phone: None, ..own_view(stored) }
}

/// The answer where no such tenant exists.
pub fn unknown() -> AppError {
    AppError::not_found(
        ErrorCode::SdkClientNotFound,
        "There is no such tenant. Check the slug or the public key: the owner's developer settings show both.",
    )
}

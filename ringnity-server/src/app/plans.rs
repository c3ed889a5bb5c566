//! What a tenant's plan allows, asked where it bites: features that it contains, and how many of something.

use ringnity_store::tenants::{self, Feature, Quota};
use ringnity_store::{Conn, TenantId};
use ringnity_types::ErrorCode;

use super::{AppError, AppResult, ErrorKind};

/// Refuses what the tenant's plan does not contain.
pub fn must_include(c: &mut Conn, tenant: &TenantId, feature: Feature) -> AppResult<()> {
    if tenants::plan_of_tenant_includes(c, tenant, feature)? {
        return Ok(());
    }
    Err(AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::FeatureNotAvailable,
        format!("This tenant's plan does not contain {}. Change to a plan that does.", feature.as_str()),
    ))
}

/// How many of something the tenant's plan allows; `None` for any number.
pub fn limit_of(c: &mut Conn, tenant: &TenantId, quota: Quota) -> AppResult<Option<i64>> {
    Ok(tenants::plan_quota_of_tenant(c, tenant, quota)?.and_then(|quota| quota.limit()))
}

/// Refuses to go beyond what the tenant's plan allows: `count` is how many there would be, and `message` gets
/// the number that may be. Where the contract has no code for it, `FEATURE_NOT_AVAILABLE` says that it is the plan's.
pub fn must_have_room(
    c: &mut Conn,
    tenant: &TenantId,
    quota: Quota,
    count: i64,
    code: ErrorCode,
    message: impl FnOnce(i64) -> String,
) -> AppResult<()> {
    match limit_of(c, tenant, quota)? {
        Some(limit) => must_be_room(limit, count, code, message),
        None => Ok(()),
    }
}

/// The same where the limit is known already.
pub fn must_be_room(
    limit: i64,
    count: i64,
    code: ErrorCode,
    message: impl FnOnce(i64) -> String,
) -> AppResult<()> {
    if count <= limit {
        return Ok(());
    }
    let kind =
        if code == ErrorCode::FeatureNotAvailable { ErrorKind::Forbidden } else { ErrorKind::Conflict };
    Err(AppError::new(kind, code, message(limit)))
}

//! What a tenant's plan allows: features, and how many of something.

use ringnity_store::tenants::{self, Feature, Features, Quota};
use ringnity_store::{Conn, TenantId};
use ringnity_types::ErrorCode;

use super::{AppError, AppResult, ErrorKind};

/// The error for a tenant whose plan does not include `feature`.
///
/// The contract says which operations need which feature (`x-ringnity-feature`). Generated code checks it for requests
/// with a credential, [`tenant_of_hints`](super::tenants::resolve_tenant) for those without.
pub fn not_included(feature: &str) -> AppError {
    AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::FeatureNotAvailable,
        format!("This tenant's plan does not contain {feature}. Change to a plan that does."),
    )
}

/// Checks a feature that an operation needs only in some cases. `included` are the features of the tenant's plan.
pub fn require(included: Features, feature: Feature) -> AppResult<()> {
    if included.contains(feature) { Ok(()) } else { Err(not_included(feature.as_str())) }
}

/// Checks the feature that an operation needs, for a request without a credential.
pub fn require_for_tenant(c: &mut Conn, tenant: &TenantId, feature: &'static str) -> AppResult<()> {
    let known = Feature::from_key(feature)
        .ok_or_else(|| AppError::internal(format!("there is no feature {feature}")))?;
    if tenants::plan_of_tenant_includes(c, tenant, known)? { Ok(()) } else { Err(not_included(feature)) }
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

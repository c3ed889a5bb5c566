//! Owners of tenants: signing in, and what the dashboard shows them of themselves.

use ringnity_store::owners::{self, Owner};
use ringnity_store::plans;
use ringnity_store::sessions;
use ringnity_store::tenants::{self, Tenant};
use ringnity_store::{Conn, OwnerId, TenantId};
use ringnity_types::{
    ErrorCode, Field, OwnerClient, OwnerLoginRequest, OwnerMe, OwnerSession, OwnerSubscription,
    SubscriptionStatus,
};

use super::{App, AppError, AppResult, Kind};
use crate::auth::tokens::{ACCESS_TOKEN_LIFE, REFRESH_TOKEN_LIFE, TokenScope};
use crate::auth::{password, secrets};

/// Prefix of refresh tokens, so that a leaked one is recognised.
const REFRESH_PREFIX: &str = "rn_rt_";

/// Signs an owner in: a new session with its first pair of tokens.
pub async fn login_owner(app: &App, request: OwnerLoginRequest) -> AppResult<OwnerSession> {
    let email = request.email.clone();
    let owner = app.store.read(move |c| owners::owner_by_email(c, &email).map_err(AppError::from)).await?;
    // An unknown account costs as much time as a known one, and is refused in the same words.
    let hash = owner.as_ref().and_then(|owner| owner.password_hash.clone());
    let matches = password::verify(request.password, hash).await;
    let owner = owner.filter(|_| matches).ok_or_else(|| {
        AppError::new(
            Kind::Unauthenticated,
            ErrorCode::AuthCredentialsInvalid,
            "Email or password is not right. Check both, or have the password reset.",
        )
    })?;
    if !owner.is_active {
        return Err(AppError::new(
            Kind::Forbidden,
            ErrorCode::AuthAccountDisabled,
            "This account is switched off. Ask the platform's operators to switch it on.",
        ));
    }
    let refresh = secrets::generate(REFRESH_PREFIX).map_err(AppError::internal)?;
    let now = app.now();
    let (tenant_id, owner_id) = (owner.tenant_id.clone(), owner.id.clone());
    let hash = refresh.hash.clone();
    let (facts, session) = app
        .store
        .write(move |c| {
            let facts = facts(c, &tenant_id)?;
            tenants_active(&facts.tenant)?;
            let session = sessions::session_insert(
                c,
                Some(&tenant_id),
                TokenScope::Owner.as_str(),
                owner_id.as_str(),
                &hash,
                now + REFRESH_TOKEN_LIFE,
                now,
            )?;
            owners::owner_signed_in(c, &tenant_id, &owner_id, now)?;
            Ok::<_, AppError>((facts, session))
        })
        .await?;
    let access_token = app
        .signer
        .sign(TokenScope::Owner, owner.id.as_str(), Some(owner.tenant_id.as_str()), session.id.as_str(), now)
        .map_err(AppError::internal)?;
    Ok(OwnerSession {
        client: client(&facts.tenant, &owner),
        admin: Field::Absent,
        subscription: facts.subscription,
        session_token: Some(access_token.clone()),
        access_token,
        refresh_token: refresh.text,
        expires_in: ACCESS_TOKEN_LIFE.num_seconds(),
        dashboard_url: dashboard_url(app, &facts.tenant),
    })
}

/// What the dashboard shows an owner who is signed in.
pub async fn get_owner_session(app: &App, tenant: TenantId, owner: OwnerId) -> AppResult<OwnerMe> {
    let (facts, owner) = app
        .store
        .read(move |c| {
            let owner = owners::owner_get(c, &tenant, &owner)?.ok_or_else(tenants_gone)?;
            Ok::<_, AppError>((facts(c, &tenant)?, owner))
        })
        .await?;
    Ok(OwnerMe {
        client: client(&facts.tenant, &owner),
        admin: Field::Absent,
        subscription: facts.subscription,
        dashboard_url: dashboard_url(app, &facts.tenant),
    })
}

struct Facts {
    tenant: Tenant,
    subscription: OwnerSubscription,
}

fn facts(c: &mut Conn, tenant: &TenantId) -> AppResult<Facts> {
    let stored = tenants::tenant_get(c, tenant)?.ok_or_else(tenants_gone)?;
    let plan = plans::plan_of_tenant(c, tenant)?.ok_or_else(tenants_gone)?;
    let status = tenants::subscription_get(c, tenant)?
        .map_or(SubscriptionStatus::Active, |subscription| SubscriptionStatus::from(subscription.status));
    Ok(Facts {
        tenant: stored,
        subscription: OwnerSubscription { plan_name: plan.name, plan_slug: plan.slug, status },
    })
}

fn client(tenant: &Tenant, owner: &Owner) -> OwnerClient {
    OwnerClient {
        id: tenant.id.to_string(),
        name: told(&tenant.name),
        email: owner.email.clone(),
        slug: tenant.slug.clone(),
        company_name: told(&tenant.company_name),
        logo_url: told(&tenant.logo_url),
        phone: told(&tenant.phone),
        industry: told(&tenant.industry),
        is_active: tenant.is_active,
        onboarding_completed: tenant.onboarding_completed,
        api_key: tenant.public_key.clone(),
    }
}

/// What is not known is left out of an answer, never sent as null.
fn told(value: &Option<String>) -> Field<String> {
    value.clone().map_or(Field::Absent, Field::Value)
}

fn dashboard_url(app: &App, tenant: &Tenant) -> String {
    format!("{}/dashboard/{}", app.urls.dashboard, tenant.slug)
}

fn tenants_active(tenant: &Tenant) -> AppResult<()> {
    super::tenants::must_be_active(tenant)
}

fn tenants_gone() -> AppError {
    super::tenants::unknown()
}

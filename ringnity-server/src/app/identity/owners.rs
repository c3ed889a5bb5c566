//! Owners of tenants: login, logout, and their profile in the dashboard.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, Agent, Owner, SessionFamily};
use ringnity_store::tenants::{self, Tenant};
use ringnity_store::{Conn, OwnerId, TenantId};
use ringnity_types::{
    Field, Logout, OwnerAdmin, OwnerClient, OwnerLoginRequest, OwnerMe, OwnerRefresh, OwnerSession,
    OwnerSubscription, SubscriptionStatus,
};

use crate::app::identity::sessions;
use crate::app::{App, AppError, AppResult, throttle};
use crate::config::Urls;
use crate::secrets::tokens::TokenScope;

/// Logs an owner in: a new session with its first token pair.
pub async fn login_owner(app: &App, address: IpAddr, request: OwnerLoginRequest) -> AppResult<OwnerSession> {
    let attempt = throttle::begin(app, TokenScope::Owner.as_str(), &request.email, address).await?;
    let email = request.email;
    let owner = app.store.read(move |c| identity::owner_by_email(c, &email).map_err(AppError::from)).await?;
    let known = owner.map(|owner| ((owner.tenant_id, owner.id), owner.password_hash));
    let signed_in = attempt
        .sign_in(app, "Email", request.password, known, |c, (tenant, owner), hash, now| {
            let session = start_session(c, tenant, owner, hash, now)?;
            let current = session.profile.owner.password_hash.clone();
            Ok((session, current))
        })
        .await?;
    signed_in.session.into_response(app, signed_in.refresh_token, signed_in.at)
}

/// Exchanges an owner's refresh token for the next token pair.
pub async fn refresh_owner_session(app: &App, presented: Option<String>) -> AppResult<OwnerRefresh> {
    let presented = presented.ok_or_else(sessions::refresh_token_missing)?;
    let (pair, ()) = sessions::refresh(app, TokenScope::Owner, &presented, |c, session| {
        let tenant = session.tenant_id.as_ref().ok_or_else(tenant_not_found)?;
        load_profile(c, tenant, &OwnerId::from(session.subject_id.as_str()))?.ensure_active()
    })
    .await?;
    Ok(OwnerRefresh {
        session_token: Some(pair.access_token.clone()),
        access_token: pair.access_token,
        refresh_token: pair.refresh_token,
        expires_in: pair.expires_in,
    })
}

/// Ends an owner's session.
pub async fn logout_owner(app: &App, presented: Vec<String>) -> AppResult<Logout> {
    sessions::end(app, TokenScope::Owner, presented).await
}

/// A started session, and the profile for its response.
pub(crate) struct StartedSession {
    profile: OwnerProfile,
    session: SessionFamily,
}

/// Starts a session of an authenticated owner, unless owner or tenant is disabled.
pub(crate) fn start_session(
    c: &mut Conn,
    tenant: &TenantId,
    owner: &OwnerId,
    refresh_hash: &str,
    now: DateTime<Utc>,
) -> AppResult<StartedSession> {
    let profile = load_profile(c, tenant, owner)?;
    profile.ensure_active()?;
    let session = sessions::start(c, TokenScope::Owner, Some(tenant), owner.as_str(), refresh_hash, now)?;
    identity::owner_record_login(c, tenant, owner, now)?;
    Ok(StartedSession { profile, session })
}

impl StartedSession {
    /// The response with tokens, after the session was committed.
    pub(crate) fn into_response(
        self,
        app: &App,
        refresh: String,
        now: DateTime<Utc>,
    ) -> AppResult<OwnerSession> {
        let pair = sessions::token_pair(app, TokenScope::Owner, &self.session, refresh, now)?;
        Ok(OwnerSession {
            client: self.profile.client(),
            admin: self.profile.admin(),
            dashboard_url: dashboard_url(&app.urls, &self.profile.tenant),
            subscription: self.profile.subscription,
            session_token: Some(pair.access_token.clone()),
            access_token: pair.access_token,
            refresh_token: pair.refresh_token,
            expires_in: pair.expires_in,
        })
    }
}

/// Returns the profile of the logged-in owner.
pub async fn get_owner_session(app: &App, tenant: TenantId, owner: OwnerId) -> AppResult<OwnerMe> {
    let profile = app.store.read(move |c| load_profile(c, &tenant, &owner)).await?;
    Ok(OwnerMe {
        client: profile.client(),
        admin: profile.admin(),
        dashboard_url: dashboard_url(&app.urls, &profile.tenant),
        subscription: profile.subscription,
    })
}

/// What responses contain about an owner.
struct OwnerProfile {
    tenant: Tenant,
    owner: Owner,
    subscription: OwnerSubscription,
    /// The owner's account in the workspace, created at the first visit.
    agent: Option<Agent>,
}

fn load_profile(c: &mut Conn, tenant: &TenantId, owner: &OwnerId) -> AppResult<OwnerProfile> {
    let owner = identity::owner_get(c, tenant, owner)?.ok_or_else(tenant_not_found)?;
    let stored = tenants::tenant_get(c, tenant)?.ok_or_else(tenant_not_found)?;
    let plan = tenants::plan_of_tenant(c, tenant)?.ok_or_else(tenant_not_found)?;
    let status = tenants::subscription_get(c, tenant)?
        .map_or(SubscriptionStatus::Active, |subscription| SubscriptionStatus::from(subscription.status));
    let agent = match identity::owner_agent_get(c, tenant, &owner.id)? {
        Some(agent) => identity::agent_get(c, tenant, &agent)?,
        None => None,
    };
    Ok(OwnerProfile {
        tenant: stored,
        owner,
        subscription: OwnerSubscription { plan_name: plan.name, plan_slug: plan.slug, status },
        agent,
    })
}

impl OwnerProfile {
    fn ensure_active(&self) -> AppResult<()> {
        if !self.owner.is_active {
            return Err(sessions::account_disabled("the operators of the platform"));
        }
        crate::app::tenants::ensure_active(&self.tenant)
    }

    fn client(&self) -> OwnerClient {
        let Self { tenant, owner, .. } = self;
        OwnerClient {
            id: tenant.id.to_string(),
            name: Field::or_absent(tenant.name.clone()),
            email: owner.email.clone(),
            slug: tenant.slug.clone(),
            company_name: Field::or_absent(tenant.company_name.clone()),
            logo_url: Field::or_absent(tenant.logo_url.clone()),
            phone: Field::or_absent(tenant.phone.clone()),
            industry: Field::or_absent(tenant.industry.clone()),
            is_active: tenant.is_active,
            onboarding_completed: tenant.onboarding_completed,
            api_key: tenant.public_key.clone(),
        }
    }

    fn admin(&self) -> Field<OwnerAdmin> {
        Field::or_absent(self.agent.as_ref().map(|agent| OwnerAdmin {
            agent_id: agent.id.to_string(),
            username: agent.username.clone(),
            name: agent.name.clone(),
        }))
    }
}

/// URL of the tenant's dashboard.
pub(crate) fn dashboard_url(urls: &Urls, tenant: &Tenant) -> String {
    format!("{}/dashboard/{}", urls.dashboard, tenant.slug)
}

fn tenant_not_found() -> AppError {
    crate::app::tenants::tenant_not_found()
}

//! Owners of tenants: signing in and out, and what the dashboard shows them of themselves.

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

/// Signs an owner in: a new session with its first pair of tokens.
pub async fn login_owner(app: &App, address: IpAddr, request: OwnerLoginRequest) -> AppResult<OwnerSession> {
    let attempt = throttle::begin(app, TokenScope::Owner.as_str(), &request.email, address).await?;
    let email = request.email;
    let owner = app.store.read(move |c| identity::owner_by_email(c, &email).map_err(AppError::from)).await?;
    let known = owner.map(|owner| ((owner.tenant_id, owner.id), owner.password_hash));
    let signed_in = attempt
        .sign_in(app, "Email", request.password, known, |c, (tenant, owner), hash, now| {
            let begun = begin(c, tenant, owner, hash, now)?;
            let current = begun.facts.owner.password_hash.clone();
            Ok((begun, current))
        })
        .await?;
    signed_in.session.answer(app, signed_in.refresh_token, signed_in.at)
}

/// Trades an owner's refresh token for the next pair.
pub async fn refresh_owner_session(app: &App, presented: Option<String>) -> AppResult<OwnerRefresh> {
    let presented = presented.ok_or_else(sessions::missing)?;
    let (pair, ()) = sessions::refresh(app, TokenScope::Owner, &presented, |c, session| {
        let tenant = session.tenant_id.as_ref().ok_or_else(tenants_gone)?;
        facts(c, tenant, &OwnerId::from(session.subject_id.as_str()))?.must_be_active()
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

/// A session of an owner that has begun, and what its answer tells.
pub(crate) struct Begun {
    facts: Facts,
    session: SessionFamily,
}

/// Begins a session for an owner who has shown who that is, if owner and tenant are not switched off.
pub(crate) fn begin(
    c: &mut Conn,
    tenant: &TenantId,
    owner: &OwnerId,
    refresh_hash: &str,
    now: DateTime<Utc>,
) -> AppResult<Begun> {
    let facts = facts(c, tenant, owner)?;
    facts.must_be_active()?;
    let session = sessions::begin(c, TokenScope::Owner, Some(tenant), owner.as_str(), refresh_hash, now)?;
    identity::owner_record_login(c, tenant, owner, now)?;
    Ok(Begun { facts, session })
}

impl Begun {
    /// The session with its tokens, once it is durable.
    pub(crate) fn answer(self, app: &App, refresh: String, now: DateTime<Utc>) -> AppResult<OwnerSession> {
        let pair = sessions::pair(app, TokenScope::Owner, &self.session, refresh, now)?;
        Ok(OwnerSession {
            client: self.facts.client(),
            admin: self.facts.admin(),
            dashboard_url: dashboard_url(&app.urls, &self.facts.tenant),
            subscription: self.facts.subscription,
            session_token: Some(pair.access_token.clone()),
            access_token: pair.access_token,
            refresh_token: pair.refresh_token,
            expires_in: pair.expires_in,
        })
    }
}

/// What the dashboard shows an owner who is signed in.
pub async fn get_owner_session(app: &App, tenant: TenantId, owner: OwnerId) -> AppResult<OwnerMe> {
    let facts = app.store.read(move |c| facts(c, &tenant, &owner)).await?;
    Ok(OwnerMe {
        client: facts.client(),
        admin: facts.admin(),
        dashboard_url: dashboard_url(&app.urls, &facts.tenant),
        subscription: facts.subscription,
    })
}

/// What is told of an owner.
struct Facts {
    tenant: Tenant,
    owner: Owner,
    subscription: OwnerSubscription,
    /// Who the owner is in the workspace, once the owner has been there.
    agent: Option<Agent>,
}

fn facts(c: &mut Conn, tenant: &TenantId, owner: &OwnerId) -> AppResult<Facts> {
    let owner = identity::owner_get(c, tenant, owner)?.ok_or_else(tenants_gone)?;
    let stored = tenants::tenant_get(c, tenant)?.ok_or_else(tenants_gone)?;
    let plan = tenants::plan_of_tenant(c, tenant)?.ok_or_else(tenants_gone)?;
    let status = tenants::subscription_get(c, tenant)?
        .map_or(SubscriptionStatus::Active, |subscription| SubscriptionStatus::from(subscription.status));
    let agent = match identity::owner_agent_get(c, tenant, &owner.id)? {
        Some(agent) => identity::agent_get(c, tenant, &agent)?,
        None => None,
    };
    Ok(Facts {
        tenant: stored,
        owner,
        subscription: OwnerSubscription { plan_name: plan.name, plan_slug: plan.slug, status },
        agent,
    })
}

impl Facts {
    fn must_be_active(&self) -> AppResult<()> {
        if !self.owner.is_active {
            return Err(sessions::account_disabled("the platform's operators"));
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

/// Where the dashboard of that tenant is.
pub(crate) fn dashboard_url(urls: &Urls, tenant: &Tenant) -> String {
    format!("{}/dashboard/{}", urls.dashboard, tenant.slug)
}

fn tenants_gone() -> AppError {
    crate::app::tenants::tenant_not_found()
}

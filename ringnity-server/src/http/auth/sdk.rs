//! Holders of SDK tokens: visitors, agents, a tenant's administration. A token says what it was made for; whether
//! that still holds is read at each request: the session, the tenant, the person, their role and department, and
//! the page that asks.

use ringnity_api::principal::{AdminPrincipal, AgentPrincipal, VisitorPrincipal};
use ringnity_api::{AuthFailure, Call, Credential};
use ringnity_store::identity::SessionFamily;
use ringnity_store::{AgentId, Conn, DepartmentId, StoreError, TenantId, VisitorId, visitors};

use crate::app::identity::{sdk_tokens, workspace};
use crate::app::{AppError, tenants};
use crate::http::auth::authenticate::{hold_back, session_of, tenant_of};
use crate::http::error::fault;
use crate::http::state::{Page, State};
use crate::secrets::tokens::{Claims, SdkClaims, TokenScope};

/// What was found behind a token that holds.
struct Holder<T> {
    session: SessionFamily,
    tenant: TenantId,
    subject: T,
    claims: SdkClaims,
}

impl State {
    /// The visitor behind a session.
    pub(super) async fn visitor_of(
        &self,
        call: &Call,
        credential: &Credential,
    ) -> Result<VisitorPrincipal, AuthFailure> {
        let claims = self.claims(credential, TokenScope::Visitor).await?;
        let held = self
            .holder(call, claims, |c, tenant, session| {
                visitors::visitor_get(c, tenant, &VisitorId::from(session.subject_id.as_str()))
            })
            .await?;
        Ok(VisitorPrincipal {
            tenant: held.tenant.into_string().into(),
            session_id: held.session.id.into_string(),
            visitor_id: held.subject.id.into_string(),
            external_id: held.subject.external_id,
        })
    }

    /// The agent behind a token, as the agent is now.
    pub(super) async fn agent_of(
        &self,
        call: &Call,
        credential: &Credential,
    ) -> Result<AgentPrincipal, AuthFailure> {
        let claims = self.claims(credential, TokenScope::Agent).await?;
        let held = self
            .holder(call, claims, |c, tenant, session| {
                workspace::active_agent(c, tenant, &AgentId::from(session.subject_id.as_str()))
            })
            .await?;
        Ok(AgentPrincipal {
            tenant: held.tenant.into_string().into(),
            session_id: held.session.id.into_string(),
            agent_id: held.subject.id.into_string(),
            role: held.subject.role,
            department_id: held.subject.department_id.map(DepartmentId::into_string),
            name: held.claims.name,
            scopes: held.claims.scopes,
        })
    }

    /// Who acts by an admin token: a member of the staff as it is now, or whom the customer's backend named.
    pub(super) async fn admin_of(
        &self,
        call: &Call,
        credential: &Credential,
    ) -> Result<AdminPrincipal, AuthFailure> {
        let claims = self.claims(credential, TokenScope::Admin).await?;
        let held = self
            .holder(call, claims, |c, tenant, session| {
                if !session.subject_id.starts_with(AgentId::PREFIX) {
                    return Ok(Some(None));
                }
                let agent = AgentId::from(session.subject_id.as_str());
                Ok(workspace::active_agent(c, tenant, &agent)?.map(Some))
            })
            .await?;
        let SdkClaims { mut scopes, role, name, actor, .. } = held.claims;
        let mut role = role.ok_or(AuthFailure::Invalid)?;
        if let Some(agent) = &held.subject {
            // Whoever was given a lesser role since has what that role has, and no more.
            role = sdk_tokens::lower_role(&role, &agent.role).ok_or(AuthFailure::Invalid)?;
        }
        let open = sdk_tokens::scopes_of_role(&role);
        scopes.retain(|scope| open.iter().any(|held| held.as_str() == scope));
        Ok(AdminPrincipal {
            tenant: held.tenant.into_string().into(),
            session_id: held.session.id.into_string(),
            subject: held.session.subject_id,
            agent_id: held.subject.as_ref().map(|agent| agent.id.to_string()),
            username: held.subject.map(|agent| agent.username),
            actor_id: actor,
            name,
            role,
            scopes,
        })
    }

    /// Whoever the token was made for, if the session lives, the tenant is served, and the page may ask.
    async fn holder<T: Send + 'static>(
        &self,
        call: &Call,
        claims: Claims,
        subject: impl Fn(&mut Conn, &TenantId, &SessionFamily) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<Holder<T>, AuthFailure> {
        let now = self.app.now();
        let origin = call.origin().map(str::to_owned);
        let Some(sdk) = claims.sdk.clone() else { return Err(AuthFailure::Invalid) };
        let held = self
            .app
            .store
            .read(move |c| {
                let Some(session) = session_of(c, &claims, now)? else { return Ok(None) };
                let Some(tenant) = tenant_of(c, &session)? else { return Ok(None) };
                let Some(subject) = subject(c, &tenant.id, &session)? else { return Ok(None) };
                let page = tenants::ensure_active(&tenant)
                    .and_then(|()| tenants::ensure_origin_allowed(c, &tenant.id, origin.as_deref()));
                Ok::<_, AppError>(Some((session, tenant.id, subject, page)))
            })
            .await
            .map_err(fault)?;
        let (session, tenant, subject, page) = held.ok_or(AuthFailure::Invalid)?;
        Page::note(call, &page);
        hold_back(call, page);
        Ok(Holder { session, tenant, subject, claims: sdk })
    }
}

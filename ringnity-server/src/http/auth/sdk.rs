//! Holders of SDK tokens: visitors, agents, a tenant's administration. A token says what it was made for; whether
//! that still holds is read at each request: the session, the tenant, the person, their role and department, and
//! the page that asks.

use ringnity_api::principal::{AdminPrincipal, AgentPrincipal, VisitorPrincipal};
use ringnity_api::{AuthFailure, Authenticated, Credential, Fault, RequestHead};
use ringnity_store::identity::SessionFamily;
use ringnity_store::tenants::Features;
use ringnity_store::{AgentId, Conn, StoreError, TenantId, VisitorId, visitors};

use crate::app::identity::{sdk_tokens, workspace};
use crate::app::{AppError, tenants};
use crate::http::auth::authenticate::{session_of, tenant_of};
use crate::http::state::{RequestState, State};
use crate::secrets::tokens::{Claims, SdkClaims, TokenScope};

/// What was found behind a token that holds.
struct Holder<T> {
    session: SessionFamily,
    tenant: TenantId,
    features: Features,
    subject: T,
    claims: SdkClaims,
    denial: Option<Fault>,
}

impl State {
    /// The visitor behind a session.
    pub(super) async fn visitor_of(
        &self,
        head: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<VisitorPrincipal>, AuthFailure> {
        let claims = self.claims(credential, TokenScope::Visitor).await?;
        let held = self
            .holder(head, claims, |c, tenant, session| {
                visitors::visitor_get(c, tenant, &VisitorId::from(session.subject_id.as_str()))
            })
            .await?;
        let principal = VisitorPrincipal {
            tenant: held.tenant,
            features: held.features,
            session_id: held.session.id,
            visitor_id: held.subject.id,
            external_id: held.subject.external_id,
        };
        Ok(Authenticated { principal, denial: held.denial })
    }

    /// The agent behind a token, as the agent is now.
    pub(super) async fn agent_of(
        &self,
        head: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<AgentPrincipal>, AuthFailure> {
        let claims = self.claims(credential, TokenScope::Agent).await?;
        let held = self
            .holder(head, claims, |c, tenant, session| {
                workspace::active_agent(c, tenant, &AgentId::from(session.subject_id.as_str()))
            })
            .await?;
        let principal = AgentPrincipal {
            tenant: held.tenant,
            features: held.features,
            session_id: held.session.id,
            agent_id: held.subject.id,
            role: held.subject.role,
            department_id: held.subject.department_id,
            name: held.claims.name,
            scopes: held.claims.scopes,
        };
        Ok(Authenticated { principal, denial: held.denial })
    }

    /// Who acts by an admin token: a member of the staff as it is now, or whom the customer's backend named.
    pub(super) async fn admin_of(
        &self,
        head: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<AdminPrincipal>, AuthFailure> {
        let claims = self.claims(credential, TokenScope::Admin).await?;
        let held = self
            .holder(head, claims, |c, tenant, session| {
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
            // An agent whose role was lowered after the token was issued has the lower role.
            role = sdk_tokens::lower_role(&role, &agent.role).ok_or(AuthFailure::Invalid)?;
        }
        let open = sdk_tokens::scopes_of_role(&role);
        scopes.retain(|scope| open.iter().any(|held| held.as_str() == scope));
        let (agent_id, username) = held.subject.map(|agent| (agent.id, agent.username)).unzip();
        let principal = AdminPrincipal {
            tenant: held.tenant,
            features: held.features,
            session_id: held.session.id,
            subject: held.session.subject_id,
            agent_id,
            username,
            actor_id: actor,
            name,
            role,
            scopes,
        };
        Ok(Authenticated { principal, denial: held.denial })
    }

    /// The holder of an SDK token: its session must be active, its tenant enabled, and the request's origin allowed.
    async fn holder<T: Send + 'static>(
        &self,
        head: &RequestHead<RequestState>,
        claims: Claims,
        subject: impl Fn(&mut Conn, &TenantId, &SessionFamily) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<Holder<T>, AuthFailure> {
        let now = self.app.now();
        let origin = head.origin().map(str::to_owned);
        let Some(sdk) = claims.sdk.clone() else { return Err(AuthFailure::Invalid) };
        let held = self
            .app
            .store
            .read(move |c| {
                let Some(session) = session_of(c, &claims, now)? else { return Ok(None) };
                let Some((tenant, features)) = tenant_of(c, &session)? else { return Ok(None) };
                let Some(subject) = subject(c, &tenant.id, &session)? else { return Ok(None) };
                let page = tenants::ensure_active(&tenant)
                    .and_then(|()| tenants::ensure_origin_allowed(c, &tenant.id, origin.as_deref()));
                Ok::<_, AppError>(Some((session, tenant.id, features, subject, page)))
            })
            .await?;
        let (session, tenant, features, subject, page) = held.ok_or(AuthFailure::Invalid)?;
        head.state().set_page(&page);
        let denial = page.err().map(Fault::from);
        Ok(Holder { session, tenant, features, subject, claims: sdk, denial })
    }
}

//! Identifies the principals of credentials, one method per kind in the contract. SDK tokens are in `sdk`. Nothing issues
//! OAuth access tokens yet.

use chrono::{DateTime, Utc};
use ringnity_api::principal::{
    AdminPrincipal, AgentPrincipal, OauthPrincipal, OwnerPrincipal, PlatformPrincipal, ServerPrincipal,
    VisitorPrincipal, WorkspacePrincipal,
};
use ringnity_api::{AuthFailure, Authenticate, Authenticated, Credential, Fault, Principal, RequestHead};
use ringnity_store::identity::{self, SessionFamily};
use ringnity_store::tenants::{self, Features, Tenant};
use ringnity_store::{AgentId, Conn, OwnerId, SessionFamilyId, StoreError, TenantId};

use crate::app::AppError;
use crate::app::identity::workspace;
use crate::app::tenants::{ensure_active, server_keys};
use crate::http::state::{RequestState, State};
use crate::secrets;
use crate::secrets::tokens::{Claims, TokenError, TokenScope};

impl Authenticate for State {
    async fn server(
        &self,
        _: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<ServerPrincipal>, AuthFailure> {
        // Nothing else is looked up.
        if !credential.secret().starts_with(server_keys::PREFIX) {
            return Err(AuthFailure::WrongKind);
        }
        let hash = secrets::hash(credential.secret());
        let now = self.app.now();
        let found = self
            .app
            .store
            .read(move |c| {
                let Some(found) = tenants::server_credential_by_secret_hash(c, &hash)? else {
                    return Ok(None);
                };
                let tenant = tenants::tenant_get_with_features(c, &found.tenant_id)?;
                Ok::<_, AppError>(tenant.map(|tenant| (found, tenant)))
            })
            .await?;
        let found = found.filter(|(found, _)| found.is_active);
        let (found, (tenant, features)) = found.ok_or(AuthFailure::Invalid)?;
        let denial = ensure_active(&tenant).err().map(Fault::from);
        server_keys::record_use(&self.app, &found, now).await;
        let (tenant, credential_id, scopes) = (tenant.id, found.id, found.scopes);
        Ok(Authenticated { principal: ServerPrincipal { tenant, features, credential_id, scopes }, denial })
    }

    async fn owner(
        &self,
        _: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<OwnerPrincipal>, AuthFailure> {
        let (session, ((tenant, features), owner)) = self
            .signed_in(credential, TokenScope::Owner, |c, session| {
                let Some(found) = tenant_of(c, session)? else { return Ok(None) };
                let owner = identity::owner_get(c, &found.0.id, &OwnerId::from(session.subject_id.as_str()))?;
                Ok(owner.filter(|owner| owner.is_active).map(|owner| (found, owner)))
            })
            .await?;
        let denial = ensure_active(&tenant).err().map(Fault::from);
        let principal =
            OwnerPrincipal { tenant: tenant.id, features, owner_id: owner.id, session_id: session.id };
        Ok(Authenticated { principal, denial })
    }

    async fn workspace(
        &self,
        _: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<WorkspacePrincipal>, AuthFailure> {
        // Role and department are the agent's as of now, never the token's: a role that is taken away is gone from the
        // next request on.
        let (session, ((tenant, features), agent)) = self
            .signed_in(credential, TokenScope::Workspace, |c, session| {
                let Some(found) = tenant_of(c, session)? else { return Ok(None) };
                let agent = AgentId::from(session.subject_id.as_str());
                Ok(workspace::active_agent(c, &found.0.id, &agent)?.map(|agent| (found, agent)))
            })
            .await?;
        let denial = ensure_active(&tenant).err().map(Fault::from);
        let principal = WorkspacePrincipal {
            tenant: agent.tenant_id,
            features,
            agent_id: agent.id,
            role: agent.role,
            department_id: agent.department_id,
            session_id: session.id,
        };
        Ok(Authenticated { principal, denial })
    }

    async fn platform(
        &self,
        _: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<PlatformPrincipal>, AuthFailure> {
        let (session, admin) = self
            .signed_in(credential, TokenScope::Platform, |c, session| {
                let admin = identity::platform_admin_get(c, &session.subject_id.as_str().into())?;
                Ok(admin.filter(|admin| admin.is_active))
            })
            .await?;
        Ok(PlatformPrincipal { admin_id: admin.id, session_id: session.id }.into())
    }

    async fn visitor(
        &self,
        head: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<VisitorPrincipal>, AuthFailure> {
        self.visitor_of(head, credential).await
    }

    async fn agent(
        &self,
        head: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<AgentPrincipal>, AuthFailure> {
        self.agent_of(head, credential).await
    }

    async fn admin(
        &self,
        head: &RequestHead<RequestState>,
        credential: &Credential,
    ) -> Result<Authenticated<AdminPrincipal>, AuthFailure> {
        self.admin_of(head, credential).await
    }

    async fn oauth(
        &self,
        _: &RequestHead<RequestState>,
        _: &Credential,
    ) -> Result<Authenticated<OauthPrincipal>, AuthFailure> {
        Err(AuthFailure::WrongKind)
    }

    async fn after_authentication(
        &self,
        head: &RequestHead<RequestState>,
        principal: Option<&Principal>,
    ) -> Result<(), Fault> {
        self.count(head, principal).await
    }
}

impl State {
    /// What an access token says, when it opens `scope`.
    pub(super) async fn claims(
        &self,
        credential: &Credential,
        scope: TokenScope,
    ) -> Result<Claims, AuthFailure> {
        self.app
            .auth
            .signer
            .refresh_keys_for(&self.app.store, credential.secret())
            .await
            .map_err(unavailable)?;
        let claims =
            self.app.auth.signer.verify(credential.secret(), self.app.now()).map_err(
                |error| match error {
                    TokenError::Invalid => AuthFailure::WrongKind,
                    TokenError::Expired => AuthFailure::Expired,
                },
            )?;
        if claims.scope == scope { Ok(claims) } else { Err(AuthFailure::WrongKind) }
    }

    /// The session and the account of a dashboard access token, read in one transaction.
    async fn signed_in<T: Send + 'static>(
        &self,
        credential: &Credential,
        scope: TokenScope,
        subject: impl Fn(&mut Conn, &SessionFamily) -> Result<Option<T>, StoreError> + Send + 'static,
    ) -> Result<(SessionFamily, T), AuthFailure> {
        let claims = self.claims(credential, scope).await?;
        let now = self.app.now();
        let held = self
            .app
            .store
            .read(move |c| {
                let Some(session) = session_of(c, &claims, now)? else { return Ok(None) };
                Ok(subject(c, &session)?.map(|subject| (session, subject)))
            })
            .await
            .map_err(unavailable)?;
        held.ok_or(AuthFailure::Invalid)
    }
}

/// The session that a token was made in, if it has not ended: signing out holds from the next request on.
pub(super) fn session_of(
    c: &mut Conn,
    claims: &Claims,
    now: DateTime<Utc>,
) -> Result<Option<SessionFamily>, StoreError> {
    let session = identity::session_get(c, &SessionFamilyId::from(claims.sid.as_str()))?;
    Ok(session.filter(|session| {
        session.is_live(now)
            && session.subject_kind == claims.scope.as_str()
            && session.subject_id == claims.sub
            && session.tenant_id.as_ref().map(TenantId::as_str) == claims.tid.as_deref()
    }))
}

/// The tenant that a session is with, and the features of its plan.
pub(super) fn tenant_of(
    c: &mut Conn,
    session: &SessionFamily,
) -> Result<Option<(Tenant, Features)>, StoreError> {
    match &session.tenant_id {
        Some(tenant) => tenants::tenant_get_with_features(c, tenant),
        None => Ok(None),
    }
}

fn unavailable(error: StoreError) -> AuthFailure {
    AppError::from(error).into()
}

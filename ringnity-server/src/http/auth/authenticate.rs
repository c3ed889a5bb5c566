//! Who holds a credential: one answer per kind that the contract names. A kind that nothing issues yet is held
//! by nobody. Tokens of the SDKs are judged in `sdk`.

use chrono::{DateTime, Utc};
use ringnity_api::principal::{
    AdminPrincipal, AgentPrincipal, OauthPrincipal, OwnerPrincipal, PlatformPrincipal, ServerPrincipal,
    VisitorPrincipal, WorkspacePrincipal,
};
use ringnity_api::{AuthFailure, Authenticate, Call, Credential, Fault, Principal};
use ringnity_store::identity::{self, SessionFamily};
use ringnity_store::tenants::{self, Feature, Tenant};
use ringnity_store::{AgentId, Conn, OwnerId, SessionFamilyId, StoreError, TenantId};

use crate::app::identity::workspace;
use crate::app::tenants::ensure_active;
use crate::app::{self, AppError, AppResult, plans};
use crate::http::error::fault;
use crate::http::state::State;
use crate::secrets;
use crate::secrets::tokens::{Claims, TokenError, TokenScope};

impl Authenticate for State {
    async fn server(&self, call: &Call, credential: &Credential) -> Result<ServerPrincipal, AuthFailure> {
        // Anything else is not looked up.
        if !credential.secret().starts_with(app::tenants::server_keys::PREFIX) {
            return Err(AuthFailure::NotThisKind);
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
                let Some(tenant) = tenants::tenant_get(c, &found.tenant_id)? else { return Ok(None) };
                let served = ensure_active(&tenant)
                    .and_then(|()| plans::must_include(c, &tenant.id, Feature::ServerApi));
                Ok::<_, AppError>(Some((found, served)))
            })
            .await
            .map_err(fault)?;
        let (found, served) = found.filter(|(found, _)| found.is_active).ok_or(AuthFailure::Invalid)?;
        hold_back(call, served);
        app::tenants::server_keys::record_use(&self.app, &found, now).await;
        Ok(ServerPrincipal {
            tenant: found.tenant_id.into_string().into(),
            credential_id: found.id.into_string(),
            scopes: found.scopes,
        })
    }

    async fn owner(&self, call: &Call, credential: &Credential) -> Result<OwnerPrincipal, AuthFailure> {
        let (session, (tenant, owner)) = self
            .signed_in(credential, TokenScope::Owner, |c, session| {
                let Some(tenant) = tenant_of(c, session)? else { return Ok(None) };
                let owner = identity::owner_get(c, &tenant.id, &OwnerId::from(session.subject_id.as_str()))?;
                Ok(owner.filter(|owner| owner.is_active).map(|owner| (tenant, owner)))
            })
            .await?;
        hold_back(call, ensure_active(&tenant));
        Ok(OwnerPrincipal {
            tenant: tenant.id.into_string().into(),
            owner_id: owner.id.into_string(),
            session_id: session.id.into_string(),
        })
    }

    async fn workspace(
        &self,
        call: &Call,
        credential: &Credential,
    ) -> Result<WorkspacePrincipal, AuthFailure> {
        // Role and department are the agent's as of now, never the token's: what was taken from somebody is gone
        // from the next request on.
        let (session, (tenant, agent)) = self
            .signed_in(credential, TokenScope::Workspace, |c, session| {
                let Some(tenant) = tenant_of(c, session)? else { return Ok(None) };
                let agent = AgentId::from(session.subject_id.as_str());
                Ok(workspace::active_agent(c, &tenant.id, &agent)?.map(|agent| (tenant, agent)))
            })
            .await?;
        hold_back(call, ensure_active(&tenant));
        Ok(WorkspacePrincipal {
            tenant: agent.tenant_id.into_string().into(),
            agent_id: agent.id.into_string(),
            role: agent.role,
            department_id: agent.department_id.map(|id| id.into_string()),
            session_id: session.id.into_string(),
        })
    }

    async fn platform(&self, _: &Call, credential: &Credential) -> Result<PlatformPrincipal, AuthFailure> {
        let (session, admin) = self
            .signed_in(credential, TokenScope::Platform, |c, session| {
                let admin = identity::platform_admin_get(c, &session.subject_id.as_str().into())?;
                Ok(admin.filter(|admin| admin.is_active))
            })
            .await?;
        Ok(PlatformPrincipal { admin_id: admin.id.into_string(), session_id: session.id.into_string() })
    }

    async fn visitor(&self, call: &Call, credential: &Credential) -> Result<VisitorPrincipal, AuthFailure> {
        self.visitor_of(call, credential).await
    }

    async fn agent(&self, call: &Call, credential: &Credential) -> Result<AgentPrincipal, AuthFailure> {
        self.agent_of(call, credential).await
    }

    async fn admin(&self, call: &Call, credential: &Credential) -> Result<AdminPrincipal, AuthFailure> {
        self.admin_of(call, credential).await
    }

    async fn oauth(&self, _: &Call, _: &Credential) -> Result<OauthPrincipal, AuthFailure> {
        Err(AuthFailure::NotThisKind)
    }

    async fn admitted(&self, call: &Call, principal: Option<&Principal>) -> Result<(), Fault> {
        self.count(call, principal).await?;
        match call.noted::<HeldBack>() {
            Some(HeldBack(fault)) if principal.is_some() => Err(fault),
            _ => Ok(()),
        }
    }
}

/// Why somebody who is known is not let in. Told after the request was counted, like everything that is told to
/// those who are known.
#[derive(Clone)]
struct HeldBack(Fault);

/// Keeps a refusal until the request was counted.
pub(super) fn hold_back(call: &Call, outcome: AppResult<()>) {
    if let Err(refusal) = outcome {
        call.note(HeldBack(fault(refusal)));
    }
}

impl State {
    /// What an access token says, when it opens `scope`.
    pub(super) async fn claims(
        &self,
        credential: &Credential,
        scope: TokenScope,
    ) -> Result<Claims, AuthFailure> {
        self.app.signer.refresh_keys_for(&self.app.store, credential.secret()).await.map_err(unavailable)?;
        let claims =
            self.app.signer.verify(credential.secret(), self.app.now()).map_err(|error| match error {
                TokenError::Invalid => AuthFailure::NotThisKind,
                TokenError::Expired => AuthFailure::Expired,
            })?;
        if claims.scope == scope { Ok(claims) } else { Err(AuthFailure::NotThisKind) }
    }

    /// Whoever signed in and has such a token, if their session lives, in one look into the store.
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

/// The tenant that a session is with.
pub(super) fn tenant_of(c: &mut Conn, session: &SessionFamily) -> Result<Option<Tenant>, StoreError> {
    match &session.tenant_id {
        Some(tenant) => tenants::tenant_get(c, tenant),
        None => Ok(None),
    }
}

fn unavailable(error: StoreError) -> AuthFailure {
    AuthFailure::Fault(fault(AppError::from(error)))
}

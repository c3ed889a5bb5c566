//! The workspace: login of staff, and entry of owners with a one-time token.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use ringnity_store::identity::{self, Agent, Department, NewAgent, Owner, SessionFamily};
use ringnity_store::tenants::{self, Tenant};
use ringnity_store::{AgentId, Conn, OwnerId, SessionFamilyId, StoreError, TenantId};
use ringnity_types::{
    ErrorCode, Logout, WorkspaceAgent, WorkspaceAutoLogin, WorkspaceDepartment, WorkspaceEntryToken,
    WorkspaceLoginRequest, WorkspaceRefresh, WorkspaceRole, WorkspaceSession,
};

use crate::app::identity::sessions::{self, TokenPair};
use crate::app::tenants::TenantHints;
use crate::app::{App, AppError, AppResult, ErrorKind, IdempotencyKey, throttle};
use crate::secrets::tokens::TokenScope;
use crate::secrets::{self, NewSecret};

/// Prefix of entry tokens, by which a leaked one is recognized.
const ENTRY_PREFIX: &str = "rn_et_";

/// Lifetime of an entry token: enough for a browser to load the next page.
const ENTRY_TOKEN_TTL: Duration = Duration::seconds(60);

/// Logs in a staff account of the tenant that the request names.
pub async fn login_workspace(
    app: &App,
    hints: TenantHints,
    address: IpAddr,
    request: WorkspaceLoginRequest,
) -> AppResult<WorkspaceSession> {
    if hints == TenantHints::default() {
        return Err(AppError::not_found(
            ErrorCode::AuthWorkspaceNotFound,
            "The request does not name a workspace. Use its host name, or send its slug or public key.",
        ));
    }
    let username = request.username.trim().to_owned();
    let account = username.clone();
    let (tenant, agent) = app
        .store
        .read(move |c| {
            let tenant = crate::app::tenants::resolve_tenant(c, &hints)?;
            let agent = identity::agent_by_username(c, &tenant.id, &username)?;
            Ok::<_, AppError>((tenant.id, agent))
        })
        .await?;
    let account = login_account_key(&tenant, &account);
    let attempt = throttle::begin(app, TokenScope::Workspace.as_str(), &account, address).await?;
    let known = agent.map(|agent| (agent.id, agent.password_hash));
    let signed_in = attempt
        .sign_in(app, "User name", request.password, known, move |c, agent, hash, now| {
            let session = start_session(c, &tenant, agent, hash, now)?;
            let current = session.1.agent.password_hash.clone();
            Ok((session, current))
        })
        .await?;
    let (session, staff) = signed_in.session;
    let pair =
        sessions::token_pair(app, TokenScope::Workspace, &session, signed_in.refresh_token, signed_in.at)?;
    let agent = staff.into_view();
    Ok(WorkspaceSession {
        token: Some(pair.access_token.clone()),
        agent_id: Some(agent.agent_id.clone()),
        username: Some(agent.username.clone()),
        name: Some(agent.name.clone()),
        agent: Some(agent),
        ..WorkspaceSession::new(pair.access_token, pair.refresh_token, pair.expires_in)
    })
}

/// Key under which failed logins of a staff account are counted.
pub fn login_account_key(tenant: &TenantId, username: &str) -> String {
    format!("{tenant} {username}")
}

/// Generates an entry token.
pub fn new_entry_token() -> AppResult<NewSecret> {
    secrets::generate(ENTRY_PREFIX).map_err(AppError::internal)
}

/// Creates a token with which the owner of that session can enter the workspace.
pub async fn create_workspace_entry_token(
    app: &App,
    tenant: TenantId,
    owner: OwnerId,
    session: SessionFamilyId,
    idempotency_key: IdempotencyKey,
) -> AppResult<WorkspaceEntryToken> {
    let token = new_entry_token()?;
    let now = app.now();
    let hash = token.hash.clone();
    let urls = app.urls.clone();
    app.idempotent(idempotency_key, move |c| {
        let stored = tenants::tenant_get(c, &tenant)?.ok_or_else(crate::app::tenants::tenant_not_found)?;
        let expires_at = now + ENTRY_TOKEN_TTL;
        identity::entry_token_insert(c, &tenant, &owner, &session, &hash, expires_at, now)?;
        Ok(WorkspaceEntryToken {
            auto_login_token: token.text.clone(),
            dashboard_url: crate::app::identity::owners::dashboard_url(&urls, &stored),
            expires_in: ENTRY_TOKEN_TTL.num_seconds(),
        })
    })
    .await
}

/// Exchanges an entry token for a workspace session, once. `host_slug` is the tenant in the host name of the request.
pub async fn auto_login_workspace(
    app: &App,
    host_slug: Option<String>,
    token: &str,
) -> AppResult<WorkspaceAutoLogin> {
    let refresh = sessions::new_refresh_token()?;
    let now = app.now();
    let (entry_hash, hash) = (secrets::hash(token), refresh.hash.clone());
    let (session, staff) = app
        .store
        .write(move |c| {
            let entry = identity::entry_token_use(c, &entry_hash, now)?.ok_or_else(entry_token_invalid)?;
            // A logout in between invalidates the token.
            let source_session = identity::session_get(c, &entry.session_id)?;
            if !source_session.is_some_and(|session| session.is_live(now)) {
                return Err(entry_token_invalid());
            }
            let tenant = tenants::tenant_get(c, &entry.tenant_id)?.ok_or_else(entry_token_invalid)?;
            if host_slug.as_ref().is_some_and(|slug| *slug != tenant.slug) {
                return Err(entry_token_invalid());
            }
            let owner =
                identity::owner_get(c, &tenant.id, &entry.owner_id)?.ok_or_else(entry_token_invalid)?;
            let agent = agent_for_owner(c, &owner, now)?;
            start_session(c, &tenant.id, &agent, &hash, now)
        })
        .await?;
    let pair = sessions::token_pair(app, TokenScope::Workspace, &session, refresh.text, now)?;
    let agent = staff.into_view();
    Ok(WorkspaceAutoLogin {
        token: Some(pair.access_token.clone()),
        agent_id: Some(agent.agent_id.clone()),
        username: Some(agent.username.clone()),
        name: Some(agent.name.clone()),
        ..WorkspaceAutoLogin::new(pair.access_token, pair.refresh_token, pair.expires_in, agent)
    })
}

/// Exchanges a refresh token of the workspace for the next token pair.
pub async fn refresh_workspace_session(app: &App, presented: &str) -> AppResult<WorkspaceRefresh> {
    let (pair, ()) = sessions::refresh(app, TokenScope::Workspace, presented, |c, session| {
        let tenant = session.tenant_id.as_ref().ok_or_else(crate::app::tenants::tenant_not_found)?;
        load_staff_member(c, tenant, &AgentId::from(session.subject_id.as_str())).map(drop)
    })
    .await?;
    let TokenPair { access_token, refresh_token, expires_in } = pair;
    Ok(WorkspaceRefresh { access_token, refresh_token, expires_in })
}

/// Ends a session of the workspace.
pub async fn logout_workspace(app: &App, presented: Vec<String>) -> AppResult<Logout> {
    sessions::end(app, TokenScope::Workspace, presented).await
}

/// The current agent of a session; `None` if the account or the owner that it belongs to is deleted or disabled.
pub fn active_agent(c: &mut Conn, tenant: &TenantId, agent: &AgentId) -> Result<Option<Agent>, StoreError> {
    let Some(agent) = identity::agent_get(c, tenant, agent)?.filter(|agent| agent.is_active) else {
        return Ok(None);
    };
    let owner = identity::owner_by_agent(c, tenant, &agent.id)?;
    Ok(owner.is_none_or(|owner| owner.is_active).then_some(agent))
}

/// A staff account with its tenant and department.
struct StaffMember {
    tenant: Tenant,
    agent: Agent,
    department: Option<Department>,
}

/// Loads a staff account, unless the account or the tenant is disabled.
fn load_staff_member(c: &mut Conn, tenant: &TenantId, agent: &AgentId) -> AppResult<StaffMember> {
    let agent = active_agent(c, tenant, agent)?
        .ok_or_else(|| sessions::account_disabled("an administrator of the workspace"))?;
    let tenant = tenants::tenant_get(c, tenant)?.ok_or_else(crate::app::tenants::tenant_not_found)?;
    crate::app::tenants::ensure_active(&tenant)?;
    let department = match &agent.department_id {
        Some(id) => identity::department_get(c, &tenant.id, id)?,
        None => None,
    };
    Ok(StaffMember { tenant, agent, department })
}

fn start_session(
    c: &mut Conn,
    tenant: &TenantId,
    agent: &AgentId,
    refresh_hash: &str,
    now: DateTime<Utc>,
) -> AppResult<(SessionFamily, StaffMember)> {
    let staff = load_staff_member(c, tenant, agent)?;
    let session = sessions::start(c, TokenScope::Workspace, Some(tenant), agent.as_str(), refresh_hash, now)?;
    identity::agent_record_login(c, tenant, agent, now)?;
    Ok((session, staff))
}

/// The workspace account of an owner. It is created at the first entry and has no password, so it cannot be logged in
/// to directly.
fn agent_for_owner(c: &mut Conn, owner: &Owner, now: DateTime<Utc>) -> AppResult<AgentId> {
    let tenant = &owner.tenant_id;
    if let Some(agent) = identity::owner_agent_get(c, tenant, &owner.id)? {
        return Ok(agent);
    }
    // A staff account may have the owner's email as its username.
    let username_taken = identity::agent_by_username(c, tenant, &owner.email)?.is_some();
    let new = NewAgent {
        username: if username_taken { owner.id.to_string() } else { owner.email.clone() },
        password_hash: None,
        name: owner.name.clone().unwrap_or_else(|| owner.email.clone()),
        email: Some(owner.email.clone()),
        role: WorkspaceRole::Owner.to_string(),
        department_id: None,
    };
    let agent = identity::agent_insert(c, tenant, &new, now)?;
    identity::owner_agent_insert(c, tenant, &owner.id, &agent.id)?;
    Ok(agent.id)
}

impl StaffMember {
    fn into_view(self) -> WorkspaceAgent {
        let role = WorkspaceRole::from(self.agent.role);
        WorkspaceAgent {
            agent_id: self.agent.id.into_string(),
            username: self.agent.username,
            name: self.agent.name,
            is_owner: role == WorkspaceRole::Owner,
            is_admin: matches!(role, WorkspaceRole::Owner | WorkspaceRole::Admin),
            role,
            client_id: self.tenant.id.into_string(),
            client_slug: self.tenant.slug,
            position: None,
            department: self.department.map(|department| WorkspaceDepartment {
                department_id: Some(department.id.into_string()),
                name: Some(department.name),
                ..WorkspaceDepartment::default()
            }),
            profile_image: Default::default(),
            type_call: Default::default(),
        }
    }
}

fn entry_token_invalid() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        ErrorCode::AuthEntryTokenInvalid,
        "The entry token is used, expired, or not for this workspace. Create a new one in the owner's dashboard.",
    )
}

//! SDK tokens, which a customer's backend creates with its Server API key: visitor context, agent and admin tokens.
//! Each is a session that ends when the key is disabled.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use ringnity_store::identity::{self, Agent, NewSession, SessionFamily};
use ringnity_store::visitors::{self, VisitorProfile};
use ringnity_store::{AgentId, Conn, DepartmentId, ServerCredentialId, TenantId, tenants};
use ringnity_types::{
    AdminRole, AdminScope, AgentScope, CreateAdminTokenRequest, CreateAgentTokenRequest,
    CreateVisitorContextTokenRequest, ErrorCode, SdkToken, VisitorIdentity,
};

use crate::app::identity::workspace;
use crate::app::{App, AppError, AppResult, ErrorKind, IdempotencyKey, non_blank};
use crate::secrets::tokens::{SdkClaims, SdkGrant, Signer, TokenScope};

/// Creates a token that proves the identity of a visitor. It grants nothing but creating a visitor session.
pub async fn create_visitor_context_token(
    app: &App,
    tenant: TenantId,
    credential: ServerCredentialId,
    request: CreateVisitorContextTokenRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<SdkToken> {
    let now = app.now();
    let expires_at = expires_at(now, request.expires_in);
    let profile =
        visitor_profile(request.visitor.unwrap_or_default(), metadata_text(request.metadata.as_deref())?);
    let signer = Arc::clone(&app.auth.signer);
    app.idempotent(idempotency_key, move |c| {
        let scope = TokenScope::VisitorContext;
        let session = start_session(c, &tenant, &credential, scope, credential.as_str(), expires_at, now)?;
        visitors::visitor_context_insert(c, &tenant, &session.id, &profile)?;
        issue(&signer, &session, scope, SdkClaims::default(), now)
    })
    .await
}

/// Creates a token for an agent, selected by id or username.
pub async fn create_agent_token(
    app: &App,
    tenant: TenantId,
    credential: ServerCredentialId,
    request: CreateAgentTokenRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<SdkToken> {
    let now = app.now();
    let expires_at = expires_at(now, request.expires_in);
    let scopes: Vec<String> = request
        .scopes
        .unwrap_or_else(|| AgentScope::ALL.to_vec())
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect();
    ensure_scopes_not_empty(&scopes)?;
    let id = request.agent_id.map(AgentId::from);
    let (username, department) = (request.username, non_blank(request.department_id).map(DepartmentId::from));
    let name = non_blank(request.name);
    let signer = Arc::clone(&app.auth.signer);
    app.idempotent(idempotency_key, move |c| {
        let agent = match (&id, &username) {
            (Some(id), _) => identity::agent_get(c, &tenant, id)?,
            (None, Some(username)) => identity::agent_by_username(c, &tenant, username)?,
            (None, None) => None,
        };
        // Id and username must belong to the same agent.
        let agent = agent
            .filter(|agent| username.as_ref().is_none_or(|name| *name == agent.username))
            .ok_or_else(agent_not_found)?;
        if let Some(department) = &department {
            identity::department_get(c, &tenant, department)?.ok_or_else(department_not_found)?;
            if agent.department_id.as_ref() != Some(department) {
                return Err(agent_not_found());
            }
        }
        ensure_agent_active(c, &tenant, &agent)?;
        let subject = agent.id.as_str();
        let session = start_session(c, &tenant, &credential, TokenScope::Agent, subject, expires_at, now)?;
        let claims = SdkClaims {
            scopes: scopes.clone(),
            role: Some(agent.role),
            department: agent.department_id.map(DepartmentId::into_string),
            name: name.clone(),
            actor: None,
        };
        issue(&signer, &session, TokenScope::Agent, claims, now)
    })
    .await
}

/// Creates an admin token: for a staff account by username, or for a person that the customer's backend names.
pub async fn create_admin_token(
    app: &App,
    tenant: TenantId,
    credential: ServerCredentialId,
    request: CreateAdminTokenRequest,
    idempotency_key: IdempotencyKey,
) -> AppResult<SdkToken> {
    let now = app.now();
    let expires_at = expires_at(now, request.expires_in);
    let (wanted, username) = (request.role, non_blank(request.username));
    let actor = non_blank(request.admin_actor_id);
    let scopes = request.scopes;
    if let Some(scopes) = &scopes {
        ensure_scopes_not_empty(scopes)?;
    }
    let name = non_blank(request.name);
    let signer = Arc::clone(&app.auth.signer);
    app.idempotent(idempotency_key, move |c| {
        let (subject, role, department) = match &username {
            Some(username) => {
                let agent = identity::agent_by_username(c, &tenant, username)?
                    .filter(|agent| rank(&agent.role) > 0)
                    .ok_or_else(admin_not_found)?;
                ensure_agent_active(c, &tenant, &agent)?;
                let role = wanted.as_ref().map_or(agent.role.as_str(), AdminRole::as_str);
                if rank(role) > rank(&agent.role) {
                    return Err(AppError::new(
                        ErrorKind::Invalid,
                        ErrorCode::ServerTokenScopeInvalid,
                        "The role exceeds the role of this account. Request its own role, or omit role.",
                    )
                    .detail(format!("/body/role: {username} is {}", agent.role)));
                }
                (agent.id.to_string(), role.to_owned(), agent.department_id)
            }
            None => {
                // Cannot collide with the id of an agent.
                let subject = match &actor {
                    Some(actor) => format!("actor:{actor}"),
                    None => format!("key:{credential}"),
                };
                (subject, wanted.clone().unwrap_or(AdminRole::Admin).to_string(), None)
            }
        };
        let granted = scopes_of_role(&role);
        let scopes = scopes.clone().unwrap_or_else(|| granted.clone());
        let forbidden: Vec<String> = scopes
            .iter()
            .filter(|scope| !granted.contains(scope))
            .map(|scope| format!("/body/scopes: {scope} is not granted to the role {role}"))
            .collect();
        if !forbidden.is_empty() {
            let error = AppError::new(
                ErrorKind::Invalid,
                ErrorCode::ServerTokenScopeInvalid,
                "The role does not have all of these scopes. Remove those listed in `details` and retry.",
            );
            return Err(forbidden.into_iter().fold(error, AppError::detail));
        }
        let session = start_session(c, &tenant, &credential, TokenScope::Admin, &subject, expires_at, now)?;
        let claims = SdkClaims {
            scopes: scopes.iter().map(ToString::to_string).collect(),
            role: Some(role),
            department: department.map(DepartmentId::into_string),
            name: name.clone(),
            actor: actor.clone(),
        };
        issue(&signer, &session, TokenScope::Admin, claims, now)
    })
    .await
}

/// Scopes that a role can have in an admin token.
pub fn scopes_of_role(role: &str) -> Vec<AdminScope> {
    match rank(role) {
        0 => Vec::new(),
        // Supervisors manage people and conversations, not billing and content.
        1 => AdminScope::ALL
            .iter()
            .filter(|scope| {
                !matches!(scope, AdminScope::AdminSubscriptionRead | AdminScope::AdminKnowledgeWrite)
            })
            .cloned()
            .collect(),
        _ => AdminScope::ALL.to_vec(),
    }
}

/// The lower of two roles; `None` if it is not an admin role.
pub fn lower_role(one: &str, other: &str) -> Option<String> {
    let lesser = if rank(one) <= rank(other) { one } else { other };
    (rank(lesser) > 0).then(|| lesser.to_owned())
}

fn rank(role: &str) -> u8 {
    match AdminRole::from(role) {
        AdminRole::Owner => 3,
        AdminRole::Admin => 2,
        AdminRole::Supervisor => 1,
        AdminRole::Unknown(_) => 0,
    }
}

/// Starts the session of a new token. Checks the key again: a token must not outlive a key that is disabled at the same
/// time.
fn start_session(
    c: &mut Conn,
    tenant: &TenantId,
    credential: &ServerCredentialId,
    scope: TokenScope,
    subject: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> AppResult<SessionFamily> {
    let key = tenants::server_credential_get(c, tenant, credential)?;
    if !key.is_some_and(|key| key.is_active) {
        return Err(AppError::new(
            ErrorKind::Unauthenticated,
            ErrorCode::ServerApiKeyInvalid,
            "The key was disabled. Use another one.",
        ));
    }
    let new = NewSession {
        subject_kind: scope.as_str(),
        subject_id: subject,
        credential_id: Some(credential.as_str()),
        refresh_hash: None,
        expires_at,
    };
    Ok(identity::session_insert(c, Some(tenant), &new, now)?)
}

fn issue(
    signer: &Signer,
    session: &SessionFamily,
    scope: TokenScope,
    claims: SdkClaims,
    now: DateTime<Utc>,
) -> AppResult<SdkToken> {
    let scopes = claims.scopes.clone();
    let text = sign_sdk_token(signer, session, scope, claims, now)?;
    Ok(SdkToken {
        scopes: Some(scopes).filter(|scopes| !scopes.is_empty()),
        expires_at: Some(session.expires_at),
        ..SdkToken::new(text, (session.expires_at - now.trunc_subsecs(0)).num_seconds())
    })
}

/// Signs a token for `session`.
pub fn sign_sdk_token(
    signer: &Signer,
    session: &SessionFamily,
    scope: TokenScope,
    claims: SdkClaims,
    now: DateTime<Utc>,
) -> AppResult<String> {
    let tenant =
        session.tenant_id.as_ref().ok_or_else(|| AppError::internal("an SDK session has no tenant"))?;
    let grant = SdkGrant {
        scope,
        subject: &session.subject_id,
        tenant: tenant.as_str(),
        session: session.id.as_str(),
        expires_at: session.expires_at,
        claims,
    };
    signer.sign_sdk(grant, now).map_err(AppError::internal)
}

/// The time `seconds` from now, in whole seconds because tokens have no finer time.
pub fn expires_at(now: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    now.trunc_subsecs(0) + TimeDelta::seconds(seconds)
}

/// The profile of a verified visitor.
fn visitor_profile(visitor: VisitorIdentity, metadata: String) -> VisitorProfile {
    VisitorProfile {
        external_id: non_blank(visitor.external_id),
        claimed_external_id: None,
        name: non_blank(visitor.name),
        email: non_blank(visitor.email),
        phone: non_blank(visitor.phone),
        metadata,
    }
}

/// Maximum size of metadata as JSON, in bytes. The schema limits the number of members; the contract states this limit
/// only in its description.
pub const METADATA_MAX_BYTES: usize = 16 * 1024;

/// Metadata as it is stored.
pub fn metadata_text(metadata: Option<&serde_json::Map<String, serde_json::Value>>) -> AppResult<String> {
    let Some(members) = metadata else { return Ok("{}".to_owned()) };
    let text = serde_json::to_string(members).map_err(AppError::internal)?;
    if text.len() <= METADATA_MAX_BYTES {
        return Ok(text);
    }
    Err(AppError::new(
        ErrorKind::Invalid,
        ErrorCode::RequestInvalid,
        "The metadata is too large. Send references instead of large values.",
    )
    .detail(format!("/body/metadata: has {} bytes as JSON, more than {METADATA_MAX_BYTES}", text.len())))
}

fn ensure_scopes_not_empty<T>(scopes: &[T]) -> AppResult<()> {
    if scopes.is_empty() {
        return Err(AppError::new(
            ErrorKind::Invalid,
            ErrorCode::ServerTokenScopeInvalid,
            "The list of scopes is empty. Send the scopes that the token needs, or omit scopes for all of them.",
        )
        .detail("/body/scopes: is empty"));
    }
    Ok(())
}

fn ensure_agent_active(c: &mut Conn, tenant: &TenantId, agent: &Agent) -> AppResult<()> {
    if workspace::active_agent(c, tenant, &agent.id)?.is_some() {
        return Ok(());
    }
    Err(AppError::new(
        ErrorKind::Forbidden,
        ErrorCode::AgentSdkAgentDisabled,
        "The agent is disabled. Enable the account, or use another agent.",
    ))
}

fn agent_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ServerAgentNotFound,
        "The agent does not exist. Check that agentId, username and departmentId belong to the same agent.",
    )
}

fn department_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ServerDepartmentNotFound,
        "The department does not exist. Check departmentId, or omit it.",
    )
}

fn admin_not_found() -> AppError {
    AppError::not_found(
        ErrorCode::ServerAdminNotFound,
        "No owner, admin or supervisor has that username. Check it, or omit username.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_roles_have_fewer_scopes() {
        let count = |role| scopes_of_role(role).len();
        assert_eq!(count("owner"), AdminScope::ALL.len());
        assert_eq!(count("admin"), AdminScope::ALL.len());
        assert!(count("supervisor") < count("admin") && count("supervisor") > 0);
        assert_eq!((count("agent"), count("")), (0, 0));
        assert_eq!(lower_role("owner", "supervisor").as_deref(), Some("supervisor"));
        assert_eq!(lower_role("supervisor", "owner").as_deref(), Some("supervisor"));
        assert_eq!(lower_role("admin", "agent"), None);
    }
}

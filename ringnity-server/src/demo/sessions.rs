//! Credentials that are expected to be rejected: sessions from before their holder or tenant was disabled, and expired
//! tokens.

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, NewSession, Owner};
use ringnity_store::visitors::{self, VisitorProfile};
use ringnity_store::{AgentId, Conn, PlatformAdminId, TenantId};
use serde::{Deserialize, Serialize};

use super::DemoTenant;
use crate::app::identity::{sdk_tokens, sessions, workspace};
use crate::app::{AppError, AppResult, tenants};
use crate::secrets::tokens::{
    ACCESS_TOKEN_TTL, REFRESH_TOKEN_TTL, SdkClaims, SdkGrant, SignError, Signer, TokenScope,
};

/// Credentials that are expected to be rejected.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoCredentials {
    /// Credentials of the disabled tenant.
    pub closed_sessions: DemoClosed,
    /// Credentials of disabled people.
    pub former_sessions: DemoFormer,
    /// Expired tokens.
    pub expired: DemoExpired,
}

/// Credentials of sessions with a tenant that was disabled since. They expire when the session does, so that they can
/// be tried for that long.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoClosed {
    /// Refresh token of its owner.
    pub owner_refresh_token: String,
    /// Refresh token of an agent.
    pub workspace_refresh_token: String,
    /// Entry token of its owner for the workspace.
    pub entry_token: String,
    /// Access token of its owner.
    pub owner_token: String,
    /// Access token of an agent for the workspace.
    pub workspace_token: String,
    /// Session token of a visitor.
    pub visitor_token: String,
    /// SDK token of an agent.
    pub agent_token: String,
    /// SDK token of its administration.
    pub admin_token: String,
}

/// Credentials of people who were disabled since.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoFormer {
    /// Refresh token of an owner.
    pub owner_refresh_token: String,
    /// Refresh token of an agent.
    pub workspace_refresh_token: String,
    /// Refresh token of a platform administrator.
    pub platform_refresh_token: String,
    /// Entry token of the owner for the workspace.
    pub entry_token: String,
}

/// A token of each kind that expired yesterday. They name no account, because the expiry is checked first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoExpired {
    /// Access token of an owner.
    pub owner_token: String,
    /// Access token of an agent for the workspace.
    pub workspace_token: String,
    /// Access token of a platform administrator.
    pub platform_token: String,
    /// Session token of a visitor.
    pub visitor_token: String,
    /// SDK token of an agent.
    pub agent_token: String,
    /// SDK token of a tenant's administration.
    pub admin_token: String,
    /// Context token of a visitor.
    pub context_token: String,
}

/// Begins sessions with a tenant that is about to be disabled.
pub(super) fn closed(
    c: &mut Conn,
    signer: &Signer,
    tenant: &DemoTenant,
    now: DateTime<Utc>,
) -> AppResult<DemoClosed> {
    let id = TenantId::from(tenant.tenant.client_id.as_str());
    let owner = identity::owner_list(c, &id)?.into_iter().next().ok_or_else(tenants::tenant_not_found)?;
    let agent = tenant.agents.first().ok_or_else(tenants::tenant_not_found)?;
    let ends = sdk_tokens::expires_at(now, REFRESH_TOKEN_TTL.num_seconds());
    let (owner_session, owner_refresh_token) =
        begin(c, TokenScope::Owner, Some(&id), owner.id.as_str(), now)?;
    let (staff_session, workspace_refresh_token) =
        begin(c, TokenScope::Workspace, Some(&id), &agent.agent_id, now)?;
    let signed = |scope, session: &identity::SessionFamily| {
        // Issued so that it expires with the session.
        let at = ends - ACCESS_TOKEN_TTL;
        signer
            .sign(scope, &session.subject_id, Some(id.as_str()), session.id.as_str(), at)
            .map_err(AppError::internal)
    };
    let owner_token = signed(TokenScope::Owner, &owner_session)?;
    let workspace_token = signed(TokenScope::Workspace, &staff_session)?;
    let profile = VisitorProfile { metadata: "{}".to_owned(), ..VisitorProfile::default() };
    let visitor = visitors::visitor_begin_session(c, &id, &profile, now)?;
    let mut sdk = |scope: TokenScope, subject: &str, claims: SdkClaims| {
        let new = NewSession {
            subject_kind: scope.as_str(),
            subject_id: subject,
            credential_id: None,
            refresh_hash: None,
            expires_at: ends,
        };
        let session = identity::session_insert(c, Some(&id), &new, now)?;
        sdk_tokens::sign_sdk_token(signer, &session, scope, claims, now)
    };
    let visitor_token = sdk(TokenScope::Visitor, visitor.id.as_str(), SdkClaims::default())?;
    let agent_token = sdk(TokenScope::Agent, &agent.agent_id, SdkClaims::default())?;
    let role = SdkClaims { role: Some(agent.role.clone()), ..SdkClaims::default() };
    let admin_token = sdk(TokenScope::Admin, &agent.agent_id, role)?;
    let entry_token = entry(c, &owner, &owner_session, now)?;
    Ok(DemoClosed {
        owner_refresh_token,
        workspace_refresh_token,
        entry_token,
        owner_token,
        workspace_token,
        visitor_token,
        agent_token,
        admin_token,
    })
}

/// Begins sessions of people who are about to be disabled.
pub(super) fn former(
    c: &mut Conn,
    owner: &Owner,
    agent: &AgentId,
    admin: &PlatformAdminId,
    now: DateTime<Utc>,
) -> AppResult<DemoFormer> {
    let tenant = Some(&owner.tenant_id);
    let (session, owner_refresh_token) = begin(c, TokenScope::Owner, tenant, owner.id.as_str(), now)?;
    let (_, workspace_refresh_token) = begin(c, TokenScope::Workspace, tenant, agent.as_str(), now)?;
    let (_, platform_refresh_token) = begin(c, TokenScope::Platform, None, admin.as_str(), now)?;
    let entry_token = entry(c, owner, &session, now)?;
    Ok(DemoFormer { owner_refresh_token, workspace_refresh_token, platform_refresh_token, entry_token })
}

/// Tokens that have expired since they were issued at `made_at`.
pub(super) fn expired(signer: &Signer, made_at: DateTime<Utc>) -> Result<DemoExpired, SignError> {
    const UNKNOWN_ID: &str = "nobody";
    let signed = |scope, tenant| signer.sign(scope, UNKNOWN_ID, tenant, UNKNOWN_ID, made_at);
    let sdk = |scope| {
        let expires_at = made_at + ACCESS_TOKEN_TTL;
        let (subject, tenant, session, claims) = (UNKNOWN_ID, UNKNOWN_ID, UNKNOWN_ID, SdkClaims::default());
        signer.sign_sdk(SdkGrant { scope, subject, tenant, session, expires_at, claims }, made_at)
    };
    Ok(DemoExpired {
        owner_token: signed(TokenScope::Owner, Some(UNKNOWN_ID))?,
        workspace_token: signed(TokenScope::Workspace, Some(UNKNOWN_ID))?,
        platform_token: signed(TokenScope::Platform, None)?,
        visitor_token: sdk(TokenScope::Visitor)?,
        agent_token: sdk(TokenScope::Agent)?,
        admin_token: sdk(TokenScope::Admin)?,
        context_token: sdk(TokenScope::VisitorContext)?,
    })
}

/// A session with its refresh token.
fn begin(
    c: &mut Conn,
    scope: TokenScope,
    tenant: Option<&TenantId>,
    subject: &str,
    now: DateTime<Utc>,
) -> AppResult<(identity::SessionFamily, String)> {
    let refresh = sessions::new_refresh_token()?;
    Ok((sessions::start(c, scope, tenant, subject, &refresh.hash, now)?, refresh.text))
}

/// An entry token that expires with the session that it is made for.
fn entry(
    c: &mut Conn,
    owner: &Owner,
    session: &identity::SessionFamily,
    now: DateTime<Utc>,
) -> AppResult<String> {
    let token = workspace::new_entry_token()?;
    let (tenant, ends) = (&owner.tenant_id, session.expires_at);
    identity::entry_token_insert(c, tenant, &owner.id, &session.id, &token.hash, ends, now)?;
    Ok(token.text)
}

//! What those of the demo still hold who are refused: sessions from before they or their tenant were switched off, and
//! tokens whose time is over.

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

/// What those hold who are refused.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoHeld {
    /// What people of the tenant that is switched off still have.
    pub closed_sessions: DemoClosed,
    /// What people still have who are switched off.
    pub former_sessions: DemoFormer,
    /// Tokens whose time is over.
    pub expired: DemoExpired,
}

/// What people have of sessions with a tenant that was switched off since. All of it is good for as long as a session
/// is, so that it can be tried for that long.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoClosed {
    /// Its owner's refresh token.
    pub owner_refresh_token: String,
    /// A refresh token of its staff.
    pub workspace_refresh_token: String,
    /// A token that would take its owner into the workspace.
    pub entry_token: String,
    /// Its owner's access token.
    pub owner_token: String,
    /// An access token of its staff.
    pub workspace_token: String,
    /// A visitor's session.
    pub visitor_token: String,
    /// An agent's token.
    pub agent_token: String,
    /// A token of its administration.
    pub admin_token: String,
}

/// What people have of sessions who were switched off themselves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoFormer {
    /// An owner's refresh token.
    pub owner_refresh_token: String,
    /// A refresh token of somebody of the staff.
    pub workspace_refresh_token: String,
    /// A refresh token of an administrator of the platform.
    pub platform_refresh_token: String,
    /// A token that would take the owner into the workspace.
    pub entry_token: String,
}

/// A token of each kind that was good yesterday. They name nobody: when they end is looked at first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoExpired {
    /// Of an owner.
    pub owner_token: String,
    /// Of a member of the staff.
    pub workspace_token: String,
    /// Of an administrator of the platform.
    pub platform_token: String,
    /// Of a visitor.
    pub visitor_token: String,
    /// Of an agent, for the SDK.
    pub agent_token: String,
    /// Of a tenant's administration, for the SDK.
    pub admin_token: String,
    /// That would say who a visitor is.
    pub context_token: String,
}

/// Begins sessions with a tenant that is about to be switched off.
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
        // As if it were made when the session is about to end.
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

/// Begins sessions of people who are about to be switched off.
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

/// Tokens that were made so long ago that they are over.
pub(super) fn expired(signer: &Signer, made_at: DateTime<Utc>) -> Result<DemoExpired, SignError> {
    const NOBODY: &str = "nobody";
    let signed = |scope, tenant| signer.sign(scope, NOBODY, tenant, NOBODY, made_at);
    let sdk = |scope| {
        let expires_at = made_at + ACCESS_TOKEN_TTL;
        let (subject, tenant, session, claims) = (NOBODY, NOBODY, NOBODY, SdkClaims::default());
        signer.sign_sdk(SdkGrant { scope, subject, tenant, session, expires_at, claims }, made_at)
    };
    Ok(DemoExpired {
        owner_token: signed(TokenScope::Owner, Some(NOBODY))?,
        workspace_token: signed(TokenScope::Workspace, Some(NOBODY))?,
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

/// An entry token that is good for as long as the session that asked for it.
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

//! Those of the demo who are refused something, so that refusals can be tried as well: a tenant that has as much as
//! its plan allows, one whose plan contains nothing, one that is switched off, and people who are.
//!
//! They have one password together: it is made once, and each would cost a start of the demo as much again.

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use ringnity_store::agents::{self, AgentChanges};
use ringnity_store::credentials::{self, ServerCredentialChanges};
use ringnity_store::oauth_clients::{self, NewOauthClient};
use ringnity_store::plans::PlanQuota;
use ringnity_store::tenants::{self, TenantChanges};
use ringnity_store::{AgentId, Conn, TenantId, entry_tokens, owners, platform};
use ringnity_types::{OAuthClientType, PlatformRole, WorkspaceRole};
use serde::{Deserialize, Serialize};

use super::{Blueprint, DemoOwner, DemoTenant, demo_plan, key, model_plan, new_key, random_password, tenant};
use crate::app::oauth_clients::new_client_id;
use crate::app::provisioning::{self, AgentRequest, NewPassword, TenantRequest};
use crate::app::{AppError, AppResult, sessions, workspace};
use crate::secrets::tokens::{ACCESS_TOKEN_LIFE, SdkClaims, SdkGrant, SignError, Signer, TokenScope};
use crate::secrets::{NewSecret, password};

/// Who is refused something.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoRefused {
    /// A tenant that has as much of everything as its plan allows. Its supervisor is switched off.
    pub full: DemoTenant,
    /// A tenant whose plan contains no feature.
    pub bare: DemoTenant,
    /// A tenant that is switched off.
    pub closed: DemoTenant,
    /// An owner who is switched off.
    pub owner: DemoOwner,
    /// An administrator of the platform who is switched off.
    pub platform_admin: DemoOwner,
    /// What people of the tenant that is switched off still have.
    pub closed_sessions: DemoClosed,
    /// Tokens whose time is over.
    pub expired: DemoExpired,
}

/// What somebody has of sessions that began before their tenant was switched off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoClosed {
    /// Its owner's refresh token.
    pub owner_refresh_token: String,
    /// A refresh token of its staff.
    pub workspace_refresh_token: String,
    /// A token that would take its owner into the workspace.
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

/// The same before it has ids.
pub(super) struct Blueprints {
    full: Blueprint,
    bare: Blueprint,
    closed: Blueprint,
    password: String,
    hash: String,
    owner_refresh: NewSecret,
    workspace_refresh: NewSecret,
    entry: NewSecret,
    expired: DemoExpired,
}

impl Blueprints {
    pub(super) async fn new(signer: &Signer, now: DateTime<Utc>) -> Result<Self> {
        let text = random_password()?;
        let hash = password::hash(text.clone()).await?;
        let same = NewPassword::of(Some(text.clone())).await?;
        let blueprint = |slug: &str, name: &str| -> Result<Blueprint> {
            let owner = DemoOwner { email: format!("owner@{slug}.example"), password: text.clone() };
            let agent = AgentRequest {
                username: "supervisor.one".to_owned(),
                name: "Supervisor One".to_owned(),
                role: WorkspaceRole::Supervisor,
                department: None,
                email: None,
                password: same.clone(),
            };
            Ok(Blueprint {
                tenant: TenantRequest {
                    slug: slug.to_owned(),
                    name: name.to_owned(),
                    owner_email: owner.email.clone(),
                    owner_name: None,
                    owner_password: same.clone(),
                    domains: Vec::new(),
                    is_set_up: true,
                },
                owner,
                agents: vec![(agent, text.clone())],
                public_key: provisioning::new_public_key()?,
                key: new_key()?,
            })
        };
        Ok(Self {
            full: blueprint("full", "Full Company")?,
            bare: blueprint("bare", "Bare Company")?,
            closed: blueprint("closed", "Closed Company")?,
            password: text.clone(),
            hash,
            owner_refresh: sessions::new_refresh_token()?,
            workspace_refresh: sessions::new_refresh_token()?,
            entry: workspace::new_entry_token()?,
            expired: expired(signer, now - Duration::days(1))?,
        })
    }

    /// Makes them.
    pub(super) fn seed(&self, c: &mut Conn, now: DateTime<Utc>) -> AppResult<DemoRefused> {
        let one = |quota| PlanQuota { value_type: "number".to_owned(), limit_value: Some(1), ..quota };
        let small = model_plan(c, "demo-full", true, one, now)?;
        let empty = model_plan(c, "demo-bare", false, |quota| quota, now)?;
        let full = tenant(c, &small, &self.full, now)?;
        let bare = tenant(c, &empty, &self.bare, now)?;
        let usual = demo_plan(c, now)?;
        let closed = tenant(c, &usual, &self.closed, now)?;
        for made in [&full, &bare] {
            furnish(c, &TenantId::from(made.tenant.client_id.as_str()), now)?;
        }
        let id = TenantId::from(full.tenant.client_id.as_str());
        for agent in &full.agents {
            let off = AgentChanges { is_active: Some(false), ..AgentChanges::default() };
            agents::agent_update(c, &id, &AgentId::from(agent.agent_id.as_str()), &off, now)?;
        }
        let owner = self.person("former@full.example");
        let stored = owners::owner_insert(c, &id, &owner.email, Some(&self.hash), None, now)?;
        owners::owner_set_active(c, &id, &stored.id, false, now)?;
        let closed_sessions = self.last_sessions(c, &closed, now)?;
        let off = TenantChanges { is_active: Some(false), ..TenantChanges::default() };
        tenants::tenant_update(c, &TenantId::from(closed.tenant.client_id.as_str()), &off, now)?;
        let admin = self.person("former@platform.example");
        if platform::platform_admin_by_email(c, &admin.email)?.is_none() {
            let role = PlatformRole::PlatformSupport.to_string();
            let name = "Former administrator";
            let stored = platform::platform_admin_insert(c, &admin.email, &self.hash, name, &role, now)?;
            platform::platform_admin_set_active(c, &stored.id, false, now)?;
        }
        let expired = self.expired.clone();
        Ok(DemoRefused { full, bare, closed, owner, platform_admin: admin, closed_sessions, expired })
    }

    /// Signs people of a tenant in that is about to be switched off.
    fn last_sessions(&self, c: &mut Conn, tenant: &DemoTenant, now: DateTime<Utc>) -> AppResult<DemoClosed> {
        let id = TenantId::from(tenant.tenant.client_id.as_str());
        for agent in &tenant.agents {
            let (agent, refresh) = (&agent.agent_id, &self.workspace_refresh.hash);
            sessions::begin(c, TokenScope::Workspace, Some(&id), agent, refresh, now)?;
        }
        for owner in owners::owner_list(c, &id)? {
            let refresh = &self.owner_refresh.hash;
            let session = sessions::begin(c, TokenScope::Owner, Some(&id), owner.id.as_str(), refresh, now)?;
            // As good for as long as the session is: it has to be there still when it is tried.
            let ends = session.expires_at;
            entry_tokens::entry_token_insert(c, &id, &owner.id, &session.id, &self.entry.hash, ends, now)?;
        }
        Ok(DemoClosed {
            owner_refresh_token: self.owner_refresh.text.clone(),
            workspace_refresh_token: self.workspace_refresh.text.clone(),
            entry_token: self.entry.text.clone(),
        })
    }

    fn person(&self, email: &str) -> DemoOwner {
        DemoOwner { email: email.to_owned(), password: self.password.clone() }
    }
}

/// What the tenant has from better times: a disabled key and an OAuth client.
fn furnish(c: &mut Conn, tenant: &TenantId, now: DateTime<Utc>) -> AppResult<()> {
    let before = now - Duration::days(1);
    let spare = key("Former key", &new_key().map_err(AppError::internal)?);
    let spare = credentials::server_credential_insert(c, tenant, &spare, before)?;
    let off = ServerCredentialChanges { is_active: Some(false), ..ServerCredentialChanges::default() };
    credentials::server_credential_update(c, tenant, &spare.id, &off, before)?;
    let client = NewOauthClient {
        client_id: new_client_id()?,
        name: "Former client".to_owned(),
        client_type: OAuthClientType::Confidential.to_string(),
        secret_hash: None,
        redirect_uris: vec!["https://app.example.com/callback".to_owned()],
        allowed_scopes: vec!["openid".to_owned()],
        require_pkce: true,
    };
    oauth_clients::oauth_client_insert(c, tenant, &client, now)?;
    Ok(())
}

/// Tokens that were made so long ago that they are over.
fn expired(signer: &Signer, made_at: DateTime<Utc>) -> Result<DemoExpired, SignError> {
    const NOBODY: &str = "nobody";
    let signed = |scope, tenant| signer.sign(scope, NOBODY, tenant, NOBODY, made_at);
    let sdk = |scope| {
        let expires_at = made_at + ACCESS_TOKEN_LIFE;
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

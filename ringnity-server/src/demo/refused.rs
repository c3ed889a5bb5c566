//! Those of the demo who are refused something, so that refusals can be tried as well: a tenant that has as much as
//! its plan allows, one whose plan contains nothing, one that is switched off, and people who are.
//!
//! They have one password together: it is made once, and each would cost a start of the demo as much again.

use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use ringnity_store::identity::{self, AgentChanges};
use ringnity_store::login::{self, NewOauthClient};
use ringnity_store::tenants::{self, PlanQuota, ServerCredentialChanges, TenantChanges};
use ringnity_store::{AgentId, Conn, TenantId};
use ringnity_types::{OAuthClientType, PlatformRole, WorkspaceRole};
use serde::{Deserialize, Serialize};

use super::sessions::{self, DemoHeld};
use super::{Blueprint, DemoOwner, DemoTenant, demo_plan, key, model_plan, new_key, random_password, tenant};
use crate::app::identity::provisioning::{self, AgentRequest, NewPassword, TenantRequest};
use crate::app::login::oauth_clients::new_client_id;
use crate::app::{AppError, AppResult};
use crate::secrets::password;
use crate::secrets::tokens::Signer;

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
    /// What they still hold. A demo that was made before there was any has none.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub held: Option<DemoHeld>,
}

/// The same before it has ids.
pub(super) struct Blueprints {
    full: Blueprint,
    bare: Blueprint,
    closed: Blueprint,
    password: String,
    hash: String,
    signer: Arc<Signer>,
}

impl Blueprints {
    pub(super) async fn new(signer: Arc<Signer>) -> Result<Self> {
        let text = random_password()?;
        let hash = password::hash(text.clone()).await?;
        let same = NewPassword::new(Some(text.clone())).await?;
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
                    onboarding_completed: true,
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
            signer,
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
        let (owner, admin) = (self.person("former@full.example"), self.person("former@platform.example"));
        let stored_owner = identity::owner_insert(c, &id, &owner.email, Some(&self.hash), None, now)?;
        let stored_admin = match identity::platform_admin_by_email(c, &admin.email)? {
            Some(known) => known,
            None => {
                let role = PlatformRole::PlatformSupport.to_string();
                let name = "Former administrator";
                identity::platform_admin_insert(c, &admin.email, &self.hash, name, &role, now)?
            }
        };
        let supervisor = full.agents.first().map(|agent| AgentId::from(agent.agent_id.as_str()));
        let supervisor = supervisor.ok_or_else(crate::app::tenants::tenant_not_found)?;
        let former_sessions = sessions::former(c, &stored_owner, &supervisor, &stored_admin.id, now)?;
        let off = AgentChanges { is_active: Some(false), ..AgentChanges::default() };
        identity::agent_update(c, &id, &supervisor, &off, now)?;
        identity::owner_set_active(c, &id, &stored_owner.id, false, now)?;
        identity::platform_admin_set_active(c, &stored_admin.id, false, now)?;
        let closed_sessions = sessions::closed(c, &self.signer, &closed, now)?;
        let off = TenantChanges { is_active: Some(false), ..TenantChanges::default() };
        tenants::tenant_update(c, &TenantId::from(closed.tenant.client_id.as_str()), &off, now)?;
        let expired = sessions::expired(&self.signer, now - Duration::days(1)).map_err(AppError::internal)?;
        Ok(DemoRefused {
            full,
            bare,
            closed,
            owner,
            platform_admin: admin,
            held: Some(DemoHeld { closed_sessions, former_sessions, expired }),
        })
    }

    fn person(&self, email: &str) -> DemoOwner {
        DemoOwner { email: email.to_owned(), password: self.password.clone() }
    }
}

/// What the tenant has from better times: a disabled key and an OAuth client.
fn furnish(c: &mut Conn, tenant: &TenantId, now: DateTime<Utc>) -> AppResult<()> {
    let before = now - Duration::days(1);
    let spare = key("Former key", &new_key()?);
    let spare = tenants::server_credential_insert(c, tenant, &spare, before)?;
    let off = ServerCredentialChanges { is_active: Some(false), ..ServerCredentialChanges::default() };
    tenants::server_credential_update(c, tenant, &spare.id, &off, before)?;
    let client = NewOauthClient {
        client_id: new_client_id()?,
        name: "Former client".to_owned(),
        client_type: OAuthClientType::Confidential.to_string(),
        secret_hash: None,
        redirect_uris: vec!["https://app.example.com/callback".to_owned()],
        allowed_scopes: vec!["openid".to_owned()],
        require_pkce: true,
    };
    login::oauth_client_insert(c, tenant, &client, now)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_demo_of_an_earlier_version_is_taken_up() {
        let tenant = json!({
            "tenant": { "slug": "a", "clientId": "ten_a", "publicKey": "rn_pk_a" },
            "owner": { "email": "a@a.example", "password": "p" }, "agents": [], "serverApiKey": "rn_sk_test_a",
        });
        let person = &tenant["owner"];
        let earlier = json!({
            "full": tenant, "bare": tenant, "closed": tenant, "owner": person, "platformAdmin": person,
        });
        let taken: DemoRefused = serde_json::from_value(earlier.clone()).expect("is read");
        assert!(taken.held.is_none());
        assert_eq!(serde_json::to_value(&taken).expect("is written"), earlier);
    }
}

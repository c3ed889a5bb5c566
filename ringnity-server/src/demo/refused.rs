//! Accounts of the demo that are expected to be rejected, so that refusals can be tried as well: a tenant at its quotas,
//! one whose plan has no features, a disabled tenant, and disabled people.
//!
//! They share one password, because hashing takes time at start.

use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use ringnity_store::identity::{self, AgentChanges};
use ringnity_store::login::{self, NewOauthClient};
use ringnity_store::tenants::{self, PlanQuota, ServerCredentialChanges, TenantChanges};
use ringnity_store::{AgentId, Conn, TenantId};
use ringnity_types::{OAuthClientType, PlatformRole, WorkspaceRole};
use serde::{Deserialize, Serialize};

use super::sessions::{self, DemoCredentials};
use super::{
    DemoOwner, DemoTenant, NewDemoTenant, demo_plan, key, model_plan, new_key, random_password, tenant,
};
use crate::app::identity::provisioning::{self, AgentRequest, NewPassword, TenantRequest};
use crate::app::login::oauth_clients::new_client_id;
use crate::app::{AppError, AppResult};
use crate::secrets::password;
use crate::secrets::tokens::Signer;

/// Accounts that are expected to be rejected.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoRefused {
    /// A tenant that has used up every quota of its plan. Its supervisor is disabled.
    pub full: DemoTenant,
    /// A tenant whose plan has no features.
    pub bare: DemoTenant,
    /// A disabled tenant.
    pub closed: DemoTenant,
    /// A disabled owner.
    pub owner: DemoOwner,
    /// A disabled platform administrator.
    pub platform_admin: DemoOwner,
    /// Their sessions and tokens. Absent in a demo of an earlier version.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<DemoCredentials>,
}

/// Those accounts before they are inserted.
pub(super) struct NewDemoRefused {
    full: NewDemoTenant,
    bare: NewDemoTenant,
    closed: NewDemoTenant,
    password: String,
    hash: String,
    signer: Arc<Signer>,
}

impl NewDemoRefused {
    pub(super) async fn new(signer: Arc<Signer>) -> Result<Self> {
        let text = random_password()?;
        let hash = password::hash(text.clone()).await?;
        let same = NewPassword::new(Some(text.clone())).await?;
        let blueprint = |slug: &str, name: &str| -> Result<NewDemoTenant> {
            let owner = DemoOwner { email: format!("owner@{slug}.example"), password: text.clone() };
            let agent = AgentRequest {
                username: "supervisor.one".to_owned(),
                name: "Supervisor One".to_owned(),
                role: WorkspaceRole::Supervisor,
                department: None,
                email: None,
                password: same.clone(),
            };
            Ok(NewDemoTenant {
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

    /// Inserts them.
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
            credentials: Some(DemoCredentials { closed_sessions, former_sessions, expired }),
        })
    }

    fn person(&self, email: &str) -> DemoOwner {
        DemoOwner { email: email.to_owned(), password: self.password.clone() }
    }
}

/// Gives the tenant a disabled key and an OAuth client.
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
    fn reads_demo_of_earlier_version() {
        let tenant = json!({
            "tenant": { "slug": "a", "clientId": "ten_a", "publicKey": "rn_pk_a" },
            "owner": { "email": "a@a.example", "password": "p" }, "agents": [], "serverApiKey": "rn_sk_test_a",
        });
        let person = &tenant["owner"];
        let earlier = json!({
            "full": tenant, "bare": tenant, "closed": tenant, "owner": person, "platformAdmin": person,
        });
        let loaded: DemoRefused = serde_json::from_value(earlier.clone()).expect("is read");
        assert!(loaded.credentials.is_none());
        assert_eq!(serde_json::to_value(&loaded).expect("is written"), earlier);
    }
}

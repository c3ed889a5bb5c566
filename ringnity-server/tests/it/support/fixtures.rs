//! Rows that tests start from: tenants with an owner and a Server API key, agents and a platform administrator,
//! inserted through the store before a server starts.

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use chrono::{DateTime, Utc};
use ringnity_server::secrets;
use ringnity_store::identity::{self, NewAgent};
use ringnity_store::tenants::{self, NewServerCredential, NewTenant, Plan, PlanFeature, PlanQuota, Quota};
use ringnity_store::{
    AgentId, Conn, OwnerId, PlatformAdminId, ServerCredentialId, Store, StoreError, TenantId,
};
use ringnity_types::{ServerApiScope, WorkspaceRole};

/// The domain that every tenant allows.
pub const ALLOWED_DOMAIN: &str = "localhost:3000";

/// The plan of every tenant: the features and rates of `professional`, without a limit on how many of anything.
pub const PLAN: &str = "unlimited";

/// Quotas that the plan of the fixtures does not limit.
const UNLIMITED: [Quota; 7] = [
    Quota::Agents,
    Quota::AllowedDomains,
    Quota::Contacts,
    Quota::Departments,
    Quota::OauthClients,
    Quota::ServerApiKeys,
    Quota::Webhooks,
];

/// What a test asks for. The same test makes it once on each engine.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    tenants: Vec<TenantFixture>,
    has_platform_admin: bool,
    has_production_hashes: bool,
}

#[derive(Debug, Clone)]
struct TenantFixture {
    slug: &'static str,
    agents: Vec<(&'static str, WorkspaceRole)>,
}

/// A tenant that a test asked for.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub public_key: String,
    pub owner: Owner,
    /// The secret of its Server API key, which has every scope.
    pub key: String,
    pub key_id: ServerCredentialId,
    agents: Vec<Agent>,
}

#[derive(Debug, Clone)]
pub struct Owner {
    pub id: OwnerId,
    pub email: String,
    pub password: String,
}

#[derive(Debug, Clone)]
pub struct Agent {
    pub id: AgentId,
    pub username: String,
    pub password: String,
    pub role: WorkspaceRole,
}

#[derive(Debug, Clone)]
pub struct PlatformAdmin {
    pub id: PlatformAdminId,
    pub email: String,
    pub password: String,
}

/// Handles of what was made.
#[derive(Debug, Clone, Default)]
pub struct Inserted {
    tenants: Vec<Tenant>,
    platform_admin: Option<PlatformAdmin>,
}

impl Fixtures {
    /// Adds a tenant with an owner `owner@SLUG.example`, a Server API key with every scope, and one allowed domain.
    pub fn tenant(mut self, slug: &'static str) -> Self {
        self.tenants.push(TenantFixture { slug, agents: Vec::new() });
        self
    }

    /// Adds an agent of the department `Support` to the tenant named last.
    pub fn agent(self, username: &'static str) -> Self {
        self.staff(username, WorkspaceRole::Agent)
    }

    /// Adds a supervisor to the tenant named last.
    pub fn supervisor(self, username: &'static str) -> Self {
        self.staff(username, WorkspaceRole::Supervisor)
    }

    /// Adds an administrator to the tenant named last.
    pub fn admin(self, username: &'static str) -> Self {
        self.staff(username, WorkspaceRole::Admin)
    }

    fn staff(mut self, username: &'static str, role: WorkspaceRole) -> Self {
        self.tenants.last_mut().expect("name the tenant first").agents.push((username, role));
        self
    }

    /// Adds a platform administrator, `admin@platform.example`.
    pub fn platform_admin(mut self) -> Self {
        self.has_platform_admin = true;
        self
    }

    /// Hashes passwords with the parameters of production, for tests of how long sign-in takes.
    pub fn production_hashes(mut self) -> Self {
        self.has_production_hashes = true;
        self
    }

    /// Inserts everything in one transaction.
    pub async fn insert(&self, store: &Store, now: DateTime<Utc>) -> Inserted {
        let fixtures = self.clone();
        store.write(move |c| fixtures.insert_in_txn(c, now)).await.expect("fixtures")
    }

    fn insert_in_txn(&self, c: &mut Conn, now: DateTime<Utc>) -> Result<Inserted, StoreError> {
        let mut inserted = Inserted::default();
        if !self.tenants.is_empty() {
            let plan = insert_plan(c, now)?;
            for fixture in &self.tenants {
                inserted.tenants.push(self.insert_tenant(c, fixture, &plan, now)?);
            }
        }
        if self.has_platform_admin {
            let (email, password) = ("admin@platform.example", "secret of the platform administrator");
            let (hash, role) = (self.hash(password), "platform_owner");
            let admin = identity::platform_admin_insert(c, email, &hash, "Administrator", role, now)?;
            inserted.platform_admin =
                Some(PlatformAdmin { id: admin.id, email: email.to_owned(), password: password.to_owned() });
        }
        Ok(inserted)
    }

    fn insert_tenant(
        &self,
        c: &mut Conn,
        fixture: &TenantFixture,
        plan: &Plan,
        now: DateTime<Utc>,
    ) -> Result<Tenant, StoreError> {
        let slug = fixture.slug;
        let email = format!("owner@{slug}.example");
        let public_key = format!("rn_pk_{}", &secrets::random_hex().expect("randomness")[..32]);
        let name = format!("Company {slug}");
        let new = NewTenant {
            name: Some(name.clone()),
            company_name: Some(name.clone()),
            onboarding_completed: true,
            ..NewTenant::new(slug, &public_key, &email, plan.id.clone())
        };
        let id = tenants::tenant_insert(c, &new, now)?.id;
        tenants::subscription_put(c, &id, "active", None, now)?;
        tenants::tenant_domain_replace(c, &id, &[ALLOWED_DOMAIN.to_owned()], now)?;

        let password = format!("secret of the owner at {slug}");
        let hash = self.hash(&password);
        let owner_name = format!("Owner of {name}");
        let owner = identity::owner_insert(c, &id, &email, Some(&hash), Some(&owner_name), now)?;
        let owner = Owner { id: owner.id, email, password };

        let (key_id, key) = insert_key(c, &id, "Key of the fixtures", &every_scope(), now)?;
        let mut agents = Vec::new();
        if !fixture.agents.is_empty() {
            let department = identity::department_insert(c, &id, "Support", now)?.id;
            for (username, role) in &fixture.agents {
                let password = format!("secret of {username} at {slug}");
                let new = NewAgent {
                    username: (*username).to_owned(),
                    password_hash: Some(self.hash(&password)),
                    name: format!("Agent {username}"),
                    email: None,
                    role: role.to_string(),
                    department_id: Some(department.clone()),
                };
                let agent = identity::agent_insert(c, &id, &new, now)?;
                agents.push(Agent { id: agent.id, username: agent.username, password, role: role.clone() });
            }
        }
        Ok(Tenant { id, slug: slug.to_owned(), public_key, owner, key, key_id, agents })
    }

    fn hash(&self, password: &str) -> String {
        let argon2 = if self.has_production_hashes { Argon2::default() } else { cheap_argon2() };
        argon2.hash_password(password.as_bytes()).expect("hashes").to_string()
    }
}

/// The least that argon2 takes. A hash names its parameters, so a server verifies it as it is; servers make none such.
fn cheap_argon2() -> Argon2<'static> {
    let params = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, Params::MIN_P_COST, None);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.expect("parameters"))
}

fn every_scope() -> Vec<String> {
    ServerApiScope::ALL.iter().map(ToString::to_string).collect()
}

/// Inserts an active Server API key; returns its id and its secret.
pub fn insert_key(
    c: &mut Conn,
    tenant: &TenantId,
    name: &str,
    scopes: &[String],
    now: DateTime<Utc>,
) -> Result<(ServerCredentialId, String), StoreError> {
    let secret = secrets::generate("rn_sk_test_").expect("randomness");
    let new = NewServerCredential {
        name: name.to_owned(),
        environment: "test".to_owned(),
        scopes: scopes.to_vec(),
        secret_hash: secret.hash,
        secret_preview: secret.preview,
    };
    Ok((tenants::server_credential_insert(c, tenant, &new, now)?.id, secret.text))
}

fn insert_plan(c: &mut Conn, now: DateTime<Utc>) -> Result<Plan, StoreError> {
    let catalog = tenants::plan_catalog(c)?;
    let model = catalog.plans.iter().find(|plan| plan.slug == "professional").expect("the plan professional");
    let plan = tenants::plan_insert(c, PLAN, "Unlimited", 1000, false, now)?;
    for feature in catalog.features.iter().filter(|feature| feature.plan_id == model.id) {
        tenants::plan_feature_put(c, &PlanFeature { plan_id: plan.id.clone(), ..feature.clone() })?;
    }
    for quota in catalog.quotas.iter().filter(|quota| quota.plan_id == model.id) {
        let mut quota = PlanQuota { plan_id: plan.id.clone(), ..quota.clone() };
        if UNLIMITED.iter().any(|unlimited| unlimited.as_str() == quota.quota_key) {
            quota = PlanQuota { value_type: "unlimited".to_owned(), limit_value: None, ..quota };
        }
        tenants::plan_quota_put(c, &quota)?;
    }
    Ok(plan)
}

impl Inserted {
    /// The tenant with that slug.
    #[track_caller]
    pub fn tenant(&self, slug: &str) -> &Tenant {
        let tenant = self.tenants.iter().find(|tenant| tenant.slug == slug);
        tenant.unwrap_or_else(|| panic!("this test asked for no tenant {slug}"))
    }

    /// The tenant that was asked for first.
    #[track_caller]
    pub fn first_tenant(&self) -> &Tenant {
        self.tenants.first().expect("this test asked for no tenant")
    }

    /// The platform administrator.
    #[track_caller]
    pub fn platform_admin(&self) -> &PlatformAdmin {
        self.platform_admin.as_ref().expect("this test asked for no platform administrator")
    }
}

impl Tenant {
    /// The agent with that username.
    #[track_caller]
    pub fn agent(&self, username: &str) -> &Agent {
        let agent = self.agents.iter().find(|agent| agent.username == username);
        agent.unwrap_or_else(|| panic!("this test asked for no agent {username}"))
    }
}

//! The demo: two tenants to try things on, and example commands that work when pasted. With `--demo-file`, it also has
//! accounts that are expected to be rejected.
//!
//! Passwords and keys are random. They are made on the first start and saved in the data folder, because the
//! database holds only their hashes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use ringnity_store::identity;
use ringnity_store::tenants::{self, NewServerCredential, Plan, PlanFeature, PlanQuota, Quota};
use ringnity_store::{Conn, Store, StoreError};
use ringnity_types::{PlatformRole, ServerApiCredentialEnvironment, ServerApiScope, WorkspaceRole};
use serde::{Deserialize, Serialize};

use crate::app::identity::provisioning::{self, AgentRequest, NewPassword, TenantRequest};
use crate::app::tenants::server_keys::new_secret;
use crate::app::{AppError, AppResult};
use crate::clock::Clock;
use crate::config::Urls;
use crate::secrets::tokens::Signer;
use crate::secrets::{self, NewSecret, password};

mod refused;
mod sessions;

pub use refused::DemoRefused;
pub use sessions::{DemoClosed, DemoCredentials, DemoExpired, DemoFormer};

/// File in the data folder with the passwords and keys.
const SAVED: &str = "demo.json";

/// The plan that the demo's plans are copied from.
const MODEL_PLAN: &str = "professional";

/// Environment of its Server API keys.
const ENVIRONMENT: ServerApiCredentialEnvironment = ServerApiCredentialEnvironment::Test;

/// Quotas that the demo plan does not limit.
const UNLIMITED: [Quota; 7] = [
    Quota::Agents,
    Quota::AllowedDomains,
    Quota::Contacts,
    Quota::Departments,
    Quota::OauthClients,
    Quota::ServerApiKeys,
    Quota::Webhooks,
];

/// The demo with its secrets: the content of `--demo-file`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demo {
    /// Origin of the server.
    pub base_url: String,
    /// The tenant to try things on.
    #[serde(flatten)]
    pub first: DemoTenant,
    /// A platform administrator.
    pub platform_admin: DemoOwner,
    /// A second tenant, for trying tenant isolation.
    pub other_tenant: OtherTenant,
    /// Accounts that are expected to be rejected. Absent unless a start with `--demo-file` has made them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<DemoRefused>,
}

/// A tenant with its owner, agents and key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoTenant {
    /// How the tenant is named.
    pub tenant: DemoIdentity,
    /// Owner.
    pub owner: DemoOwner,
    /// Agents.
    pub agents: Vec<DemoAgent>,
    /// A Server API key with every scope.
    pub server_api_key: String,
}

/// The second tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherTenant {
    /// Slug, id and public key, also at the top of the object.
    #[serde(flatten)]
    pub identity: DemoIdentity,
    /// The same members as those of the first tenant.
    #[serde(flatten)]
    pub members: DemoTenant,
}

/// The names of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoIdentity {
    /// Slug, as in the tenant's host name.
    pub slug: String,
    /// Tenant id.
    pub client_id: String,
    /// Public widget key; not a secret.
    pub public_key: String,
}

/// An account that signs in by email.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DemoOwner {
    /// Email.
    pub email: String,
    /// Password.
    pub password: String,
}

/// An agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoAgent {
    /// Username, unique within the tenant.
    pub username: String,
    /// Password.
    pub password: String,
    /// Agent id.
    pub agent_id: String,
    /// Role in the tenant.
    pub role: String,
}

/// A tenant before it is inserted.
struct NewDemoTenant {
    tenant: TenantRequest,
    owner: DemoOwner,
    /// Agents with their passwords.
    agents: Vec<(AgentRequest, String)>,
    public_key: String,
    key: NewSecret,
}

/// Seeds the demo, or loads the one that an earlier start has seeded. `with_refused` adds the accounts that are expected
/// to be rejected, also to a demo that was seeded without them.
pub async fn seed(
    store: &Store,
    clock: &Clock,
    signer: &Arc<Signer>,
    folder: &Path,
    urls: &Urls,
    with_refused: bool,
) -> Result<Demo> {
    let saved = folder.join(SAVED);
    let mut demo = match load(store, &saved).await? {
        Some(demo) => demo,
        None => {
            let demo = seed_tenants(store, clock, urls, &saved).await?;
            demo.write(&saved)?;
            demo
        }
    };
    demo.base_url.clone_from(&urls.public);
    if with_refused && demo.refused.is_none() {
        let (new, now) = (refused::NewDemoRefused::new(Arc::clone(signer)).await?, clock.now());
        let inserted = store.write(move |c| new.seed(c, now)).await;
        demo.refused = Some(inserted.with_context(|| already_seeded(&saved))?);
        demo.write(&saved)?;
    }
    Ok(demo)
}

/// The demo that an earlier start has seeded into this database, if there is one.
async fn load(store: &Store, saved: &Path) -> Result<Option<Demo>> {
    let Ok(text) = std::fs::read_to_string(saved) else { return Ok(None) };
    let demo: Demo = serde_json::from_str(&text)
        .with_context(|| format!("{} cannot be read; delete it", saved.display()))?;
    let slug = demo.first.tenant.slug.clone();
    let tenant = store.read(move |c| tenants::tenant_by_slug(c, &slug)).await?;
    Ok(tenant.is_some_and(|tenant| tenant.id.as_str() == demo.first.tenant.client_id).then_some(demo))
}

fn already_seeded(saved: &Path) -> String {
    format!(
        "the database seems to have a demo already, and its passwords, which {} kept, are lost: put that file back, or \
         start with an empty database",
        saved.display()
    )
}

/// Inserts both tenants and the platform administrator.
async fn seed_tenants(store: &Store, clock: &Clock, urls: &Urls, saved: &Path) -> Result<Demo> {
    let first = blueprint("demo", "Demo Company").await?;
    let other = blueprint("other", "Other Company").await?;
    let now = clock.now();
    let admin = (format!("admin@{}.example", "platform"), random_password()?);
    let admin_hash = password::hash(admin.1.clone()).await?;
    let admin_email = admin.0.clone();
    let (first, other) = store
        .write(move |c| {
            if identity::platform_admin_by_email(c, &admin_email)?.is_none() {
                let role = PlatformRole::PlatformOwner.to_string();
                identity::platform_admin_insert(
                    c,
                    &admin_email,
                    &admin_hash,
                    "Demo administrator",
                    &role,
                    now,
                )?;
            }
            let plan = demo_plan(c, now)?;
            Ok::<_, AppError>((tenant(c, &plan, &first, now)?, tenant(c, &plan, &other, now)?))
        })
        .await
        .with_context(|| already_seeded(saved))?;
    Ok(Demo {
        base_url: urls.public.clone(),
        first,
        platform_admin: DemoOwner { email: admin.0, password: admin.1 },
        other_tenant: OtherTenant { identity: other.tenant.clone(), members: other },
        refused: None,
    })
}

async fn blueprint(slug: &str, name: &str) -> Result<NewDemoTenant> {
    let owner = DemoOwner { email: format!("owner@{slug}.example"), password: random_password()? };
    let mut agents = Vec::new();
    for (username, name, role) in [
        ("agent.one", "Agent One", WorkspaceRole::Agent),
        ("agent.two", "Agent Two", WorkspaceRole::Agent),
        ("supervisor.one", "Supervisor One", WorkspaceRole::Supervisor),
        ("admin.one", "Admin One", WorkspaceRole::Admin),
    ] {
        let text = random_password()?;
        let request = AgentRequest {
            username: username.to_owned(),
            name: name.to_owned(),
            role,
            department: Some("Support".to_owned()),
            email: None,
            password: NewPassword::new(Some(text.clone())).await?,
        };
        agents.push((request, text));
    }
    Ok(NewDemoTenant {
        tenant: TenantRequest {
            slug: slug.to_owned(),
            name: name.to_owned(),
            owner_email: owner.email.clone(),
            owner_name: Some(format!("Owner of {name}")),
            owner_password: NewPassword::new(Some(owner.password.clone())).await?,
            domains: vec!["localhost:3000".to_owned()],
            onboarding_completed: true,
        },
        owner,
        agents,
        public_key: provisioning::new_public_key()?,
        key: new_key()?,
    })
}

/// A plan with the features of the model and without limits on how many of anything.
fn demo_plan(c: &mut Conn, now: DateTime<Utc>) -> Result<Plan, StoreError> {
    let unlimited = |quota| PlanQuota { value_type: "unlimited".to_owned(), limit_value: None, ..quota };
    model_plan(c, "demo", true, unlimited, now)
}

/// A plan that is not on offer: with the features of the model or with none, and with `change` applied to the quotas of
/// [`UNLIMITED`].
fn model_plan(
    c: &mut Conn,
    slug: &str,
    featured: bool,
    change: impl Fn(PlanQuota) -> PlanQuota,
    now: DateTime<Utc>,
) -> Result<Plan, StoreError> {
    if let Some(found) = tenants::plan_by_slug(c, slug)? {
        return Ok(found);
    }
    let catalog = tenants::plan_catalog(c)?;
    let Some(model) = catalog.plans.iter().find(|plan| plan.slug == MODEL_PLAN) else {
        return Err(StoreError::Config(format!("the plan catalog has no plan called {MODEL_PLAN}")));
    };
    let last = catalog.plans.iter().map(|plan| plan.sort_order).max().unwrap_or_default();
    let plan = tenants::plan_insert(c, slug, "Demo", last + 10, false, now)?;
    for feature in catalog.features.iter().filter(|feature| feature.plan_id == model.id) {
        let enabled = feature.enabled && featured;
        let feature = PlanFeature { plan_id: plan.id.clone(), enabled, ..feature.clone() };
        tenants::plan_feature_put(c, &feature)?;
    }
    for quota in catalog.quotas.iter().filter(|quota| quota.plan_id == model.id) {
        let changes = UNLIMITED.iter().any(|one| one.as_str() == quota.quota_key);
        let quota = PlanQuota { plan_id: plan.id.clone(), ..quota.clone() };
        tenants::plan_quota_put(c, &if changes { change(quota) } else { quota })?;
    }
    Ok(plan)
}

fn tenant(c: &mut Conn, plan: &Plan, from: &NewDemoTenant, now: DateTime<Utc>) -> AppResult<DemoTenant> {
    let (stored, _) = provisioning::tenant_create(c, plan, &from.tenant, &from.public_key, now)?;
    let mut staff = Vec::new();
    for (request, text) in &from.agents {
        let agent = provisioning::agent_create(c, &stored.id, request, now)?;
        staff.push(DemoAgent {
            username: agent.username,
            password: text.clone(),
            agent_id: agent.id.into_string(),
            role: agent.role,
        });
    }
    tenants::server_credential_insert(c, &stored.id, &key("Demo key", &from.key), now)?;
    Ok(DemoTenant {
        tenant: DemoIdentity {
            slug: stored.slug,
            client_id: stored.id.into_string(),
            public_key: stored.public_key,
        },
        owner: from.owner.clone(),
        agents: staff,
        server_api_key: from.key.text.clone(),
    })
}

/// A Server API key with every scope.
fn key(name: &str, secret: &NewSecret) -> NewServerCredential {
    NewServerCredential {
        name: name.to_owned(),
        environment: ENVIRONMENT.to_string(),
        scopes: ServerApiScope::ALL.iter().map(ToString::to_string).collect(),
        secret_hash: secret.hash.clone(),
        secret_preview: secret.preview.clone(),
    }
}

fn new_key() -> AppResult<NewSecret> {
    new_secret(&ENVIRONMENT)
}

fn random_password() -> Result<String, secrets::RandomSourceError> {
    Ok(format!("demo-{}", &secrets::random_hex()?[..20]))
}

impl Demo {
    /// Writes the demo's addresses and credentials as JSON into a file that only this user can read.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        put(path, &text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Credentials, and commands to try.
    pub fn sheet(&self) -> String {
        let base = &self.base_url;
        let first = &self.first;
        let (slug, owner, key) = (&first.tenant.slug, &first.owner, &first.server_api_key);
        let mut out = String::new();
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = out.write_fmt(text);
            out.push('\n');
        };
        line(format_args!("Reference    {base}/docs"));
        line(format_args!("Contract     {base}/api/openapi.json"));
        line(format_args!("Demo tenant  {slug}: owner {} / {}", owner.email, owner.password));
        if let Some(agent) = first.agents.first() {
            line(format_args!("Its staff    {} / {}", agent.username, agent.password));
        }
        line(format_args!("Platform     {} / {}", self.platform_admin.email, self.platform_admin.password));
        line(format_args!("Server key   {key}"));
        line(format_args!(
            "Other tenant {}: key {}",
            self.other_tenant.identity.slug, self.other_tenant.members.server_api_key
        ));
        line(format_args!("\nTry:\n"));
        line(format_args!("  curl -s {base}/api/sdk/health\n"));
        line(format_args!("  curl -s '{base}/api/sdk/bootstrap?slug={slug}&debug=true'\n"));
        line(format_args!("  curl -s {base}/api/auth/owner-login -H 'Content-Type: application/json' \\"));
        line(format_args!(
            "    -d '{{\"email\":\"{}\",\"password\":\"{}\"}}'\n",
            owner.email, owner.password
        ));
        if let Some(agent) = first.agents.first() {
            line(format_args!(
                "  curl -s '{base}/api/auth/workspace-login?slug={slug}' -H 'Content-Type: application/json' \\"
            ));
            line(format_args!(
                "    -d '{{\"username\":\"{}\",\"password\":\"{}\"}}'\n",
                agent.username, agent.password
            ));
        }
        line(format_args!(
            "  curl -s {base}/api/server/contacts -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\"
        ));
        line(format_args!(
            "    -d '{{\"externalId\":\"crm-1\",\"name\":\"Ada Lovelace\",\"phone\":\"+44 20 7946 0001\",\"tags\":[\"vip\"]}}'\n"
        ));
        line(format_args!(
            "  curl -s '{base}/api/server/contacts?search=ada' -H 'Authorization: Bearer {key}'\n"
        ));
        line(format_args!(
            "  curl -s {base}/api/server/contacts -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{}}'"
        ));
        out
    }
}

/// Replaces the file at `path` by a new one with `text`: the mode of a file is set when it is created, and an existing one
/// may be readable by everybody. What is not a regular file (a pipe, for example) is written to.
fn put(path: &Path, text: &str) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let mut special = std::fs::OpenOptions::new().write(true).open(path)?;
        return Ok(special.write_all(text.as_bytes())?);
    }
    // A symbolic link keeps pointing to the same path.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().context("that is no name of a file")?);
    // Random, so that nobody can have created a file of that name.
    name.push(format!(".{}", &secrets::random_hex()?[..16]));
    let beside = path.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    let done = file.write_all(text.as_bytes()).and_then(|()| std::fs::rename(&beside, &path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    Ok(done?)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn demo_file_is_private_even_if_it_existed_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("demo.json"), folder.path().join("link.json"));
        std::fs::write(&path, "a longer text than the one after it").expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("opens it");
        // Who has the old file open keeps reading the old text.
        let open = std::fs::File::open(&path).expect("opens");
        std::os::unix::fs::symlink(&path, &link).expect("links");
        for (name, text) in [(&path, "one\n"), (&link, "two\n")] {
            put(name, text).expect("puts");
            let there = std::fs::symlink_metadata(&path).expect("is there");
            assert_eq!(there.permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::read_to_string(&path).expect("reads"), text);
        }
        assert!(std::io::read_to_string(open).expect("reads").starts_with("a longer text"));
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 2);
        put(Path::new("/dev/null"), "nothing").expect("writes");
        assert!(!std::fs::metadata("/dev/null").expect("is there").is_file());
    }
}

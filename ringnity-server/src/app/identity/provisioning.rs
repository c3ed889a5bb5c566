//! Creates tenants, owners, staff accounts and platform administrators, for operators and the demo. No operation of the
//! contract does this.

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, Agent, NewAgent, Owner, PlatformAdmin};
use ringnity_store::tenants::{self, NewTenant, Plan, Quota, Tenant, TenantChanges};
use ringnity_store::{Conn, DepartmentId, PageRequest, Store, StoreError, TenantId, constraint};
use ringnity_types::{ErrorCode, PlatformRole, SubscriptionStatus, WorkspaceRole};

use crate::app::tenants as rules;
use crate::app::tenants::domains;
use crate::app::{AppError, AppResult, ErrorKind, plans};
use crate::secrets::{self, password};

/// Minimum length of a password in characters.
const MIN_PASSWORD_LENGTH: usize = 12;

/// A chosen or generated password with its hash.
#[derive(Clone)]
pub struct NewPassword {
    /// The password, if it was generated: to be shown once.
    pub generated: Option<String>,
    pub(crate) hash: String,
}

impl NewPassword {
    /// Hashes the chosen password, or a generated one.
    pub async fn new(chosen: Option<String>) -> AppResult<Self> {
        let (text, generated) = match chosen {
            Some(chosen) if chosen.chars().count() < MIN_PASSWORD_LENGTH => {
                let words = format!(
                    "A password needs at least {MIN_PASSWORD_LENGTH} characters. Choose a longer one."
                );
                return Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words));
            }
            Some(chosen) => (chosen, None),
            None => {
                let text = secrets::random_hex().map_err(AppError::internal)?[..32].to_owned();
                (text.clone(), Some(text))
            }
        };
        Ok(Self { hash: password::hash(text).await?, generated })
    }
}

/// Properties of a new tenant.
#[derive(Clone)]
pub struct TenantRequest {
    /// Slug, used in host names.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// Email of the owner, also the contact address of the tenant.
    pub owner_email: String,
    /// Display name of the owner.
    pub owner_name: Option<String>,
    /// Password of the owner.
    pub owner_password: NewPassword,
    /// Domains whose pages may embed the widget.
    pub domains: Vec<String>,
    /// Whether the onboarding is completed.
    pub onboarding_completed: bool,
}

/// Properties of a new staff account.
#[derive(Clone)]
pub struct AgentRequest {
    /// Unique within the tenant.
    pub username: String,
    /// Display name.
    pub name: String,
    /// Role.
    pub role: WorkspaceRole,
    /// Department; created if the tenant does not have it.
    pub department: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// Password.
    pub password: NewPassword,
}

/// Finds the tenant with that slug.
pub fn tenant_by_slug(c: &mut Conn, slug: &str) -> AppResult<Tenant> {
    tenants::tenant_by_slug(c, slug)?.ok_or_else(|| {
        AppError::not_found(
            ErrorCode::SdkClientNotFound,
            format!("There is no tenant with the slug {slug}. Run `ringnity-server tenant list` to see the tenants."),
        )
    })
}

/// Finds the active plan with that slug.
pub fn active_plan(c: &mut Conn, slug: &str) -> AppResult<Plan> {
    if let Some(plan) = tenants::plan_by_slug(c, slug)?.filter(|plan| plan.is_active) {
        return Ok(plan);
    }
    let offered: Vec<String> = tenants::plan_catalog(c)?
        .plans
        .into_iter()
        .filter(|plan| plan.is_active)
        .map(|plan| plan.slug)
        .collect();
    let words = format!("There is no active plan {slug}. Choose one of {}.", offered.join(", "));
    Err(AppError::not_found(ErrorCode::RequestInvalid, words))
}

/// Creates an active tenant with its owner.
pub fn tenant_create(
    c: &mut Conn,
    plan: &Plan,
    request: &TenantRequest,
    public_key: &str,
    now: DateTime<Utc>,
) -> AppResult<(Tenant, Owner)> {
    validate_slug(&request.slug)?;
    validate_not_blank("name", &request.name)?;
    let wanted = domains::normalize_all(&request.domains, "--domain")?;
    let new = NewTenant {
        name: Some(request.name.clone()),
        company_name: Some(request.name.clone()),
        onboarding_completed: request.onboarding_completed,
        ..NewTenant::new(&request.slug, public_key, &request.owner_email, plan.id.clone())
    };
    let tenant = tenants::tenant_insert(c, &new, now)
        .map_err(|error| map_conflict(error, constraint::TENANT_SLUG, "a tenant with this slug"))?;
    tenants::subscription_put(c, &tenant.id, SubscriptionStatus::Active.as_str(), None, now)?;
    rules::replace_domains(c, &tenant.id, &wanted, now)?;
    let name = request.owner_name.as_deref();
    let owner = owner_create(c, &tenant.id, &request.owner_email, name, &request.owner_password, now)?;
    Ok((tenant, owner))
}

fn owner_create(
    c: &mut Conn,
    tenant: &TenantId,
    email: &str,
    name: Option<&str>,
    password: &NewPassword,
    now: DateTime<Utc>,
) -> AppResult<Owner> {
    if let Some(name) = name {
        validate_not_blank("owner's name", name)?;
    }
    identity::owner_insert(c, tenant, email, Some(&password.hash), name, now)
        .map_err(|error| map_conflict(error, constraint::OWNER_EMAIL, "an owner with this email"))
}

/// Creates a staff account.
pub fn agent_create(
    c: &mut Conn,
    tenant: &TenantId,
    request: &AgentRequest,
    now: DateTime<Utc>,
) -> AppResult<Agent> {
    if request.role == WorkspaceRole::Owner {
        let words =
            "Owners have their own accounts. Choose another role, or use `ringnity-server owner create`.";
        return Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words));
    }
    validate_not_blank("user name", &request.username)?;
    validate_not_blank("name", &request.name)?;
    if let Some(department) = &request.department {
        validate_not_blank("department", department)?;
    }
    check_agent_quota(c, tenant)?;
    let department =
        request.department.as_deref().map(|name| department(c, tenant, name, now)).transpose()?;
    let new = NewAgent {
        username: request.username.clone(),
        password_hash: Some(request.password.hash.clone()),
        name: request.name.clone(),
        email: request.email.clone(),
        role: request.role.to_string(),
        department_id: department,
    };
    identity::agent_insert(c, tenant, &new, now).map_err(|error| {
        map_conflict(error, constraint::AGENT_USERNAME, "an agent of this tenant with this username")
    })
}

/// Checks the plan's limit of active agents for one more.
pub(crate) fn check_agent_quota(c: &mut Conn, tenant: &TenantId) -> AppResult<()> {
    // Accounts of owners in the workspace are not counted.
    let count = identity::agent_count_active(c, tenant, WorkspaceRole::Owner.as_str())? + 1;
    plans::must_have_room(c, tenant, Quota::Agents, count, ErrorCode::FeatureNotAvailable, |limit| {
        format!("The plan allows {limit} agents. Disable one, or upgrade the plan.")
    })
}

/// Returns the staff accounts of a tenant, oldest first, without the workspace accounts of its owners.
pub fn staff(c: &mut Conn, tenant: &TenantId) -> AppResult<Vec<Agent>> {
    let mut all = identity::agent_list(c, tenant)?;
    all.retain(|agent| agent.role != WorkspaceRole::Owner.as_str());
    Ok(all)
}

fn department(c: &mut Conn, tenant: &TenantId, name: &str, now: DateTime<Utc>) -> AppResult<DepartmentId> {
    let known = identity::department_list(c, tenant)?;
    if let Some(known) = known.iter().find(|department| department.name.eq_ignore_ascii_case(name)) {
        return Ok(known.id.clone());
    }
    let count = i64::try_from(known.len()).unwrap_or(i64::MAX).saturating_add(1);
    plans::must_have_room(c, tenant, Quota::Departments, count, ErrorCode::FeatureNotAvailable, |limit| {
        format!("The plan allows {limit} departments. Use an existing one, or upgrade the plan.")
    })?;
    Ok(identity::department_insert(c, tenant, name, now)?.id)
}

/// Creates a staff account of the tenant with that slug.
pub async fn create_agent(
    store: &Store,
    slug: String,
    request: AgentRequest,
    now: DateTime<Utc>,
) -> AppResult<(Tenant, Agent)> {
    store
        .write(move |c| {
            let tenant = tenant_by_slug(c, &slug)?;
            let agent = agent_create(c, &tenant.id, &request, now)?;
            Ok((tenant, agent))
        })
        .await
}

/// Adds an owner to the tenant with that slug.
pub async fn create_owner(
    store: &Store,
    slug: String,
    email: String,
    name: Option<String>,
    password: NewPassword,
    now: DateTime<Utc>,
) -> AppResult<(Tenant, Owner)> {
    store
        .write(move |c| {
            let tenant = tenant_by_slug(c, &slug)?;
            let owner = owner_create(c, &tenant.id, &email, name.as_deref(), &password, now)?;
            Ok((tenant, owner))
        })
        .await
}

/// Creates a platform administrator.
pub async fn create_platform_admin(
    store: &Store,
    email: String,
    name: String,
    role: PlatformRole,
    password: NewPassword,
    now: DateTime<Utc>,
) -> AppResult<PlatformAdmin> {
    validate_not_blank("name", &name)?;
    let known = constraint::PLATFORM_ADMIN_EMAIL;
    store
        .write(move |c| {
            identity::platform_admin_insert(c, &email, &password.hash, &name, role.as_str(), now)
                .map_err(|error| map_conflict(error, known, "an administrator with this email"))
        })
        .await
}

/// Creates a tenant with its owner.
pub async fn create_tenant(
    store: &Store,
    plan: String,
    request: TenantRequest,
    now: DateTime<Utc>,
) -> AppResult<(Tenant, Owner)> {
    let public_key = new_public_key()?;
    store
        .write(move |c| {
            let plan = active_plan(c, &plan)?;
            tenant_create(c, &plan, &request, &public_key, now)
        })
        .await
}

/// Returns all tenants, each with the slug of its plan.
pub async fn list_tenants(store: &Store) -> AppResult<Vec<(Tenant, String)>> {
    store
        .read(|c| {
            let plans = tenants::plan_catalog(c)?.plans;
            let all = tenants::tenant_list(c, PageRequest::new(1, i64::MAX))?.rows;
            let with_plan = |tenant: Tenant| {
                let plan = plans.iter().find(|plan| plan.id == tenant.plan_id);
                let slug = plan.map_or_else(|| tenant.plan_id.to_string(), |plan| plan.slug.clone());
                (tenant, slug)
            };
            Ok(all.into_iter().map(with_plan).collect())
        })
        .await
}

/// Enables or disables the tenant with that slug. Requests of a disabled tenant are rejected.
pub async fn set_tenant_active(
    store: &Store,
    slug: String,
    active: bool,
    now: DateTime<Utc>,
) -> AppResult<Tenant> {
    let changes = TenantChanges { is_active: Some(active), ..TenantChanges::default() };
    store
        .write(move |c| {
            let tenant = tenant_by_slug(c, &slug)?;
            Ok(tenants::tenant_update(c, &tenant.id, &changes, now)?.unwrap_or(tenant))
        })
        .await
}

/// Generates the public widget key of a tenant.
pub fn new_public_key() -> AppResult<String> {
    Ok(format!("rn_pk_{}", &secrets::random_hex().map_err(AppError::internal)?[..32]))
}

/// Checks that a slug can be a label of a host name.
fn validate_slug(slug: &str) -> AppResult<()> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&slug.len())
        && slug.bytes().all(inside)
        && !slug.starts_with('-')
        && !slug.ends_with('-')
    {
        return Ok(());
    }
    let words = "The slug is not valid. Use lower-case letters, digits and hyphens between them, at most 63.";
    Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words))
}

/// Rejects a blank value.
fn validate_not_blank(what: &str, text: &str) -> AppResult<()> {
    if !text.trim().is_empty() {
        return Ok(());
    }
    let words = format!("The {what} is blank. Enter a value.");
    Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words))
}

fn map_conflict(error: StoreError, constraint: &str, what: &str) -> AppError {
    if error.is_conflict_on(constraint) {
        let words = format!("There is already {what}. Choose another.");
        return AppError::new(ErrorKind::Conflict, ErrorCode::ResourceConflict, words);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_is_a_host_label() {
        for good in ["a", "acme", "acme-2", "4u", &"x".repeat(63)] {
            assert!(validate_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Acme", "a.b", "a b", "ä", "a_b", &"x".repeat(64)] {
            assert!(validate_slug(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn rejects_short_passwords_and_returns_generated_ones() {
        assert!(NewPassword::new(Some("short".into())).await.is_err());
        let chosen = NewPassword::new(Some("correct horse battery".into())).await.expect("is long enough");
        assert!(chosen.generated.is_none());
        let pool = password::PasswordHasherPool::shared();
        let right = pool.verify("correct horse battery".into(), Some(chosen.hash)).await;
        assert!(right.expect("a turn"));
        let new = NewPassword::new(None).await.expect("is made");
        let right = pool.verify(new.generated.expect("is generated"), Some(new.hash)).await;
        assert!(right.expect("a turn"));
    }
}

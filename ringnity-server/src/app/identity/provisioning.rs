//! Making what a platform starts from: tenants with their owners, staff, and the platform's own people. For operators
//! and for the demo; no operation of the contract does this.

use chrono::{DateTime, Utc};
use ringnity_store::identity::{self, Agent, NewAgent, Owner, PlatformAdmin};
use ringnity_store::tenants::{self, NewTenant, Plan, Quota, Tenant, TenantChanges};
use ringnity_store::{Conn, DepartmentId, PageRequest, Store, StoreError, TenantId, constraint};
use ringnity_types::{ErrorCode, PlatformRole, SubscriptionStatus, WorkspaceRole};

use crate::app::tenants as rules;
use crate::app::tenants::domains;
use crate::app::{AppError, AppResult, ErrorKind, plans};
use crate::secrets::{self, password};

/// Shorter passwords are guessed.
const MIN_PASSWORD_LENGTH: usize = 12;

/// A password that was given or made, with what may be stored of it.
#[derive(Clone)]
pub struct NewPassword {
    /// The password, where it was made here: to be shown once.
    pub generated: Option<String>,
    pub(crate) hash: String,
}

impl NewPassword {
    /// Takes the given password, or makes one.
    pub async fn new(given: Option<String>) -> AppResult<Self> {
        let (text, generated) = match given {
            Some(given) if given.chars().count() < MIN_PASSWORD_LENGTH => {
                let words =
                    format!("A password has {MIN_PASSWORD_LENGTH} characters at least. Choose a longer one.");
                return Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words));
            }
            Some(given) => (given, None),
            None => {
                let text = secrets::random_hex().map_err(AppError::internal)?[..32].to_owned();
                (text.clone(), Some(text))
            }
        };
        Ok(Self { hash: password::hash(text).await?, generated })
    }
}

/// What a new tenant is made of.
#[derive(Clone)]
pub struct TenantRequest {
    /// Names it in addresses.
    pub slug: String,
    /// Display name.
    pub name: String,
    /// What its owner signs in with; the tenant is written to there, too.
    pub owner_email: String,
    /// The owner's display name.
    pub owner_name: Option<String>,
    /// The owner's password.
    pub owner_password: NewPassword,
    /// Domains whose pages may carry the widget.
    pub domains: Vec<String>,
    /// Whether nothing is left for the owner to set up.
    pub onboarding_completed: bool,
}

/// What a new member of a tenant's staff is made of.
#[derive(Clone)]
pub struct AgentRequest {
    /// Unique within the tenant.
    pub username: String,
    /// Display name.
    pub name: String,
    /// What they may do.
    pub role: WorkspaceRole,
    /// Where they sit; made when the tenant has none of that name.
    pub department: Option<String>,
    /// Email address.
    pub email: Option<String>,
    /// Their password.
    pub password: NewPassword,
}

/// The tenant with that slug.
pub fn tenant_by_slug(c: &mut Conn, slug: &str) -> AppResult<Tenant> {
    tenants::tenant_by_slug(c, slug)?.ok_or_else(|| {
        AppError::not_found(
            ErrorCode::SdkClientNotFound,
            format!("There is no tenant with the slug {slug}. `ringnity-server tenant list` tells those there are."),
        )
    })
}

/// The plan of that slug, if new tenants may have it.
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
    let words = format!("There is no plan called {slug} on offer. Choose one of {}.", offered.join(", "));
    Err(AppError::not_found(ErrorCode::RequestInvalid, words))
}

/// Makes an active tenant on that plan, with its owner.
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

/// Makes a member of the tenant's staff.
pub fn agent_create(
    c: &mut Conn,
    tenant: &TenantId,
    request: &AgentRequest,
    now: DateTime<Utc>,
) -> AppResult<Agent> {
    if request.role == WorkspaceRole::Owner {
        let words =
            "Owners have accounts of their own and enter the workspace with them. Choose another role.";
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

/// Refuses one more agent who works than the plan allows.
pub(crate) fn check_agent_quota(c: &mut Conn, tenant: &TenantId) -> AppResult<()> {
    // Those that owners enter as are not counted: they come with the tenant.
    let count = identity::agent_count_active(c, tenant, WorkspaceRole::Owner.as_str())? + 1;
    plans::must_have_room(c, tenant, Quota::Agents, count, ErrorCode::FeatureNotAvailable, |limit| {
        format!("The plan allows {limit} agents, and there are as many. Switch one off, or change the plan.")
    })
}

/// The tenant's staff, oldest first, without those that owners enter as: they come with the tenant, and are what
/// their owners are.
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
        format!(
            "The plan allows {limit} departments, and there are as many. Name one of them, or change the plan."
        )
    })?;
    Ok(identity::department_insert(c, tenant, name, now)?.id)
}

/// Makes a member of the staff of the tenant with that slug.
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

/// Makes an owner of the tenant with that slug, beside those that it has.
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

/// Makes one of the platform's people.
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

/// Makes a tenant with its owner on the plan of that slug.
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

/// All tenants, each with the slug of its plan.
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

/// Switches the tenant with that slug on or off. One that is off is served nothing from the next request on.
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

/// A public widget key for a new tenant.
pub fn new_public_key() -> AppResult<String> {
    Ok(format!("rn_pk_{}", &secrets::random_hex().map_err(AppError::internal)?[..32]))
}

/// The slug is the first label of the tenant's host.
fn validate_slug(slug: &str) -> AppResult<()> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&slug.len())
        && slug.bytes().all(inside)
        && !slug.starts_with('-')
        && !slug.ends_with('-')
    {
        return Ok(());
    }
    let words = "A slug is part of a host name: small letters, digits and hyphens between them, 63 at most.";
    Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words))
}

/// Refuses a name that nobody could read.
fn validate_not_blank(what: &str, text: &str) -> AppResult<()> {
    if !text.trim().is_empty() {
        return Ok(());
    }
    let words = format!("The {what} is blank. Say something that people can tell it by.");
    Err(AppError::new(ErrorKind::Invalid, ErrorCode::RequestInvalid, words))
}

fn map_conflict(error: StoreError, constraint: &str, what: &str) -> AppError {
    if error.is_conflict_on(constraint) {
        let words = format!("There is {what} already. Choose another.");
        return AppError::new(ErrorKind::Conflict, ErrorCode::ResourceConflict, words);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_host_label() {
        for good in ["a", "acme", "acme-2", "4u", &"x".repeat(63)] {
            assert!(validate_slug(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Acme", "a.b", "a b", "ä", "a_b", &"x".repeat(64)] {
            assert!(validate_slug(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_password_is_long_and_told_only_when_it_was_made() {
        assert!(NewPassword::new(Some("short".into())).await.is_err());
        let given = NewPassword::new(Some("correct horse battery".into())).await.expect("is long");
        assert!(given.generated.is_none());
        let pool = password::PasswordHasherPool::shared();
        let right = pool.verify("correct horse battery".into(), Some(given.hash)).await;
        assert!(right.expect("a turn"));
        let made = NewPassword::new(None).await.expect("is made");
        let right = pool.verify(made.generated.expect("is told"), Some(made.hash)).await;
        assert!(right.expect("a turn"));
    }
}

//! Agents (a tenant's staff) and their departments. Callers pass password hashes. What a role allows is decided by
//! callers.

use chrono::{DateTime, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, to_stored_precision},
    ids::{AgentId, DepartmentId, TenantId},
    schema::{agents, departments},
};

/// A member of a tenant's staff.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = agents, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct Agent {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Agent id.
    pub id: AgentId,
    /// Username, unique within the tenant.
    pub username: String,
    /// Argon2 hash. `None` for an agent that only signs in with tokens from the customer's backend.
    pub password_hash: Option<String>,
    /// Display name.
    pub name: String,
    /// Email address.
    pub email: Option<String>,
    /// Role, such as `agent`, `supervisor` or `admin`.
    pub role: String,
    /// Department of the same tenant; a foreign key enforces this.
    pub department_id: Option<DepartmentId>,
    /// Whether it can sign in and get tokens.
    pub is_active: bool,
    /// Time of the last login.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_login_at: Option<DateTime<Utc>>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("tenant_id", &self.tenant_id)
            .field("id", &self.id)
            .field("username", &self.username)
            .field("role", &self.role)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// A new agent. Fields as in [`Agent`].
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewAgent {
    pub username: String,
    pub password_hash: Option<String>,
    pub name: String,
    pub email: Option<String>,
    pub role: String,
    pub department_id: Option<DepartmentId>,
}

/// Changes to an agent: `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct AgentChanges {
    pub username: Option<String>,
    pub password_hash: Option<Option<String>>,
    pub name: Option<String>,
    pub email: Option<Option<String>>,
    pub role: Option<String>,
    pub department_id: Option<Option<DepartmentId>>,
    pub is_active: Option<bool>,
}

/// A department.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = departments)]
pub struct Department {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Department id.
    pub id: DepartmentId,
    /// Display name, unique within the tenant.
    pub name: String,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

/// Inserts an active agent. Conflict: [`AGENT_USERNAME`](crate::constraint::AGENT_USERNAME). A department that the tenant
/// does not have is a [`StoreError::Reference`](crate::StoreError::Reference).
pub fn agent_insert(
    c: &mut Conn,
    tenant: &TenantId,
    new: &NewAgent,
    now: DateTime<Utc>,
) -> StoreResult<Agent> {
    let now = to_stored_precision(now);
    let new = new.clone();
    let agent = Agent {
        tenant_id: tenant.clone(),
        id: AgentId::generate(),
        username: new.username,
        password_hash: new.password_hash,
        name: new.name,
        email: new.email,
        role: new.role,
        department_id: new.department_id,
        is_active: true,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    };
    insert_into(agents::table).values(agent.clone()).execute(c)?;
    Ok(agent)
}

/// The tenant's agent with this id, if any.
pub fn agent_get(c: &mut Conn, tenant: &TenantId, id: &AgentId) -> StoreResult<Option<Agent>> {
    Ok(agents::table.find((tenant, id)).select(Agent::as_select()).first(c).optional()?)
}

/// The tenant's agent with this username, if any.
pub fn agent_by_username(c: &mut Conn, tenant: &TenantId, username: &str) -> StoreResult<Option<Agent>> {
    Ok(agents::table
        .filter(agents::tenant_id.eq(tenant))
        .filter(agents::username.eq(username))
        .select(Agent::as_select())
        .first(c)
        .optional()?)
}

/// The tenant's agents, oldest first.
pub fn agent_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<Agent>> {
    Ok(agents::table
        .filter(agents::tenant_id.eq(tenant))
        .order((agents::created_at.asc(), agents::id.asc()))
        .select(Agent::as_select())
        .load(c)?)
}

/// Number of active agents of the tenant, except those with the role `but_role`.
pub fn agent_count_active(c: &mut Conn, tenant: &TenantId, but_role: &str) -> StoreResult<i64> {
    Ok(agents::table
        .filter(agents::tenant_id.eq(tenant))
        .filter(agents::is_active.eq(true))
        .filter(agents::role.ne(but_role))
        .count()
        .get_result(c)?)
}

/// Changes an agent and returns it. `None` if the tenant has no such agent. Errors as for [`agent_insert`].
pub fn agent_update(
    c: &mut Conn,
    tenant: &TenantId,
    id: &AgentId,
    changes: &AgentChanges,
    now: DateTime<Utc>,
) -> StoreResult<Option<Agent>> {
    let Some(mut agent) = agent_get(c, tenant, id)? else { return Ok(None) };
    let changes = changes.clone();
    set_if_some(&mut agent.username, changes.username);
    set_if_some(&mut agent.password_hash, changes.password_hash);
    set_if_some(&mut agent.name, changes.name);
    set_if_some(&mut agent.email, changes.email);
    set_if_some(&mut agent.role, changes.role);
    set_if_some(&mut agent.department_id, changes.department_id);
    set_if_some(&mut agent.is_active, changes.is_active);
    agent.updated_at = to_stored_precision(now);
    update(agents::table.find((tenant, id))).set(agent.clone()).execute(c)?;
    Ok(Some(agent))
}

/// Sets the time of the last login. Does nothing if the tenant has no such agent.
pub fn agent_record_login(
    c: &mut Conn,
    tenant: &TenantId,
    id: &AgentId,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    update(agents::table.find((tenant, id)))
        .set(agents::last_login_at.eq(DbTimestamp::from(now)))
        .execute(c)?;
    Ok(())
}

/// Inserts a department. Conflict: [`DEPARTMENT_NAME`](crate::constraint::DEPARTMENT_NAME).
pub fn department_insert(
    c: &mut Conn,
    tenant: &TenantId,
    name: &str,
    now: DateTime<Utc>,
) -> StoreResult<Department> {
    let now = to_stored_precision(now);
    let department = Department {
        tenant_id: tenant.clone(),
        id: DepartmentId::generate(),
        name: name.to_owned(),
        created_at: now,
        updated_at: now,
    };
    insert_into(departments::table).values(department.clone()).execute(c)?;
    Ok(department)
}

/// The tenant's department with this id, if any.
pub fn department_get(c: &mut Conn, tenant: &TenantId, id: &DepartmentId) -> StoreResult<Option<Department>> {
    Ok(departments::table.find((tenant, id)).select(Department::as_select()).first(c).optional()?)
}

/// The tenant's departments, ordered by name.
pub fn department_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<Department>> {
    Ok(departments::table
        .filter(departments::tenant_id.eq(tenant))
        .order((departments::name.asc(), departments::id.asc()))
        .select(Department::as_select())
        .load(c)?)
}

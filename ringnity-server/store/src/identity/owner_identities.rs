//! External identities of owners (Google), by issuer and subject, and the agent that an owner is in the workspace.

use chrono::{DateTime, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, to_stored_precision},
    identity::owners::Owner,
    ids::{AgentId, OwnerId, TenantId},
    schema::{owner_agents, owner_identities, owners},
};

/// An external identity of an owner.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = owner_identities)]
pub struct OwnerIdentity {
    /// Issuer of the ID token (`iss`).
    pub issuer: String,
    /// Account at the issuer (`sub`). The issuer never reuses it.
    pub subject: String,
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Owner that the identity signs in.
    pub owner_id: OwnerId,
    /// Email of the account when it was linked, for display.
    pub email: String,
    /// When the identity was linked.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last login with it.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_login_at: Option<DateTime<Utc>>,
}

/// Links an external identity to an owner. Conflict:
/// [`OWNER_IDENTITY_ISSUER`](crate::constraint::OWNER_IDENTITY_ISSUER).
pub fn owner_identity_insert(
    c: &mut Conn,
    tenant: &TenantId,
    owner: &OwnerId,
    issuer: &str,
    subject: &str,
    email: &str,
    now: DateTime<Utc>,
) -> StoreResult<OwnerIdentity> {
    let identity = OwnerIdentity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        tenant_id: tenant.clone(),
        owner_id: owner.clone(),
        email: email.to_owned(),
        created_at: to_stored_precision(now),
        last_login_at: None,
    };
    insert_into(owner_identities::table).values(identity.clone()).execute(c)?;
    Ok(identity)
}

/// The identity with this issuer and subject, if any. Takes no tenant: the caller finds the tenant by it.
pub fn owner_identity_get(c: &mut Conn, issuer: &str, subject: &str) -> StoreResult<Option<OwnerIdentity>> {
    Ok(owner_identities::table
        .find((issuer, subject))
        .select(OwnerIdentity::as_select())
        .first(c)
        .optional()?)
}

/// The owner's identities, ordered by issuer.
pub fn owner_identity_list(
    c: &mut Conn,
    tenant: &TenantId,
    owner: &OwnerId,
) -> StoreResult<Vec<OwnerIdentity>> {
    Ok(owner_identities::table
        .filter(owner_identities::tenant_id.eq(tenant))
        .filter(owner_identities::owner_id.eq(owner))
        .order(owner_identities::issuer.asc())
        .select(OwnerIdentity::as_select())
        .load(c)?)
}

/// Sets the time of the last login. Does nothing if there is no such identity.
pub fn owner_identity_record_login(
    c: &mut Conn,
    issuer: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    update(owner_identities::table.find((issuer, subject)))
        .set(owner_identities::last_login_at.eq(DbTimestamp::from(now)))
        .execute(c)?;
    Ok(())
}

/// Links an owner to its agent in the workspace. Both sides are unique.
pub fn owner_agent_insert(
    c: &mut Conn,
    tenant: &TenantId,
    owner: &OwnerId,
    agent: &AgentId,
) -> StoreResult<()> {
    insert_into(owner_agents::table)
        .values((
            owner_agents::tenant_id.eq(tenant),
            owner_agents::owner_id.eq(owner),
            owner_agents::agent_id.eq(agent),
        ))
        .execute(c)?;
    Ok(())
}

/// The owner's agent in the workspace. `None` until the owner has entered it.
pub fn owner_agent_get(c: &mut Conn, tenant: &TenantId, owner: &OwnerId) -> StoreResult<Option<AgentId>> {
    Ok(owner_agents::table.find((tenant, owner)).select(owner_agents::agent_id).first(c).optional()?)
}

/// The owner of this agent; `None` for an agent that is not an owner's.
pub fn owner_by_agent(c: &mut Conn, tenant: &TenantId, agent: &AgentId) -> StoreResult<Option<Owner>> {
    Ok(owners::table
        .inner_join(
            owner_agents::table
                .on(owner_agents::tenant_id.eq(owners::tenant_id).and(owner_agents::owner_id.eq(owners::id))),
        )
        .filter(owner_agents::tenant_id.eq(tenant))
        .filter(owner_agents::agent_id.eq(agent))
        .select(Owner::as_select())
        .first(c)
        .optional()?)
}

//! As whom an owner is known elsewhere (Google): by issuer and subject. And which member of the staff an owner is
//! in the workspace.

use chrono::{DateTime, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, to_stored_precision},
    identity::owners::Owner,
    ids::{AgentId, OwnerId, TenantId},
    schema::{owner_agents, owner_identities, owners},
};

/// An account elsewhere that signs an owner in.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = owner_identities)]
pub struct OwnerIdentity {
    /// Who vouches for the account.
    pub issuer: String,
    /// The account there: never given to anybody else.
    pub subject: String,
    /// The owner's tenant.
    pub tenant_id: TenantId,
    /// The owner.
    pub owner_id: OwnerId,
    /// The account's email when it was linked, for people to recognise it by.
    pub email: String,
    /// When it was linked.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When it last signed the owner in.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_login_at: Option<DateTime<Utc>>,
}

/// Links an owner to an account elsewhere. Conflict:
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

/// Whom that account signs in. Has no tenant, for it is what finds the tenant.
pub fn owner_identity_get(c: &mut Conn, issuer: &str, subject: &str) -> StoreResult<Option<OwnerIdentity>> {
    Ok(owner_identities::table
        .find((issuer, subject))
        .select(OwnerIdentity::as_select())
        .first(c)
        .optional()?)
}

/// The accounts that sign that owner in, by issuer.
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

/// Notes that the account has signed its owner in.
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

/// Makes that agent what the owner is in the workspace. An owner is one agent, and an agent is one owner.
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

/// The agent that the owner is in the workspace, once the owner has been there.
pub fn owner_agent_get(c: &mut Conn, tenant: &TenantId, owner: &OwnerId) -> StoreResult<Option<AgentId>> {
    Ok(owner_agents::table.find((tenant, owner)).select(owner_agents::agent_id).first(c).optional()?)
}

/// The owner that the agent is, if it is one.
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

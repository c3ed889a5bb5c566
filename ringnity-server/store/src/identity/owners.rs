//! Owner accounts, which sign in as the owner of a tenant. Callers pass password hashes.

use chrono::{DateTime, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, to_stored_precision},
    ids::{OwnerId, TenantId},
    schema::owners,
};

/// An owner account.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = owners)]
pub struct Owner {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Owner id.
    pub id: OwnerId,
    /// Sign-in email, lower case. Unique in the installation.
    pub email: String,
    /// Argon2 hash. `None` for an owner that signs in with an external identity (Google).
    pub password_hash: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Whether it can sign in.
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

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("tenant_id", &self.tenant_id)
            .field("id", &self.id)
            .field("email", &self.email)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// Normalizes a sign-in email for storage and lookup.
pub(crate) fn sign_in_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Inserts an owner account. Conflict: [`OWNER_EMAIL`](crate::constraint::OWNER_EMAIL).
pub fn owner_insert(
    c: &mut Conn,
    tenant: &TenantId,
    email: &str,
    password_hash: Option<&str>,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> StoreResult<Owner> {
    let now = to_stored_precision(now);
    let owner = Owner {
        tenant_id: tenant.clone(),
        id: OwnerId::generate(),
        email: sign_in_email(email),
        password_hash: password_hash.map(str::to_owned),
        name: name.map(str::to_owned),
        is_active: true,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    };
    insert_into(owners::table).values(owner.clone()).execute(c)?;
    Ok(owner)
}

/// The owner account with this email (case-insensitive), if any. Takes no tenant: the caller finds the tenant by it.
pub fn owner_by_email(c: &mut Conn, email: &str) -> StoreResult<Option<Owner>> {
    Ok(owners::table
        .filter(owners::email.eq(sign_in_email(email)))
        .select(Owner::as_select())
        .first(c)
        .optional()?)
}

/// The tenant's owner account with this id, if any.
pub fn owner_get(c: &mut Conn, tenant: &TenantId, id: &OwnerId) -> StoreResult<Option<Owner>> {
    Ok(owners::table.find((tenant, id)).select(Owner::as_select()).first(c).optional()?)
}

/// The tenant's owner accounts, oldest first.
pub fn owner_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<Owner>> {
    Ok(owners::table
        .filter(owners::tenant_id.eq(tenant))
        .order((owners::created_at.asc(), owners::id.asc()))
        .select(Owner::as_select())
        .load(c)?)
}

/// Sets or removes the password. Returns `false` if there is no such account.
pub fn owner_set_password(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OwnerId,
    password_hash: Option<&str>,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let changed = update(owners::table.find((tenant, id)))
        .set((owners::password_hash.eq(password_hash), owners::updated_at.eq(DbTimestamp::from(now))))
        .execute(c)?;
    Ok(changed > 0)
}

/// Enables or disables the account. Returns `false` if there is no such account.
pub fn owner_set_active(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OwnerId,
    is_active: bool,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let changed = update(owners::table.find((tenant, id)))
        .set((owners::is_active.eq(is_active), owners::updated_at.eq(DbTimestamp::from(now))))
        .execute(c)?;
    Ok(changed > 0)
}

/// Sets the time of the last login. Does nothing if there is no such account.
pub fn owner_record_login(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OwnerId,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    update(owners::table.find((tenant, id)))
        .set(owners::last_login_at.eq(DbTimestamp::from(now)))
        .execute(c)?;
    Ok(())
}

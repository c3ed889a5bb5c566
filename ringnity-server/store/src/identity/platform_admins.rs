//! Platform administrators, who run the installation and belong to no tenant. Callers pass password hashes.

use chrono::{DateTime, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, to_stored_precision},
    identity::owners::sign_in_email,
    ids::PlatformAdminId,
    schema::platform_admins,
};

/// A platform administrator.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = platform_admins)]
pub struct PlatformAdmin {
    /// Administrator id.
    pub id: PlatformAdminId,
    /// Sign-in email, lower case. Unique in the installation.
    pub email: String,
    /// Argon2 hash.
    pub password_hash: String,
    /// Display name.
    pub name: String,
    /// `platform_owner`, `platform_admin` or `platform_support`.
    pub role: String,
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

impl std::fmt::Debug for PlatformAdmin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlatformAdmin")
            .field("id", &self.id)
            .field("email", &self.email)
            .field("role", &self.role)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// Inserts a platform administrator. Conflict: [`PLATFORM_ADMIN_EMAIL`](crate::constraint::PLATFORM_ADMIN_EMAIL).
pub fn platform_admin_insert(
    c: &mut Conn,
    email: &str,
    password_hash: &str,
    name: &str,
    role: &str,
    now: DateTime<Utc>,
) -> StoreResult<PlatformAdmin> {
    let now = to_stored_precision(now);
    let admin = PlatformAdmin {
        id: PlatformAdminId::generate(),
        email: sign_in_email(email),
        password_hash: password_hash.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        is_active: true,
        last_login_at: None,
        created_at: now,
        updated_at: now,
    };
    insert_into(platform_admins::table).values(admin.clone()).execute(c)?;
    Ok(admin)
}

/// The administrator with this id, if any.
pub fn platform_admin_get(c: &mut Conn, id: &PlatformAdminId) -> StoreResult<Option<PlatformAdmin>> {
    Ok(platform_admins::table.find(id).select(PlatformAdmin::as_select()).first(c).optional()?)
}

/// The administrator with this email (case-insensitive), if any.
pub fn platform_admin_by_email(c: &mut Conn, email: &str) -> StoreResult<Option<PlatformAdmin>> {
    Ok(platform_admins::table
        .filter(platform_admins::email.eq(sign_in_email(email)))
        .select(PlatformAdmin::as_select())
        .first(c)
        .optional()?)
}

/// All administrators, oldest first.
pub fn platform_admin_list(c: &mut Conn) -> StoreResult<Vec<PlatformAdmin>> {
    Ok(platform_admins::table
        .order((platform_admins::created_at.asc(), platform_admins::id.asc()))
        .select(PlatformAdmin::as_select())
        .load(c)?)
}

/// Sets the password. Returns `false` if there is no such administrator.
pub fn platform_admin_set_password(
    c: &mut Conn,
    id: &PlatformAdminId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let changed = update(platform_admins::table.find(id))
        .set((
            platform_admins::password_hash.eq(password_hash),
            platform_admins::updated_at.eq(DbTimestamp::from(now)),
        ))
        .execute(c)?;
    Ok(changed > 0)
}

/// Enables or disables the administrator. Returns `false` if there is no such administrator.
pub fn platform_admin_set_active(
    c: &mut Conn,
    id: &PlatformAdminId,
    is_active: bool,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let changed = update(platform_admins::table.find(id))
        .set((
            platform_admins::is_active.eq(is_active),
            platform_admins::updated_at.eq(DbTimestamp::from(now)),
        ))
        .execute(c)?;
    Ok(changed > 0)
}

/// Sets the time of the last login. Does nothing if there is no such administrator.
pub fn platform_admin_record_login(
    c: &mut Conn,
    id: &PlatformAdminId,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    update(platform_admins::table.find(id))
        .set(platform_admins::last_login_at.eq(DbTimestamp::from(now)))
        .execute(c)?;
    Ok(())
}

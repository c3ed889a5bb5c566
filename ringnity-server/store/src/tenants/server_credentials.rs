//! Server API credentials. Callers pass hashes of secrets and decide what a scope allows.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, TextList, to_stored_precision},
    ids::{ServerCredentialId, TenantId},
    schema::server_credentials,
};

/// Precision of `last_used_at`, so that not every request with a credential is a write.
pub const LAST_USED_PRECISION: TimeDelta = TimeDelta::seconds(60);

/// A Server API credential.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = server_credentials, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct ServerCredential {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Credential id.
    pub id: ServerCredentialId,
    /// Display name.
    pub name: String,
    /// `live` or `test`.
    pub environment: String,
    /// Granted scopes.
    #[diesel(deserialize_as = TextList, serialize_as = TextList)]
    pub scopes: Vec<String>,
    /// SHA-256 hash of the secret, unique in the installation.
    pub secret_hash: String,
    /// Beginning of the secret, for display.
    pub secret_preview: String,
    /// Whether requests with it are accepted.
    pub is_active: bool,
    /// Time of the last use, to the minute.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change; use does not count.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

impl ServerCredential {
    /// Whether `last_used_at` is old enough to call [`server_credential_touch`].
    pub fn touch_due(&self, now: DateTime<Utc>) -> bool {
        self.last_used_at.is_none_or(|last| now - last >= LAST_USED_PRECISION)
    }
}

impl std::fmt::Debug for ServerCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCredential")
            .field("tenant_id", &self.tenant_id)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("environment", &self.environment)
            .field("scopes", &self.scopes)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// A new credential. Fields as in [`ServerCredential`].
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewServerCredential {
    pub name: String,
    pub environment: String,
    pub scopes: Vec<String>,
    pub secret_hash: String,
    pub secret_preview: String,
}

/// Changes to a credential: `None` keeps a field.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ServerCredentialChanges {
    pub name: Option<String>,
    pub environment: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub is_active: Option<bool>,
}

/// Inserts a credential. Conflict:
/// [`SERVER_CREDENTIAL_SECRET_HASH`](crate::constraint::SERVER_CREDENTIAL_SECRET_HASH).
pub fn server_credential_insert(
    c: &mut Conn,
    tenant: &TenantId,
    new: &NewServerCredential,
    now: DateTime<Utc>,
) -> StoreResult<ServerCredential> {
    let now = to_stored_precision(now);
    let new = new.clone();
    let credential = ServerCredential {
        tenant_id: tenant.clone(),
        id: ServerCredentialId::generate(),
        name: new.name,
        environment: new.environment,
        scopes: new.scopes,
        secret_hash: new.secret_hash,
        secret_preview: new.secret_preview,
        is_active: true,
        last_used_at: None,
        created_at: now,
        updated_at: now,
    };
    insert_into(server_credentials::table).values(credential.clone()).execute(c)?;
    Ok(credential)
}

/// The tenant's credential with this id, if any.
pub fn server_credential_get(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ServerCredentialId,
) -> StoreResult<Option<ServerCredential>> {
    Ok(server_credentials::table
        .find((tenant, id))
        .select(ServerCredential::as_select())
        .first(c)
        .optional()?)
}

/// The credential with this secret, active or not, if any. Takes no tenant: the caller finds the tenant by it.
pub fn server_credential_by_secret_hash(c: &mut Conn, hash: &str) -> StoreResult<Option<ServerCredential>> {
    Ok(server_credentials::table
        .filter(server_credentials::secret_hash.eq(hash))
        .select(ServerCredential::as_select())
        .first(c)
        .optional()?)
}

/// The tenant's credentials, newest first.
pub fn server_credential_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<ServerCredential>> {
    Ok(server_credentials::table
        .filter(server_credentials::tenant_id.eq(tenant))
        .order((server_credentials::created_at.desc(), server_credentials::id.asc()))
        .select(ServerCredential::as_select())
        .load(c)?)
}

/// Number of active credentials of the tenant.
pub fn server_credential_count_active(c: &mut Conn, tenant: &TenantId) -> StoreResult<i64> {
    Ok(server_credentials::table
        .filter(server_credentials::tenant_id.eq(tenant))
        .filter(server_credentials::is_active.eq(true))
        .count()
        .get_result(c)?)
}

/// Changes a credential and returns it. `None` if the tenant has no such credential.
pub fn server_credential_update(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ServerCredentialId,
    changes: &ServerCredentialChanges,
    now: DateTime<Utc>,
) -> StoreResult<Option<ServerCredential>> {
    let Some(mut credential) = server_credential_get(c, tenant, id)? else { return Ok(None) };
    let changes = changes.clone();
    set_if_some(&mut credential.name, changes.name);
    set_if_some(&mut credential.environment, changes.environment);
    set_if_some(&mut credential.scopes, changes.scopes);
    set_if_some(&mut credential.is_active, changes.is_active);
    server_credential_put(c, credential, now).map(Some)
}

/// Replaces the secret and returns the credential. The old secret is rejected from then on. `None` if the tenant has no
/// such credential.
pub fn server_credential_rotate(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ServerCredentialId,
    secret_hash: &str,
    secret_preview: &str,
    now: DateTime<Utc>,
) -> StoreResult<Option<ServerCredential>> {
    let Some(mut credential) = server_credential_get(c, tenant, id)? else { return Ok(None) };
    credential.secret_hash = secret_hash.to_owned();
    credential.secret_preview = secret_preview.to_owned();
    server_credential_put(c, credential, now).map(Some)
}

fn server_credential_put(
    c: &mut Conn,
    mut credential: ServerCredential,
    now: DateTime<Utc>,
) -> StoreResult<ServerCredential> {
    credential.updated_at = to_stored_precision(now);
    update(server_credentials::table.find((&credential.tenant_id, &credential.id)))
        .set(credential.clone())
        .execute(c)?;
    Ok(credential)
}

/// Sets `last_used_at` if it is older than [`LAST_USED_PRECISION`]. Returns whether it was set. Call
/// [`ServerCredential::touch_due`] first to avoid the write.
pub fn server_credential_touch(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ServerCredentialId,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let now = to_stored_precision(now);
    let updated = update(server_credentials::table.find((tenant, id)))
        .filter(
            server_credentials::last_used_at
                .is_null()
                .or(server_credentials::last_used_at.le(DbTimestamp(now - LAST_USED_PRECISION))),
        )
        .set(server_credentials::last_used_at.eq(DbTimestamp(now)))
        .execute(c)?;
    Ok(updated > 0)
}

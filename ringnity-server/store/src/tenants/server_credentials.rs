//! Server API credentials. Their secrets arrive here hashed; what a scope opens is not known here.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{insert_into, prelude::*, update};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, TextList, to_stored_precision},
    ids::{ServerCredentialId, TenantId},
    schema::server_credentials,
};

/// `last_used_at` is this exact and no more, so that using a key is not a write for each request.
pub const LAST_USED_PRECISION: TimeDelta = TimeDelta::seconds(60);

/// A Server API credential.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = server_credentials, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct ServerCredential {
    /// Whose key.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: ServerCredentialId,
    /// What people call it.
    pub name: String,
    /// `live` or `test`.
    pub environment: String,
    /// What it opens.
    #[diesel(deserialize_as = TextList, serialize_as = TextList)]
    pub scopes: Vec<String>,
    /// Hash of the secret; unique.
    pub secret_hash: String,
    /// The part of the secret that may be shown.
    pub secret_preview: String,
    /// Whether it opens anything at all.
    pub is_active: bool,
    /// When it was last used, to the minute.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed (being used is no change).
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

impl ServerCredential {
    /// Whether its use should be noted with [`server_credential_touch`]: only then is a write worth it.
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

/// What a new credential is made of; see [`ServerCredential`] for the fields.
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewServerCredential {
    pub name: String,
    pub environment: String,
    pub scopes: Vec<String>,
    pub secret_hash: String,
    pub secret_preview: String,
}

/// What to change of a credential: `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ServerCredentialChanges {
    pub name: Option<String>,
    pub environment: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub is_active: Option<bool>,
}

/// Makes a credential.
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

/// One of the tenant's credentials.
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

/// The credential with that secret, active or not. Has no tenant, for it is what finds the tenant.
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

/// How many credentials of the tenant open something.
pub fn server_credential_count_active(c: &mut Conn, tenant: &TenantId) -> StoreResult<i64> {
    Ok(server_credentials::table
        .filter(server_credentials::tenant_id.eq(tenant))
        .filter(server_credentials::is_active.eq(true))
        .count()
        .get_result(c)?)
}

/// Changes a credential and returns what it is then; `None` when the tenant has no such credential.
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

/// Puts another secret in place of the old one, which opens nothing from then on; `None` when the tenant has no
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

/// Notes that the credential is being used, at most once a minute whoever asks; says whether it was noted.
/// Ask [`ServerCredential::touch_due`] first: it costs nothing.
pub fn server_credential_touch(
    c: &mut Conn,
    tenant: &TenantId,
    id: &ServerCredentialId,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let now = to_stored_precision(now);
    let noted = update(server_credentials::table.find((tenant, id)))
        .filter(
            server_credentials::last_used_at
                .is_null()
                .or(server_credentials::last_used_at.le(DbTimestamp(now - LAST_USED_PRECISION))),
        )
        .set(server_credentials::last_used_at.eq(DbTimestamp(now)))
        .execute(c)?;
    Ok(noted > 0)
}

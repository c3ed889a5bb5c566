//! OAuth clients: applications that sign users in with Ringnity. Callers pass hashes of secrets and decide what scopes and
//! redirect URIs mean.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, TextList, to_stored_precision},
    ids::{OauthClientId, TenantId},
    schema::oauth_clients,
};

/// Precision of `last_used_at`, so that not every request with a client is a write.
const LAST_USED_PRECISION: TimeDelta = TimeDelta::seconds(60);

/// An OAuth client.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = oauth_clients, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct OauthClient {
    /// Owning tenant.
    pub tenant_id: TenantId,
    /// Id of the row. Not the same as `client_id`.
    pub id: OauthClientId,
    /// OAuth client id, unique in the installation; `clientId` in the contract.
    pub client_id: String,
    /// Display name.
    pub name: String,
    /// `confidential` or `public`.
    pub client_type: String,
    /// SHA-256 hash of the secret. `None` for a public client, and for one that was public and has no new secret yet.
    pub secret_hash: Option<String>,
    /// Allowed redirect URIs.
    #[diesel(deserialize_as = TextList, serialize_as = TextList)]
    pub redirect_uris: Vec<String>,
    /// Scopes that it may request.
    #[diesel(deserialize_as = TextList, serialize_as = TextList)]
    pub allowed_scopes: Vec<String>,
    /// Whether the authorization code flow requires PKCE.
    pub require_pkce: bool,
    /// Time of the last use, to the minute.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked. It is rejected from then on.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Time of the last change; use does not count.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

impl OauthClient {
    /// Whether `last_used_at` is old enough to call [`oauth_client_touch`].
    pub fn touch_due(&self, now: DateTime<Utc>) -> bool {
        self.last_used_at.is_none_or(|last| now - last >= LAST_USED_PRECISION)
    }
}

impl std::fmt::Debug for OauthClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OauthClient")
            .field("tenant_id", &self.tenant_id)
            .field("id", &self.id)
            .field("client_id", &self.client_id)
            .field("name", &self.name)
            .field("client_type", &self.client_type)
            .field("redirect_uris", &self.redirect_uris)
            .field("allowed_scopes", &self.allowed_scopes)
            .field("require_pkce", &self.require_pkce)
            .field("revoked_at", &self.revoked_at)
            .field("updated_at", &self.updated_at)
            .finish_non_exhaustive()
    }
}

/// A new client. Fields as in [`OauthClient`].
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewOauthClient {
    pub client_id: String,
    pub name: String,
    pub client_type: String,
    pub secret_hash: Option<String>,
    pub redirect_uris: Vec<String>,
    pub allowed_scopes: Vec<String>,
    pub require_pkce: bool,
}

/// Changes to a client: `None` keeps a field, `Some(None)` clears it.
#[derive(Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct OauthClientChanges {
    pub name: Option<String>,
    pub client_type: Option<String>,
    pub secret_hash: Option<Option<String>>,
    pub redirect_uris: Option<Vec<String>>,
    pub allowed_scopes: Option<Vec<String>>,
    pub require_pkce: Option<bool>,
    pub revoked_at: Option<Option<DateTime<Utc>>>,
}

/// Inserts a client. Conflict: [`OAUTH_CLIENT_CLIENT_ID`](crate::constraint::OAUTH_CLIENT_CLIENT_ID).
pub fn oauth_client_insert(
    c: &mut Conn,
    tenant: &TenantId,
    new: &NewOauthClient,
    now: DateTime<Utc>,
) -> StoreResult<OauthClient> {
    let now = to_stored_precision(now);
    let new = new.clone();
    let client = OauthClient {
        tenant_id: tenant.clone(),
        id: OauthClientId::generate(),
        client_id: new.client_id,
        name: new.name,
        client_type: new.client_type,
        secret_hash: new.secret_hash,
        redirect_uris: new.redirect_uris,
        allowed_scopes: new.allowed_scopes,
        require_pkce: new.require_pkce,
        last_used_at: None,
        revoked_at: None,
        created_at: now,
        updated_at: now,
    };
    insert_into(oauth_clients::table).values(client.clone()).execute(c)?;
    Ok(client)
}

/// The tenant's client with this id, if any.
pub fn oauth_client_get(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OauthClientId,
) -> StoreResult<Option<OauthClient>> {
    Ok(oauth_clients::table.find((tenant, id)).select(OauthClient::as_select()).first(c).optional()?)
}

/// The client with this OAuth client id, revoked or not, if any. Takes no tenant: the caller finds the tenant by it.
pub fn oauth_client_by_client_id(c: &mut Conn, client_id: &str) -> StoreResult<Option<OauthClient>> {
    Ok(oauth_clients::table
        .filter(oauth_clients::client_id.eq(client_id))
        .select(OauthClient::as_select())
        .first(c)
        .optional()?)
}

/// The tenant's clients, including revoked ones, newest first.
pub fn oauth_client_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<OauthClient>> {
    Ok(oauth_clients::table
        .filter(oauth_clients::tenant_id.eq(tenant))
        .order((oauth_clients::created_at.desc(), oauth_clients::id.asc()))
        .select(OauthClient::as_select())
        .load(c)?)
}

/// Number of clients of the tenant, including revoked ones.
pub fn oauth_client_count(c: &mut Conn, tenant: &TenantId) -> StoreResult<i64> {
    Ok(oauth_clients::table.filter(oauth_clients::tenant_id.eq(tenant)).count().get_result(c)?)
}

/// Changes a client and returns it. `None` if the tenant has no such client.
pub fn oauth_client_update(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OauthClientId,
    changes: &OauthClientChanges,
    now: DateTime<Utc>,
) -> StoreResult<Option<OauthClient>> {
    let Some(mut client) = oauth_client_get(c, tenant, id)? else { return Ok(None) };
    let changes = changes.clone();
    set_if_some(&mut client.name, changes.name);
    set_if_some(&mut client.client_type, changes.client_type);
    set_if_some(&mut client.secret_hash, changes.secret_hash);
    set_if_some(&mut client.redirect_uris, changes.redirect_uris);
    set_if_some(&mut client.allowed_scopes, changes.allowed_scopes);
    set_if_some(&mut client.require_pkce, changes.require_pkce);
    set_if_some(&mut client.revoked_at, changes.revoked_at.map(|at| at.map(to_stored_precision)));
    client.updated_at = to_stored_precision(now);
    update(oauth_clients::table.find((tenant, id))).set(client.clone()).execute(c)?;
    Ok(Some(client))
}

/// Deletes a client. Returns `false` if the tenant has no such client.
pub fn oauth_client_delete(c: &mut Conn, tenant: &TenantId, id: &OauthClientId) -> StoreResult<bool> {
    Ok(delete(oauth_clients::table.find((tenant, id))).execute(c)? > 0)
}

/// Sets `last_used_at` if it is more than a minute old. Returns whether it was set. Call [`OauthClient::touch_due`] first
/// to avoid the write.
pub fn oauth_client_touch(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OauthClientId,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let now = to_stored_precision(now);
    let updated = update(oauth_clients::table.find((tenant, id)))
        .filter(
            oauth_clients::last_used_at
                .is_null()
                .or(oauth_clients::last_used_at.le(DbTimestamp(now - LAST_USED_PRECISION))),
        )
        .set(oauth_clients::last_used_at.eq(DbTimestamp(now)))
        .execute(c)?;
    Ok(updated > 0)
}

//! OAuth clients: applications that sign people in with Ringnity. Their secrets arrive here hashed; what a scope
//! or a redirect address means is not known here.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    changes::set_if_some,
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, TextList, to_stored_precision},
    ids::{OauthClientId, TenantId},
    schema::oauth_clients,
};

/// `last_used_at` is this exact and no more, so that using a client is not a write for each request.
const LAST_USED_PRECISION: TimeDelta = TimeDelta::seconds(60);

/// An OAuth client.
#[derive(Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = oauth_clients, primary_key(tenant_id, id), treat_none_as_null = true)]
pub struct OauthClient {
    /// Whose client.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: OauthClientId,
    /// What it calls itself by when it signs people in; unique. Contract: `clientId`.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// `confidential` or `public`.
    pub client_type: String,
    /// Hash of its secret; a public client has none, nor one that was public and got no secret since.
    pub secret_hash: Option<String>,
    /// Where people may be sent back to.
    #[diesel(deserialize_as = TextList, serialize_as = TextList)]
    pub redirect_uris: Vec<String>,
    /// What it may ask for.
    #[diesel(deserialize_as = TextList, serialize_as = TextList)]
    pub allowed_scopes: Vec<String>,
    /// Whether it must prove that it began what it finishes.
    pub require_pkce: bool,
    /// When it was last used, to the minute.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked: it opens nothing from then on.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed (being used is no change).
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub updated_at: DateTime<Utc>,
}

impl OauthClient {
    /// Whether its use should be noted with [`oauth_client_touch`]: only then is a write worth it.
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

/// What a new client is made of; see [`OauthClient`] for the fields.
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

/// What to change of a client: `None` leaves a field as it is, `Some(None)` empties it.
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

/// Makes a client. Conflict: [`OAUTH_CLIENT_CLIENT_ID`](crate::constraint::OAUTH_CLIENT_CLIENT_ID).
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

/// One of the tenant's clients.
pub fn oauth_client_get(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OauthClientId,
) -> StoreResult<Option<OauthClient>> {
    Ok(oauth_clients::table.find((tenant, id)).select(OauthClient::as_select()).first(c).optional()?)
}

/// The client that calls itself so, revoked or not. Has no tenant, for it is what finds the tenant.
pub fn oauth_client_by_client_id(c: &mut Conn, client_id: &str) -> StoreResult<Option<OauthClient>> {
    Ok(oauth_clients::table
        .filter(oauth_clients::client_id.eq(client_id))
        .select(OauthClient::as_select())
        .first(c)
        .optional()?)
}

/// The tenant's clients, newest first, revoked ones too.
pub fn oauth_client_list(c: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<OauthClient>> {
    Ok(oauth_clients::table
        .filter(oauth_clients::tenant_id.eq(tenant))
        .order((oauth_clients::created_at.desc(), oauth_clients::id.asc()))
        .select(OauthClient::as_select())
        .load(c)?)
}

/// How many clients the tenant has, revoked ones too.
pub fn oauth_client_count(c: &mut Conn, tenant: &TenantId) -> StoreResult<i64> {
    Ok(oauth_clients::table.filter(oauth_clients::tenant_id.eq(tenant)).count().get_result(c)?)
}

/// Changes a client and returns what it is then; `None` when the tenant has no such client.
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

/// Deletes a client for good; says whether there was one.
pub fn oauth_client_delete(c: &mut Conn, tenant: &TenantId, id: &OauthClientId) -> StoreResult<bool> {
    Ok(delete(oauth_clients::table.find((tenant, id))).execute(c)? > 0)
}

/// Notes that the client is being used, at most once a minute whoever asks; says whether it was noted.
/// Ask [`OauthClient::touch_due`] first: it costs nothing.
pub fn oauth_client_touch(
    c: &mut Conn,
    tenant: &TenantId,
    id: &OauthClientId,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let now = to_stored_precision(now);
    let noted = update(oauth_clients::table.find((tenant, id)))
        .filter(
            oauth_clients::last_used_at
                .is_null()
                .or(oauth_clients::last_used_at.le(DbTimestamp(now - LAST_USED_PRECISION))),
        )
        .set(oauth_clients::last_used_at.eq(DbTimestamp(now)))
        .execute(c)?;
    Ok(noted > 0)
}

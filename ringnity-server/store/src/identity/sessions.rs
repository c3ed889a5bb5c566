//! Sessions. Each login starts a session family, which contains the chain of its refresh tokens. Presenting a used refresh
//! token again revokes the family. Callers pass token hashes.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, on_engine, to_stored_precision},
    ids::{SessionFamilyId, TenantId},
    schema::{refresh_tokens, session_families},
};

/// `revoked_reason` after the reuse of a refresh token.
pub const REASON_REUSED: &str = "refresh token reused";

/// `revoked_reason` after the credential that created the session was disabled or deleted.
pub const REASON_CREDENTIAL_ENDED: &str = "credential ended";

/// A session and its chain of refresh tokens.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = session_families)]
pub struct SessionFamily {
    /// Session id. Access tokens contain it if revoking the session has to invalidate them.
    pub id: SessionFamilyId,
    /// Owning tenant; `None` for platform administrators.
    pub tenant_id: Option<TenantId>,
    /// Kind of the subject, such as `owner`, `workspace` or `platform`.
    pub subject_kind: String,
    /// Id of the subject.
    pub subject_id: String,
    /// Time of the login.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Expiry of its latest refresh token, or of the session itself if it has none.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub expires_at: DateTime<Utc>,
    /// When it was revoked.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// Server API credential or OAuth client that created it; `None` after a login.
    pub credential_id: Option<String>,
}

impl SessionFamily {
    /// Whether it is neither revoked nor expired.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// Result of presenting a refresh token.
#[derive(Clone, Debug, PartialEq)]
pub enum Rotation {
    /// The token was valid and has been replaced by the next one.
    Rotated(SessionFamily),
    /// The token had been used before, so the session is revoked now. Commit this, then reject the request.
    Reused(SessionFamily),
    /// The token or its session is expired or revoked.
    Ended(SessionFamily),
    /// There is no such token.
    Unknown,
}

/// A new session.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSession<'a> {
    /// Kind of the subject, such as `owner`, `workspace` or `platform`.
    pub subject_kind: &'a str,
    /// Id of the subject.
    pub subject_id: &'a str,
    /// Server API credential or OAuth client that creates the session; `None` for a login. The session is revoked when
    /// the credential is disabled or deleted.
    pub credential_id: Option<&'a str>,
    /// Hash of the first refresh token, if the session has refresh tokens.
    pub refresh_hash: Option<&'a str>,
    /// Expiry of that token, or of the session itself if there is none.
    pub expires_at: DateTime<Utc>,
}

/// Inserts a session. `tenant` is `None` for a platform administrator.
pub fn session_insert(
    c: &mut Conn,
    tenant: Option<&TenantId>,
    new: &NewSession<'_>,
    now: DateTime<Utc>,
) -> StoreResult<SessionFamily> {
    let family = SessionFamily {
        id: SessionFamilyId::generate(),
        tenant_id: tenant.cloned(),
        subject_kind: new.subject_kind.to_owned(),
        subject_id: new.subject_id.to_owned(),
        created_at: to_stored_precision(now),
        expires_at: to_stored_precision(new.expires_at),
        revoked_at: None,
        revoked_reason: None,
        credential_id: new.credential_id.map(str::to_owned),
    };
    insert_into(session_families::table).values(family.clone()).execute(c)?;
    if let Some(hash) = new.refresh_hash {
        token_insert(c, &family.id, hash, new.expires_at, now)?;
    }
    Ok(family)
}

/// Exchanges a refresh token for the next one. Of several concurrent calls with the same token only one succeeds.
pub fn session_rotate(
    c: &mut Conn,
    token_hash: &str,
    next_hash: &str,
    next_expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<Rotation> {
    let found: Option<(NullableDbTimestamp, DbTimestamp, SessionFamily)> = refresh_tokens::table
        .inner_join(session_families::table)
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .select((refresh_tokens::used_at, refresh_tokens::expires_at, SessionFamily::as_select()))
        .first(c)
        .optional()?;
    let Some((used_at, expires_at, mut family)) = found else { return Ok(Rotation::Unknown) };
    if family.revoked_at.is_some() {
        return Ok(Rotation::Ended(family));
    }
    if used_at.0.is_some() {
        session_revoke(c, &family.id, REASON_REUSED, now)?;
        return Ok(Rotation::Reused(family));
    }
    if expires_at.0 <= now || !family.is_live(now) {
        return Ok(Rotation::Ended(family));
    }
    update(refresh_tokens::table.find(token_hash))
        .set(refresh_tokens::used_at.eq(DbTimestamp::from(now)))
        .execute(c)?;
    token_insert(c, &family.id, next_hash, next_expires_at, now)?;
    family.expires_at = family.expires_at.max(to_stored_precision(next_expires_at));
    update(session_families::table.find(&family.id))
        .set(session_families::expires_at.eq(DbTimestamp(family.expires_at)))
        .execute(c)?;
    Ok(Rotation::Rotated(family))
}

fn token_insert(
    c: &mut Conn,
    family: &SessionFamilyId,
    token_hash: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<()> {
    insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::token_hash.eq(token_hash),
            refresh_tokens::family_id.eq(family),
            refresh_tokens::issued_at.eq(DbTimestamp::from(now)),
            refresh_tokens::expires_at.eq(DbTimestamp::from(expires_at)),
        ))
        .execute(c)?;
    Ok(())
}

/// The session with this id, live or not, if any.
pub fn session_get(c: &mut Conn, id: &SessionFamilyId) -> StoreResult<Option<SessionFamily>> {
    Ok(session_families::table.find(id).select(SessionFamily::as_select()).first(c).optional()?)
}

/// The session of a refresh token, live or not, if any.
pub fn session_by_token(c: &mut Conn, token_hash: &str) -> StoreResult<Option<SessionFamily>> {
    Ok(refresh_tokens::table
        .inner_join(session_families::table)
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .select(SessionFamily::as_select())
        .first(c)
        .optional()?)
}

/// Revokes a session. Returns `false` if there is none or it was revoked before.
pub fn session_revoke(
    c: &mut Conn,
    id: &SessionFamilyId,
    reason: &str,
    now: DateTime<Utc>,
) -> StoreResult<bool> {
    let ended = update(session_families::table.find(id))
        .filter(session_families::revoked_at.is_null())
        .set((
            session_families::revoked_at.eq(DbTimestamp::from(now)),
            session_families::revoked_reason.eq(reason),
        ))
        .execute(c)?;
    Ok(ended > 0)
}

/// Revokes all sessions of a subject. Returns how many.
pub fn session_revoke_subject(
    c: &mut Conn,
    tenant: Option<&TenantId>,
    subject_kind: &str,
    subject_id: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> StoreResult<usize> {
    let ending = update(session_families::table)
        .set((
            session_families::revoked_at.eq(DbTimestamp::from(now)),
            session_families::revoked_reason.eq(reason),
        ))
        .filter(session_families::subject_kind.eq(subject_kind))
        .filter(session_families::subject_id.eq(subject_id))
        .filter(session_families::revoked_at.is_null())
        .into_boxed();
    Ok(match tenant {
        Some(tenant) => ending.filter(session_families::tenant_id.eq(tenant)).execute(c)?,
        None => ending.filter(session_families::tenant_id.is_null()).execute(c)?,
    })
}

/// Revokes all sessions that one of the tenant's credentials created. Returns how many.
pub fn session_revoke_by_credential(
    c: &mut Conn,
    tenant: &TenantId,
    credential_id: &str,
    now: DateTime<Utc>,
) -> StoreResult<usize> {
    Ok(update(session_families::table)
        .filter(session_families::tenant_id.eq(tenant))
        .filter(session_families::credential_id.eq(credential_id))
        .filter(session_families::revoked_at.is_null())
        .set((
            session_families::revoked_at.eq(DbTimestamp::from(now)),
            session_families::revoked_reason.eq(REASON_CREDENTIAL_ENDED),
        ))
        .execute(c)?)
}

/// Deletes expired sessions and their tokens, at most `limit` rows. Returns how many rows.
///
/// Used tokens are kept as long as their session, to detect reuse. They are deleted before it, in several calls if
/// needed: a session that was refreshed for a year has tens of thousands of tokens.
pub fn session_delete_expired(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let limit = limit.max(0);
    let tokens: Vec<String> = refresh_tokens::table
        .inner_join(session_families::table)
        .filter(session_families::expires_at.le(DbTimestamp::from(now)))
        .limit(limit)
        .select(refresh_tokens::token_hash)
        .load(c)?;
    let mut gone = on_engine!(c, c => delete(
        refresh_tokens::table.filter(refresh_tokens::token_hash.eq_any(&tokens))
    )
    .execute(c))?;
    let left = limit - i64::try_from(gone).unwrap_or(limit);
    if left > 0 {
        // The limit was not reached, so expired sessions have no tokens left.
        let families: Vec<SessionFamilyId> = session_families::table
            .filter(session_families::expires_at.le(DbTimestamp::from(now)))
            .order(session_families::expires_at.asc())
            .limit(left)
            .select(session_families::id)
            .load(c)?;
        gone += on_engine!(c, c => delete(
            session_families::table.filter(session_families::id.eq_any(&families))
        )
        .execute(c))?;
    }
    Ok(gone)
}

//! Sessions: one family for each signing-in, and in it the refresh tokens that follow from one another. Tokens
//! arrive here hashed. A token that was used already ends its family when it comes again.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult, on_engine, to_stored_precision},
    ids::{SessionFamilyId, TenantId},
    schema::{refresh_tokens, session_families},
};

/// Why a family ended whose used token came again.
pub const REASON_REUSED: &str = "refresh token reused";

/// Why a family ended that was made with a credential that opens nothing any more.
pub const REASON_CREDENTIAL_ENDED: &str = "credential ended";

/// A signing-in, and all refresh tokens that came of it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = session_families)]
pub struct SessionFamily {
    /// Its id; access tokens may carry it, so that ending it ends them.
    pub id: SessionFamilyId,
    /// In which tenant; `None` for platform administrators.
    pub tenant_id: Option<TenantId>,
    /// `owner`, `workspace`, `platform` …
    pub subject_kind: String,
    /// Who signed in: an id of that kind.
    pub subject_id: String,
    /// When.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When its last refresh token expires.
    #[diesel(deserialize_as = DbTimestamp, serialize_as = DbTimestamp)]
    pub expires_at: DateTime<Utc>,
    /// When it was ended early.
    #[diesel(deserialize_as = NullableDbTimestamp, serialize_as = NullableDbTimestamp)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why it was ended early.
    pub revoked_reason: Option<String>,
    /// What it was made with, where that was no password: the id of a Server API key or of an OAuth client.
    pub credential_id: Option<String>,
}

impl SessionFamily {
    /// Whether it has neither ended nor expired.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// What came of presenting a refresh token.
#[derive(Clone, Debug, PartialEq)]
pub enum Rotation {
    /// It was good and is used up; the new token stands in its place.
    Rotated(SessionFamily),
    /// It had been used before: its family has now ended. Commit this, then refuse.
    Reused(SessionFamily),
    /// It, or its family, has expired or was ended.
    Ended(SessionFamily),
    /// Nobody made it.
    Unknown,
}

/// What a new session is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSession<'a> {
    /// `owner`, `workspace`, `platform` …
    pub subject_kind: &'a str,
    /// Whose it is: an id of that kind.
    pub subject_id: &'a str,
    /// What vouches for it, where that is no password: the id of a Server API key or of an OAuth client. It ends with it.
    pub credential_id: Option<&'a str>,
    /// The hash of its first refresh token, if it has any.
    pub refresh_hash: Option<&'a str>,
    /// When it is over: that token, or the session itself.
    pub expires_at: DateTime<Utc>,
}

/// Begins a session, in no tenant where it is a platform administrator's.
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

/// Trades a refresh token for the next one. Of any number of nodes that try at once with one token, one succeeds.
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

/// The session with that id, live or not.
pub fn session_get(c: &mut Conn, id: &SessionFamilyId) -> StoreResult<Option<SessionFamily>> {
    Ok(session_families::table.find(id).select(SessionFamily::as_select()).first(c).optional()?)
}

/// The session that a refresh token belongs to, live or not.
pub fn session_by_token(c: &mut Conn, token_hash: &str) -> StoreResult<Option<SessionFamily>> {
    Ok(refresh_tokens::table
        .inner_join(session_families::table)
        .filter(refresh_tokens::token_hash.eq(token_hash))
        .select(SessionFamily::as_select())
        .first(c)
        .optional()?)
}

/// Ends a session; says whether it was not ended before.
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

/// Ends all sessions of one subject; says how many.
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

/// Ends all sessions that were made with one of the tenant's credentials; says how many.
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

/// Forgets sessions whose time is over, with their tokens, at most `limit` rows; says how many. Tokens stay as long as
/// their session, used ones too, or nobody would notice that one comes again. They go before it, in as many calls as
/// it takes: a session that was refreshed for a year has tens of thousands.
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
        // Fewer tokens were found than were asked for, so the sessions that are over have none any more.
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

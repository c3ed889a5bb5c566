//! Answers to requests that carried an idempotency key, so that a repeat gets the same one. What is in an answer
//! is not known here: it arrives encrypted. The id is a hash of who asked, for what, and under which key, which is
//! why no query takes a tenant: it could not find another's row.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{
        Conn, DbTimestamp, NullableDbTimestamp, StoreError, StoreResult, on_engine, to_stored_precision,
    },
    schema::idempotency_keys,
};

/// A request that was made before under the same key.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
pub struct IdempotencyRecord {
    /// Hash of what it asked for.
    pub request_hash: String,
    /// Its answer, encrypted; `None` while it runs.
    pub answer: Option<String>,
    /// Until when it counts as running, where it runs outside a transaction.
    #[diesel(deserialize_as = NullableDbTimestamp)]
    pub lapses_at: Option<DateTime<Utc>>,
    /// Until when it is remembered.
    #[diesel(deserialize_as = DbTimestamp)]
    pub expires_at: DateTime<Utc>,
}

/// Claims a key: answers the earlier request that holds it, or nothing, and then it is the caller's.
///
/// Of several that claim at once, one gets it; on PostgreSQL the others wait here until the transaction of the
/// first has ended, and find its answer. `lapses_at` is for a request that works outside this transaction: when
/// that time has passed without an answer, its claim is void.
pub fn idempotency_claim(
    c: &mut Conn,
    id: &str,
    request_hash: &str,
    lapses_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> StoreResult<Option<IdempotencyRecord>> {
    let found: Option<IdempotencyRecord> =
        idempotency_keys::table.find(id).select(IdempotencyRecord::as_select()).first(c).optional()?;
    if let Some(found) = found {
        let lapsed = found.answer.is_none() && found.lapses_at.is_none_or(|lapses_at| lapses_at <= now);
        if found.expires_at > now && !lapsed {
            return Ok(Some(found));
        }
        delete(idempotency_keys::table.find(id)).execute(c)?;
    }
    let row = (
        idempotency_keys::id.eq(id),
        idempotency_keys::request_hash.eq(request_hash),
        idempotency_keys::lapses_at.eq(NullableDbTimestamp::from(lapses_at)),
        idempotency_keys::created_at.eq(DbTimestamp::from(now)),
        idempotency_keys::expires_at.eq(DbTimestamp::from(expires_at)),
    );
    // Not a plain insert: PostgreSQL answers a row that came in between with "run it again" here, as often as it
    // takes, and with a conflict there.
    let claimed = on_engine!(c, c => insert_into(idempotency_keys::table)
        .values(row)
        .on_conflict(idempotency_keys::id)
        .do_nothing()
        .execute(c))?;
    if claimed == 0 {
        return Err(StoreError::Busy("another request claimed the same idempotency key".into()));
    }
    Ok(None)
}

/// Keeps the answer to a request that has claimed its key. Says whether the claim still held: `lapses_at` must be
/// the one that it was made with.
pub fn idempotency_complete(
    c: &mut Conn,
    id: &str,
    lapses_at: Option<DateTime<Utc>>,
    answer: &str,
) -> StoreResult<bool> {
    let held: Option<NullableDbTimestamp> = idempotency_keys::table
        .filter(idempotency_keys::id.eq(id))
        .filter(idempotency_keys::answer.is_null())
        .select(idempotency_keys::lapses_at)
        .first(c)
        .optional()?;
    if held.map(|held| held.0) != Some(lapses_at.map(to_stored_precision)) {
        return Ok(false);
    }
    update(idempotency_keys::table.find(id)).set(idempotency_keys::answer.eq(answer)).execute(c)?;
    Ok(true)
}

/// Gives back a key that was claimed until `lapses_at`, so that the request may be tried again under it. An
/// answered one stays.
pub fn idempotency_release(c: &mut Conn, id: &str, lapses_at: DateTime<Utc>) -> StoreResult<()> {
    delete(idempotency_keys::table.filter(idempotency_keys::id.eq(id)))
        .filter(idempotency_keys::answer.is_null())
        .filter(idempotency_keys::lapses_at.eq(NullableDbTimestamp::from(Some(lapses_at))))
        .execute(c)?;
    Ok(())
}

/// Forgets requests whose time is over, at most `limit` of them; says how many.
pub fn idempotency_delete_expired(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let old: Vec<String> = idempotency_keys::table
        .filter(idempotency_keys::expires_at.le(DbTimestamp::from(now)))
        .order(idempotency_keys::expires_at.asc())
        .limit(limit.max(0))
        .select(idempotency_keys::id)
        .load(c)?;
    Ok(
        on_engine!(c, c => delete(idempotency_keys::table.filter(idempotency_keys::id.eq_any(&old))).execute(c))?,
    )
}

//! Idempotency keys and stored responses. Callers encrypt the responses.
//!
//! The row id is a hash of caller, operation and idempotency key. No query takes a tenant, because the id of one caller
//! cannot match the row of another.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{
        Conn, DbTimestamp, NullableDbTimestamp, StoreError, StoreResult, on_engine, to_stored_precision,
    },
    schema::idempotency_keys,
};

/// An earlier request with the same idempotency key.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
pub struct IdempotencyRecord {
    /// Hash of the request.
    pub request_hash: String,
    /// Encrypted response; `None` while the request is in progress.
    pub answer: Option<String>,
    /// End of the claim, for a request that works outside the transaction.
    #[diesel(deserialize_as = NullableDbTimestamp)]
    pub lapses_at: Option<DateTime<Utc>>,
    /// When the record expires.
    #[diesel(deserialize_as = DbTimestamp)]
    pub expires_at: DateTime<Utc>,
}

/// Claims a key. Returns the earlier request that has it, or `None` if the caller has claimed it now.
///
/// Of several concurrent callers one claims the key. On PostgreSQL the others wait here until its transaction has ended
/// and find its response. `lapses_at` is for a request that works outside this transaction: without a response by then,
/// the claim expires.
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
    // Not a plain insert: if another transaction inserts the row in between, PostgreSQL reports a serialization failure
    // here, which is retried, but a unique violation there.
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

/// Stores the response of a request that has claimed its key. `lapses_at` must be the one of the claim. Returns `false` if
/// the claim has been lost.
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

/// Releases a key that was claimed until `lapses_at`, so that the request can be retried. Does nothing if a response is
/// stored or the claim is another one.
pub fn idempotency_release(c: &mut Conn, id: &str, lapses_at: DateTime<Utc>) -> StoreResult<()> {
    delete(idempotency_keys::table.filter(idempotency_keys::id.eq(id)))
        .filter(idempotency_keys::answer.is_null())
        .filter(idempotency_keys::lapses_at.eq(NullableDbTimestamp::from(Some(lapses_at))))
        .execute(c)?;
    Ok(())
}

/// Deletes expired records, at most `limit`. Returns how many.
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

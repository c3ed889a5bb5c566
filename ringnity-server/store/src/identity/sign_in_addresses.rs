//! Addresses that accounts have signed in from. The id is a hash of account and address, which is why no query takes a
//! tenant. The table is called `sign_in_places`.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, upsert::excluded};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, on_engine},
    schema::sign_in_places,
};

/// Records that an account signed in from an address, until `expires_at`.
pub fn sign_in_address_put(c: &mut Conn, id: &str, expires_at: DateTime<Utc>) -> StoreResult<()> {
    let row = (sign_in_places::id.eq(id), sign_in_places::expires_at.eq(DbTimestamp::from(expires_at)));
    on_engine!(c, c => insert_into(sign_in_places::table)
        .values(row)
        .on_conflict(sign_in_places::id)
        .do_update()
        .set(sign_in_places::expires_at.eq(excluded(sign_in_places::expires_at)))
        .execute(c))?;
    Ok(())
}

/// Whether an account signed in from that address and the record has not expired.
pub fn sign_in_address_is_known(c: &mut Conn, id: &str, now: DateTime<Utc>) -> StoreResult<bool> {
    let found: Option<DbTimestamp> =
        sign_in_places::table.find(id).select(sign_in_places::expires_at).first(c).optional()?;
    Ok(found.is_some_and(|expires_at| expires_at.0 > now))
}

/// Deletes expired records, at most `limit`. Returns how many.
pub fn sign_in_address_delete_expired(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let expired: Vec<String> = sign_in_places::table
        .filter(sign_in_places::expires_at.le(DbTimestamp::from(now)))
        .order(sign_in_places::expires_at.asc())
        .limit(limit.max(0))
        .select(sign_in_places::id)
        .load(c)?;
    Ok(on_engine!(c, c => delete(
        sign_in_places::table.filter(sign_in_places::id.eq_any(&expired))
    )
    .execute(c))?)
}

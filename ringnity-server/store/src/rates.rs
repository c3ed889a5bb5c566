//! Buckets of tokens that nodes share, and from where people signed in. What a token buys is not known here.
//!
//! A bucket is one time: when it will be full again. Taking a token moves it on by the time that one token needs
//! to come back; nothing has to refill it, and one whose time has come needs no row.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{delete, insert_into, prelude::*, update, upsert::excluded};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, on_engine, to_stored_precision},
    schema::{rate_buckets, sign_in_places},
};

/// So many tokens, and so long until an empty bucket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    capacity: i64,
    interval: TimeDelta,
}

impl Rate {
    /// `capacity` tokens in each `period`; at least one, and none faster than one in a microsecond.
    pub fn new(capacity: u32, period: TimeDelta) -> Rate {
        let capacity = i64::from(capacity.max(1));
        let interval = period.num_microseconds().unwrap_or(i64::MAX) / capacity;
        Rate { capacity, interval: TimeDelta::microseconds(interval.max(1)) }
    }

    /// Tokens in a full bucket.
    pub fn capacity(self) -> i64 {
        self.capacity
    }

    /// How long `tokens` take to come back.
    pub fn time(self, tokens: i64) -> TimeDelta {
        TimeDelta::microseconds(self.interval.num_microseconds().unwrap_or(i64::MAX).saturating_mul(tokens))
    }

    /// The bucket's time as it counts now: never past, and never later than an empty bucket needs, whatever the
    /// clocks of other nodes said.
    fn settled(self, full_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        full_at.unwrap_or(now).clamp(now, now + self.time(self.capacity))
    }

    /// Tokens that are in the bucket.
    pub fn left(self, full_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i64 {
        let missing = (self.settled(full_at, now) - now).num_microseconds().unwrap_or(i64::MAX);
        let interval = self.interval.num_microseconds().unwrap_or(i64::MAX);
        self.capacity - (missing + interval - 1) / interval
    }

    /// Takes as many of the wanted tokens as are there.
    pub fn take(self, full_at: Option<DateTime<Utc>>, wanted: i64, now: DateTime<Utc>) -> Taken {
        let tokens = wanted.clamp(0, self.left(full_at, now));
        Taken { tokens, full_at: self.settled(full_at, now) + self.time(tokens) }
    }

    /// How long until there is a token.
    pub fn wait(self, full_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TimeDelta {
        let missing = self.settled(full_at, now) - now;
        (missing - self.time(self.capacity - 1)).max(TimeDelta::zero())
    }
}

/// What came of taking tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many were taken.
    pub tokens: i64,
    /// When the bucket is full again.
    pub full_at: DateTime<Utc>,
}

/// Takes as many of the wanted tokens as are in the bucket.
pub fn rate_take(c: &mut Conn, id: &str, rate: Rate, wanted: i64, now: DateTime<Utc>) -> StoreResult<Taken> {
    let full_at = rate_full_at(c, id)?;
    let taken = rate.take(full_at, wanted, now);
    if taken.tokens > 0 {
        bucket_put(c, id, taken.full_at)?;
    }
    Ok(taken)
}

/// Takes one token of each bucket, or of none. Where one is empty, says how long to wait for all.
pub fn rate_take_each(
    c: &mut Conn,
    buckets: &[(String, Rate)],
    now: DateTime<Utc>,
) -> StoreResult<Result<(), TimeDelta>> {
    if let Err(wait) = rate_look_each(c, buckets, now)? {
        return Ok(Err(wait));
    }
    for (id, rate) in buckets {
        rate_take(c, id, *rate, 1, now)?;
    }
    Ok(Ok(()))
}

/// Whether each bucket has a token; otherwise, how long to wait for all. Changes nothing.
pub fn rate_look_each(
    c: &mut Conn,
    buckets: &[(String, Rate)],
    now: DateTime<Utc>,
) -> StoreResult<Result<(), TimeDelta>> {
    let mut longest = TimeDelta::zero();
    for (id, rate) in buckets {
        longest = longest.max(rate.wait(rate_full_at(c, id)?, now));
    }
    Ok(if longest > TimeDelta::zero() { Err(longest) } else { Ok(()) })
}

/// Puts one token back that was taken.
pub fn rate_give_back(c: &mut Conn, id: &str, rate: Rate) -> StoreResult<()> {
    if let Some(full_at) = rate_full_at(c, id)? {
        update(rate_buckets::table.find(id))
            .set(rate_buckets::full_at.eq(DbTimestamp::from(full_at - rate.time(1))))
            .execute(c)?;
    }
    Ok(())
}

/// Fills a bucket and those below it, whose ids go on after a dot. The id is taken as it is: it may hold no `%` or `_`.
pub fn rate_refill(c: &mut Conn, id: &str) -> StoreResult<()> {
    let below = rate_buckets::id.like(format!("{id}.%"));
    delete(rate_buckets::table.filter(rate_buckets::id.eq(id).or(below))).execute(c)?;
    Ok(())
}

/// When the bucket is full again; `None` where it is.
pub fn rate_full_at(c: &mut Conn, id: &str) -> StoreResult<Option<DateTime<Utc>>> {
    let found: Option<DbTimestamp> =
        rate_buckets::table.find(id).select(rate_buckets::full_at).first(c).optional()?;
    Ok(found.map(|stamp| stamp.0))
}

fn bucket_put(c: &mut Conn, id: &str, full_at: DateTime<Utc>) -> StoreResult<()> {
    let row = (rate_buckets::id.eq(id), rate_buckets::full_at.eq(DbTimestamp::from(full_at)));
    on_engine!(c, c => insert_into(rate_buckets::table)
        .values(row)
        .on_conflict(rate_buckets::id)
        .do_update()
        .set(rate_buckets::full_at.eq(excluded(rate_buckets::full_at)))
        .execute(c))?;
    Ok(())
}

/// Forgets buckets that are full, at most `limit` of them; says how many.
pub fn rate_expire(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let full: Vec<String> = rate_buckets::table
        .filter(rate_buckets::full_at.le(DbTimestamp::from(now)))
        .order(rate_buckets::full_at.asc())
        .limit(limit.max(0))
        .select(rate_buckets::id)
        .load(c)?;
    Ok(on_engine!(c, c => delete(rate_buckets::table.filter(rate_buckets::id.eq_any(&full))).execute(c))?)
}

/// Remembers from where an account was signed in to.
pub fn sign_in_place_put(c: &mut Conn, id: &str, expires_at: DateTime<Utc>) -> StoreResult<()> {
    let expires_at = DbTimestamp(to_stored_precision(expires_at));
    let row = (sign_in_places::id.eq(id), sign_in_places::expires_at.eq(expires_at));
    on_engine!(c, c => insert_into(sign_in_places::table)
        .values(row)
        .on_conflict(sign_in_places::id)
        .do_update()
        .set(sign_in_places::expires_at.eq(excluded(sign_in_places::expires_at)))
        .execute(c))?;
    Ok(())
}

/// Whether an account was signed in to from there.
pub fn sign_in_place_is_known(c: &mut Conn, id: &str, now: DateTime<Utc>) -> StoreResult<bool> {
    let found: Option<DbTimestamp> =
        sign_in_places::table.find(id).select(sign_in_places::expires_at).first(c).optional()?;
    Ok(found.is_some_and(|expires_at| expires_at.0 > now))
}

/// Forgets places whose time is over, at most `limit` of them; says how many.
pub fn sign_in_place_expire(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let old: Vec<String> = sign_in_places::table
        .filter(sign_in_places::expires_at.le(DbTimestamp::from(now)))
        .order(sign_in_places::expires_at.asc())
        .limit(limit.max(0))
        .select(sign_in_places::id)
        .load(c)?;
    Ok(on_engine!(c, c => delete(sign_in_places::table.filter(sign_in_places::id.eq_any(&old))).execute(c))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let now = Utc::now();
        let rate = Rate::new(60, TimeDelta::minutes(1));
        assert_eq!(rate.left(None, now), 60);
        let first = rate.take(None, 59, now);
        assert_eq!((first.tokens, rate.left(Some(first.full_at), now)), (59, 1));
        let second = rate.take(Some(first.full_at), 5, now);
        assert_eq!((second.tokens, second.full_at), (1, now + TimeDelta::minutes(1)));
        assert_eq!(rate.take(Some(second.full_at), 1, now).tokens, 0);
        assert_eq!(rate.wait(Some(second.full_at), now), TimeDelta::seconds(1));
        let later = now + TimeDelta::milliseconds(2500);
        assert_eq!(rate.left(Some(second.full_at), later), 2);
        assert_eq!(rate.left(Some(second.full_at), now + TimeDelta::hours(1)), 60);
        // A node whose clock runs ahead locks nobody out for longer than an empty bucket would.
        assert_eq!(rate.wait(Some(now + TimeDelta::days(9)), now), TimeDelta::seconds(1));
    }
}

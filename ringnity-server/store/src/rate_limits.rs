//! Token buckets that nodes share. What a token is for is decided by the caller.
//!
//! A bucket is stored as one timestamp, as in the generic cell rate algorithm (GCRA): the theoretical arrival time
//! (`tat`), when the bucket will be full again. Taking a token moves it into the future by the time in which one token
//! is refilled. Nothing has to refill buckets, and a full bucket needs no row. The column is called `full_at`.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{delete, insert_into, prelude::*, update, upsert::excluded};

use crate::{
    engine::{Conn, DbTimestamp, StoreResult, on_engine},
    schema::rate_buckets,
};

/// A rate limit: `capacity` tokens, refilled one per interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    capacity: i64,
    interval: TimeDelta,
}

impl Gcra {
    /// `capacity` tokens per `period`. The capacity is at least 1, the refill interval at least one microsecond.
    pub fn new(capacity: u32, period: TimeDelta) -> Gcra {
        let capacity = i64::from(capacity.max(1));
        let interval = period.num_microseconds().unwrap_or(i64::MAX) / capacity;
        Gcra { capacity, interval: TimeDelta::microseconds(interval.max(1)) }
    }

    /// Tokens in a full bucket.
    pub fn capacity(self) -> i64 {
        self.capacity
    }

    /// Time in which `tokens` are refilled.
    pub fn refill_time(self, tokens: i64) -> TimeDelta {
        TimeDelta::microseconds(self.interval.num_microseconds().unwrap_or(i64::MAX).saturating_mul(tokens))
    }

    /// Clamps `tat` to between now and what an empty bucket has, in case the clock of another node is wrong.
    fn clamp_tat(self, tat: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        tat.unwrap_or(now).clamp(now, now + self.refill_time(self.capacity))
    }

    /// Tokens in the bucket. `None` is a full bucket.
    pub fn available(self, tat: Option<DateTime<Utc>>, now: DateTime<Utc>) -> i64 {
        let missing = (self.clamp_tat(tat, now) - now).num_microseconds().unwrap_or(i64::MAX);
        let interval = self.interval.num_microseconds().unwrap_or(i64::MAX);
        self.capacity - (missing + interval - 1) / interval
    }

    /// Takes up to `wanted` tokens, as many as are in the bucket.
    pub fn take(self, tat: Option<DateTime<Utc>>, wanted: i64, now: DateTime<Utc>) -> TokensTaken {
        let tokens = wanted.clamp(0, self.available(tat, now));
        TokensTaken { tokens, tat: self.clamp_tat(tat, now) + self.refill_time(tokens) }
    }

    /// Time until the bucket has a token; zero if it has one.
    pub fn retry_after(self, tat: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TimeDelta {
        let missing = self.clamp_tat(tat, now) - now;
        (missing - self.refill_time(self.capacity - 1)).max(TimeDelta::zero())
    }
}

/// Result of taking tokens from a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokensTaken {
    /// Number of tokens taken; 0 if the bucket is empty.
    pub tokens: i64,
    /// When the bucket is full again.
    pub tat: DateTime<Utc>,
}

/// Takes up to `wanted` tokens from a bucket, as many as it has.
pub fn rate_bucket_take(
    c: &mut Conn,
    id: &str,
    gcra: Gcra,
    wanted: i64,
    now: DateTime<Utc>,
) -> StoreResult<TokensTaken> {
    let tat = rate_bucket_tat(c, id)?;
    let taken = gcra.take(tat, wanted, now);
    if taken.tokens > 0 {
        bucket_put(c, id, taken.tat)?;
    }
    Ok(taken)
}

/// Takes one token from every bucket, or none if one of them is empty. The inner `Err` is the time until all have a token.
pub fn rate_bucket_take_each(
    c: &mut Conn,
    buckets: &[(String, Gcra)],
    now: DateTime<Utc>,
) -> StoreResult<Result<(), TimeDelta>> {
    if let Err(wait) = rate_bucket_check_each(c, buckets, now)? {
        return Ok(Err(wait));
    }
    for (id, gcra) in buckets {
        rate_bucket_take(c, id, *gcra, 1, now)?;
    }
    Ok(Ok(()))
}

/// Checks that every bucket has a token, without taking one. The inner `Err` is the time until all have one.
pub fn rate_bucket_check_each(
    c: &mut Conn,
    buckets: &[(String, Gcra)],
    now: DateTime<Utc>,
) -> StoreResult<Result<(), TimeDelta>> {
    let mut longest = TimeDelta::zero();
    for (id, gcra) in buckets {
        longest = longest.max(gcra.retry_after(rate_bucket_tat(c, id)?, now));
    }
    Ok(if longest > TimeDelta::zero() { Err(longest) } else { Ok(()) })
}

/// Returns one token to a bucket. Does nothing if the bucket is full.
pub fn rate_bucket_refund(c: &mut Conn, id: &str, gcra: Gcra) -> StoreResult<()> {
    if let Some(tat) = rate_bucket_tat(c, id)? {
        update(rate_buckets::table.find(id))
            .set(rate_buckets::full_at.eq(DbTimestamp::from(tat - gcra.refill_time(1))))
            .execute(c)?;
    }
    Ok(())
}

/// Fills a bucket and all buckets whose id is this id, a dot and more. The id must not contain `%` or `_`.
pub fn rate_bucket_reset(c: &mut Conn, id: &str) -> StoreResult<()> {
    let below = rate_buckets::id.like(format!("{id}.%"));
    delete(rate_buckets::table.filter(rate_buckets::id.eq(id).or(below))).execute(c)?;
    Ok(())
}

/// The `tat` of a bucket: when it is full again. `None` if it has no row, which means that it is full.
pub fn rate_bucket_tat(c: &mut Conn, id: &str) -> StoreResult<Option<DateTime<Utc>>> {
    let found: Option<DbTimestamp> =
        rate_buckets::table.find(id).select(rate_buckets::full_at).first(c).optional()?;
    Ok(found.map(|stamp| stamp.0))
}

fn bucket_put(c: &mut Conn, id: &str, tat: DateTime<Utc>) -> StoreResult<()> {
    let row = (rate_buckets::id.eq(id), rate_buckets::full_at.eq(DbTimestamp::from(tat)));
    on_engine!(c, c => insert_into(rate_buckets::table)
        .values(row)
        .on_conflict(rate_buckets::id)
        .do_update()
        .set(rate_buckets::full_at.eq(excluded(rate_buckets::full_at)))
        .execute(c))?;
    Ok(())
}

/// Deletes the rows of full buckets, at most `limit`. Returns how many.
pub fn rate_bucket_delete_full(c: &mut Conn, now: DateTime<Utc>, limit: i64) -> StoreResult<usize> {
    let full: Vec<String> = rate_buckets::table
        .filter(rate_buckets::full_at.le(DbTimestamp::from(now)))
        .order(rate_buckets::full_at.asc())
        .limit(limit.max(0))
        .select(rate_buckets::id)
        .load(c)?;
    Ok(on_engine!(c, c => delete(rate_buckets::table.filter(rate_buckets::id.eq_any(&full))).execute(c))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_and_refills_tokens() {
        let now = Utc::now();
        let gcra = Gcra::new(60, TimeDelta::minutes(1));
        assert_eq!(gcra.available(None, now), 60);
        let first = gcra.take(None, 59, now);
        assert_eq!((first.tokens, gcra.available(Some(first.tat), now)), (59, 1));
        let second = gcra.take(Some(first.tat), 5, now);
        assert_eq!((second.tokens, second.tat), (1, now + TimeDelta::minutes(1)));
        assert_eq!(gcra.take(Some(second.tat), 1, now).tokens, 0);
        assert_eq!(gcra.retry_after(Some(second.tat), now), TimeDelta::seconds(1));
        let later = now + TimeDelta::milliseconds(2500);
        assert_eq!(gcra.available(Some(second.tat), later), 2);
        assert_eq!(gcra.available(Some(second.tat), now + TimeDelta::hours(1)), 60);
        // A node with a wrong clock blocks nobody for longer than an empty bucket does.
        assert_eq!(gcra.retry_after(Some(now + TimeDelta::days(9)), now), TimeDelta::seconds(1));
    }
}

//! Forgets what has ended: one job for each kind of row, so that trouble with one keeps no other from being done.
//! What has ended counts as absent before it is deleted too, so nobody can tell when that happens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ringnity_store::{Conn, StoreResult, idempotency, identity, rate_limits, visitors};

use super::{Job, JobOutcome, Run, Schedule};
use crate::secrets::tokens::MAX_TOKEN_TTL;

/// How often each looks for what has ended.
const INTERVAL: Duration = Duration::from_secs(600);

/// How many rows go in one transaction: few enough that nobody notices who wants to write meanwhile.
const BATCH: usize = 500;

/// How many visitors one read looks at.
const READ_BATCH: i64 = 2_000;

/// How long a row stays after its end: no two nodes agree on the time to the second, and it may not be gone for one
/// while it counts for another.
const CLOCK_SKEW_MARGIN: TimeDelta = TimeDelta::minutes(5);

/// How long a signing key stays after the last token that it signed has expired. A node that was not told yet of a
/// new key signs with the old one.
const SIGNING_KEY_MARGIN: TimeDelta = TimeDelta::days(7);

/// How long a visitor is known after the last visit whom nobody vouched for.
const UNVERIFIED_VISITOR_RETENTION: TimeDelta = TimeDelta::days(30);

/// Deletes rows of one kind that ended at that time or before, at most so many; says how many.
type Delete = fn(&mut Conn, DateTime<Utc>, i64) -> StoreResult<usize>;

struct Expiry {
    name: &'static str,
    retention: TimeDelta,
    delete: Delete,
}

/// Everything in the database that ends.
pub(super) fn all() -> Vec<Arc<dyn Job>> {
    let kinds: [(&'static str, TimeDelta, Delete); 6] = [
        ("expire-idempotency-keys", CLOCK_SKEW_MARGIN, idempotency::idempotency_delete_expired),
        ("expire-rate-buckets", CLOCK_SKEW_MARGIN, rate_limits::rate_bucket_delete_full),
        ("expire-sign-in-places", CLOCK_SKEW_MARGIN, identity::sign_in_address_delete_expired),
        ("expire-entry-tokens", CLOCK_SKEW_MARGIN, identity::entry_token_delete_expired),
        // With their refresh tokens, and with what visitors' tokens vouch for.
        ("expire-sessions", CLOCK_SKEW_MARGIN, identity::session_delete_expired),
        ("expire-signing-keys", SIGNING_KEY_MARGIN + MAX_TOKEN_TTL, retired_keys),
    ];
    let expiry = |(name, retention, delete)| Arc::new(Expiry { name, retention, delete }) as Arc<dyn Job>;
    kinds.into_iter().map(expiry).chain([Arc::new(UnverifiedVisitors) as Arc<dyn Job>]).collect()
}

/// There are never many. The one that signs has no end, so it stays.
fn retired_keys(c: &mut Conn, ended: DateTime<Utc>, _: i64) -> StoreResult<usize> {
    identity::signing_key_delete_retired(c, ended)
}

#[async_trait]
impl Job for Expiry {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(INTERVAL)
    }

    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome> {
        let (ended, delete, batch) = (run.app.now() - self.retention, self.delete, i64::try_from(BATCH)?);
        let mut deleted_total = 0;
        loop {
            let deleted = run.app.store.write(move |c| delete(c, ended, batch)).await?;
            deleted_total += deleted;
            if deleted < BATCH {
                break;
            }
            if run.is_stopping() {
                return Ok(JobOutcome::Yield);
            }
        }
        log_deleted(self.name, deleted_total);
        Ok(JobOutcome::Done)
    }
}

/// Visitors whom nobody vouched for. Most of those who are over may be there to stay, for they have a device; so they
/// are looked for in reads, which keep nobody waiting, and each is looked at once.
struct UnverifiedVisitors;

#[async_trait]
impl Job for UnverifiedVisitors {
    fn name(&self) -> &'static str {
        "expire-visitors"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(INTERVAL)
    }

    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome> {
        let (store, ended) = (&run.app.store, run.app.now() - UNVERIFIED_VISITOR_RETENTION);
        let (mut deleted_total, mut next) = (0, None);
        loop {
            let from = next.clone();
            let list =
                move |c: &mut Conn| visitors::visitor_list_expired(c, ended, from.as_ref(), READ_BATCH);
            let seen = store.read(list).await?;
            for batch in seen.found.chunks(BATCH) {
                let batch = batch.to_vec();
                deleted_total +=
                    store.write(move |c| visitors::visitor_delete_expired(c, ended, &batch)).await?;
                if run.is_stopping() {
                    return Ok(JobOutcome::Yield);
                }
            }
            next = seen.next;
            if next.is_none() {
                break;
            }
            if run.is_stopping() {
                return Ok(JobOutcome::Yield);
            }
        }
        log_deleted(self.name(), deleted_total);
        Ok(JobOutcome::Done)
    }
}

fn log_deleted(job: &str, deleted_total: usize) {
    if deleted_total > 0 {
        tracing::debug!(job, deleted_total, "forgot what has ended");
    }
}

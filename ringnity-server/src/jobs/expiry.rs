//! Deletes expired rows. Each kind of row has its own job, so that a failure of one does not stop the others. Expired
//! rows count as absent before they are deleted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ringnity_store::{Conn, StoreResult, idempotency, identity, rate_limits, visitors};

use super::{Job, JobOutcome, Run, Schedule};
use crate::secrets::tokens::MAX_TOKEN_TTL;

/// How often each job runs.
const INTERVAL: Duration = Duration::from_secs(600);

/// Rows per transaction: few enough not to delay other writes.
const BATCH: usize = 500;

/// Visitors per read.
const READ_BATCH: i64 = 2_000;

/// How long a row stays after it expired, because the clocks of nodes differ.
const CLOCK_SKEW_MARGIN: TimeDelta = TimeDelta::minutes(5);

/// How long a signing key stays after the last token that it can have signed has expired. A node may sign with it until
/// it has loaded the new key.
const SIGNING_KEY_MARGIN: TimeDelta = TimeDelta::days(7);

/// How long an unverified visitor is kept after the last visit.
const UNVERIFIED_VISITOR_RETENTION: TimeDelta = TimeDelta::days(30);

/// Deletes rows that expired at or before a time, up to a limit; returns how many.
type Delete = fn(&mut Conn, DateTime<Utc>, i64) -> StoreResult<usize>;

struct Expiry {
    name: &'static str,
    retention: TimeDelta,
    delete: Delete,
}

/// One job for each kind of row that expires.
pub(super) fn all() -> Vec<Arc<dyn Job>> {
    let kinds: [(&'static str, TimeDelta, Delete); 6] = [
        ("expire-idempotency-keys", CLOCK_SKEW_MARGIN, idempotency::idempotency_delete_expired),
        ("expire-rate-buckets", CLOCK_SKEW_MARGIN, rate_limits::rate_bucket_delete_full),
        ("expire-sign-in-places", CLOCK_SKEW_MARGIN, identity::sign_in_address_delete_expired),
        ("expire-entry-tokens", CLOCK_SKEW_MARGIN, identity::entry_token_delete_expired),
        // Includes refresh tokens and visitor contexts.
        ("expire-sessions", CLOCK_SKEW_MARGIN, identity::session_delete_expired),
        ("expire-signing-keys", SIGNING_KEY_MARGIN + MAX_TOKEN_TTL, retired_keys),
    ];
    let expiry = |(name, retention, delete)| Arc::new(Expiry { name, retention, delete }) as Arc<dyn Job>;
    kinds.into_iter().map(expiry).chain([Arc::new(UnverifiedVisitors) as Arc<dyn Job>]).collect()
}

/// Ignores the limit: there are few keys. The active key has no end.
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

/// Deletes unverified visitors. Many expired ones stay because they have a device, so candidates are listed in reads,
/// which do not block writers, and each is checked once.
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
        tracing::debug!(job, deleted_total, "deleted expired rows");
    }
}

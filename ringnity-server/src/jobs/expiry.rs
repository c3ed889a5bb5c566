//! Forgets what has ended: one job for each kind of row, so that trouble with one keeps no other from being done.
//! What has ended counts as absent before it is deleted too, so nobody can tell when that happens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ringnity_store::{Conn, StoreResult, idempotency, identity, rate_limits, visitors};

use super::{Job, Next, Run, Schedule};
use crate::secrets::tokens::MAX_TOKEN_TTL;

/// How often each looks for what has ended.
const EVERY: Duration = Duration::from_secs(600);

/// How many rows go in one transaction: few enough that nobody notices who wants to write meanwhile.
const BATCH: usize = 500;

/// How many visitors one read looks at.
const LOOK: i64 = 2_000;

/// How long a row stays after its end: no two nodes agree on the time to the second, and it may not be gone for one
/// while it counts for another.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// How long a signing key stays after the last token that it signed has expired. A node that was not told yet of a
/// new key signs with the old one.
const KEY_MARGIN: TimeDelta = TimeDelta::days(7);

/// How long a visitor is known after the last visit whom nobody vouched for.
const STRANGERS: TimeDelta = TimeDelta::days(30);

/// Deletes rows of one kind that ended at that time or before, at most so many; says how many.
type Delete = fn(&mut Conn, DateTime<Utc>, i64) -> StoreResult<usize>;

struct Expiry {
    name: &'static str,
    kept: TimeDelta,
    delete: Delete,
}

/// Everything in the database that ends.
pub(super) fn all() -> Vec<Arc<dyn Job>> {
    let kinds: [(&'static str, TimeDelta, Delete); 6] = [
        ("expire-idempotency-keys", MARGIN, idempotency::idempotency_delete_expired),
        ("expire-rate-buckets", MARGIN, rate_limits::rate_bucket_delete_full),
        ("expire-sign-in-places", MARGIN, identity::sign_in_address_delete_expired),
        ("expire-entry-tokens", MARGIN, identity::entry_token_delete_expired),
        // With their refresh tokens, and with what visitors' tokens vouch for.
        ("expire-sessions", MARGIN, identity::session_delete_expired),
        ("expire-signing-keys", KEY_MARGIN + MAX_TOKEN_TTL, retired_keys),
    ];
    let expiry = |(name, kept, delete)| Arc::new(Expiry { name, kept, delete }) as Arc<dyn Job>;
    kinds.into_iter().map(expiry).chain([Arc::new(Strangers) as Arc<dyn Job>]).collect()
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
        Schedule::Every(EVERY)
    }

    async fn run(&self, run: &Run) -> anyhow::Result<Next> {
        let (ended, delete, batch) = (run.app.now() - self.kept, self.delete, i64::try_from(BATCH)?);
        let mut gone = 0;
        loop {
            let deleted = run.app.store.write(move |c| delete(c, ended, batch)).await?;
            gone += deleted;
            if deleted < BATCH {
                break;
            }
            if run.is_stopping() {
                return Ok(Next::GoOn);
            }
        }
        told(self.name, gone);
        Ok(Next::Done)
    }
}

/// Visitors whom nobody vouched for. Most of those who are over may be there to stay, for they have a device; so they
/// are looked for in reads, which keep nobody waiting, and each is looked at once.
struct Strangers;

#[async_trait]
impl Job for Strangers {
    fn name(&self) -> &'static str {
        "expire-visitors"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(EVERY)
    }

    async fn run(&self, run: &Run) -> anyhow::Result<Next> {
        let (store, ended) = (&run.app.store, run.app.now() - STRANGERS);
        let (mut gone, mut place) = (0, None);
        loop {
            let from = place.clone();
            let look = move |c: &mut Conn| visitors::visitor_list_expired(c, ended, from.as_ref(), LOOK);
            let seen = store.read(look).await?;
            for batch in seen.found.chunks(BATCH) {
                let batch = batch.to_vec();
                gone += store.write(move |c| visitors::visitor_delete_expired(c, ended, &batch)).await?;
                if run.is_stopping() {
                    return Ok(Next::GoOn);
                }
            }
            place = seen.next;
            if place.is_none() {
                break;
            }
            if run.is_stopping() {
                return Ok(Next::GoOn);
            }
        }
        told(self.name(), gone);
        Ok(Next::Done)
    }
}

fn told(job: &str, gone: usize) {
    if gone > 0 {
        tracing::debug!(job, gone, "forgot what has ended");
    }
}

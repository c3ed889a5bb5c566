//! Forgets what has ended: one job for each kind of row, so that trouble with one keeps no other from being done.
//! What has ended counts as absent before it is deleted too, so nobody can tell when that happens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ringnity_store::{Conn, StoreResult, entry_tokens, idempotency, rates, sessions, signing_keys, visitors};

use super::{Job, Next, Run, Schedule};
use crate::secrets::tokens::LONGEST_TOKEN_LIFE;

/// How often each looks for what has ended.
const EVERY: Duration = Duration::from_secs(600);

/// How many rows go in one transaction: few enough that nobody notices who wants to write meanwhile.
const BATCH: i64 = 500;

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
    let kinds: [(&'static str, TimeDelta, Delete); 7] = [
        ("expire-idempotency-keys", MARGIN, idempotency::idempotency_expire),
        ("expire-rate-buckets", MARGIN, rates::rate_expire),
        ("expire-sign-in-places", MARGIN, rates::sign_in_place_expire),
        ("expire-entry-tokens", MARGIN, entry_tokens::entry_token_expire),
        // With their refresh tokens, and with what visitors' tokens vouch for.
        ("expire-sessions", MARGIN, sessions::session_expire),
        ("expire-visitors", STRANGERS, visitors::visitor_expire),
        ("expire-signing-keys", KEY_MARGIN + LONGEST_TOKEN_LIFE, retired_keys),
    ];
    kinds.into_iter().map(|(name, kept, delete)| Arc::new(Expiry { name, kept, delete }) as _).collect()
}

/// There are never many. The one that signs has no end, so it stays.
fn retired_keys(c: &mut Conn, ended: DateTime<Utc>, _: i64) -> StoreResult<usize> {
    signing_keys::signing_key_delete_retired(c, ended)
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
        let (ended, delete) = (run.app.now() - self.kept, self.delete);
        let mut gone = 0;
        loop {
            let deleted = run.app.store.write(move |c| delete(c, ended, BATCH)).await?;
            gone += deleted;
            if i64::try_from(deleted)? < BATCH {
                break;
            }
            if run.is_stopping() {
                return Ok(Next::GoOn);
            }
        }
        if gone > 0 {
            tracing::debug!(job = self.name, gone, "forgot what has ended");
        }
        Ok(Next::Done)
    }
}

//! Jobs that read the outbox: each has a place in it of its own, sees every event once it can be read, in order, and
//! keeps its place in its row.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ringnity_store::events::{Event, EventPosition, event_list_ready};
use ringnity_store::{Conn, StoreResult, jobs};

use super::{Job, JobOutcome, Run, Schedule};
use crate::app::App;

/// How many events are taken at once.
const BATCH: i64 = 100;

/// One who is told of all events of all tenants, from the first one on. What is done with them in the database and
/// what is done outside are two functions, because they promise different things.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Its name, as that of a job.
    fn name(&self) -> &'static str;

    /// What follows in the database: once for each event, for it is one transaction with moving on. May be run again
    /// like every closure of `Store::write`.
    fn apply(&self, _c: &mut Conn, _events: &[Event], _now: DateTime<Utc>) -> StoreResult<()> {
        Ok(())
    }

    /// What follows outside, before [`apply`](Consumer::apply): at least once for each event. When it fails, or the
    /// server dies, the same events come again, perhaps with more.
    async fn deliver(&self, _app: &App, _events: &[Event]) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A consumer as a job.
pub struct Outbox<C>(Arc<C>);

impl<C: Consumer> Outbox<C> {
    /// The job that tells `consumer` of events.
    pub fn new(consumer: C) -> Self {
        Self(Arc::new(consumer))
    }
}

#[async_trait]
impl<C: Consumer> Job for Outbox<C> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn schedule(&self) -> Schedule {
        Schedule::Events
    }

    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome> {
        let mut after = EventPosition::from_payload(&run.job.payload)?;
        loop {
            let batch = run.app.store.read(move |c| event_list_ready(c, after, BATCH)).await?;
            let Some((position, _)) = batch.last() else { return Ok(JobOutcome::Done) };
            after = *position;
            let events: Vec<Event> = batch.into_iter().map(|(_, event)| event).collect();
            self.0.deliver(&run.app, &events).await?;
            let (consumer, lease, now) = (Arc::clone(&self.0), run.lease.clone(), run.app.now());
            run.app
                .store
                .write(move |c| {
                    consumer.apply(c, &events, now)?;
                    jobs::job_save_progress(c, &lease, &after.to_payload(), now)
                })
                .await?;
            if run.is_stopping() {
                return Ok(JobOutcome::Yield);
            }
        }
    }
}

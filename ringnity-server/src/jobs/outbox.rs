//! Jobs that consume the outbox. Each keeps its own position in its row and sees every event, in order.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ringnity_store::events::{Event, EventPosition, event_list_ready};
use ringnity_store::{Conn, StoreResult, jobs};

use super::{Job, JobOutcome, Run, Schedule};
use crate::app::App;

/// Events per batch.
const BATCH: i64 = 100;

/// A consumer of all events of all tenants, starting with the first one. Database effects and external effects are
/// separate functions because their guarantees differ.
#[async_trait]
pub trait Consumer: Send + Sync + 'static {
    /// Name of the job.
    fn name(&self) -> &'static str;

    /// Database effects, exactly once per event: they are committed together with the new position. The closure may run
    /// again like every closure of `Store::write`.
    fn apply(&self, _c: &mut Conn, _events: &[Event], _now: DateTime<Utc>) -> StoreResult<()> {
        Ok(())
    }

    /// External effects, at least once per event, before [`apply`](Consumer::apply). After a failure or a crash the
    /// same events are delivered again, possibly with more.
    async fn deliver(&self, _app: &App, _events: &[Event]) -> anyhow::Result<()> {
        Ok(())
    }
}

/// A consumer as a job.
pub struct Outbox<C>(Arc<C>);

impl<C: Consumer> Outbox<C> {
    /// The job that passes events to `consumer`.
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

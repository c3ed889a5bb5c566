//! Work that nobody waits for: what a job is, and which there are. One file for each job. A job uses `app` and the
//! store like any rule; it takes no input but the state that it finds, and it may be run again at any time. No HTTP
//! and no SQL.

pub mod expiry;
mod outbox;
mod runner;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ringnity_store::jobs::{Job as Row, Lease};
use tokio::sync::watch;

use crate::app::App;

pub use outbox::{Consumer, Outbox};
pub use runner::Runner;

/// Every job of this server.
pub fn all() -> Vec<Arc<dyn Job>> {
    expiry::all()
}

/// When a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// So long after it was last done.
    Every(Duration),
    /// Whenever the outbox has events that it has not seen; see [`Outbox`].
    Events,
    /// When a rule has put it, with `job_put`; once for each subject.
    OnDemand,
}

/// What is to be done, and when.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// Its name in the database and in logs: the `kind` of its rows. Never changed, never used again for another.
    fn name(&self) -> &'static str;

    /// When it runs.
    fn schedule(&self) -> Schedule;

    /// How many of this kind a node does at once. Kinds have places of their own: a slow one delays no other.
    fn concurrency(&self) -> usize {
        1
    }

    /// Does it. May be cut short and run again, here or elsewhere, so every step must be fit to be repeated; what
    /// must happen once happens in a transaction that says so with [`Run::lease`]. An error, or a panic, is noted
    /// with the job, and it is tried again later.
    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome>;
}

/// What becomes of a job that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    /// It is done; it comes again if its schedule says so.
    Done,
    /// It stopped before the end, being asked to: somebody goes on at once.
    Yield,
    /// It has finished or rescheduled its row by itself, in the transaction of its effect.
    Committed,
}

/// One run of a job.
pub struct Run {
    /// The rules, and through them the store and the time.
    pub app: Arc<App>,
    /// The job as it was when it was claimed.
    pub job: Row,
    /// Shows that the job is this run's, to the store's functions for jobs.
    pub lease: Lease,
    phase: watch::Receiver<Phase>,
}

impl Run {
    /// Whether the server stops: a long job ends at the next step, with [`JobOutcome::Yield`].
    pub fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }
}

/// How far a runner has come in stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Takes no more jobs.
    Draining,
    /// Drops the jobs that it has.
    Aborting,
}

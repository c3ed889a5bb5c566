//! Background jobs, one file each. A job takes no input except the state of the database and can be run again at any
//! time.

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

/// All jobs of the server.
pub fn all() -> Vec<Arc<dyn Job>> {
    expiry::all()
}

/// When a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// This long after its last run.
    Every(Duration),
    /// When the outbox has new events; see [`Outbox`].
    Events,
    /// When a rule has added it with `job_put`; once for each subject.
    OnDemand,
}

/// A background job.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// Name in the database (the `kind` of its rows) and in logs. Never changed and never reused.
    fn name(&self) -> &'static str;

    /// When the job runs.
    fn schedule(&self) -> Schedule;

    /// How many runs of this job a node executes at the same time. A slow job does not delay others.
    fn concurrency(&self) -> usize {
        1
    }

    /// Runs the job. A run can be interrupted and repeated, on this node or another, so every step must be idempotent.
    /// What must happen exactly once belongs in a transaction that uses [`Run::lease`]. Errors and panics are stored
    /// with the job, which is retried later.
    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome>;
}

/// The outcome of a run without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    /// Done; runs again as its schedule says.
    Done,
    /// Interrupted by shutdown; another worker resumes it immediately.
    Yield,
    /// The job has finished or rescheduled its row itself, in the transaction of its effect.
    Committed,
}

/// One run of a job.
pub struct Run {
    /// The rules, the store and the clock.
    pub app: Arc<App>,
    /// The job's row when it was claimed.
    pub job: Row,
    /// Proves to the store that this run holds the job.
    pub lease: Lease,
    phase: watch::Receiver<Phase>,
}

impl Run {
    /// Whether the server shuts down. A long job returns [`JobOutcome::Yield`] at its next step.
    pub fn is_stopping(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }
}

/// Shutdown phase of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Claims no more jobs.
    Draining,
    /// Cancels running jobs.
    Aborting,
}

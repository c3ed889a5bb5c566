//! The runner: polls for due jobs, claims them, and runs each in its own task. Polling is a read, so an idle server
//! does not use the database's writer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ringnity_store::events::{EventPosition, event_list_ready};
use ringnity_store::jobs::{self, Job as Row, Lease};
use ringnity_store::{Conn, StoreError, StoreResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::{Job, JobOutcome, Phase, Run, Schedule};
use crate::app::App;

/// Lease of a claimed job. If a node dies, its jobs wait this long.
const LEASE_DURATION: TimeDelta = TimeDelta::seconds(60);
/// How often a lease is extended while its job runs: two extensions may fail.
const LEASE_EXTEND_INTERVAL: Duration = Duration::from_secs(20);
/// Longest pause between two polls: another node may have added a job.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// Longest pause if a job waits for events.
const EVENT_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after a failed poll, or one that lost a job to another node.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// When a job that waits for events runs although no event was seen.
const MAX_EVENT_DELAY: TimeDelta = TimeDelta::minutes(10);
/// Pause after the first failure of a job; doubles with each failure.
const INITIAL_BACKOFF: TimeDelta = TimeDelta::seconds(10);
/// Longest pause after a failure.
const MAX_BACKOFF: TimeDelta = TimeDelta::hours(1);
/// Longest sleep while waiting for a lease to expire: timers stop while the machine is suspended, the clock does not.
const MAX_SLEEP: Duration = Duration::from_secs(1);
const MIN_SLEEP: Duration = Duration::from_millis(1);
/// How long cancelled jobs may take to stop.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs jobs until it is stopped or dropped.
pub struct Runner {
    phase: watch::Sender<Phase>,
    task: JoinHandle<()>,
}

impl Runner {
    /// Starts running jobs in the background.
    pub fn start(app: Arc<App>, jobs: Vec<Arc<dyn Job>>) -> Self {
        Self::start_with_extend_interval(app, jobs, LEASE_EXTEND_INTERVAL)
    }

    /// Like [`Runner::start`] with another interval between lease extensions. It is real time:
    /// [`Clock`](crate::clock::Clock) does not move it.
    pub fn start_with_extend_interval(app: Arc<App>, jobs: Vec<Arc<dyn Job>>, every: Duration) -> Self {
        let (phase, receiver) = watch::channel(Phase::Running);
        let jobs = jobs
            .into_iter()
            .map(|job| RegisteredJob { permits: Arc::new(Semaphore::new(job.concurrency().max(1))), job })
            .collect();
        let poller = Poller {
            app,
            jobs,
            phase: receiver,
            rows_created: false,
            extend_interval: every,
            running: JoinSet::new(),
        };
        Self { phase, task: tokio::spawn(poller.run()) }
    }

    /// Claims no more jobs and waits for those that run. After `grace` they are cancelled and released, for another
    /// node or the next start.
    pub async fn stop(mut self, grace: Duration) {
        self.phase.send_replace(Phase::Draining);
        if tokio::time::timeout(grace, &mut self.task).await.is_err() {
            tracing::warn!("some jobs did not finish within {} s and were released", grace.as_secs());
            self.phase.send_replace(Phase::Aborting);
            let _ = tokio::time::timeout(ABORT_TIMEOUT, &mut self.task).await;
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct RegisteredJob {
    job: Arc<dyn Job>,
    permits: Arc<Semaphore>,
}

struct Poller {
    app: Arc<App>,
    jobs: Vec<RegisteredJob>,
    phase: watch::Receiver<Phase>,
    /// Whether the rows of recurring jobs exist.
    rows_created: bool,
    extend_interval: Duration,
    running: JoinSet<()>,
}

/// A job with free permits.
#[derive(Clone)]
struct AvailableJob {
    index: usize,
    name: &'static str,
    permits: i64,
    for_events: bool,
}

impl Poller {
    async fn run(mut self) {
        let mut moved = self.app.clock.subscribe();
        let mut phase = self.phase.clone();
        let mut failing = false;
        while *phase.borrow_and_update() == Phase::Running {
            moved.mark_unchanged();
            let pause = match self.poll().await {
                Ok(pause) => {
                    failing = false;
                    pause
                }
                Err(error) => {
                    // Logged once: the rest of the server logs the outage too.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "cannot poll for jobs; retrying");
                    }
                    RETRY_INTERVAL
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.app.job_added.notified() => {}
                _ = moved.changed() => {}
                _ = phase.changed() => {}
                Some(_) = self.running.join_next() => {}
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Starts due jobs. Returns how long to wait until the next poll.
    async fn poll(&mut self) -> StoreResult<Duration> {
        if !self.rows_created {
            self.create_recurring_rows().await?;
            self.rows_created = true;
        }
        let available_jobs: Vec<AvailableJob> = (self.jobs.iter().enumerate())
            .map(|(index, registered)| AvailableJob {
                index,
                name: registered.job.name(),
                permits: i64::try_from(registered.permits.available_permits()).unwrap_or(i64::MAX),
                for_events: registered.job.schedule() == Schedule::Events,
            })
            .filter(|available| available.permits > 0)
            .collect();
        let now = self.app.now();
        let wanted = available_jobs.clone();
        let next: Vec<Option<DateTime<Utc>>> = self
            .app
            .store
            .read(move |c| {
                wanted.iter().map(|available| next_at(c, available, now)).collect::<StoreResult<_>>()
            })
            .await?;
        let is_due = |next: &Option<DateTime<Utc>>| next.is_some_and(|next| next <= now);
        let due: Vec<AvailableJob> = available_jobs
            .iter()
            .zip(&next)
            .filter(|(_, next)| is_due(next))
            .map(|(available, _)| available.clone())
            .collect();
        if due.is_empty() {
            let longest = if available_jobs.iter().any(|available| available.for_events) {
                EVENT_POLL_INTERVAL
            } else {
                POLL_INTERVAL
            };
            let soonest = next.into_iter().flatten().min();
            let pause = soonest.and_then(|soonest| (soonest - now).to_std().ok());
            return Ok(pause.map_or(longest, |pause| pause.min(longest)));
        }
        let claimed = self.app.store.write(move |c| claim_due(c, &due, now)).await?;
        if claimed.is_empty() {
            return Ok(RETRY_INTERVAL);
        }
        for (index, row, lease) in claimed {
            self.spawn(index, row, lease);
        }
        Ok(Duration::ZERO)
    }

    /// Creates the rows of recurring jobs that do not exist yet.
    async fn create_recurring_rows(&self) -> StoreResult<()> {
        let recurring = self.jobs.iter().filter(|registered| registered.job.schedule() != Schedule::OnDemand);
        let names: Vec<&'static str> = recurring.map(|registered| registered.job.name()).collect();
        let missing = self
            .app
            .store
            .read(move |c| {
                let mut missing = Vec::new();
                for name in &names {
                    if jobs::job_get(c, name, "")?.is_none() {
                        missing.push(*name);
                    }
                }
                Ok::<_, StoreError>(missing)
            })
            .await?;
        if missing.is_empty() {
            return Ok(());
        }
        let now = self.app.now();
        self.app
            .store
            .write(move |c| {
                missing.iter().try_for_each(|name| jobs::job_put(c, name, "", "{}", now, now).map(drop))
            })
            .await
    }

    fn spawn(&mut self, index: usize, row: Row, lease: Lease) {
        let Some(registered) = self.jobs.get(index) else { return };
        // A permit is free: only this loop acquires them.
        let Ok(permit) = Arc::clone(&registered.permits).try_acquire_owned() else { return };
        let run = Run { app: Arc::clone(&self.app), job: row, lease, phase: self.phase.clone() };
        self.running.spawn(run_with_lease(Arc::clone(&registered.job), run, self.extend_interval, permit));
    }
}

/// When the next run of a job is due. With unseen events, now.
fn next_at(c: &mut Conn, available: &AvailableJob, now: DateTime<Utc>) -> StoreResult<Option<DateTime<Utc>>> {
    if !available.for_events {
        return jobs::job_next_at(c, available.name);
    }
    let Some(row) = jobs::job_get(c, available.name, "")? else { return Ok(None) };
    // A claimed or failed job waits for its time.
    if row.attempts > 0 || row.run_at <= now {
        return Ok(Some(row.run_at));
    }
    let seen = EventPosition::from_payload(&row.payload)?;
    Ok(Some(if event_list_ready(c, seen, 1)?.is_empty() { row.run_at } else { now }))
}

fn claim_due(
    c: &mut Conn,
    due: &[AvailableJob],
    now: DateTime<Utc>,
) -> StoreResult<Vec<(usize, Row, Lease)>> {
    let mut claimed = Vec::new();
    for available in due {
        if available.for_events {
            jobs::job_run_now(c, available.name, now)?;
        }
        for (row, lease) in jobs::job_claim(c, available.name, available.permits, now + LEASE_DURATION, now)?
        {
            claimed.push((available.index, row, lease));
        }
    }
    Ok(claimed)
}

/// Runs one job and keeps its lease.
async fn run_with_lease(
    job: Arc<dyn Job>,
    run: Run,
    extend_interval: Duration,
    _permit: OwnedSemaphorePermit,
) {
    let (app, row, lease) = (Arc::clone(&run.app), run.job.clone(), run.lease.clone());
    let mut phase = run.phase.clone();
    // A task of its own contains a panic. The set cancels it when this function is dropped.
    let mut own = JoinSet::new();
    let work = Arc::clone(&job);
    own.spawn(async move { work.run(&run).await });
    let ended = tokio::select! {
        Some(ended) = own.join_next() => ended,
        () = aborted(&mut phase) => {
            own.shutdown().await;
            Ok(Ok(JobOutcome::Yield))
        }
        reason = keep_lease(&app, job.name(), &row, &lease, extend_interval) => {
            tracing::warn!(job = job.name(), subject = row.subject, reason, "gave up a job");
            return;
        }
    };
    let finished = match outcome_of(ended) {
        Ok(next) => finish(&app, job.schedule(), lease, next).await,
        Err(error) => {
            tracing::error!(
                job = job.name(),
                subject = row.subject,
                attempts = row.attempts,
                error,
                "a job failed and will be retried"
            );
            let now = app.now();
            let retry_at = now + backoff(row.attempts);
            app.store.write(move |c| jobs::job_fail(c, &lease, retry_at, &error, now)).await
        }
    };
    if let Err(error) = finished {
        tracing::warn!(job = job.name(), subject = row.subject, %error, "cannot store the outcome of a job; it may run again");
    }
}

/// Extends a lease until it is lost, then returns the reason. A lease that could not be extended expires, and another
/// node may run the same job.
async fn keep_lease(app: &App, name: &str, row: &Row, lease: &Lease, every: Duration) -> String {
    // A claim sets `run_at` to the end of the lease.
    let mut held_until = row.run_at;
    let mut ticker = tokio::time::interval(every);
    ticker.tick().await;
    loop {
        let extension = async {
            ticker.tick().await;
            let (lease, now) = (lease.clone(), app.now());
            let until = now + LEASE_DURATION;
            app.store.write(move |c| jobs::job_extend(c, &lease, until, now)).await.map(|()| until)
        };
        // A database that does not answer must not keep the job running beyond the lease.
        let extended = tokio::select! {
            biased;
            () = wait_until(app, held_until) => return "its lease expired and could not be extended".to_owned(),
            extended = extension => extended,
        };
        match extended {
            Ok(until) => held_until = until,
            Err(error @ StoreError::LeaseLost) => return error.to_string(),
            Err(error) => tracing::warn!(job = name, %error, "cannot extend the lease of a job"),
        }
    }
}

/// Waits until a time, also if the clock is moved or the machine was suspended.
async fn wait_until(app: &App, time: DateTime<Utc>) {
    let mut moved = app.clock.subscribe();
    while let Ok(left) = (time - app.now()).to_std() {
        tokio::select! {
            () = tokio::time::sleep(left.clamp(MIN_SLEEP, MAX_SLEEP)) => {}
            _ = moved.changed() => {}
        }
    }
}

/// Waits until running jobs are to be cancelled.
async fn aborted(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Aborting).await;
}

async fn finish(app: &App, schedule: Schedule, lease: Lease, next: JobOutcome) -> StoreResult<()> {
    let now = app.now();
    app.store
        .write(move |c| match (next, schedule) {
            (JobOutcome::Committed, _) => Ok(()),
            (JobOutcome::Yield, _) => jobs::job_release(c, &lease, now),
            (JobOutcome::Done, Schedule::OnDemand) => jobs::job_finish(c, &lease),
            (JobOutcome::Done, Schedule::Every(period)) => {
                let period = TimeDelta::from_std(period).unwrap_or(MAX_BACKOFF);
                jobs::job_reschedule(c, &lease, now + period, None, now)
            }
            (JobOutcome::Done, Schedule::Events) => {
                jobs::job_reschedule(c, &lease, now + MAX_EVENT_DELAY, None, now)
            }
        })
        .await
}

/// The outcome of a run, or its error as text.
fn outcome_of(ended: Result<anyhow::Result<JobOutcome>, JoinError>) -> Result<JobOutcome, String> {
    match ended {
        Ok(Ok(next)) => Ok(next),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(error) => Err(match error.try_into_panic() {
            Ok(panic) => format!("panicked: {}", panic_message(&*panic)),
            Err(error) => error.to_string(),
        }),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown panic")
}

fn backoff(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(1, 16) - 1).unwrap_or(0);
    (INITIAL_BACKOFF * 2_i32.pow(doublings)).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_a_maximum() {
        let pauses: Vec<i64> = [1, 2, 3, 9, 10, 1_000_000].map(|n| backoff(n).num_seconds()).to_vec();
        assert_eq!(pauses, [10, 20, 40, 2560, 3600, 3600]);
    }
}

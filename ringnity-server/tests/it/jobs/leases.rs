//! Leases of jobs: extended while a job runs. A job that loses its lease is dropped.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ringnity_server::app::App;
use ringnity_server::jobs::{Job, JobOutcome, Run, Runner, Schedule};
use ringnity_store::jobs::{job_claim, job_finish};
use ringnity_store::{Conn, Engine, StoreError};

use super::runner::TestJob;
use crate::support::{TestServer, on_each_engine, until};

/// A job that hands out its `App`, so that a test can run a runner of its own.
#[derive(Default)]
struct AppLender(Mutex<Option<Arc<App>>>);

#[async_trait]
impl Job for AppLender {
    fn name(&self) -> &'static str {
        "lender"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Every(Duration::from_secs(3600))
    }

    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome> {
        *self.0.lock().expect("a place") = Some(Arc::clone(&run.app));
        Ok(JobOutcome::Done)
    }
}

/// Runs `test` with a server that runs only the lender, and with its `App`.
pub(crate) fn with_app(test: impl AsyncFn(&TestServer, Arc<App>)) {
    let lender = Arc::new(AppLender::default());
    on_each_engine(async |engine| {
        let jobs = vec![lender.clone() as Arc<dyn Job>];
        let server = TestServer::builder(engine).tenant("acme").jobs(jobs).start().await;
        until("the app is lent", async || lender.0.lock().expect("a place").is_some()).await;
        let app = lender.0.lock().expect("a place").take().expect("the app");
        test(&server, app).await;
    });
}

/// Puts a job that waits, and waits until it runs.
async fn start_waiting_job(server: &TestServer, job: &TestJob) {
    job.put(server.store(), "waits", server.clock.now()).await;
    server.clock.advance(TimeDelta::seconds(1));
    until("it begins", async || job.log.count("waits") == 1).await;
}

#[test]
fn long_job_keeps_its_lease() {
    with_app(async |server, app| {
        let job = TestJob::new("test-job");
        let runner =
            Runner::start_with_extend_interval(Arc::clone(&app), job.jobs(), Duration::from_millis(20));
        let store = server.store();
        start_waiting_job(server, &job).await;
        // Five times as long as a lease, which always has half of its time left.
        for _ in 0..10 {
            server.clock.advance(TimeDelta::seconds(30));
            until("it is extended", async || {
                let row = job.row(store, "waits").await.expect("a row");
                row.run_at > server.clock.now() + TimeDelta::seconds(50)
            })
            .await;
            let now = server.clock.now();
            let taken =
                store.write(move |c| job_claim(c, "test-job", 1, now + TimeDelta::minutes(1), now)).await;
            assert_eq!(taken.expect("looks"), []);
        }
        job.gate.add_permits(1);
        until("it is done", async || job.row(store, "waits").await.is_none()).await;
        assert_eq!((job.log.count("waits"), job.log.count("waited")), (1, 1));
        runner.stop(Duration::from_secs(5)).await;
    });
}

#[test]
fn drops_job_claimed_by_another_node() {
    with_app(async |server, app| {
        let job = TestJob::new("test-job");
        let runner =
            Runner::start_with_extend_interval(Arc::clone(&app), job.jobs(), Duration::from_millis(200));
        let store = server.store();
        start_waiting_job(server, &job).await;
        // As if this node had been suspended for two minutes and another one had claimed the job.
        let then = server.clock.now() + TimeDelta::minutes(2);
        let taken =
            store.write(move |c| job_claim(c, "test-job", 1, then + TimeDelta::minutes(1), then)).await;
        let (_, lease) = taken.expect("claims").pop().expect("the job");
        until("it is dropped", async || job.log.count("ended") == 1).await;
        assert_eq!(job.log.count("waited"), 0);
        store.write(move |c| job_finish(c, &lease)).await.expect("the other one has it");
        runner.stop(Duration::from_secs(5)).await;
    });
}

#[test]
fn drops_job_when_its_lease_expires() {
    with_app(async |server, app| {
        // The dropped job stays in the table.
        server.leave_jobs();
        let job = TestJob::new("test-job");
        let runner =
            Runner::start_with_extend_interval(Arc::clone(&app), job.jobs(), Duration::from_millis(20));
        start_waiting_job(server, &job).await;
        server.database().refuse_leases();
        server.clock.advance(TimeDelta::seconds(50));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(job.log.count("ended"), 0, "the lease still holds");
        server.clock.advance(TimeDelta::seconds(11));
        until("it is dropped", async || job.log.count("ended") == 1).await;
        assert_eq!(job.log.count("waited"), 0);
        runner.stop(Duration::from_secs(5)).await;
    });
}

#[test]
fn drops_job_while_lease_extension_hangs() {
    with_app(async |server, app| {
        // The dropped job stays in the table.
        server.leave_jobs();
        let job = TestJob::new("test-job");
        let runner =
            Runner::start_with_extend_interval(Arc::clone(&app), job.jobs(), Duration::from_millis(20));
        let store = server.store();
        start_waiting_job(server, &job).await;
        // Block every writer.
        let gate = (store.engine() == Engine::Postgres).then(|| server.database().hold_writer_lock());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        let blocker = gate.is_none().then(|| {
            let app = Arc::clone(&app);
            let wait = move |_: &mut Conn| {
                let _ = held.lock().expect("a gate").recv_timeout(Duration::from_secs(20));
                Ok::<_, StoreError>(())
            };
            tokio::spawn(async move { app.store.write(wait).await })
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.clock.advance(TimeDelta::seconds(61));
        until("it is dropped", async || job.log.count("ended") == 1).await;
        assert_eq!(job.log.count("waited"), 0);
        drop((release, gate));
        if let Some(blocker) = blocker {
            blocker.await.expect("no panic").expect("is let go");
        }
        runner.stop(Duration::from_millis(100)).await;
    });
}

#[test]
fn releases_job_that_outlives_shutdown_timeout() {
    with_app(async |server, app| {
        let job = TestJob::new("test-job");
        let runner = Runner::start(Arc::clone(&app), job.jobs());
        let store = server.store();
        start_waiting_job(server, &job).await;
        runner.stop(Duration::from_millis(100)).await;
        let row = job.row(store, "waits").await.expect("a row");
        assert!(row.run_at <= server.clock.now(), "anybody may take it at once: {row:?}");
        assert_eq!((row.attempts, row.last_error), (0, None), "it did not fail");
        let next = Runner::start(app, job.jobs());
        until("another takes it", async || job.log.count("waits") == 2).await;
        job.gate.add_permits(1);
        until("and does it", async || job.row(store, "waits").await.is_none()).await;
        assert_eq!(job.log.count("waited"), 1);
        next.stop(Duration::from_secs(5)).await;
    });
}

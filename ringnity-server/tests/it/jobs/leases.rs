//! Leases of jobs: held while a job runs, and where one is lost the job is dropped.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use ringnity_server::app::App;
use ringnity_server::jobs::{Job, JobOutcome, Run, Runner, Schedule};
use ringnity_store::jobs::{job_claim, job_finish};
use ringnity_store::{Conn, Engine, StoreError};

use super::runner::Trial;
use crate::support::{TestServer, on_each_engine, until};

/// A job that hands out the rules it was given, so that a test can have a runner of its own.
#[derive(Default)]
struct Lender(Mutex<Option<Arc<App>>>);

#[async_trait]
impl Job for Lender {
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

/// Runs `test` with a server that does no job but lend its rules.
pub(crate) fn with_rules(test: impl AsyncFn(&TestServer, Arc<App>)) {
    let lender = Arc::new(Lender::default());
    on_each_engine(async |engine| {
        let jobs = vec![lender.clone() as Arc<dyn Job>];
        let server = TestServer::builder(engine).tenant("acme").jobs(jobs).start().await;
        until("the rules are lent", async || lender.0.lock().expect("a place").is_some()).await;
        let app = lender.0.lock().expect("a place").take().expect("the rules");
        test(&server, app).await;
    });
}

/// Puts a job that waits, and sees it begin.
async fn begun(server: &TestServer, trial: &Trial) {
    trial.put(server.store(), "waits", server.clock.now()).await;
    server.clock.advance(TimeDelta::seconds(1));
    until("it begins", async || trial.diary.count("waits") == 1).await;
}

#[test]
fn a_job_that_goes_on_keeps_its_lease_however_long_it_takes() {
    with_rules(async |server, app| {
        let trial = Trial::new("trial");
        let runner = Runner::start_with_extend_interval(Arc::clone(&app), trial.jobs(), Duration::from_millis(20));
        let store = server.store();
        begun(server, &trial).await;
        // Five times as long as a lease, and always there is half of one left.
        for _ in 0..10 {
            server.clock.advance(TimeDelta::seconds(30));
            until("it is extended", async || {
                let row = trial.row(store, "waits").await.expect("a row");
                row.run_at > server.clock.now() + TimeDelta::seconds(50)
            })
            .await;
            let now = server.clock.now();
            let taken =
                store.write(move |c| job_claim(c, "trial", 1, now + TimeDelta::minutes(1), now)).await;
            assert_eq!(taken.expect("looks"), []);
        }
        trial.gate.add_permits(1);
        until("it is done", async || trial.row(store, "waits").await.is_none()).await;
        assert_eq!((trial.diary.count("waits"), trial.diary.count("waited")), (1, 1));
        runner.stop(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_job_that_another_took_meanwhile_is_dropped() {
    with_rules(async |server, app| {
        let trial = Trial::new("trial");
        let runner = Runner::start_with_extend_interval(Arc::clone(&app), trial.jobs(), Duration::from_millis(200));
        let store = server.store();
        begun(server, &trial).await;
        // As if this node had slept for two minutes: nobody extended, and another node came.
        let then = server.clock.now() + TimeDelta::minutes(2);
        let taken = store.write(move |c| job_claim(c, "trial", 1, then + TimeDelta::minutes(1), then)).await;
        let (_, lease) = taken.expect("claims").pop().expect("the job");
        until("it is dropped", async || trial.diary.count("ended") == 1).await;
        assert_eq!(trial.diary.count("waited"), 0);
        store.write(move |c| job_finish(c, &lease)).await.expect("the other one has it");
        runner.stop(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_job_whose_lease_cannot_be_extended_is_dropped_when_it_lapses() {
    with_rules(async |server, app| {
        // The dropped job stays in the table.
        server.leave_jobs();
        let trial = Trial::new("trial");
        let runner = Runner::start_with_extend_interval(Arc::clone(&app), trial.jobs(), Duration::from_millis(20));
        begun(server, &trial).await;
        server.database().refuse_leases();
        server.clock.advance(TimeDelta::seconds(50));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(trial.diary.count("ended"), 0, "the lease still holds");
        server.clock.advance(TimeDelta::seconds(11));
        until("it is dropped", async || trial.diary.count("ended") == 1).await;
        assert_eq!(trial.diary.count("waited"), 0);
        runner.stop(Duration::from_secs(5)).await;
    });
}

#[test]
fn an_extension_that_nobody_answers_keeps_no_job_beyond_its_lease() {
    with_rules(async |server, app| {
        // The dropped job stays in the table.
        server.leave_jobs();
        let trial = Trial::new("trial");
        let runner = Runner::start_with_extend_interval(Arc::clone(&app), trial.jobs(), Duration::from_millis(20));
        let store = server.store();
        begun(server, &trial).await;
        // Somebody is in the way of every writer.
        let gate = (store.engine() == Engine::Postgres).then(|| server.database().hold_writer_lock());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        let in_the_way = gate.is_none().then(|| {
            let app = Arc::clone(&app);
            let wait = move |_: &mut Conn| {
                let _ = held.lock().expect("a gate").recv_timeout(Duration::from_secs(20));
                Ok::<_, StoreError>(())
            };
            tokio::spawn(async move { app.store.write(wait).await })
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.clock.advance(TimeDelta::seconds(61));
        until("it is dropped", async || trial.diary.count("ended") == 1).await;
        assert_eq!(trial.diary.count("waited"), 0);
        drop((release, gate));
        if let Some(in_the_way) = in_the_way {
            in_the_way.await.expect("no panic").expect("is let go");
        }
        runner.stop(Duration::from_millis(100)).await;
    });
}

#[test]
fn a_job_that_does_not_end_within_the_grace_is_given_back() {
    with_rules(async |server, app| {
        let trial = Trial::new("trial");
        let runner = Runner::start(Arc::clone(&app), trial.jobs());
        let store = server.store();
        begun(server, &trial).await;
        runner.stop(Duration::from_millis(100)).await;
        let row = trial.row(store, "waits").await.expect("a row");
        assert!(row.run_at <= server.clock.now(), "anybody may take it at once: {row:?}");
        assert_eq!((row.attempts, row.last_error), (0, None), "it did not fail");
        let next = Runner::start(app, trial.jobs());
        until("another takes it", async || trial.diary.count("waits") == 2).await;
        trial.gate.add_permits(1);
        until("and does it", async || trial.row(store, "waits").await.is_none()).await;
        assert_eq!(trial.diary.count("waited"), 1);
        next.stop(Duration::from_secs(5)).await;
    });
}

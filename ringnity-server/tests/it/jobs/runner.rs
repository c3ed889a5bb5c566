//! The job runner: jobs run once, in isolation, and are taken over from dead nodes; and the outbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ringnity_server::app::App;
use ringnity_server::clock::Clock;
use ringnity_server::jobs::{self, Consumer, Job, JobOutcome, Outbox, Run, Schedule};
use ringnity_store::events::{Event, EventName, event_append};
use ringnity_store::jobs::{Job as Row, job_claim, job_get, job_put};
use ringnity_store::{Conn, Engine, Store, StoreResult};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{TestServer, on_each_engine, until};

/// What the jobs of a test did, in order: node and subject.
#[derive(Clone, Default)]
pub(crate) struct JobLog(Arc<Mutex<Vec<(u32, String)>>>);

impl JobLog {
    fn record(&self, node: u32, what: &str) {
        self.0.lock().expect("the log").push((node, what.to_owned()));
    }

    fn read(&self) -> Vec<(u32, String)> {
        self.0.lock().expect("the log").clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.read().iter().filter(|(_, recorded)| recorded == what).count()
    }
}

/// A job whose subject says what it does.
#[derive(Clone)]
pub(crate) struct TestJob {
    name: &'static str,
    node: u32,
    pub(crate) log: JobLog,
    /// Releases jobs with the subject `waits`.
    pub(crate) gate: Arc<Semaphore>,
    concurrency: usize,
}

impl TestJob {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, node: 1, log: JobLog::default(), gate: Arc::new(Semaphore::new(0)), concurrency: 4 }
    }

    pub(crate) fn jobs(&self) -> Vec<Arc<dyn Job>> {
        vec![Arc::new(self.clone())]
    }

    pub(crate) async fn put(&self, store: &Store, subject: &str, now: DateTime<Utc>) {
        let (name, subject) = (self.name, subject.to_owned());
        store.write(move |c| job_put(c, name, &subject, "{}", now, now)).await.expect("put");
    }

    pub(crate) async fn row(&self, store: &Store, subject: &'static str) -> Option<Row> {
        let name = self.name;
        store.read(move |c| job_get(c, name, subject)).await.expect("read")
    }
}

#[async_trait]
impl Job for TestJob {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schedule(&self) -> Schedule {
        Schedule::OnDemand
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    async fn run(&self, run: &Run) -> anyhow::Result<JobOutcome> {
        let subject = run.job.subject.as_str();
        self.log.record(self.node, subject);
        match subject {
            "panics" => panic!("on purpose"),
            "fails" => anyhow::bail!("no luck"),
            "waits" => {
                let _guard = EndGuard(self);
                self.gate.acquire().await?.forget();
                self.log.record(self.node, "waited");
            }
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        Ok(JobOutcome::Done)
    }
}

/// Records the end of a waiting job, however it ends.
struct EndGuard<'a>(&'a TestJob);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        self.0.log.record(self.0.node, "ended");
    }
}

#[test]
fn r5_two_nodes_never_run_one_job_at_the_same_time() {
    const JOBS: usize = 60;
    on_each_engine(async |engine| {
        let first = TestJob::new("test-job");
        let server = TestServer::builder(engine).jobs(first.jobs()).start().await;
        let store = server.store();
        for n in 0..JOBS {
            first.put(store, &format!("{n}"), server.clock.now() + TimeDelta::hours(1)).await;
        }
        // SQLite has one node only.
        let second = TestJob { node: 2, ..first.clone() };
        let other = match engine {
            Engine::Postgres => Some(server.second_with_jobs(second.jobs()).await.expect("shares it")),
            Engine::Sqlite => None,
        };
        server.clock.advance(TimeDelta::hours(1));
        until("all jobs", async || first.log.read().len() >= JOBS).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for (_, subject) in first.log.read() {
            *times.entry(subject).or_default() += 1;
        }
        let doubled = times.values().filter(|times| **times > 1).count();
        let by = |node| first.log.read().iter().filter(|(by, _)| *by == node).count();
        ringnity_store::print_always!(
            "{engine}: jobs done {}, doubled {doubled}; by nodes {} and {}",
            times.len(),
            by(1),
            by(2)
        );
        assert_eq!((times.len(), doubled), (JOBS, 0));
        if let Some(other) = other {
            assert!(by(1) > 0 && by(2) > 0, "both nodes took part");
            other.stop().await.expect("stops");
        }
    });
}

#[test]
fn r4_a_panicking_job_harms_only_itself() {
    let job = TestJob::new("test-job");
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).jobs(job.jobs()).start().await;
        // Failed jobs stay in the table.
        server.leave_jobs();
        let store = server.store();
        let seen = job.log.read().len();
        for subject in ["panics", "fails", "works"] {
            job.put(store, subject, server.clock.now()).await;
        }
        server.clock.advance(TimeDelta::seconds(1));
        until("all three", async || job.log.read().len() >= seen + 3).await;
        until("what works is done", async || job.row(store, "works").await.is_none()).await;
        until("the panic is recorded", async || {
            let row = job.row(store, "panics").await.expect("a row");
            row.last_error.as_deref() == Some("panicked: on purpose") && row.run_at > server.clock.now()
        })
        .await;
        until("the failure is recorded", async || {
            job.row(store, "fails").await.expect("a row").last_error.as_deref() == Some("no luck")
        })
        .await;
        server.get("/api/sdk/health").send().await.ok();
        // It is not retried before its backoff ends, and the backoff grows.
        let panics = job.log.count("panics");
        server.clock.advance(TimeDelta::seconds(5));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(job.log.count("panics"), panics);
        server.clock.advance(TimeDelta::seconds(10));
        until("it is tried again", async || job.log.count("panics") > panics).await;
        until("and waits again", async || {
            let row = job.row(store, "panics").await.expect("a row");
            row.attempts == 2 && row.run_at > server.clock.now() + TimeDelta::seconds(12)
        })
        .await;
    });
}

#[test]
fn slow_job_does_not_delay_other_kinds() {
    let (slow, quick) = (TestJob { concurrency: 1, ..TestJob::new("slow") }, TestJob::new("quick"));
    let both: Vec<Arc<dyn Job>> = vec![Arc::new(slow.clone()), Arc::new(quick.clone())];
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).jobs(both.clone()).start().await;
        let store = server.store();
        let (before, waited) = (slow.log.count("waits"), slow.log.count("waited"));
        for subject in ["waits", "next"] {
            slow.put(store, subject, server.clock.now()).await;
        }
        server.clock.advance(TimeDelta::seconds(1));
        until("the slow one begins", async || slow.log.count("waits") > before).await;
        for n in 0..10 {
            quick.put(store, &n.to_string(), server.clock.now()).await;
        }
        server.clock.advance(TimeDelta::seconds(1));
        let done = quick.log.read().len();
        until("ten quick ones", async || quick.log.read().len() >= (done + 10).min(20)).await;
        assert_eq!(slow.log.count("waited"), waited, "it is still at it");
        // The next job of its kind waits for the only slot.
        assert!(slow.row(store, "next").await.is_some());
        slow.gate.add_permits(1);
        until("it ends", async || slow.row(store, "waits").await.is_none()).await;
        until("the next one too", async || slow.row(store, "next").await.is_none()).await;
    });
}

#[test]
fn takes_over_job_of_dead_node_after_its_lease() {
    let job = TestJob::new("test-job");
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).jobs(job.jobs()).start().await;
        let store = server.store();
        let before = job.log.count("orphan");
        // A node claims the job and dies.
        let now = server.clock.now();
        job.put(store, "orphan", now + TimeDelta::hours(1)).await;
        let then = now + TimeDelta::hours(1);
        let claimed =
            store.write(move |c| job_claim(c, "test-job", 1, then + TimeDelta::minutes(1), then)).await;
        assert_eq!(claimed.expect("claims").len(), 1);
        server.clock.advance(TimeDelta::hours(1) + TimeDelta::seconds(50));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(job.log.count("orphan"), before, "the lease still holds");
        server.clock.advance(TimeDelta::seconds(11));
        until("it is taken over", async || job.log.count("orphan") > before).await;
        until("and done", async || job.row(store, "orphan").await.is_none()).await;
    });
}

#[test]
fn shutdown_finishes_running_job_and_starts_no_other() {
    let job = TestJob { concurrency: 1, ..TestJob::new("test-job") };
    on_each_engine(async |engine| {
        let mut server = TestServer::builder(engine).jobs(job.jobs()).start().await;
        let store = server.store().clone();
        let (before, waited) = (job.log.count("waits"), job.log.count("waited"));
        job.put(&store, "waits", server.clock.now()).await;
        server.clock.advance(TimeDelta::seconds(1));
        until("it begins", async || job.log.count("waits") > before).await;
        job.put(&store, "later", server.clock.now()).await;
        let stopping = tokio::spawn(server.take_running().stop());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!stopping.is_finished(), "it waits for its job");
        job.gate.add_permits(1);
        stopping.await.expect("no panic").expect("stops");
        assert_eq!(job.log.count("waited"), waited + 1);
        assert_eq!(job.row(&store, "waits").await, None);
        let later = job.row(&store, "later").await.expect("a row");
        assert_eq!(later.attempts, 0, "nobody has taken it");
        server.restart().await;
        until("it is done after the restart", async || job.row(&store, "later").await.is_none()).await;
    });
}

/// The event that the consumer writes; nothing else in its test does.
const WRITTEN: EventName = EventName::ContactDeleted;

/// An outbox consumer: writes an event for each new contact, and delivers event ids to a list.
#[derive(Clone, Default)]
struct TestConsumer {
    delivered: Arc<Mutex<Vec<String>>>,
    fails: Arc<Mutex<u32>>,
}

#[async_trait]
impl Consumer for TestConsumer {
    fn name(&self) -> &'static str {
        "test-consumer"
    }

    fn apply(&self, c: &mut Conn, batch: &[Event], now: DateTime<Utc>) -> StoreResult<()> {
        for event in batch.iter().filter(|event| event.name == EventName::ContactCreated.as_str()) {
            event_append(c, &event.tenant_id, WRITTEN, None, "{}", now)?;
        }
        Ok(())
    }

    async fn deliver(&self, _: &App, batch: &[Event]) -> anyhow::Result<()> {
        {
            let mut fails = self.fails.lock().expect("a number");
            if *fails > 0 {
                *fails -= 1;
                anyhow::bail!("the receiver is away");
            }
        }
        self.delivered.lock().expect("a list").extend(batch.iter().map(|event| event.id.to_string()));
        Ok(())
    }
}

#[test]
fn outbox_delivers_every_event_and_applies_it_once() {
    on_each_engine(async |engine| {
        let consumer = TestConsumer::default();
        let jobs: Vec<Arc<dyn Job>> = vec![Arc::new(Outbox::new(consumer.clone()))];
        let mut server = TestServer::builder(engine).tenant("acme").jobs(jobs).start().await;
        for n in 0..5 {
            if n == 2 {
                *consumer.fails.lock().expect("a number") = 1;
            }
            if n == 3 {
                server.restart().await;
            }
            let body = json!({ "externalId": format!("c{n}"), "name": "Ada", "phone": "1" });
            server.post("/api/server/contacts").bearer(server.key()).json(&body).send().await.ok();
        }
        until("five are counted", async || {
            // Skip the backoff after the failure.
            server.clock.advance(TimeDelta::seconds(1));
            let all = server.events();
            all.iter().filter(|event| event["name"] == WRITTEN.as_str()).count() >= 5
        })
        .await;
        // It receives its own events as well.
        until("all are delivered", async || {
            let all = server.events();
            let delivered = consumer.delivered.lock().expect("a list").clone();
            all.iter().all(|event| delivered.iter().any(|id| event["id"] == id.as_str()))
        })
        .await;
        let all = server.events();
        let counted = all.iter().filter(|event| event["name"] == WRITTEN.as_str()).count();
        assert_eq!(counted, 5, "once each");
        ringnity_store::print_always!(
            "{engine}: events {}, delivered {}",
            all.len(),
            consumer.delivered.lock().expect("a list").len()
        );
    });
}

#[test]
fn runs_every_registered_job() {
    let names: Vec<&str> = jobs::all().iter().map(|job| job.name()).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "two jobs of one name: {names:?}");
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).start().await;
        let store = server.store();
        for name in &names {
            let name: &'static str = name;
            until(name, async || {
                let row = store.read(move |c| job_get(c, name, "")).await.expect("read");
                row.is_some_and(|row| row.attempts == 0 && row.run_at > server.clock.now())
            })
            .await;
        }
    });
}

#[test]
fn moving_clock_wakes_sleepers() {
    let clock = Clock::default();
    let moves = clock.subscribe();
    clock.clone().advance(TimeDelta::hours(1));
    assert!(moves.has_changed().expect("a clock"));
}

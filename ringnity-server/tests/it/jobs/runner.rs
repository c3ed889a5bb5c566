//! Jobs of running servers: done once, apart from each other, taken over from those that vanish; and what has ended
//! is forgotten, which nobody notices.

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

/// What jobs of a test did, in order: node and subject.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<(u32, String)>>>);

impl Diary {
    fn note(&self, node: u32, what: &str) {
        self.0.lock().expect("the diary").push((node, what.to_owned()));
    }

    fn read(&self) -> Vec<(u32, String)> {
        self.0.lock().expect("the diary").clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.read().iter().filter(|(_, noted)| noted == what).count()
    }
}

/// A job of a test. Its subject says what it does.
#[derive(Clone)]
pub(crate) struct Trial {
    name: &'static str,
    node: u32,
    pub(crate) diary: Diary,
    /// What `waits` waits for.
    pub(crate) gate: Arc<Semaphore>,
    concurrency: usize,
}

impl Trial {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, node: 1, diary: Diary::default(), gate: Arc::new(Semaphore::new(0)), concurrency: 4 }
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
impl Job for Trial {
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
        self.diary.note(self.node, subject);
        match subject {
            "panics" => panic!("on purpose"),
            "fails" => anyhow::bail!("no luck"),
            "waits" => {
                let _end = End(self);
                self.gate.acquire().await?.forget();
                self.diary.note(self.node, "waited");
            }
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        Ok(JobOutcome::Done)
    }
}

/// Notes the end of what waits, however it ends.
struct End<'a>(&'a Trial);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.diary.note(self.0.node, "ended");
    }
}

#[test]
fn r5_two_nodes_never_run_one_job_at_the_same_time() {
    const JOBS: usize = 60;
    on_each_engine(async |engine| {
        let first = Trial::new("trial");
        let server = TestServer::builder(engine).jobs(first.jobs()).start().await;
        let store = server.store();
        for n in 0..JOBS {
            first.put(store, &format!("{n}"), server.clock.now() + TimeDelta::hours(1)).await;
        }
        // An SQLite database has one node.
        let second = Trial { node: 2, ..first.clone() };
        let other = match engine {
            Engine::Postgres => Some(server.second_with_jobs(second.jobs()).await.expect("shares it")),
            Engine::Sqlite => None,
        };
        server.clock.advance(TimeDelta::hours(1));
        until("all jobs", async || first.diary.read().len() >= JOBS).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for (_, subject) in first.diary.read() {
            *times.entry(subject).or_default() += 1;
        }
        let doubled = times.values().filter(|times| **times > 1).count();
        let by = |node| first.diary.read().iter().filter(|(by, _)| *by == node).count();
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
    let trial = Trial::new("trial");
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).jobs(trial.jobs()).start().await;
        // Those that fail stay in the table.
        server.leave_jobs();
        let store = server.store();
        let seen = trial.diary.read().len();
        for subject in ["panics", "fails", "works"] {
            trial.put(store, subject, server.clock.now()).await;
        }
        server.clock.advance(TimeDelta::seconds(1));
        until("all three", async || trial.diary.read().len() >= seen + 3).await;
        until("what works is done", async || trial.row(store, "works").await.is_none()).await;
        until("the panic is noted", async || {
            let row = trial.row(store, "panics").await.expect("a row");
            row.last_error.as_deref() == Some("panicked: on purpose") && row.run_at > server.clock.now()
        })
        .await;
        until("the failure is noted", async || {
            trial.row(store, "fails").await.expect("a row").last_error.as_deref() == Some("no luck")
        })
        .await;
        server.get("/api/sdk/health").send().await.ok();
        // Not before its pause is over, and each pause is longer.
        let panics = trial.diary.count("panics");
        server.clock.advance(TimeDelta::seconds(5));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(trial.diary.count("panics"), panics);
        server.clock.advance(TimeDelta::seconds(10));
        until("it is tried again", async || trial.diary.count("panics") > panics).await;
        until("and waits again", async || {
            let row = trial.row(store, "panics").await.expect("a row");
            row.attempts == 2 && row.run_at > server.clock.now() + TimeDelta::seconds(12)
        })
        .await;
    });
}

#[test]
fn a_slow_job_delays_no_other() {
    let (slow, quick) = (Trial { concurrency: 1, ..Trial::new("slow") }, Trial::new("quick"));
    let both: Vec<Arc<dyn Job>> = vec![Arc::new(slow.clone()), Arc::new(quick.clone())];
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).jobs(both.clone()).start().await;
        let store = server.store();
        let (before, waited) = (slow.diary.count("waits"), slow.diary.count("waited"));
        for subject in ["waits", "next"] {
            slow.put(store, subject, server.clock.now()).await;
        }
        server.clock.advance(TimeDelta::seconds(1));
        until("the slow one begins", async || slow.diary.count("waits") > before).await;
        for n in 0..10 {
            quick.put(store, &n.to_string(), server.clock.now()).await;
        }
        server.clock.advance(TimeDelta::seconds(1));
        let done = quick.diary.read().len();
        until("ten quick ones", async || quick.diary.read().len() >= (done + 10).min(20)).await;
        assert_eq!(slow.diary.count("waited"), waited, "it is still at it");
        // Only its own kind waits: there was one place.
        assert!(slow.row(store, "next").await.is_some());
        slow.gate.add_permits(1);
        until("it ends", async || slow.row(store, "waits").await.is_none()).await;
        until("the next one too", async || slow.row(store, "next").await.is_none()).await;
    });
}

#[test]
fn a_job_of_a_node_that_vanished_is_done_after_its_lease_and_not_before() {
    let trial = Trial::new("trial");
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).jobs(trial.jobs()).start().await;
        let store = server.store();
        let before = trial.diary.count("orphan");
        // A node claims it and is heard of no more.
        let now = server.clock.now();
        trial.put(store, "orphan", now + TimeDelta::hours(1)).await;
        let then = now + TimeDelta::hours(1);
        let claimed =
            store.write(move |c| job_claim(c, "trial", 1, then + TimeDelta::minutes(1), then)).await;
        assert_eq!(claimed.expect("claims").len(), 1);
        server.clock.advance(TimeDelta::hours(1) + TimeDelta::seconds(50));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(trial.diary.count("orphan"), before, "the lease still holds");
        server.clock.advance(TimeDelta::seconds(11));
        until("it is taken over", async || trial.diary.count("orphan") > before).await;
        until("and done", async || trial.row(store, "orphan").await.is_none()).await;
    });
}

#[test]
fn a_server_that_stops_finishes_the_job_at_hand_and_takes_no_other() {
    let trial = Trial { concurrency: 1, ..Trial::new("trial") };
    on_each_engine(async |engine| {
        let mut server = TestServer::builder(engine).jobs(trial.jobs()).start().await;
        let store = server.store().clone();
        let (before, waited) = (trial.diary.count("waits"), trial.diary.count("waited"));
        trial.put(&store, "waits", server.clock.now()).await;
        server.clock.advance(TimeDelta::seconds(1));
        until("it begins", async || trial.diary.count("waits") > before).await;
        trial.put(&store, "later", server.clock.now()).await;
        let stopping = tokio::spawn(server.take_running().stop());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!stopping.is_finished(), "it waits for its job");
        trial.gate.add_permits(1);
        stopping.await.expect("no panic").expect("stops");
        assert_eq!(trial.diary.count("waited"), waited + 1);
        assert_eq!(trial.row(&store, "waits").await, None);
        let later = trial.row(&store, "later").await.expect("a row");
        assert_eq!(later.attempts, 0, "nobody has taken it");
        server.restart().await;
        until("it is done after the restart", async || trial.row(&store, "later").await.is_none()).await;
    });
}

/// How the teller counts: by events that nothing else in its test makes.
const COUNTED: EventName = EventName::ContactDeleted;

/// Counts events of a tenant's contacts in the database, and tells a list outside.
#[derive(Clone, Default)]
struct Teller {
    told: Arc<Mutex<Vec<String>>>,
    fails: Arc<Mutex<u32>>,
}

#[async_trait]
impl Consumer for Teller {
    fn name(&self) -> &'static str {
        "teller"
    }

    fn apply(&self, c: &mut Conn, batch: &[Event], now: DateTime<Utc>) -> StoreResult<()> {
        for event in batch.iter().filter(|event| event.name == EventName::ContactCreated.as_str()) {
            event_append(c, &event.tenant_id, COUNTED, None, "{}", now)?;
        }
        Ok(())
    }

    async fn deliver(&self, _: &App, batch: &[Event]) -> anyhow::Result<()> {
        {
            let mut fails = self.fails.lock().expect("a number");
            if *fails > 0 {
                *fails -= 1;
                anyhow::bail!("nobody listens");
            }
        }
        self.told.lock().expect("a list").extend(batch.iter().map(|event| event.id.to_string()));
        Ok(())
    }
}

#[test]
fn an_outbox_job_tells_every_event_and_its_effect_happens_once_also_after_failures() {
    on_each_engine(async |engine| {
        let teller = Teller::default();
        let jobs: Vec<Arc<dyn Job>> = vec![Arc::new(Outbox::new(teller.clone()))];
        let mut server = TestServer::builder(engine).tenant("acme").jobs(jobs).start().await;
        for n in 0..5 {
            if n == 2 {
                *teller.fails.lock().expect("a number") = 1;
            }
            if n == 3 {
                server.restart().await;
            }
            let body = json!({ "externalId": format!("c{n}"), "name": "Ada", "phone": "1" });
            server.post("/api/server/contacts").bearer(server.key()).json(&body).send().await.ok();
        }
        until("five are counted", async || {
            // The pause after the failure.
            server.clock.advance(TimeDelta::seconds(1));
            let all = server.events();
            all.iter().filter(|event| event["name"] == COUNTED.as_str()).count() >= 5
        })
        .await;
        // Its own events come to it as well.
        until("all are told", async || {
            let all = server.events();
            let told = teller.told.lock().expect("a list").clone();
            all.iter().all(|event| told.iter().any(|id| event["id"] == id.as_str()))
        })
        .await;
        let all = server.events();
        let counted = all.iter().filter(|event| event["name"] == COUNTED.as_str()).count();
        assert_eq!(counted, 5, "once each");
        ringnity_store::print_always!(
            "{engine}: events {}, told {}",
            all.len(),
            teller.told.lock().expect("a list").len()
        );
    });
}

#[test]
fn a_server_does_the_jobs_that_there_are() {
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
fn whoever_sleeps_learns_that_the_clock_was_moved() {
    let clock = Clock::default();
    let moves = clock.subscribe();
    clock.clone().advance(TimeDelta::hours(1));
    assert!(moves.has_changed().expect("a clock"));
}

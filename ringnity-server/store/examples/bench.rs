//! Throughput of the store: writes and reads per second. Run it with `cargo xtask bench store`.
//!
//! Each row compares two modes of writing in the same run, in short alternating rounds, so that other load on the machine
//! affects both. On SQLite: group commit and single commits. On PostgreSQL, which groups commits itself: as many
//! connections as the store uses and one connection. Rates are medians of the rounds; the ratio is the median of the
//! ratios of consecutive rounds.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use chrono::Utc;
use ringnity_store::{
    ContactId, Engine, PlanId, Store, StoreError, TenantId,
    contacts::{self, ContactInput},
    events::{EventName, event_append},
    tenants,
    testing::{TestDatabase, engines},
};
use serde_json::{Value, json};

/// Rounds of each measurement.
const ROUNDS: usize = 9;
/// Contacts in the table before a measurement, because an empty table is not representative.
const CONTACTS: usize = 2000;

struct Settings {
    seconds: f64,
    writers: Vec<usize>,
    json: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Event,
    Contact,
    Read,
}

impl Work {
    fn label(self) -> &'static str {
        match self {
            Work::Event => "write an event",
            Work::Contact => "write a contact and its event",
            Work::Read => "read a contact",
        }
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Grouped,
    Single,
}

/// Rates and latencies of the rounds of one measurement.
#[derive(Default)]
struct Measurement {
    rates: Vec<f64>,
    times: Vec<Duration>,
}

impl Measurement {
    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    fn ratio_to(&self, other: &Measurement) -> f64 {
        median(self.rates.iter().zip(&other.rates).map(|(a, b)| a / b).collect())
    }

    fn at(&mut self, share: f64) -> Duration {
        self.times.sort();
        self.times[((self.times.len() - 1) as f64 * share) as usize]
    }

    fn json(&mut self) -> Value {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        json!({ "per_second": self.rate(), "p50_ms": millis(self.at(0.5)), "p99_ms": millis(self.at(0.99)) })
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// A database with a tenant and its contacts.
struct Fixture {
    store: Store,
    tenant: TenantId,
    contacts: Vec<ContactId>,
    _database: TestDatabase,
}

impl Fixture {
    async fn new(engine: Engine, mode: Mode, work: Work) -> Fixture {
        let database = TestDatabase::new(engine);
        let mut config = database.config().clone();
        match (engine, mode) {
            (Engine::Sqlite, Mode::Single) => config.group_limit = 1,
            (Engine::Postgres, Mode::Grouped) => config.connections = 16,
            (Engine::Postgres, Mode::Single) => config.connections = 1,
            (Engine::Sqlite, Mode::Grouped) => {}
        }
        let store = Store::open(&config).await.unwrap();
        let count = if work == Work::Event { 0 } else { CONTACTS };
        let (tenant, contacts) = store
            .write(move |c| {
                let new = tenants::NewTenant::new("demo", "pk", "a@b.c", PlanId::from("pln_free"));
                let tenant = tenants::tenant_insert(c, &new, Utc::now())?.id;
                let contacts = (0..count)
                    .map(|n| Ok(contacts::contact_insert(c, &tenant, &person("x", n), Utc::now())?.id))
                    .collect::<Result<Vec<_>, StoreError>>()?;
                Ok::<_, StoreError>((tenant, contacts))
            })
            .await
            .unwrap();
        Fixture { store, tenant, contacts, _database: database }
    }

    /// Runs `callers` tasks that each make one call after the other, for `time`.
    async fn round(&self, callers: usize, work: Work, time: Duration, figures: &mut Measurement) {
        let start = Instant::now();
        let mut tasks = Vec::new();
        for caller in 0..callers {
            let (store, tenant, contacts) = (self.store.clone(), self.tenant.clone(), self.contacts.clone());
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::new();
                while start.elapsed() < time {
                    let call_start = Instant::now();
                    call(&store, &tenant, &contacts, work, caller, times.len()).await.unwrap();
                    times.push(call_start.elapsed());
                }
                times
            }));
        }
        let mut answered = 0;
        for task in tasks {
            let times = task.await.unwrap();
            answered += times.len();
            figures.times.extend(times);
        }
        figures.rates.push(answered as f64 / start.elapsed().as_secs_f64());
    }
}

async fn call(
    store: &Store,
    tenant: &TenantId,
    contacts: &[ContactId],
    work: Work,
    caller: usize,
    n: usize,
) -> Result<(), StoreError> {
    let tenant = tenant.clone();
    if work == Work::Read {
        let id = contacts[(caller * 17 + n) % contacts.len()].clone();
        return store.read(move |c| contacts::contact_get(c, &tenant, &id).map(drop)).await;
    }
    store
        .write(move |c| {
            let subject = if work == Work::Contact {
                contacts::contact_upsert(c, &tenant, &person(&caller.to_string(), n), Utc::now())?.contact.id
            } else {
                ContactId::generate()
            };
            event_append(c, &tenant, EventName::ContactCreated, Some(subject.as_str()), "{}", Utc::now())
        })
        .await
}

/// A contact with external id and phone in random order.
fn person(who: &str, n: usize) -> ContactInput {
    let mut hash = DefaultHasher::new();
    (who, n).hash(&mut hash);
    let drawn = hash.finish();
    ContactInput {
        external_id: Some(format!("{drawn:016x}")),
        name: "Ann Example".into(),
        phone: format!("+{drawn:020}"),
        ..ContactInput::default()
    }
}

async fn compare(
    engine: Engine,
    work: Work,
    callers: usize,
    seconds: f64,
    progress: &mut impl FnMut(),
) -> (Measurement, Measurement) {
    let (mut grouped, mut single) = (Measurement::default(), Measurement::default());
    let time = Duration::from_secs_f64(seconds / ROUNDS as f64);
    for round in 0..ROUNDS {
        // Alternate which mode goes first.
        let modes =
            if round % 2 == 0 { [Mode::Grouped, Mode::Single] } else { [Mode::Single, Mode::Grouped] };
        for mode in modes {
            if work == Work::Read && matches!(mode, Mode::Single) {
                continue;
            }
            progress();
            let figures = match mode {
                Mode::Grouped => &mut grouped,
                Mode::Single => &mut single,
            };
            let fixture = Fixture::new(engine, mode, work).await;
            // Warm up caches and let files grow.
            fixture.round(callers, work, time / 5, &mut Measurement::default()).await;
            fixture.round(callers, work, time, figures).await;
            fixture.store.close().await;
        }
    }
    (grouped, single)
}

fn settings() -> Result<Settings, String> {
    let mut settings = Settings { seconds: 5.0, writers: vec![1, 16, 64], json: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => settings.seconds = value()?.parse().map_err(|_| "--seconds needs a number")?,
            "--writers" => {
                let list = value()?;
                let numbers: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
                settings.writers = numbers.map_err(|_| "--writers needs numbers, such as 1,16,64")?;
            }
            "--json" => settings.json = true,
            other => return Err(format!("{other} is not known; see cargo xtask bench store --help")),
        }
    }
    let valid = settings.seconds > 0.0 && !settings.writers.is_empty() && !settings.writers.contains(&0);
    if valid { Ok(settings) } else { Err("give a time and numbers of writers above 0".into()) }
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let settings = settings()?;
    let engines = engines();
    let cells = settings.writers.len() * ROUNDS * engines.len() * 5;
    let (mut rows, mut done) = (Vec::new(), 0);
    let terminal = std::io::stderr().is_terminal();
    for engine in &engines {
        for work in [Work::Event, Work::Contact, Work::Read] {
            if !settings.json {
                let (mode, other) = match (work, engine) {
                    (Work::Read, _) => ("answered/s", ""),
                    (_, Engine::Sqlite) => ("grouped/s", "one commit each/s"),
                    (_, Engine::Postgres) => ("16 connections/s", "one connection/s"),
                };
                println!("\n{engine}: {}", work.label());
                let head = format!(
                    "{:>8} {mode:>17} {:>10} {:>10}",
                    if work == Work::Read { "readers" } else { "writers" },
                    "p50",
                    "p99"
                );
                match work {
                    Work::Read => println!("{head}"),
                    _ => println!("{head} {other:>19} {:>10} {:>10} {:>7}", "p50", "p99", "ratio"),
                }
            }
            for &callers in &settings.writers {
                let mut progress = || {
                    done += 1;
                    if terminal {
                        eprint!(
                            "\rmeasuring {done} of {cells}: {engine}, {}, {callers} at once   ",
                            work.label()
                        );
                        let _ = std::io::stderr().flush();
                    }
                };
                let (mut first, mut second) =
                    compare(*engine, work, callers, settings.seconds, &mut progress).await;
                if terminal {
                    eprint!("\r{:78}\r", "");
                }
                let mut row = json!({
                    "engine": engine.to_string(), "work": work.label(), "callers": callers,
                    "together": first.json(),
                });
                let mut line = format!(
                    "{callers:>8} {:>17.0} {:>10} {:>10}",
                    first.rate(),
                    millis(first.at(0.5)),
                    millis(first.at(0.99))
                );
                if work != Work::Read {
                    let ratio = first.ratio_to(&second);
                    row["one_by_one"] = second.json();
                    row["ratio"] = json!(ratio);
                    line += &format!(
                        " {:>19.0} {:>10} {:>10} {ratio:>7.2}",
                        second.rate(),
                        millis(second.at(0.5)),
                        millis(second.at(0.99))
                    );
                }
                if !settings.json {
                    println!("{line}");
                }
                rows.push(row);
            }
        }
    }
    if settings.json {
        println!("{:#}", json!({ "seconds": settings.seconds, "rounds": ROUNDS, "rows": rows }));
    }
    Ok(())
}

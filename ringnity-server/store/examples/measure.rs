//! How many writes a second the store answers: grouped against one commit each, by number of writers.
//!
//! `cargo run --release -p ringnity-store --features test-util --example measure`
//! (with `RINGNITY_TEST_DATABASE_URL` for PostgreSQL as well)

use std::time::{Duration, Instant};

use chrono::Utc;
use ringnity_store::{
    Engine, PlanId, Store, StoreError, TenantId, contacts, events, tenants,
    testing::{TestDatabase, engines},
};

#[derive(Clone, Copy)]
enum Kind {
    Event,
    Upsert,
}

async fn answered(store: &Store, tenant: &TenantId, writers: usize, kind: Kind) -> (f64, Duration, Duration) {
    let until = Instant::now() + Duration::from_secs(3);
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let (store, tenant) = (store.clone(), tenant.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                let tenant = tenant.clone();
                let begun = Instant::now();
                let n = times.len();
                store
                    .write(move |c| {
                        match kind {
                            Kind::Event => {
                                events::event_append(c, &tenant, "contact.created", "{}", Utc::now())?;
                            }
                            Kind::Upsert => {
                                let input = contacts::ContactInput {
                                    external_id: Some(format!("{writer}-{n}")),
                                    name: "Ann Example".into(),
                                    phone: format!("+1{writer:04}{n:08}"),
                                    ..Default::default()
                                };
                                contacts::contact_upsert(c, &tenant, &input, Utc::now())?;
                                events::event_append(c, &tenant, "contact.created", "{}", Utc::now())?;
                            }
                        }
                        Ok::<_, StoreError>(())
                    })
                    .await
                    .unwrap();
                times.push(begun.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (times.len() as f64 / 3.0, at(0.5), at(0.99))
}

#[tokio::main]
async fn main() {
    println!("{:<34} {:>7} {:>10} {:>10} {:>10}", "", "writers", "answered/s", "p50", "p99");
    for engine in engines() {
        let limits: &[usize] = if engine == Engine::Sqlite { &[1, 256] } else { &[256] };
        for kind in [Kind::Event, Kind::Upsert] {
            for &limit in limits {
                for writers in [1, 16, 64] {
                    let database = TestDatabase::new(engine);
                    let mut config = database.config().clone();
                    config.group_limit = limit;
                    config.connections = 16;
                    let store = Store::open(&config).await.unwrap();
                    let tenant = store
                        .write(|c| {
                            let new =
                                tenants::NewTenant::new("demo", "pk", "a@b.c", PlanId::from("pln_free"));
                            tenants::tenant_insert(c, &new, Utc::now())
                        })
                        .await
                        .unwrap()
                        .id;
                    let (rate, p50, p99) = answered(&store, &tenant, writers, kind).await;
                    let what = match kind {
                        Kind::Event => "event",
                        Kind::Upsert => "contact+event",
                    };
                    let how =
                        if engine == Engine::Sqlite { format!("group of {limit}") } else { String::new() };
                    println!(
                        "{:<34} {writers:>7} {rate:>10.0} {p50:>10.1?} {p99:>10.1?}",
                        format!("{engine} {what} {how}")
                    );
                    store.close().await;
                }
            }
        }
    }
}

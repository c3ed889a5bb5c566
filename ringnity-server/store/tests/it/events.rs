//! Outbox: consumers read every event once, in any order of commits.

use std::{
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use ringnity_store::{
    Engine, Store, StoreError, TenantId,
    events::{EventName, EventPosition, event_append, event_list_ready, event_redact},
    jobs,
};

use crate::support::{noon, number, on_each_engine, run, tenant};

/// A consumer that stores its position, as jobs do.
struct Reader {
    store: Store,
    position: EventPosition,
    seen: Vec<String>,
}

impl Reader {
    fn new(store: &Store) -> Self {
        Self { store: store.clone(), position: EventPosition::START, seen: Vec::new() }
    }

    /// Reads all events that are ready, in batches of two.
    async fn read(&mut self) {
        loop {
            let after = EventPosition::from_payload(&self.position.to_payload()).unwrap();
            let batch = self.store.read(move |c| event_list_ready(c, after, 2)).await.unwrap();
            let Some((position, _)) = batch.last() else { return };
            assert!(*position > self.position);
            self.position = *position;
            self.seen.extend(batch.into_iter().map(|(_, event)| event.payload));
        }
    }

    /// Reads until it has seen this many events: on PostgreSQL, older transactions of other databases on the server may be
    /// running.
    async fn read_until(&mut self, count: usize) {
        for _ in 0..500 {
            self.read().await;
            if self.seen.len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("seen {:?}, waiting for {count}", self.seen);
    }
}

/// Appends an event with a number as its payload.
async fn append(store: &Store, tenant: &TenantId, payload: &'static str) {
    let tenant = tenant.clone();
    store
        .write(move |c| event_append(c, &tenant, EventName::ContactCreated, None, payload, noon()))
        .await
        .unwrap();
}

/// A latch that a write waits for. It stays open for a retry.
fn door() -> (Sender<()>, Mutex<Receiver<()>>) {
    let (open, wait) = channel();
    (open, Mutex::new(wait))
}

fn wait(door: &Mutex<Receiver<()>>) {
    let _ = door.lock().unwrap().recv_timeout(Duration::from_secs(20));
}

/// Waits until a write reaches a point.
async fn reached(point: Receiver<()>) {
    tokio::task::spawn_blocking(move || point.recv_timeout(Duration::from_secs(20)).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_events_of_all_tenants_in_order_and_once() {
    on_each_engine(async |store, _| {
        let (a, b) = (tenant(&store, "a").await, tenant(&store, "b").await);
        let mut reader = Reader::new(&store);
        reader.read().await;
        for name in ["1", "2", "3", "4", "5"] {
            append(&store, if name == "2" { &b } else { &a }, name).await;
        }
        reader.read_until(5).await;
        append(&store, &b, "6").await;
        reader.read_until(6).await;
        reader.read().await;
        assert_eq!(reader.seen, ["1", "2", "3", "4", "5", "6"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redacts_only_payloads_of_the_subject() {
    on_each_engine(async |store, database| {
        let (a, b) = (tenant(&store, "a").await, tenant(&store, "b").await);
        let (mine, of) = (a.clone(), EventName::ContactUpdated);
        store
            .write(move |c| {
                for (tenant, subject) in
                    [(&a, Some("x")), (&b, Some("x")), (&a, Some("y")), (&a, None), (&a, Some("x"))]
                {
                    event_append(c, tenant, of, subject, "Ann", noon())?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        let mut expected = database.events();
        for forgotten in [0, 4] {
            expected[forgotten]["payload"] = "gone".into();
        }
        assert_eq!(store.write(move |c| event_redact(c, &mine, "x", "gone")).await.unwrap(), 2);
        assert_eq!(database.events(), expected);
        let mut reader = Reader::new(&store);
        reader.read_until(5).await;
        assert_eq!(reader.seen, ["gone", "Ann", "Ann", "Ann", "gone"], "each in its place");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_position_is_an_error() {
    assert_eq!(EventPosition::from_payload("{}").unwrap(), EventPosition::START);
    for bad in ["", r#"{"sequence":"1"}"#, r#"{"transaction":1}"#, r#"{"transaction":1.5,"sequence":1}"#] {
        assert!(matches!(EventPosition::from_payload(bad), Err(StoreError::Corrupt(_))), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn event_of_a_long_transaction_is_not_skipped() {
    on_each_engine(async |store, _| {
        if store.engine() == Engine::Sqlite {
            return; // One writer: no transaction is open while another commits.
        }
        let (a, b) = (tenant(&store, "a").await, tenant(&store, "b").await);
        let (begun, has_begun) = channel();
        let (open, at) = door();
        let early = tokio::spawn({
            let (store, begun) = (store.clone(), Mutex::new(begun));
            async move {
                store
                    .write(move |c| {
                        event_append(c, &a, EventName::ContactCreated, None, "early", noon())?;
                        let _ = begun.lock().unwrap().send(());
                        wait(&at);
                        Ok::<_, StoreError>(())
                    })
                    .await
            }
        });
        reached(has_begun).await;
        append(&store, &b, "late").await;
        let mut reader = Reader::new(&store);
        for _ in 0..5 {
            reader.read().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(reader.seen.is_empty(), "read past an open transaction: {:?}", reader.seen);
        let committed = store.read(|c| number(c, "SELECT count(*) AS n FROM events")).await.unwrap();
        assert_eq!(committed, 1, "the later one was there to be read");
        open.send(()).unwrap();
        early.await.unwrap().unwrap();
        reader.read_until(2).await;
        assert_eq!(reader.seen, ["early", "late"]);
    })
    .await;
}

/// The older transaction takes the higher sequence and commits first.
#[tokio::test(flavor = "multi_thread")]
async fn event_with_lower_sequence_committed_later_is_not_skipped() {
    on_each_engine(async |store, database| {
        if store.engine() == Engine::Sqlite {
            return; // One writer: sequences are in commit order.
        }
        let (a, b) = (tenant(&store, "a").await, tenant(&store, "b").await);
        let (to_old, at_old) = door();
        let (to_young, at_young) = door();
        let (begun, has_begun) = channel();
        let (appended, has_appended) = channel();
        let old = tokio::spawn({
            let (store, begun) = (store.clone(), Mutex::new(begun));
            async move {
                store
                    .write(move |c| {
                        // Any change assigns a transaction id.
                        jobs::job_put(c, "mail", "a", "{}", noon(), noon())?;
                        let _ = begun.lock().unwrap().send(());
                        wait(&at_old);
                        event_append(c, &a, EventName::ContactCreated, None, "old", noon())
                    })
                    .await
            }
        });
        reached(has_begun).await;
        let young = tokio::spawn({
            let (store, appended) = (store.clone(), Mutex::new(appended));
            async move {
                store
                    .write(move |c| {
                        event_append(c, &b, EventName::ContactCreated, None, "young", noon())?;
                        let _ = appended.lock().unwrap().send(());
                        wait(&at_young);
                        Ok::<_, StoreError>(())
                    })
                    .await
            }
        });
        reached(has_appended).await;
        to_old.send(()).unwrap();
        old.await.unwrap().unwrap();
        let mut reader = Reader::new(&store);
        reader.read_until(1).await;
        assert_eq!(reader.seen, ["old"], "nothing can come before it any more");
        to_young.send(()).unwrap();
        young.await.unwrap().unwrap();
        let by_sequence: Vec<_> =
            database.events().into_iter().map(|event| event["payload"].clone()).collect();
        assert_eq!(by_sequence, ["young", "old"], "the test made what it is about");
        reader.read_until(2).await;
        assert_eq!(reader.seen, ["old", "young"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_lose_and_duplicate_no_event() {
    on_each_engine(async |store, database| {
        const WRITERS: usize = 8;
        const EACH: usize = 25;
        let t = tenant(&store, "a").await;
        store.write(|c| run(c, "CREATE TABLE filler (n BIGINT NOT NULL)")).await.unwrap();
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let (store, t) = (store.clone(), t.clone());
            writers.push(tokio::spawn(async move {
                for n in 0..EACH {
                    let t = t.clone();
                    store
                        .write(move |c| {
                            // Some get a transaction id long before a sequence, some after.
                            if writer % 2 == 0 {
                                run(c, "INSERT INTO filler VALUES (1)")?;
                                std::thread::sleep(Duration::from_millis(n as u64 % 3));
                            }
                            event_append(
                                c,
                                &t,
                                EventName::ContactCreated,
                                None,
                                &format!("{writer}-{n}"),
                                noon(),
                            )?;
                            if writer % 2 == 1 {
                                std::thread::sleep(Duration::from_millis(n as u64 % 3));
                            }
                            Ok::<_, StoreError>(())
                        })
                        .await
                        .unwrap();
                }
            }));
        }
        let mut reader = Reader::new(&store);
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            reader.read().await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        reader.read_until(WRITERS * EACH).await;
        let read = reader.seen.len();
        reader.seen.sort();
        reader.seen.dedup();
        let lost = WRITERS * EACH - reader.seen.len();
        ringnity_store::print_always!(
            "{}: events read {read}, lost {lost}, doubled {}",
            database.engine(),
            read - reader.seen.len()
        );
        assert_eq!((read, lost), (WRITERS * EACH, 0));
    })
    .await;
}

/// As after `pg_restore` on a server with lower transaction ids.
const FROM_ELSEWHERE: &str = "
    UPDATE events SET transaction_id = transaction_id + 1000000000000;
    UPDATE jobs SET payload = regexp_replace(payload, '\"transaction\":[0-9]+', '\"transaction\":' ||
        (substring(payload from '\"transaction\":([0-9]+)')::bigint + 1000000000000)::text)
    WHERE kind = 'reader'";

#[tokio::test(flavor = "multi_thread")]
async fn consumers_continue_after_a_restore_on_another_server() {
    on_each_engine(async |store, database| {
        if store.engine() == Engine::Sqlite {
            return; // SQLite has no transaction ids.
        }
        let t = tenant(&store, "a").await;
        for name in ["1", "2"] {
            append(&store, &t, name).await;
        }
        let mut reader = Reader::new(&store);
        reader.read_until(2).await;
        let place = reader.position.to_payload();
        store
            .write(move |c| {
                jobs::job_put(c, "reader", "", &place, noon(), noon())?;
                jobs::job_put(c, "new reader", "", "{}", noon(), noon())?;
                jobs::job_put(c, "mail", "", r#"{"transaction":"a bank's"}"#, noon(), noon())
            })
            .await
            .unwrap();
        append(&store, &t, "3").await;
        store.write(|c| run(c, FROM_ELSEWHERE)).await.unwrap();
        store.close().await;

        let store = Store::open(database.config()).await.unwrap();
        append(&store, &t, "4").await;
        for (name, expected) in [("reader", vec!["3", "4"]), ("new reader", vec!["1", "2", "3", "4"])] {
            let row = store.read(move |c| jobs::job_get(c, name, "")).await.unwrap().unwrap();
            let mut reader = Reader::new(&store);
            reader.position = EventPosition::from_payload(&row.payload).unwrap();
            reader.read_until(expected.len()).await;
            reader.read().await;
            assert_eq!(reader.seen, expected, "{name}");
        }
        let mail = store.read(|c| jobs::job_get(c, "mail", "")).await.unwrap().unwrap();
        assert_eq!(mail.payload, r#"{"transaction":"a bank's"}"#, "none of our business");
        // Opening it again changes nothing.
        let places = "SELECT min(transaction_id) AS n FROM events";
        let before = store.read(move |c| number(c, places)).await.unwrap();
        store.close().await;
        let store = Store::open(database.config()).await.unwrap();
        assert_eq!(store.read(move |c| number(c, places)).await.unwrap(), before);
        store.close().await;
    })
    .await;
}

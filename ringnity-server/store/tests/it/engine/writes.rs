//! `Store::write`: no lost update, no busy error, no return before the commit, no effect of failing writes on others.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use ringnity_store::{Conn, Engine, Store, StoreError};

use crate::support::{number, on_each_engine, run};

const WRITERS: i64 = 64;
const EACH: i64 = 20;

async fn table(store: &Store) {
    store.write(|c| run(c, "CREATE TABLE t (n BIGINT NOT NULL PRIMARY KEY)")).await.unwrap();
}

async fn count(store: &Store) -> i64 {
    store.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_of_one_row_lose_no_update() {
    on_each_engine(async |store, database| {
        store.write(|c| run(c, "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (0)")).await.unwrap();
        let begun = Instant::now();
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let store = store.clone();
            writers.push(tokio::spawn(async move {
                for _ in 0..EACH {
                    store
                        .write(|c| {
                            let n = number(c, "SELECT n FROM t")? + 1;
                            run(c, &format!("UPDATE t SET n = {n}"))
                        })
                        .await
                        .unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let n = store.read(|c| number(c, "SELECT n FROM t")).await.unwrap();
        ringnity_store::print_always!(
            "{}: {} writes answered, {} lost, {:?}",
            database.engine(),
            WRITERS * EACH,
            WRITERS * EACH - n,
            begun.elapsed()
        );
        assert_eq!(n, WRITERS * EACH);
    })
    .await;
}

/// "At most ten": each writer counts and then inserts its own row. No row is written twice, so only serializable
/// transactions keep the rule.
#[tokio::test(flavor = "multi_thread")]
async fn writes_are_serializable() {
    on_each_engine(async |store, _| {
        table(&store).await;
        let mut writers = Vec::new();
        for n in 0..40 {
            let store = store.clone();
            writers.push(tokio::spawn(async move {
                store
                    .write(move |c| {
                        if number(c, "SELECT count(*) AS n FROM t")? >= 10 {
                            return Ok::<_, StoreError>(());
                        }
                        run(c, &format!("INSERT INTO t VALUES ({n})"))
                    })
                    .await
                    .unwrap();
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(count(&store).await, 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_the_closure_rolls_back_and_is_returned() {
    #[derive(Debug)]
    enum Mine {
        No,
        Store(#[allow(dead_code)] StoreError),
    }
    impl From<StoreError> for Mine {
        fn from(error: StoreError) -> Mine {
            Mine::Store(error)
        }
    }
    on_each_engine(async |store, _| {
        table(&store).await;
        let refused = store.write(|c| {
            run(c, "INSERT INTO t VALUES (1)")?;
            Err::<(), _>(Mine::No)
        });
        assert!(matches!(refused.await, Err(Mine::No)));
        assert_eq!(count(&store).await, 0);
    })
    .await;
}

/// Many concurrent writes, so that on SQLite good and bad ones share groups.
#[tokio::test(flavor = "multi_thread")]
async fn failing_and_panicking_writes_do_not_affect_others() {
    on_each_engine(async |store, _| {
        table(&store).await;
        let mut writers = Vec::new();
        for n in 0..200_i64 {
            let store = store.clone();
            writers.push(tokio::spawn(async move {
                let result = store
                    .write(move |c| {
                        run(c, &format!("INSERT INTO t VALUES ({n})"))?;
                        match n % 10 {
                            3 => Err(StoreError::Busy("on purpose".into())),
                            // Panics without a message on standard error.
                            5 => std::panic::resume_unwind(Box::new("on purpose")),
                            7 => run(c, &format!("INSERT INTO t VALUES ({n})")),
                            _ => Ok(()),
                        }
                    })
                    .await;
                match n % 10 {
                    3 => assert!(matches!(result, Err(StoreError::Busy(words)) if words == "on purpose")),
                    5 => assert!(
                        matches!(result, Err(StoreError::Panicked(words)) if words.contains("on purpose"))
                    ),
                    7 => assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}"),
                    _ => result.unwrap(),
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(count(&store).await, 140);
        let bad =
            store.read(|c| number(c, "SELECT count(*) AS n FROM t WHERE n % 10 IN (3, 5, 7)")).await.unwrap();
        assert_eq!(bad, 0);
        let panics =
            |_: &mut Conn| -> Result<(), StoreError> { std::panic::resume_unwind(Box::new("on purpose")) };
        store.read(panics).await.unwrap_err();
        assert_eq!(count(&store).await, 140, "reads work after a read that panicked");
    })
    .await;
}

/// A write that breaks the enclosing transaction, not only its own savepoint.
#[tokio::test(flavor = "multi_thread")]
async fn write_that_breaks_the_transaction_does_not_affect_others() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Postgres {
            return; // each write has its own transaction
        }
        table(&store).await;
        let mut writers = Vec::new();
        for n in 0..100_i64 {
            let store = store.clone();
            writers.push(tokio::spawn(async move {
                let result = store
                    .write(move |c| {
                        run(c, &format!("INSERT INTO t VALUES ({n})"))?;
                        match n % 10 {
                            4 => run(c, "ROLLBACK"),
                            // Violates a foreign key, which is detected at the commit.
                            8 => run(
                                c,
                                "PRAGMA defer_foreign_keys = ON;
                                 INSERT INTO plan_features VALUES ('no', 'such', 1, '{}')",
                            ),
                            _ => Ok::<_, StoreError>(()),
                        }
                    })
                    .await;
                assert_eq!(result.is_err(), n % 10 == 4 || n % 10 == 8, "{n}: {result:?}");
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(count(&store).await, 80);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_returns_before_its_commit() {
    on_each_engine(async |store, database| {
        table(&store).await;
        // The first write waits in its transaction. On SQLite, writes queued behind it join its group.
        let (release, gate) = mpsc::channel::<()>();
        let (gate, inside) = (Arc::new(Mutex::new(gate)), Arc::new(AtomicBool::new(false)));
        let held = tokio::spawn({
            let (store, gate, inside) = (store.clone(), gate.clone(), inside.clone());
            async move {
                store
                    .write(move |c| {
                        run(c, "INSERT INTO t VALUES (1)")?;
                        inside.store(true, Ordering::SeqCst);
                        gate.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                        Ok::<_, StoreError>(())
                    })
                    .await
                    .unwrap();
            }
        });
        while !inside.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let joined = tokio::spawn({
            let (store, gate) = (store.clone(), gate.clone());
            async move {
                store
                    .write(move |c| {
                        run(c, "INSERT INTO t VALUES (2)")?;
                        gate.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                        Ok::<_, StoreError>(())
                    })
                    .await
                    .unwrap();
            }
        });
        // Give the second time to be queued.
        tokio::time::sleep(Duration::from_millis(100)).await;
        release.send(()).unwrap();
        if database.engine() == Engine::Sqlite {
            // The first has run, but its group is not committed: it must not return and not be visible.
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!held.is_finished() && !joined.is_finished());
            assert_eq!(count(&store).await, 0);
        }
        release.send(()).unwrap();
        held.await.unwrap();
        joined.await.unwrap();
        assert_eq!(count(&store).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_sees_completed_writes() {
    on_each_engine(async |store, _| {
        table(&store).await;
        for n in 1..=100 {
            store.write(move |c| run(c, &format!("INSERT INTO t VALUES ({n})"))).await.unwrap();
            assert_eq!(count(&store).await, n);
        }
    })
    .await;
}

/// PostgreSQL has aborted the transaction by then, and would silently commit nothing.
#[tokio::test(flavor = "multi_thread")]
async fn ignoring_a_failed_statement_is_an_error() {
    on_each_engine(async |store, _| {
        table(&store).await;
        let error = store
            .write(|c| {
                run(c, "INSERT INTO t VALUES (1)")?;
                let _ = run(c, "INSERT INTO nowhere VALUES (1)");
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap_err();
        assert!(error.to_string().contains("went on after a failed statement"), "{error}");
        assert_eq!(count(&store).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_cannot_write_and_see_one_snapshot() {
    on_each_engine(async |store, _| {
        table(&store).await;
        store.read(|c| run(c, "INSERT INTO t VALUES (1)")).await.unwrap_err();
        let (to_writer, go) = std::sync::mpsc::channel();
        let (written, seen) = std::sync::mpsc::channel();
        let seen = Mutex::new(seen);
        let reader = tokio::spawn({
            let store = store.clone();
            async move {
                store
                    .read(move |c| {
                        let before = number(c, "SELECT count(*) AS n FROM t")?;
                        to_writer.send(()).unwrap();
                        seen.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                        Ok::<_, StoreError>((before, number(c, "SELECT count(*) AS n FROM t")?))
                    })
                    .await
                    .unwrap()
            }
        });
        tokio::task::spawn_blocking(move || go.recv_timeout(Duration::from_secs(10)).unwrap()).await.unwrap();
        store.write(|c| run(c, "INSERT INTO t VALUES (1)")).await.unwrap();
        written.send(()).unwrap();
        assert_eq!(reader.await.unwrap(), (0, 0));
        assert_eq!(count(&store).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_write_future_is_completed() {
    on_each_engine(async |store, _| {
        table(&store).await;
        let runs = Arc::new(AtomicU32::new(0));
        let write = {
            let runs = runs.clone();
            store.write(move |c| {
                runs.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
                run(c, "INSERT INTO t VALUES (1)")
            })
        };
        let left = tokio::time::timeout(Duration::from_millis(20), write).await;
        assert!(left.is_err());
        for _ in 0..100 {
            if count(&store).await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the write was begun {} times and not carried through", runs.load(Ordering::SeqCst));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn close_completes_queued_writes_and_rejects_new_ones() {
    on_each_engine(async |store, database| {
        table(&store).await;
        let mut writers = Vec::new();
        for n in 0..50 {
            let store = store.clone();
            writers.push(tokio::spawn(async move {
                store.write(move |c| run(c, &format!("INSERT INTO t VALUES ({n})"))).await
            }));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.close().await;
        let mut kept = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(()) => kept += 1,
                Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
            }
        }
        store.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap_err();
        let again = Store::open(database.config()).await.unwrap();
        assert_eq!(count(&again).await, kept);
        again.close().await;
    })
    .await;
}

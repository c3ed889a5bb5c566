//! The database goes away and comes back.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use ringnity_store::{Conn, Engine, Store, StoreConfig, StoreError};

use crate::support::{number, on_each_engine, run};

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_cut_are_replaced_without_an_error() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Sqlite {
            return;
        }
        store.write(|c| run(c, "CREATE TABLE t (n BIGINT)")).await.unwrap();
        let mut readers = Vec::new();
        for _ in 0..8 {
            let store = store.clone();
            readers.push(tokio::spawn(async move {
                store.read(|c| number(c, "SELECT 1::bigint AS n FROM pg_sleep(0.05)")).await
            }));
        }
        for reader in readers {
            reader.await.unwrap().unwrap();
        }
        database.drop_connections();
        store.write(|c| run(c, "INSERT INTO t VALUES (1)")).await.unwrap();
        database.drop_connections();
        assert_eq!(store.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap(), 1);

        // Cut in the middle of a transaction, before its commit: done once, on another connection.
        let runs = AtomicU32::new(0);
        store
            .write(move |c| {
                run(c, "INSERT INTO t VALUES (2)")?;
                if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                    number(c, "SELECT pg_terminate_backend(pg_backend_pid())::int::bigint AS n")?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        assert_eq!(store.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_unavailable_at_once_and_comes_back_by_itself() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Sqlite {
            return;
        }
        database.set_reachable(false);
        let begun = Instant::now();
        let write = store.write(|c| run(c, "CREATE TABLE t (n BIGINT)")).await;
        let read = store.read(|c| number(c, "SELECT 1::bigint AS n")).await;
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(matches!(write, Err(StoreError::Unavailable(_))), "{write:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        database.set_reachable(true);
        store.write(|c| run(c, "CREATE TABLE t (n BIGINT)")).await.unwrap();
        assert_eq!(store.read(|c| number(c, "SELECT 1::bigint AS n")).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_unavailable() {
    let config = StoreConfig::new("postgres://nobody@127.0.0.1:1/nothing").unwrap();
    let error = Store::open(&config).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_clean_error_and_reading_goes_on() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Postgres {
            return; // cannot be filled from here
        }
        store.write(|c| run(c, "CREATE TABLE t (n TEXT)")).await.unwrap();
        let error = store
            .write(|c| {
                let pages = number(c, "SELECT page_count AS n FROM pragma_page_count()")?;
                run(c, &format!("PRAGMA max_page_count = {}", pages + 4))?;
                run(c, "INSERT INTO t VALUES ('kept?')")?;
                run(c, "INSERT INTO t SELECT hex(randomblob(4000)) FROM plan_features")
            })
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert_eq!(store.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_frozen_in_a_write_holds_writers_up_for_seconds_and_readers_not_at_all() {
    on_each_engine(async |frozen, database| {
        if database.engine() == Engine::Sqlite {
            return; // a file has one node
        }
        frozen.write(|c| run(c, "CREATE TABLE t (n BIGINT)")).await.unwrap();
        let other = Store::open(database.config()).await.unwrap();
        let attempts = AtomicU32::new(0);
        let ((begun, begins), (thaw, thaws)) = (mpsc::channel(), mpsc::channel::<()>());
        let thaws = Mutex::new(thaws);
        let write = tokio::spawn(async move {
            let write = move |c: &mut Conn| {
                // The gate for itself, as for a write that collided again and again; then nothing more is heard of it.
                run(c, "LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE")?;
                if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
                    begun.send(()).unwrap();
                    thaws.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
                }
                run(c, "INSERT INTO t VALUES (1)")
            };
            frozen.write(write).await
        });
        tokio::task::block_in_place(|| begins.recv()).unwrap();
        let asked = Instant::now();
        let mut writers = Vec::new();
        for n in 0..32 {
            let other = other.clone();
            let sql = format!("INSERT INTO t VALUES ({n})");
            writers.push(tokio::spawn(async move { other.write(move |c| run(c, &sql)).await }));
        }
        let waiting = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND \
                       database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while other.read(move |c| number(c, waiting)).await.unwrap() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(asked.elapsed() < Duration::from_secs(5), "readers waited {:?}", asked.elapsed());
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(18), "writers waited {waited:?}");
        // Its connection was taken from it, so it does its work on another.
        thaw.send(()).unwrap();
        write.await.unwrap().unwrap();
        assert_eq!(other.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap(), 33);
        ringnity_store::print_always!("PostgreSQL: a node froze in a write, 32 writers waited {waited:.1?}");
    })
    .await;
}

//! The database becomes unreachable or fails, and recovers.

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
async fn replaces_dropped_connections_without_an_error() {
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

        // Dropped in a transaction, before the commit: the write takes place once, on another connection.
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
async fn unreachable_database_fails_fast_and_recovers() {
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
async fn refused_connection_is_unavailable() {
    let config = StoreConfig::new("postgres://nobody@127.0.0.1:1/nothing").unwrap();
    let error = Store::open(&config).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_fails_writes_but_not_reads() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Postgres {
            return; // the test cannot fill its disk
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
async fn frozen_node_blocks_writers_briefly_and_readers_never() {
    on_each_engine(async |frozen, database| {
        if database.engine() == Engine::Sqlite {
            return; // SQLite has one node
        }
        frozen.write(|c| run(c, "CREATE TABLE t (n BIGINT)")).await.unwrap();
        let other = Store::open(database.config()).await.unwrap();
        let attempts = AtomicU32::new(0);
        let ((begun, begins), (thaw, thaws)) = (mpsc::channel(), mpsc::channel::<()>());
        let thaws = Mutex::new(thaws);
        let write = tokio::spawn(async move {
            let write = move |c: &mut Conn| {
                // Takes the writer lock exclusively, as a write does after many conflicts, and then hangs.
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
        // PostgreSQL ended its connection, so the write runs again on another.
        thaw.send(()).unwrap();
        write.await.unwrap().unwrap();
        assert_eq!(other.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap(), 33);
        ringnity_store::print_always!("PostgreSQL: a node froze in a write, 32 writers waited {waited:.1?}");
    })
    .await;
}

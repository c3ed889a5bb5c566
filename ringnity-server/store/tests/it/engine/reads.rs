//! `Store::read` and `Store::read_slow`.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use ringnity_store::{
    Conn, PageRequest, Store, StoreError,
    contacts::ContactFilter,
    testing::{TestDatabase, engines},
};

use crate::support::number;

/// Longer than a short read takes on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

async fn small(store: &Store) -> bool {
    let read = store.read(|c| number(c, "SELECT count(*) AS n FROM plans"));
    tokio::time::timeout(AT_ONCE, read).await.is_ok_and(|read| read.unwrap() > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_reads_never_block_short_reads() {
    for engine in engines() {
        for (connections, at_once) in [(1, 1), (2, 1), (3, 1), (8, 4)] {
            let database = TestDatabase::new(engine);
            let mut config = database.config().clone();
            config.connections = connections;
            let store = Store::open(&config).await.unwrap();
            let (release, gate) = mpsc::channel::<()>();
            let gate = Arc::new(Mutex::new(gate));
            let inside = Arc::new(AtomicUsize::new(0));
            let long: Vec<_> = (0..20)
                .map(|_| {
                    let (store, gate, inside) = (store.clone(), gate.clone(), inside.clone());
                    let wait = move |c: &mut Conn| {
                        number(c, "SELECT count(*) AS n FROM plans")?;
                        inside.fetch_add(1, Ordering::SeqCst);
                        // Blocks until the sender is dropped.
                        let _ = gate.lock().unwrap().recv_timeout(Duration::from_secs(30));
                        Ok::<_, StoreError>(())
                    };
                    tokio::spawn(async move { store.read_slow(wait).await })
                })
                .collect();
            while inside.load(Ordering::SeqCst) < at_once {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(inside.load(Ordering::SeqCst), at_once, "{engine} with {connections} connections");
            for _ in 0..3 {
                assert!(
                    small(&store).await,
                    "{engine} with {connections} connections: the short read was blocked"
                );
            }
            drop(release);
            for long in long {
                long.await.unwrap().unwrap();
            }
            assert_eq!(inside.load(Ordering::SeqCst), 20, "all slow reads ran");
            store.close().await;
        }
    }
}

#[test]
fn searches_and_large_offsets_are_expensive() {
    let page = |page| PageRequest::new(page, 100);
    let search = |text: &str| ContactFilter { search: Some(text.to_owned()), tags: vec![] };
    assert!(!ContactFilter::default().is_expensive(page(1)));
    assert!(!search(" ").is_expensive(page(1)));
    assert!(search("ann").is_expensive(page(1)));
    assert!(ContactFilter { search: None, tags: vec!["vip".to_owned()] }.is_expensive(page(1)));
    for far in [1_000, i64::MAX] {
        assert!(ContactFilter::default().is_expensive(page(far)));
    }
}

//! Slow searches do not block other reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ringnity_store::{Conn, StoreError};

use crate::jobs::leases::with_app;
use crate::support::until;

const CONTACTS: &str = "/api/server/contacts";

#[test]
fn slow_searches_do_not_block_other_reads() {
    with_app(async |server, app| {
        // Use up every connection that slow reads may have.
        let most = usize::try_from(app.store.load().connections / 2).expect("a number");
        let (release, gate) = mpsc::channel::<()>();
        let (gate, inside) = (Arc::new(Mutex::new(gate)), Arc::new(AtomicUsize::new(0)));
        let slow: Vec<_> = (0..most)
            .map(|_| {
                let (app, gate, inside) = (Arc::clone(&app), Arc::clone(&gate), Arc::clone(&inside));
                let wait = move |_: &mut Conn| {
                    inside.fetch_add(1, Ordering::SeqCst);
                    let _ = gate.lock().expect("a gate").recv_timeout(Duration::from_secs(30));
                    Ok::<_, StoreError>(())
                };
                tokio::spawn(async move { app.store.read_slow(wait).await })
            })
            .collect();
        until("all are under way", async || inside.load(Ordering::SeqCst) == most).await;
        let ask =
            async |query: &str| server.get(&format!("{CONTACTS}{query}")).bearer(server.key()).send().await;
        for query in ["?search=ann", "?tags=vip", "?page=1000"] {
            let asked = tokio::time::timeout(Duration::from_millis(500), ask(query)).await;
            assert!(asked.is_err(), "{query} took a connection that is others'");
        }
        let first = tokio::time::timeout(Duration::from_secs(10), ask("")).await;
        first.expect("a first page does not wait").ok();
        drop(release);
        for slow in slow {
            slow.await.expect("no panic").expect("is let go");
        }
        ask("?search=ann").await.ok();
    });
}

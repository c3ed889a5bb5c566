//! The time from the start on an existing database to the first answer.

use std::time::{Duration, Instant};

use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

/// Far more than it takes. This finds work that grows with the database, or a wait; `cargo xtask bench server`
/// measures.
const LONGEST: Duration = Duration::from_secs(3);

#[test]
fn answers_soon_after_start_on_existing_database() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let mut node = cluster.node().start();
        let http = reqwest::Client::builder().no_proxy().build().expect("client");
        let mut times = Vec::new();
        for _ in 0..3 {
            node.terminate();
            let ended = tokio::task::block_in_place(|| node.ended(Duration::from_secs(20)));
            assert!(ended.is_some_and(|status| status.success()), "{}", node.log());
            let started = Instant::now();
            node = cluster.node().start();
            let request = http.get(format!("{}/api/server/tenant", node.base));
            let answer = request.bearer_auth(&cluster.tenant().key).send().await.expect("an answer");
            times.push(started.elapsed());
            assert_eq!(answer.status(), 200);
        }
        // The best of three, because other tests use the processors too.
        let best = *times.iter().min().expect("three");
        ringnity_store::print_always!(
            "{}: the first answer {best:.2?} after the start",
            cluster.database.engine()
        );
        assert!(best < LONGEST, "{times:?}");
    });
}

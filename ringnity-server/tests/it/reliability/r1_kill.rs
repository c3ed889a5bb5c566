//! R1: an answered write survives `kill -9`.

use std::time::{Duration, Instant};

use super::load::Load;
use super::random;
use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

/// How often the server is killed on each engine; thousands of times with this variable.
const ROUNDS: &str = "RINGNITY_KILL_ROUNDS";

#[test]
fn r1_what_was_answered_survives_kill_9_and_is_there_once() {
    let rounds: u32 = std::env::var(ROUNDS).map_or(100, |text| text.parse().expect("a number of rounds"));
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let begun = Instant::now();
        let mut node = cluster.node().start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 16);
        for _ in 0..rounds {
            // Mostly in the middle of work, sometimes before any is done.
            if random(5) > 0 {
                load.more(1).await;
            }
            tokio::time::sleep(Duration::from_millis(random(600))).await;
            node.kill_9();
            node = cluster.node().start();
            load.moved(vec![node.base.clone()]);
        }
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.tell(&format!("{}: {rounds} kills", cluster.database.engine()), begun);
        assert!(verdict.answered > 4 * u64::from(rounds), "too few writes to prove anything: {verdict:?}");
        assert_eq!(verdict.unavailable, 0, "{verdict:?}");
        assert!(verdict.cut > u64::from(rounds) / 4, "no kill met a request: {verdict:?}");
    });
}

//! R1: an answered write survives `kill -9`.

use std::time::{Duration, Instant};

use super::load::Load;
use super::random;
use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

/// Overrides how often the server is killed on each engine.
const ROUNDS: &str = "RINGNITY_KILL_ROUNDS";

#[test]
fn r1_what_was_answered_survives_kill_9_and_is_there_once() {
    let rounds: u32 = std::env::var(ROUNDS).map_or(100, |text| text.parse().expect("a number of rounds"));
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let started = Instant::now();
        let mut node = cluster.node().start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 16);
        for _ in 0..rounds {
            // Mostly during writes, sometimes before the first one.
            if random(5) > 0 {
                load.wait_for(1).await;
            }
            tokio::time::sleep(Duration::from_millis(random(600))).await;
            node.kill_9();
            node = cluster.node().start();
            load.set_bases(vec![node.base.clone()]);
        }
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.report(&format!("{}: {rounds} kills", cluster.database.engine()), started);
        assert!(verdict.answered > 4 * u64::from(rounds), "too few writes to prove anything: {verdict:?}");
        assert_eq!(verdict.unavailable, 0, "{verdict:?}");
        assert!(verdict.cut > u64::from(rounds) / 4, "no kill met a request: {verdict:?}");
    });
}

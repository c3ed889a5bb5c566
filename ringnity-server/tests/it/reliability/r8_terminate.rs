//! R8: SIGTERM under load. Accepted requests are finished and answered, others have no effect.

use std::time::{Duration, Instant};

use super::load::Load;
use super::{AMPLE, assert_counted, random};
use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

#[test]
fn r8_a_server_that_is_told_to_stop_under_load_finishes_what_it_took_and_ends_well() {
    const ROUNDS: u32 = 10;
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let started = Instant::now();
        let mut node = cluster.node().rate_limit(AMPLE).start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 32);
        let mut slowest = Duration::ZERO;
        for _ in 0..ROUNDS {
            load.wait_for(20).await;
            tokio::time::sleep(Duration::from_millis(random(200))).await;
            let signalled = Instant::now();
            node.terminate();
            let ended = tokio::task::block_in_place(|| node.ended(Duration::from_secs(20)));
            let ended = ended.expect("it ends within its grace");
            slowest = slowest.max(signalled.elapsed());
            assert_eq!(ended.code(), Some(0), "{}", node.log());
            node = cluster.node().rate_limit(AMPLE).start();
            load.set_bases(vec![node.base.clone()]);
        }
        let verdict = load.finish(|| cluster.database.dump()).await;
        let stops = format!("{}: {ROUNDS} stops, the slowest in {slowest:.0?}", cluster.database.engine());
        verdict.report(&stops, started);
        // Every accepted request got a complete answer.
        assert_eq!((verdict.broken, verdict.unanswered, verdict.unavailable), (0, 0, 0), "{verdict:?}");
        assert_counted(&cluster);
    });
}

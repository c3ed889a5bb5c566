//! R8: SIGTERM under load. What the server took it finishes and answers; what it did not take it does not do.

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
        let begun = Instant::now();
        let mut node = cluster.node().rate_limit(AMPLE).start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 32);
        let mut slowest = Duration::ZERO;
        for _ in 0..ROUNDS {
            load.more(20).await;
            tokio::time::sleep(Duration::from_millis(random(200))).await;
            let told = Instant::now();
            node.terminate();
            let ended = tokio::task::block_in_place(|| node.ended(Duration::from_secs(20)));
            let ended = ended.expect("it ends within its grace");
            slowest = slowest.max(told.elapsed());
            assert_eq!(ended.code(), Some(0), "{}", node.log());
            node = cluster.node().rate_limit(AMPLE).start();
            load.moved(vec![node.base.clone()]);
        }
        let verdict = load.finish(|| cluster.database.dump()).await;
        let stops = format!("{}: {ROUNDS} stops, the slowest in {slowest:.0?}", cluster.database.engine());
        verdict.tell(&stops, begun);
        // Whoever was heard is answered, to the end.
        assert_eq!((verdict.broken, verdict.unanswered, verdict.unavailable), (0, 0, 0), "{verdict:?}");
        assert_counted(&cluster);
    });
}

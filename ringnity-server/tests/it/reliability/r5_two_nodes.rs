//! R5: two nodes on one PostgreSQL act as one server, also while one is killed. Single use of tokens is tested in
//! `r3_once`, shared limits in `http::limits`, revocation in `security::s2_6_revocation`.

use std::time::{Duration, Instant};

use super::load::Load;
use super::{AMPLE, TIGHT, assert_counted, random};
use crate::support::fixtures::Fixtures;
use crate::support::node::{Cluster, on_postgres};

#[test]
fn r5_two_nodes_that_take_turns_lose_nothing_and_do_nothing_twice() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let started = Instant::now();
        let first = cluster.node().rate_limit(TIGHT).start();
        let second = cluster.node().rate_limit(TIGHT).start();
        // Requests alternate between the nodes, those of one client too.
        let load = Load::start(cluster.tenant(), vec![first.base.clone(), second.base.clone()], 32);
        load.wait_for(800).await;
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.report("PostgreSQL: 2 nodes, 32 writers", started);
        verdict.assert_undisturbed();
        assert_counted(&cluster);
    });
}

#[test]
fn r5_one_node_that_is_killed_leaves_the_other_going_and_nothing_is_lost() {
    const ROUNDS: u32 = 20;
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let started = Instant::now();
        let first = cluster.node().rate_limit(AMPLE).start();
        let mut nodes = [first, cluster.node().rate_limit(AMPLE).start()];
        let bases =
            |nodes: &[crate::support::node::Node; 2]| nodes.iter().map(|node| node.base.clone()).collect();
        let load = Load::start(cluster.tenant(), bases(&nodes), 16);
        for _ in 0..ROUNDS {
            tokio::time::sleep(Duration::from_millis(50 + random(400))).await;
            let victim = usize::from(random(2) == 1);
            nodes[victim].kill_9();
            // Clients are not told: every second attempt reaches the other node.
            load.wait_for(10).await;
            nodes[victim] = cluster.node().rate_limit(AMPLE).start();
            load.set_bases(bases(&nodes));
        }
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.report(&format!("PostgreSQL: 2 nodes, {ROUNDS} kills of one"), started);
        assert!(verdict.cut > 0, "no kill met a request: {verdict:?}");
        assert_eq!(verdict.unavailable, 0, "{verdict:?}");
        assert_counted(&cluster);
    });
}

//! R5: two nodes on one PostgreSQL are one server, also while one of them dies. That one token or one key counts
//! once at both is `r3_once`'s to show, that limits are shared `limits`'; what is revoked at one is gone at the other
//! in `security::s2_6_revocation`.

use std::time::{Duration, Instant};

use super::load::Load;
use super::{AMPLE, TIGHT, assert_counted, random};
use crate::support::fixtures::Fixtures;
use crate::support::node::{Cluster, on_postgres};

#[test]
fn r5_two_nodes_that_take_turns_lose_nothing_and_do_nothing_twice() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let begun = Instant::now();
        let first = cluster.node().rate_limit(TIGHT).start();
        let second = cluster.node().rate_limit(TIGHT).start();
        // Each request goes to the other node than the one before: sessions, repeats and changes of one client too.
        let load = Load::start(cluster.tenant(), vec![first.base.clone(), second.base.clone()], 32);
        load.more(800).await;
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.tell("PostgreSQL: 2 nodes, 32 writers", begun);
        verdict.undisturbed();
        assert_counted(&cluster);
    });
}

#[test]
fn r5_one_node_that_is_killed_leaves_the_other_going_and_nothing_is_lost() {
    const ROUNDS: u32 = 20;
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let begun = Instant::now();
        let first = cluster.node().rate_limit(AMPLE).start();
        let mut nodes = [first, cluster.node().rate_limit(AMPLE).start()];
        let bases =
            |nodes: &[crate::support::node::Node; 2]| nodes.iter().map(|node| node.base.clone()).collect();
        let load = Load::start(cluster.tenant(), bases(&nodes), 16);
        for _ in 0..ROUNDS {
            tokio::time::sleep(Duration::from_millis(50 + random(400))).await;
            let victim = usize::from(random(2) == 1);
            nodes[victim].kill_9();
            // Nobody tells the clients; every second try finds the node that is left, and that one goes on.
            load.more(10).await;
            nodes[victim] = cluster.node().rate_limit(AMPLE).start();
            load.moved(bases(&nodes));
        }
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.tell(&format!("PostgreSQL: 2 nodes, {ROUNDS} kills of one"), begun);
        assert!(verdict.cut > 0, "no kill met a request: {verdict:?}");
        assert_eq!(verdict.unavailable, 0, "{verdict:?}");
        assert_counted(&cluster);
    });
}

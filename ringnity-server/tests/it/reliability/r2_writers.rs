//! R2: concurrent writers cause no errors for each other.

use std::time::Instant;

use super::load::Load;
use super::{TIGHT, assert_counted};
use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

#[test]
fn r2_sixty_four_clients_who_write_at_once_see_no_busy_and_no_serialization_error() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme")).await;
        let started = Instant::now();
        let node = cluster.node().rate_limit(TIGHT).start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 64);
        load.wait_for(1000).await;
        let verdict = load.finish(|| cluster.database.dump()).await;
        verdict.report(&format!("{}: 64 writers", cluster.database.engine()), started);
        verdict.assert_undisturbed();
        assert_counted(&cluster);
    });
}

//! Reliability requirements: one file for each of R1 to R8 that concerns the running server. Each prints what it did.

mod durability;
mod ledger;
mod load;
mod r1_kill;
mod r2_writers;
mod r3_once;
mod r4_outage;
mod r5_two_nodes;
mod r8_terminate;
mod start;

use ringnity_server::secrets;
use ringnity_store::Engine;

use crate::support::node::Cluster;

/// A rate limit that no test here reaches, and of which a node leases so few requests that it writes often.
const TIGHT: &str = "2000";

/// A rate limit that is never used up, not even by the leases of killed nodes.
const AMPLE: &str = "1000000";

/// Asserts that requests were counted in the database if nodes share it. Otherwise the limit would prove nothing.
fn assert_counted(cluster: &Cluster) {
    let tenant = cluster.tenant();
    let dump = cluster.database.dump();
    let hash = secrets::hash(&tenant.key);
    let key = dump["server_credentials"].iter().find(|row| row["secret_hash"] == hash.as_str());
    let key = key.and_then(|row| row["id"].as_str()).expect("the key");
    let bucket = secrets::hash(&format!("requests of server {} {key}", tenant.id));
    let counted = dump["rate_buckets"].iter().any(|row| row["id"] == bucket.as_str());
    assert_eq!(counted, cluster.database.engine() == Engine::Postgres);
}

/// A random number below `limit`.
fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish() % limit
}

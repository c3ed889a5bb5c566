//! What must not fail: one file for each promise R1 to R8 that is about the running server. Each prints what it
//! did, so that a reader of the output sees what the verdict stands on.

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

/// Requests a minute that no test here comes to, and of which a node takes so few at a time that it writes to the
/// shared row again and again.
const TIGHT: &str = "2000";

/// Requests a minute that are never used up, not even by nodes that die with what they took.
const AMPLE: &str = "1000000";

/// Where nodes share their limits, requests of the tenant's key were counted in the database: without that, a limit
/// proves nothing.
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

//! R4: dependencies that fail: clear answers meanwhile, and recovery without help. Panics in handlers are tested in
//! the API crate's `runtime` tests, and panics in queries in the store's `writing`.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use ringnity_store::Engine;
use serde_json::{Value, json};

use super::load::Load;
use crate::support::fixtures::Fixtures;
use crate::support::node::{Cluster, Node, on_postgres};
use crate::support::on_each_engine;

/// Requests a minute. A node may lease a tenth of them before it has to write.
const LIMIT: &str = "300";

/// Log line of a node that cannot write its lease.
const COUNTS_ALONE: &str = "cannot share a rate limit between nodes; this node counts alone";

/// Log line of a node that cannot record the use of a key.
const USE_NOT_RECORDED: &str = "cannot record that a key was used";

struct Caller {
    http: Client,
    base: String,
    key: String,
}

impl Caller {
    fn new(node: &Node, key: &str) -> Self {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        Self { http: http.expect("client"), base: node.base.clone(), key: key.to_owned() }
    }

    /// Sends a request; returns status and body. The answer must come soon, and errors must have the envelope.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let started = Instant::now();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let json: Value = answer.json().await.expect("JSON");
        assert!(started.elapsed() < Duration::from_secs(8), "{path} took {:?}", started.elapsed());
        if status >= 400 {
            assert_eq!(json["success"], false, "{path}: {json}");
            assert!(json["message"].as_str().is_some_and(|words| words.len() > 10), "{path}: {json}");
            assert!(headers.contains_key("x-request-id"), "{path}");
        }
        if status == 503 {
            assert_eq!(json["code"], "SERVICE_UNAVAILABLE", "{path}: {json}");
            assert!(headers.contains_key("retry-after"), "{path}: no Retry-After");
        }
        (status, json)
    }

    async fn contact(&self, external: &str) -> u16 {
        let body = json!({ "externalId": external, "name": "x".repeat(200), "phone": external });
        self.ask(Method::POST, "/api/server/contacts", Some(body)).await.0
    }
}

#[test]
fn r4_a_database_that_is_gone_is_503_at_once_and_its_return_needs_nobody() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let mut node = cluster.node().start();
        let caller = Caller::new(&node, &cluster.tenant().key);
        let owner =
            json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
        let (_, session) = caller.ask(Method::POST, "/api/auth/owner-login", Some(owner.clone())).await;
        let refresh = json!({ "refreshToken": session["data"]["refreshToken"] });
        assert_eq!(caller.contact("before").await, 200);
        for outage in 0..2 {
            cluster.database.set_reachable(false);
            for (method, path, body) in [
                (Method::GET, "/api/server/health", None),
                (Method::GET, "/api/server/contacts", None),
                (Method::POST, "/api/server/contacts", Some(json!({ "name": "x", "phone": "during" }))),
                (Method::POST, "/api/auth/owner-login", Some(owner.clone())),
                (Method::POST, "/api/auth/owner-refresh", Some(refresh.clone())),
                (Method::GET, "/api/sdk/bootstrap?slug=acme", None),
                (Method::POST, "/api/sdk/session", Some(json!({ "slug": "acme" }))),
            ] {
                assert_eq!(caller.ask(method, path, body).await.0, 503, "{path}, outage {outage}");
            }
            // The process is alive and reports the outage.
            let (status, health) = caller.ask(Method::GET, "/api/sdk/health", None).await;
            assert_eq!((status, &health["data"]["status"]), (200, &json!("degraded")));
            cluster.database.set_reachable(true);
            assert_eq!(caller.contact(&format!("after {outage}")).await, 200, "outage {outage}");
            assert_eq!(caller.ask(Method::GET, "/api/server/health", None).await.0, 200);
            let (status, health) = caller.ask(Method::GET, "/api/sdk/health", None).await;
            assert_eq!((status, &health["data"]["status"]), (200, &json!("ok")));
        }
        // The 503 answers have not used up the refresh token.
        assert_eq!(caller.ask(Method::POST, "/api/auth/owner-refresh", Some(refresh)).await.0, 200);
        assert!(!node.log().contains("panic"), "{}", node.log());
    });
}

#[test]
fn r4_a_database_that_takes_no_writes_can_be_read() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let mut node = cluster.node().rate_limit(LIMIT).start();
        let caller = Caller::new(&node, &cluster.tenant().key);
        assert_eq!(caller.contact("before").await, 200);
        cluster.database.set_writable(false);
        // More than the node may lease without writing.
        for _ in 0..50 {
            assert_eq!(caller.ask(Method::GET, "/api/server/contacts", None).await.0, 200, "{}", node.log());
        }
        assert!(node.logs(COUNTS_ALONE), "the lease was never renewed: {}", node.log());
        assert_eq!(caller.contact("during").await, 503);
        cluster.database.set_writable(true);
        assert_eq!(caller.contact("after").await, 200, "{}", node.log());
    });
}

/// A writer takes the writer lock after repeated conflicts, and so does a migration.
#[test]
fn r4_a_node_that_holds_the_gate_for_writers_stops_no_reads() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let mut node = cluster.node().rate_limit(LIMIT).start();
        let first = Caller::new(&node, &cluster.tenant().key);
        assert_eq!(first.contact("before").await, 200);
        let gate = cluster.database.hold_writer_lock();
        let asked = Instant::now();
        // A key whose use has to be recorded, and more requests than the node's lease.
        let unused = Caller::new(&node, &cluster.tenant_named("other").key);
        for caller in [&first, &unused] {
            for _ in 0..40 {
                let (status, list) = caller.ask(Method::GET, "/api/server/contacts", None).await;
                assert_eq!(status, 200, "{list} {}", node.log());
            }
        }
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(6), "80 reads took {took:?}");
        assert!(node.logs(COUNTS_ALONE), "the lease was never renewed: {}", node.log());
        assert!(node.logs(USE_NOT_RECORDED), "the use of the key was never recorded: {}", node.log());
        drop(gate);
        assert_eq!(first.contact("after").await, 200, "{}", node.log());
        ringnity_store::print_always!(
            "PostgreSQL: 80 reads in {took:.1?} while another node had the gate for itself"
        );
    });
}

#[test]
fn r4_connections_that_are_cut_under_load_lose_nothing_and_do_nothing_twice() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let started = Instant::now();
        let node = cluster.node().start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 16);
        for _ in 0..10 {
            load.wait_for(20).await;
            cluster.database.drop_connections();
        }
        load.wait_for(50).await;
        let verdict = load.finish(|| cluster.database.dump()).await;
        ringnity_store::print_always!("answers of 503: {}", verdict.unavailable);
        verdict.report("PostgreSQL: every connection cut 10 times", started);
        assert_eq!((verdict.cut, verdict.refused), (0, 0), "{verdict:?}");
    });
}

/// Sets the node's soft limit of file sizes in bytes. The hard limit stays, so that it can be raised again.
fn limit_files(node: &Node, bytes: &str) {
    let mut limit = Command::new("prlimit");
    limit.args(["--pid", &node.id().to_string(), &format!("--fsize={bytes}:")]);
    assert!(limit.status().expect("prlimit").success());
}

/// A limit of file sizes stands for a full disk, because it can be raised again.
#[test]
fn r4_on_a_full_disk_writes_are_503_reads_go_on_and_room_is_all_it_takes() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        if cluster.database.engine() == Engine::Postgres {
            return; // its disk is its own affair; what it then says is the store's to understand
        }
        let mut node = cluster.node().start();
        node.terminate();
        assert!(node.ended(Duration::from_secs(20)).is_some_and(|status| status.success()));
        let mut node = cluster.node().largest_file(1024).start();
        let caller = Caller::new(&node, &cluster.tenant().key);
        let mut kept = Vec::new();
        loop {
            let external = format!("f{}", kept.len());
            match caller.contact(&external).await {
                200 => kept.push(external),
                503 => break,
                status => panic!("{status}: {}", node.log()),
            }
            assert!(kept.len() < 5000, "the disk is never full");
        }
        let total = async || {
            let (status, list) = caller.ask(Method::GET, "/api/server/contacts?limit=1", None).await;
            assert_eq!(status, 200, "reads go on: {list}");
            list["data"]["pagination"]["total"].as_u64().or(list["data"]["total"].as_u64())
        };
        // It stays so with concurrent writes, and the answered writes can be read.
        for _ in 0..3 {
            let many = futures_util::future::join_all((0..8).map(|_| caller.contact("more"))).await;
            assert!(many.iter().all(|status| *status == 503), "{many:?}");
            assert_eq!(total().await, Some(kept.len() as u64));
        }
        // A key whose use cannot be recorded still works. This one is unused, and there is no room to record it.
        limit_files(&node, "1");
        let unused = Caller::new(&node, &cluster.tenant_named("other").key);
        let (status, list) = unused.ask(Method::GET, "/api/server/contacts", None).await;
        assert_eq!(status, 200, "{list}");
        assert!(node.logs(USE_NOT_RECORDED), "{}", node.log());
        limit_files(&node, "unlimited");
        assert_eq!(caller.contact("room").await, 200, "{}", node.log());
        kept.push("room".into());
        assert_eq!(total().await, Some(kept.len() as u64));
        ringnity_store::print_always!(
            "SQLite: {} writes answered, then a full disk, then one more; lost: 0",
            kept.len() - 1
        );

        node.kill_9();
        let dump = cluster.database.dump();
        for external in &kept {
            let rows = dump["contacts"].iter().filter(|row| row["external_id"] == external.as_str());
            assert_eq!(rows.count(), 1, "{external}");
        }
        assert_eq!(dump["contacts"].len(), kept.len());
    });
}

/// How an SQLite file disappears.
#[derive(Debug, Clone, Copy)]
enum Away {
    Alone,
    WithItsFolder,
    Replaced,
}

/// The file or its folder is moved or replaced under a running server. Writes to a file without a name would be lost,
/// and reads of another file would be wrong.
#[test]
fn r4_an_sqlite_file_that_goes_away_is_503_until_it_is_back() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let Some(file) = cluster.database.config().sqlite_path() else { return };
        let folder = file.parent().expect("a folder");
        let mut node = cluster.node().start();
        let caller = Caller::new(&node, &cluster.tenant().key);
        let mut kept = vec!["before".to_owned()];
        assert_eq!(caller.contact("before").await, 200);
        for away in [Away::Alone, Away::WithItsFolder, Away::Replaced] {
            let (from, to) = match away {
                Away::WithItsFolder => (folder.to_owned(), folder.with_extension("away")),
                Away::Alone | Away::Replaced => (file.to_owned(), file.with_extension("away")),
            };
            std::fs::rename(&from, &to).expect("moves it");
            if matches!(away, Away::Replaced) {
                std::fs::copy(&to, &from).expect("puts another there");
            }
            // More at once than before, so that new connections are opened too.
            let reads = (0..16).map(|_| caller.ask(Method::GET, "/api/server/contacts", None));
            let reads = futures_util::future::join_all(reads).await;
            let reads: Vec<u16> = reads.into_iter().map(|(status, _)| status).collect();
            let names: Vec<String> = (0..4).map(|n| format!("{away:?}-{n}")).collect();
            let writes = futures_util::future::join_all(names.iter().map(|name| caller.contact(name))).await;
            assert!(
                reads.iter().chain(&writes).all(|status| *status == 503),
                "{away:?}: {reads:?} {writes:?}"
            );
            let (status, health) = caller.ask(Method::GET, "/api/sdk/health", None).await;
            assert_eq!((status, &health["data"]["status"]), (200, &json!("degraded")), "{away:?}");
            if matches!(away, Away::Replaced) {
                std::fs::remove_file(&from).expect("takes the other away");
            }
            std::fs::rename(&to, &from).expect("moves it back");
            let external = format!("after {away:?}");
            assert_eq!(caller.contact(&external).await, 200, "{away:?}: {}", node.log());
            kept.push(external);
            let (status, list) = caller.ask(Method::GET, "/api/server/contacts", None).await;
            let listed = list["data"]["contacts"].as_array().map(Vec::len);
            assert_eq!((status, listed), (200, Some(kept.len())), "{away:?}: {list}");
        }
        assert!(!node.log().contains("panic"), "{}", node.log());
        node.kill_9();
        let mut there: Vec<String> = cluster.database.dump()["contacts"]
            .iter()
            .map(|row| row["external_id"].as_str().expect("an id").to_owned())
            .collect();
        there.sort();
        kept.sort();
        assert_eq!(there, kept);
        ringnity_store::print_always!(
            "SQLite: moved away alone, with its folder, and replaced; back each time, lost: 0"
        );
    });
}

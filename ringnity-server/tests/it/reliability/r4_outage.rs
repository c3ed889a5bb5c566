//! R4: what the server leans on goes away, fills up or falls over: a clean answer meanwhile, and recovery by itself.
//! That a handler or a check that panics harms only itself is shown where there are such: in the API crate's
//! `runtime` tests and in the store's `writing`.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use ringnity_store::Engine;
use serde_json::{Value, json};

use super::load::Load;
use crate::support::fixtures::Fixtures;
use crate::support::node::{Cluster, Node, on_postgres};
use crate::support::on_each_engine;

/// Requests a minute. A node may count a tenth of them for itself before it has to write that it takes more.
const LIMIT: &str = "300";

/// What a node says that cannot write that.
const ALONE: &str = "nodes cannot share a limit; each counts alone";

/// What a node says that cannot write when a key was used.
const UNNOTED: &str = "cannot note that a key was used";

struct Asker {
    http: Client,
    base: String,
    key: String,
}

impl Asker {
    fn new(node: &Node, key: &str) -> Self {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build();
        Self { http: http.expect("client"), base: node.base.clone(), key: key.to_owned() }
    }

    /// Asks; answers status and body, and that it came soon. What is no success has the envelope.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let begun = Instant::now();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let json: Value = answer.json().await.expect("JSON");
        assert!(begun.elapsed() < Duration::from_secs(8), "{path} took {:?}", begun.elapsed());
        if status >= 400 {
            assert_eq!(json["success"], false, "{path}: {json}");
            assert!(json["message"].as_str().is_some_and(|words| words.len() > 10), "{path}: {json}");
            assert!(headers.contains_key("x-request-id"), "{path}");
        }
        if status == 503 {
            assert_eq!(json["code"], "SERVICE_UNAVAILABLE", "{path}: {json}");
            assert!(headers.contains_key("retry-after"), "{path}: nobody says when to come back");
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
        let asker = Asker::new(&node, &cluster.tenant().key);
        let owner =
            json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
        let (_, session) = asker.ask(Method::POST, "/api/auth/owner-login", Some(owner.clone())).await;
        let refresh = json!({ "refreshToken": session["data"]["refreshToken"] });
        assert_eq!(asker.contact("before").await, 200);
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
                assert_eq!(asker.ask(method, path, body).await.0, 503, "{path}, outage {outage}");
            }
            // The process is not dead, and says what it lacks.
            let (status, health) = asker.ask(Method::GET, "/api/sdk/health", None).await;
            assert_eq!((status, &health["data"]["status"]), (200, &json!("degraded")));
            cluster.database.set_reachable(true);
            assert_eq!(asker.contact(&format!("after {outage}")).await, 200, "outage {outage}");
            assert_eq!(asker.ask(Method::GET, "/api/server/health", None).await.0, 200);
            let (status, health) = asker.ask(Method::GET, "/api/sdk/health", None).await;
            assert_eq!((status, &health["data"]["status"]), (200, &json!("ok")));
        }
        // The session was not used up by those who could not be answered.
        assert_eq!(asker.ask(Method::POST, "/api/auth/owner-refresh", Some(refresh)).await.0, 200);
        assert!(!node.log().contains("panic"), "{}", node.log());
    });
}

#[test]
fn r4_a_database_that_takes_no_writes_can_be_read() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let mut node = cluster.node().rate_limit(LIMIT).start();
        let asker = Asker::new(&node, &cluster.tenant().key);
        assert_eq!(asker.contact("before").await, 200);
        cluster.database.set_writable(false);
        // More than this node may count for itself before it has to ask how many are left.
        for _ in 0..50 {
            assert_eq!(asker.ask(Method::GET, "/api/server/contacts", None).await.0, 200, "{}", node.log());
        }
        assert!(node.logs(ALONE), "nobody asked how many are left: {}", node.log());
        assert_eq!(asker.contact("during").await, 503);
        cluster.database.set_writable(true);
        assert_eq!(asker.contact("after").await, 200, "{}", node.log());
    });
}

/// One that writes has the gate for itself when it collided again and again, and so has a migration.
#[test]
fn r4_a_node_that_holds_the_gate_for_writers_stops_no_reads() {
    on_postgres(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let mut node = cluster.node().rate_limit(LIMIT).start();
        let first = Asker::new(&node, &cluster.tenant().key);
        assert_eq!(first.contact("before").await, 200);
        let gate = cluster.database.hold_writer_lock();
        let asked = Instant::now();
        // A key whose use is to be noted, and more requests than this node may count before it asks the others.
        let unused = Asker::new(&node, &cluster.tenant_named("other").key);
        for asker in [&first, &unused] {
            for _ in 0..40 {
                let (status, list) = asker.ask(Method::GET, "/api/server/contacts", None).await;
                assert_eq!(status, 200, "{list} {}", node.log());
            }
        }
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(6), "80 reads took {took:?}");
        assert!(node.logs(ALONE), "nobody asked how many are left: {}", node.log());
        assert!(node.logs(UNNOTED), "nobody noted that a key was used: {}", node.log());
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
        let begun = Instant::now();
        let node = cluster.node().start();
        let load = Load::start(cluster.tenant(), vec![node.base.clone()], 16);
        for _ in 0..10 {
            load.more(20).await;
            cluster.database.drop_connections();
        }
        load.more(50).await;
        let verdict = load.finish(|| cluster.database.dump()).await;
        ringnity_store::print_always!("answers of 503: {}", verdict.unavailable);
        verdict.tell("PostgreSQL: every connection cut 10 times", begun);
        assert_eq!((verdict.cut, verdict.refused), (0, 0), "{verdict:?}");
    });
}

/// Sets how large files may get that the node writes, in bytes. The hard limit stays, or it could not be lifted.
fn limit_files(node: &Node, bytes: &str) {
    let mut limit = Command::new("prlimit");
    limit.args(["--pid", &node.id().to_string(), &format!("--fsize={bytes}:")]);
    assert!(limit.status().expect("prlimit").success());
}

/// A disk that is full is simulated by a limit on how large a file may get, which can be lifted again.
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
        let asker = Asker::new(&node, &cluster.tenant().key);
        let mut kept = Vec::new();
        loop {
            let external = format!("f{}", kept.len());
            match asker.contact(&external).await {
                200 => kept.push(external),
                503 => break,
                status => panic!("{status}: {}", node.log()),
            }
            assert!(kept.len() < 5000, "the disk is never full");
        }
        let total = async || {
            let (status, list) = asker.ask(Method::GET, "/api/server/contacts?limit=1", None).await;
            assert_eq!(status, 200, "reads go on: {list}");
            list["data"]["pagination"]["total"].as_u64().or(list["data"]["total"].as_u64())
        };
        // It stays so, for many at once too, and what was answered can be read.
        for _ in 0..3 {
            let many = futures_util::future::join_all((0..8).map(|_| asker.contact("more"))).await;
            assert!(many.iter().all(|status| *status == 503), "{many:?}");
            assert_eq!(total().await, Some(kept.len() as u64));
        }
        // A key notes that it is used; that it cannot is nobody's trouble. This one was not used yet, and there is not
        // even room for that.
        limit_files(&node, "1");
        let unused = Asker::new(&node, &cluster.tenant_named("other").key);
        let (status, list) = unused.ask(Method::GET, "/api/server/contacts", None).await;
        assert_eq!(status, 200, "{list}");
        assert!(node.logs(UNNOTED), "{}", node.log());
        limit_files(&node, "unlimited");
        assert_eq!(asker.contact("room").await, 200, "{}", node.log());
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

/// Whether an SQLite file that goes away goes alone, with its folder, or leaves another in its place.
#[derive(Debug, Clone, Copy)]
enum Away {
    Alone,
    WithItsFolder,
    Replaced,
}

/// Somebody tidies up, mounts a disk over the folder, or puts a copy in the place of a database that is in use. What a
/// server would write to a file that nobody finds any more is lost, and what it read of another would be wrong.
#[test]
fn r4_an_sqlite_file_that_goes_away_is_503_until_it_is_back() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default().tenant("acme").tenant("other")).await;
        let Some(file) = cluster.database.config().sqlite_path() else { return };
        let folder = file.parent().expect("a folder");
        let mut node = cluster.node().start();
        let asker = Asker::new(&node, &cluster.tenant().key);
        let mut kept = vec!["before".to_owned()];
        assert_eq!(asker.contact("before").await, 200);
        for away in [Away::Alone, Away::WithItsFolder, Away::Replaced] {
            let (from, to) = match away {
                Away::WithItsFolder => (folder.to_owned(), folder.with_extension("away")),
                Away::Alone | Away::Replaced => (file.to_owned(), file.with_extension("away")),
            };
            std::fs::rename(&from, &to).expect("moves it");
            if matches!(away, Away::Replaced) {
                std::fs::copy(&to, &from).expect("puts another there");
            }
            // More at once than have been, so that connections are opened too.
            let reads = (0..16).map(|_| asker.ask(Method::GET, "/api/server/contacts", None));
            let reads = futures_util::future::join_all(reads).await;
            let reads: Vec<u16> = reads.into_iter().map(|(status, _)| status).collect();
            let names: Vec<String> = (0..4).map(|n| format!("{away:?}-{n}")).collect();
            let writes = futures_util::future::join_all(names.iter().map(|name| asker.contact(name))).await;
            assert!(
                reads.iter().chain(&writes).all(|status| *status == 503),
                "{away:?}: {reads:?} {writes:?}"
            );
            let (status, health) = asker.ask(Method::GET, "/api/sdk/health", None).await;
            assert_eq!((status, &health["data"]["status"]), (200, &json!("degraded")), "{away:?}");
            if matches!(away, Away::Replaced) {
                std::fs::remove_file(&from).expect("takes the other away");
            }
            std::fs::rename(&to, &from).expect("moves it back");
            let external = format!("after {away:?}");
            assert_eq!(asker.contact(&external).await, 200, "{away:?}: {}", node.log());
            kept.push(external);
            let (status, list) = asker.ask(Method::GET, "/api/server/contacts", None).await;
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

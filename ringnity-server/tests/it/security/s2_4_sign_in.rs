//! S2.4: sign-in does not reveal which accounts exist, neither by its answer nor by its time. Limits of failed
//! sign-ins are tested in `http::limits`.

use std::time::Instant;

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

/// How many pairs of requests are compared.
const PAIRS: usize = 30;
/// The accepted ratio of the medians.
const ACCEPTED_RATIO: std::ops::Range<f64> = 0.7..1.43;
/// How often it is measured: a busy machine distorts a measurement, but not always in the same direction.
const ATTEMPTS: usize = 4;

async fn timed(http: &Client, url: &str, body: &Value) -> (f64, u16, String) {
    let started = Instant::now();
    let answer = http.post(url).json(body).send().await.expect("an answer");
    let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
    (started.elapsed().as_secs_f64(), status, text)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[test]
fn s2_4_an_unknown_account_and_a_wrong_password_are_one_answer_in_one_time() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(
            engine,
            Fixtures::default().production_hashes().tenant("acme").agent("grace").platform_admin(),
        )
        .await;
        let node = cluster.node().start();
        let http = Client::builder().no_proxy().build().expect("client");
        let with = |name: &str, account: &str| json!({ name: account, "password": "wrong" });
        for (path, name, known, unknown) in [
            ("/api/auth/owner-login", "email", cluster.tenant().owner.email.as_str(), "nobody@acme.example"),
            ("/api/auth/workspace-login?slug=acme", "username", "grace", "agent.won"),
            (
                "/api/platform/auth/login",
                "email",
                cluster.platform_admin().email.as_str(),
                "nobody@platform.example",
            ),
        ] {
            let url = format!("{}{path}", node.base);
            let (known, unknown) = (with(name, known), with(name, unknown));
            let mut ratio = 0.0;
            for _ in 0..ATTEMPTS {
                let (mut there, mut nowhere) = (Vec::new(), Vec::new());
                for pair in 0..PAIRS {
                    // Alternating, so that both are slowed down alike.
                    let (first, second) = if pair % 2 == 0 { (&known, &unknown) } else { (&unknown, &known) };
                    let (one, other) = (timed(&http, &url, first).await, timed(&http, &url, second).await);
                    assert_eq!((one.1, other.1), (401, 401), "{path}: {} {}", one.2, other.2);
                    assert_eq!(one.2, other.2, "{path}");
                    let (known, unknown) = if pair % 2 == 0 { (one.0, other.0) } else { (other.0, one.0) };
                    there.push(known);
                    nowhere.push(unknown);
                }
                ratio = median(nowhere) / median(there);
                if ACCEPTED_RATIO.contains(&ratio) {
                    break;
                }
            }
            ringnity_store::print_always!(
                "{}: {path}: an unknown account takes {ratio:.2} of a known one",
                cluster.database.engine()
            );
            assert!(ACCEPTED_RATIO.contains(&ratio), "{path}: {ratio:.2}");
        }
    });
}

/// Peak memory of a process in MiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("what it took");
    line.trim().trim_end_matches("kB").trim().parse::<usize>().expect("a number") / 1024
}

#[test]
#[cfg(target_os = "linux")]
fn s2_4_many_who_guess_at_once_take_no_more_memory_than_there_are_processors_for() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(
            engine,
            Fixtures::default().production_hashes().tenant("acme").agent("grace").platform_admin(),
        )
        .await;
        let node = cluster.node().start();
        let before = peak_memory(node.id());
        let processors = std::thread::available_parallelism().expect("processors").get();
        let guesses = 100 + 10 * processors;
        let http = Client::builder().no_proxy().build().expect("client");
        let url = format!("{}/api/auth/owner-login", node.base);
        let body = json!({ "email": cluster.tenant().owner.email, "password": "wrong" });
        let started = Instant::now();
        let answers = futures_util::future::join_all((0..guesses).map(|_| timed(&http, &url, &body))).await;
        let took = started.elapsed();
        let late = answers.iter().filter(|(_, status, _)| *status == 503).count();
        for (_, status, text) in &answers {
            assert!([401, 503].contains(status), "{status}: {text}");
        }
        let grown = peak_memory(node.id()) - before;
        ringnity_store::print_always!(
            "{}: {guesses} guesses at once took {grown} MiB and {took:.1?}; {late} of them had no turn",
            cluster.database.engine()
        );
        // Each hash takes 19 MiB; connections and requests take some, too.
        assert!(grown < 20 * processors + 200, "{grown} MiB");
    });
}

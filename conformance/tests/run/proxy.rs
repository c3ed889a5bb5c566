//! The proxy forwards traffic unchanged and reports which side violated the contract.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use conformance::contract::Contract;
use conformance::flows::Flows;
use conformance::proxy::{Counts, ExchangeViolation, Proxy, Side};
use conformance::report::{Rule, Verdict};
use conformance::run::{Options, run};
use conformance::wire::Client;

use crate::library::{self, Seed};

struct ProxiedServer {
    base_url: String,
    proxy: Arc<Proxy>,
    violations: Arc<Mutex<Vec<ExchangeViolation>>>,
    contract: Arc<Contract>,
}

async fn before(upstream: &str) -> ProxiedServer {
    let settings = toml::from_str(library::SETTINGS).expect("settings");
    let document = serde_json::from_str(library::CONTRACT).expect("JSON");
    let contract = Arc::new(Contract::new(document, None, settings).expect("a contract"));
    let violations = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&violations);
    let client = Client::new(upstream, Duration::from_secs(5)).expect("a client");
    let proxy = Proxy::new(Arc::clone(&contract), client, move |violation| {
        sink.lock().expect("unpoisoned").push(violation.clone());
    });
    let listener =
        conformance::proxy::listen("127.0.0.1:0".parse().expect("an address")).await.expect("listens");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(Arc::clone(&proxy).serve(listener));
    ProxiedServer { base_url, proxy, violations, contract }
}

#[tokio::test(flavor = "multi_thread")]
async fn forwards_traffic_unchanged() {
    let library = library::start(None);
    let proxied = before(&library.base_url).await;
    let flows = serde_json::from_str(library::FLOWS).expect("JSON");
    let flows = Flows::new(flows, &proxied.contract).expect("flows");
    let options = Options { cases: 1, ..Options::default() };
    let report = run(Arc::clone(&proxied.contract), flows, &library.inputs, &proxied.base_url, options);
    let report = report.await.expect("a run");
    // Rejections, uploads, downloads and unusual methods are forwarded unchanged, too.
    assert_eq!(report.verdict(), Verdict::Clean, "{:?}", report.violations);
    let counts = proxied.proxy.counts();
    assert!(counts.exchanges > 300 && counts.requests > 50, "{counts:?}");
    assert_eq!(counts.responses, 0, "{:?}", proxied.violations.lock().expect("unpoisoned"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_violations_per_side() {
    let library = library::start(Some(Seed::ConstantOther));
    let proxied = before(&library.base_url).await;
    let health = proxied.contract.operation("getHealth").expect("an operation").path.clone();
    let books = proxied.contract.operation("listBooks").expect("an operation").path.clone();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let key = library.inputs["serverKey"].as_str().expect("a key");
    let get = |target: String| http.get(format!("{}{target}", proxied.base_url)).bearer_auth(key).send();

    get(health.clone()).await.expect("an answer");
    get(format!("{books}?page=0")).await.expect("an answer");
    get("/nowhere".to_owned()).await.expect("an answer");
    get(books.clone()).await.expect("an answer");

    let violations = proxied.violations.lock().expect("unpoisoned").clone();
    let brief: Vec<(Side, Rule, &str)> = violations
        .iter()
        .map(|violation| (violation.side, violation.rule, violation.operation.as_str()))
        .collect();
    let expected = [
        (Side::Response, Rule::Body, "getHealth"),
        (Side::Request, Rule::Accepted, "listBooks"),
        (Side::Request, Rule::Method, ""),
    ];
    assert_eq!(brief, expected, "{violations:?}");
    assert!(
        violations[0].exchange.ends_with("→ 200") && violations[1].pointer.ends_with("/schema"),
        "{violations:?}"
    );
    assert_eq!(proxied.proxy.counts(), Counts { exchanges: 4, requests: 2, responses: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_server_is_a_bad_gateway() {
    let gone = library::start(None).base_url;
    let proxied = before(&gone).await;
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .get(format!("{}/health", proxied.base_url))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 502);
}

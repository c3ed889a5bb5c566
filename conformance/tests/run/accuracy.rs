//! The accuracy of the checker: no violation in conforming servers, every seeded violation found, and the same
//! verdict for every random seed.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use conformance::contract::Contract;
use conformance::flows::Flows;
use conformance::report::{Format, OperationReport, Report, Rule, State, Verdict};
use conformance::run::{Options, run};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::library::{self, Seed};
use crate::museum;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Number of concurrent runs. More than there are cores, because runs wait for their servers.
const CONCURRENT_RUNS: usize = 12;

/// The clock of the library advances with every request, so no pause is needed.
fn quick() -> Options {
    Options { cases: 1, pause: Duration::ZERO, ..Options::default() }
}

/// The library's contract, shared so that its schemas are compiled once.
fn library_contract() -> Arc<Contract> {
    static CONTRACT: LazyLock<Arc<Contract>> = LazyLock::new(|| {
        let settings = toml::from_str(library::SETTINGS).expect("settings");
        Arc::new(Contract::new(json(library::CONTRACT), None, settings).expect("a contract"))
    });
    Arc::clone(&CONTRACT)
}

async fn run_library(seed: Option<Seed>, options: Options) -> Report {
    let library = library::start(seed);
    let contract = library_contract();
    let flows = Flows::new(json(library::FLOWS), &contract).expect("flows");
    run(contract, flows, &library.inputs, &library.base_url, options).await.expect("a run")
}

fn text(report: &Report) -> String {
    Format::Text.render(report, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn conforming_server_is_clean_and_fully_covered() {
    let report = run_library(None, Options::default()).await;
    assert_eq!(report.verdict(), Verdict::Clean, "{}", text(&report));
    assert!(report.cut_short.is_none());
    let totals = report.totals(|_| true);
    assert_eq!((totals.missing, totals.violated), (0, 0), "{}", text(&report));
    assert_eq!(totals.operations, totals.built);
    let unseen: Vec<_> = Rule::ALL
        .into_iter()
        // The library has no published edition of its contract.
        .filter(|rule| *rule != Rule::Published && !report.checks.contains_key(rule))
        .collect();
    assert!(unseen.is_empty(), "rules without an occasion: {unseen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seeded_violation_is_found() {
    println!("{} violations are put into a server that otherwise conforms, one at a time:", Seed::ALL.len());
    // The slowest run starts first.
    let mut seeds = Seed::ALL.to_vec();
    seeds.sort_by_key(|seed| *seed != Seed::AnswerNeverComes);
    let runs = stream::iter(seeds)
        .map(|seed| {
            // The timeout is generous, so that a busy machine does not cause timeouts.
            let seconds = if seed == Seed::AnswerNeverComes { 2 } else { 20 };
            let options = Options { timeout: Duration::from_secs(seconds), ..quick() };
            tokio::spawn(async move { (seed, run_library(Some(seed), options).await) })
        })
        .buffer_unordered(CONCURRENT_RUNS);
    let mut runs: Vec<_> = runs.map(|done| done.expect("a run")).collect().await;
    runs.sort_by_key(|(seed, _)| Seed::ALL.iter().position(|one| one == seed));
    let mut missed = Vec::new();
    for (seed, report) in runs {
        let found: Vec<&str> = report.violations.iter().map(|violation| violation.rule.name()).collect();
        let caught = seed.rules().iter().any(|rule| found.contains(rule));
        let word = if caught { "found " } else { "MISSED" };
        println!("  {word} {:<75} {}", seed.description(), seed.rules().join(" or "));
        if !caught {
            missed.push(format!("{seed:?} ({}): reported {found:?}", seed.description()));
        }
    }
    println!("{} of {} found", Seed::ALL.len() - missed.len(), Seed::ALL.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_seeds_give_the_same_verdict() {
    const BUGS: [Seed; 5] = [
        Seed::TypeWrong,
        Seed::RefusedPatchWrites,
        Seed::CursorSkips,
        Seed::RepeatLendsAgain,
        Seed::TypeCrashes,
    ];
    let runs = stream::iter(0..20)
        .map(|seed| {
            tokio::spawn(async move {
                let options = Options { seed, ..quick() };
                let bug = BUGS[usize::try_from(seed).expect("small") % BUGS.len()];
                (run_library(None, options.clone()).await, bug, run_library(Some(bug), options).await)
            })
        })
        .buffered(CONCURRENT_RUNS);
    let runs: Vec<_> = runs.map(|done| done.expect("a run")).collect().await;
    for (seed, (report, bug, broken)) in runs.iter().enumerate() {
        assert_eq!(report.verdict(), Verdict::Clean, "seed {seed}: {}", text(report));
        assert_eq!(cells(report), cells(&runs[0].0), "seed {seed}");
        let found = broken.violations.iter().any(|one| bug.rules().contains(&one.rule.name()));
        assert!(found, "seed {seed}: {bug:?} was missed: {}", text(broken));
    }
}

/// The matrix without the number of responses.
fn cells(report: &Report) -> Vec<(&str, &str, &str, &State)> {
    let mut out = Vec::new();
    for OperationReport { id, cells, .. } in &report.operations {
        out.extend(
            cells
                .iter()
                .map(|cell| (id.as_str(), cell.status.as_str(), cell.content_type.as_str(), &cell.state)),
        );
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_a_third_party_contract() {
    let museum = museum::start();
    let mut document = json(museum::CONTRACT);
    // The test server has no base path.
    document["servers"] = Value::Array(Vec::new());
    let contract = Contract::new(document, None, toml::from_str("").expect("no settings"));
    let contract = Arc::new(contract.expect("a contract"));
    let flows = Flows::new(json(museum::FLOWS), &contract).expect("flows");
    let report = run(Arc::clone(&contract), flows, &museum.inputs, &museum.base_url, Options::default())
        .await
        .expect("a run");
    // This contract requires a password everywhere and never documents 401.
    let mut silent = Vec::new();
    for violation in &report.violations {
        assert_eq!(violation.rule, Rule::Status, "{}", text(&report));
        assert!(violation.seen.starts_with("401 "), "{}", text(&report));
        silent.push(violation.operation.as_str());
    }
    let secured =
        contract.operations.iter().filter(|one| !one.access.anonymous && one.response(401).is_none());
    assert_eq!(silent, secured.map(|operation| operation.id.as_str()).collect::<Vec<_>>());
    let totals = report.totals(|_| true);
    assert_eq!((totals.missing, totals.violated), (0, 0), "{}", text(&report));
    assert_eq!((totals.operations, totals.built), (8, 8));
}

#[tokio::test]
async fn missing_server_is_an_error() {
    let contract = library_contract();
    let flows = Flows::new(json(library::FLOWS), &contract).expect("flows");
    let gone = library::start(None).base_url;
    let error = run(contract, flows, &Value::Null, &gone, quick()).await.expect_err("there is no server");
    assert!(error.to_string().contains("cannot connect to"), "{error}");
}

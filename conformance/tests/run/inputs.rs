//! Flows that need optional inputs.

use std::sync::Arc;

use conformance::contract::Contract;
use conformance::flows::Flows;
use conformance::report::{Format, Report, State, Verdict};
use conformance::run::{Options, run};
use serde_json::{Value, json};

use crate::library;

fn contract() -> Arc<Contract> {
    let document = serde_json::from_str(library::CONTRACT).expect("JSON");
    let settings = toml::from_str(library::SETTINGS).expect("settings");
    Arc::new(Contract::new(document, None, settings).expect("a contract"))
}

/// The library's flows, with lending only for those who have a card.
fn flows() -> Value {
    let mut flows: Value = serde_json::from_str(library::FLOWS).expect("JSON");
    for workflow in flows["workflows"].as_array_mut().expect("flows") {
        if workflow["workflowId"] == "bookIsLent" {
            workflow["inputs"] =
                json!({ "required": ["card"], "properties": { "card": { "type": "string" } } });
        }
        if workflow["workflowId"] == "ownerLooks" {
            workflow["dependsOn"].as_array_mut().expect("a list").push(json!("bookIsLent"));
        }
    }
    flows["x-conformance"]["unreachable"] = json!([{
        "operationId": "returnLoan", "status": "200", "reason": "it takes a card", "without": "$inputs.card",
    }]);
    flows
}

async fn with_card(card: Option<Value>) -> Report {
    let mut library = library::start(None);
    if let Some(card) = card {
        library.inputs["card"] = card;
    }
    let contract = contract();
    let flows = Flows::new(flows(), &contract).expect("flows");
    let options = Options { cases: 1, ..Options::default() };
    run(contract, flows, &library.inputs, &library.base_url, options).await.expect("a run")
}

/// The state of the response 200 of an operation.
fn success<'r>(report: &'r Report, id: &str) -> &'r State {
    let operation = report.operations.iter().find(|operation| operation.id == id).expect("an operation");
    &operation.cells.iter().find(|cell| cell.status == "200").expect("a success").state
}

fn text(report: &Report) -> String {
    Format::Text.render(report, false)
}

#[tokio::test(flavor = "multi_thread")]
async fn flow_without_its_inputs_is_skipped() {
    let report = with_card(None).await;
    assert_eq!(report.verdict(), Verdict::Clean, "{}", text(&report));
    for note in [
        "flow bookIsLent is skipped, because the inputs do not satisfy its schema: \"card\" is a required property",
        "getLoan: flow bookIsLent, which would test it, is skipped",
    ] {
        assert!(report.notes.iter().any(|known| known == note), "{note}\n{}", text(&report));
    }
    let dependent = "flow ownerLooks stopped: flow bookIsLent is skipped";
    assert!(report.notes.iter().any(|note| note.starts_with(dependent)), "{}", text(&report));
    // Unreachable as declared in the flows; otherwise missing.
    assert_eq!(success(&report, "returnLoan"), &State::Unreachable("it takes a card".to_owned()));
    assert!(!report.notes.iter().any(|note| note.starts_with("returnLoan")), "{}", text(&report));
    assert_eq!(success(&report, "getLoan"), &State::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn flow_with_its_inputs_is_run() {
    let report = with_card(Some(json!("c-1"))).await;
    assert_eq!((report.verdict(), success(&report, "returnLoan")), (Verdict::Clean, &State::Covered));
    assert_eq!(report.totals(|_| true).missing, 0, "{}", text(&report));
    assert!(!text(&report).contains("skipped"), "{}", text(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_is_reported_without_its_value() {
    let report = with_card(Some(json!(471_147))).await;
    let note = report.notes.iter().find(|note| note.contains("bookIsLent is skipped")).expect("a note");
    assert!(note.contains("card: ") && note.contains("\"string\"") && !note.contains("471147"), "{note}");
    assert_eq!(success(&report, "returnLoan"), &State::Missing, "{}", text(&report));
}

#[test]
fn rejects_flows_with_invalid_input_schemas() {
    let contract = contract();
    let refused = |flows: Value| format!("{:#}", Flows::new(flows, &contract).expect_err("no flows"));
    let mut unreadable = flows();
    unreadable["workflows"][0]["inputs"] = json!({ "type": "card" });
    assert!(refused(unreadable).contains("libraryAnswers: its inputs"));
    let mut never = flows();
    never["x-conformance"]["unreachable"][0]["without"] = json!("$steps.lend.outputs.card");
    assert!(refused(never).contains("$inputs.NAME"));
}

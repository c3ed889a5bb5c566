//! Errors that the contract documents only as a range such as `4XX`.

use std::sync::Arc;

use conformance::contract::Contract;
use conformance::flows::Flows;
use conformance::report::{Coverage, Format, OperationReport, Report, State, Verdict};
use conformance::run::{Options, run};
use serde_json::Value;

use crate::library;

/// The library's contract with `4XX` instead of all error statuses.
fn contract() -> Arc<Contract> {
    let mut document: Value = serde_json::from_str(library::CONTRACT).expect("JSON");
    let items = document["paths"].as_object_mut().expect("paths").values_mut();
    let operations = items.flat_map(|item| item.as_object_mut().expect("an item").values_mut());
    for responses in operations.filter_map(|operation| operation.get_mut("responses")?.as_object_mut()) {
        let refusals: Vec<String> = responses.keys().filter(|name| name.starts_with('4')).cloned().collect();
        let error = refusals.iter().map(|name| responses.remove(name)).last().flatten();
        responses.extend(error.map(|error| ("4XX".to_owned(), error)));
    }
    let settings = toml::from_str(library::SETTINGS).expect("settings");
    Arc::new(Contract::new(document, None, settings).expect("a contract"))
}

/// Runs one operation, with flows modified by `change`.
async fn of(operation: &str, change: impl FnOnce(&mut Value)) -> Report {
    let mut flows: Value = serde_json::from_str(library::FLOWS).expect("JSON");
    change(&mut flows);
    let (library, contract) = (library::start(None), contract());
    let flows = Flows::new(flows, &contract).expect("flows");
    let options = Options { cases: 1, only: vec![operation.to_owned()], ..Options::default() };
    let report = run(contract, flows, &library.inputs, &library.base_url, options).await.expect("a run");
    assert_eq!(report.verdict(), Verdict::Clean, "{}", text(&report));
    report
}

fn text(report: &Report) -> String {
    Format::Text.render(report, false)
}

fn states<'r>(report: &'r Report, status: &str) -> Vec<(&'r str, &'r State)> {
    let [OperationReport { cells, .. }] = report.operations.as_slice() else { panic!("{}", text(report)) };
    let of_status = cells.iter().filter(|cell| cell.status == status);
    of_status.map(|cell| (cell.code.as_str(), &cell.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_error_code_is_lost_coverage() {
    let whole = of("deleteBook", |_| ()).await;
    let conflicts = states(&whole, "409");
    let [(code, State::Covered)] = conflicts.as_slice() else { panic!("{}", text(&whole)) };
    let known = Coverage::of(&whole);
    let without = of("deleteBook", |flows| {
        for workflow in flows["workflows"].as_array_mut().expect("flows") {
            workflow["steps"]
                .as_array_mut()
                .expect("steps")
                .retain(|step| step["stepId"] != "removeTooEarly");
        }
    })
    .await;
    let lost = known.lost(&without, |_| true);
    let [line] = lost.as_slice() else { panic!("{lost:?}") };
    assert!(line.starts_with(&format!("deleteBook: 409 application/json {code} was covered")), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn implied_statuses_are_missing_until_seen() {
    let whole = of("createBook", |_| ()).await;
    assert_eq!(states(&whole, "403"), [("SCOPE_DENIED", &State::Covered)], "{}", text(&whole));
    assert_eq!(whole.totals(|_| true).missing, 0, "{}", text(&whole));
    let without = of("createBook", |flows| {
        let credentials = flows["x-conformance"]["credentials"].as_array_mut().expect("credentials");
        credentials.retain(|one| one.get("scopes").is_none());
    })
    .await;
    assert_eq!(states(&without, "403"), [("", &State::Missing)], "{}", text(&without));
}

#[test]
fn contract_implies_statuses() {
    let contract = contract();
    let of = |id: &str| {
        let operation = contract.operation(id).expect("an operation");
        operation.implied_statuses.iter().copied().collect::<Vec<_>>()
    };
    assert_eq!(of("getHealth"), Vec::<u16>::new());
    assert_eq!(of("getOwner"), [401]);
    assert_eq!(of("listBooks"), [401, 403]);
    assert_eq!(of("createLoan"), [401, 403, 422]);
}

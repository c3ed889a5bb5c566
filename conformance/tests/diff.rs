//! The generated trait as dropshot describes it, compared with the contract.

use conformance::diff::compare;
use serde_json::{Value, json};

fn documents() -> (Value, Value) {
    let contract = serde_json::from_str(ringnity_api::CONTRACT).expect("the contract is JSON");
    let description = ringnity_api::stub_api_description().expect("a description");
    let description =
        description.openapi("description", semver::Version::new(0, 0, 0)).json().expect("a document");
    (contract, description)
}

#[test]
fn trait_matches_the_contract() {
    let (contract, description) = documents();
    let comparison = compare(&contract, &description, ringnity_api::routes()).expect("two documents");
    println!(
        "{} operations compared, {} dispatched: {:?}",
        comparison.compared,
        comparison.dispatched.len(),
        comparison.dispatched
    );
    assert_eq!(comparison.differences, []);
    assert_eq!(comparison.compared + comparison.dispatched.len(), ringnity_api::OPERATIONS.len());
}

#[test]
fn finds_seeded_differences() {
    let (mut contract, description) = documents();
    contract["paths"]["/server/contacts"]["get"]["parameters"]
        .as_array_mut()
        .expect("parameters")
        .push(json!({ "in": "query", "name": "colour", "required": true }));
    contract["paths"]["/server/contacts/{id}"]["get"]["operationId"] = json!("fetchContact");
    let found: Vec<String> = compare(&contract, &description, ringnity_api::routes())
        .expect("two documents")
        .differences
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        [
            "GET /api/server/contacts: parameter query colour: the contract says required, the server describes nothing",
            "GET /api/server/contacts/{id}: operationId: the contract says fetchContact, the server describes getContact",
        ]
    );
}

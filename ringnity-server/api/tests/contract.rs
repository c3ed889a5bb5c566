//! The checks compiled from Ringnity's own contract.

use std::time::{Duration, Instant};

use ringnity_api::runtime::ParamLocation;
use ringnity_api::{
    CREDENTIALS, OPERATIONS, Operation, SchemaValidator, routes, schema_validator, stub_api_description,
};
use ringnity_domain::Feature;
use serde_json::{Value, json};

fn operation(id: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.id == id).unwrap_or_else(|| panic!("{id} is there"))
}

fn refused(boundary: &SchemaValidator, id: &str, body: Value) -> Vec<String> {
    boundary.check_body(operation(id), &body)
}

#[test]
fn every_operation_stands_in_its_place() {
    for (index, operation) in OPERATIONS.iter().enumerate() {
        assert_eq!(operation.index, index);
        assert!(operation.path.starts_with('/'), "{}", operation.path);
    }
}

/// A key that is misspelt would be a feature that no plan includes.
#[test]
fn every_feature_of_the_contract_is_known() {
    let of_kinds = CREDENTIALS.iter().filter_map(|kind| kind.feature);
    let features: Vec<&str> =
        OPERATIONS.iter().filter_map(|operation| operation.feature).chain(of_kinds).collect();
    assert!(features.contains(&"contacts") && features.contains(&"server_api"), "{features:?}");
    for feature in features {
        assert!(Feature::from_key(feature).is_some(), "{feature}");
    }
}

#[test]
fn dropshot_routes_what_the_contract_says() {
    let version = dropshot::semver::Version::new(1, 0, 0);
    let described =
        stub_api_description().expect("describes").openapi("Ringnity", version).json().expect("is JSON");
    let mut found = 0;
    for operation in OPERATIONS {
        let endpoint = &described["paths"][operation.path][operation.method.to_lowercase()];
        if endpoint.is_null() {
            // A literal beside a variable, which answers for it.
            let routed = |(method, path): &(&str, &str)| {
                *method == operation.method
                    && path.contains('}')
                    && path.split('/').count() == operation.path.split('/').count()
                    && path
                        .split('/')
                        .zip(operation.path.split('/'))
                        .all(|(a, b)| a == b || a.starts_with('{'))
            };
            assert!(routes().iter().any(routed), "{} {}", operation.method, operation.path);
            continue;
        }
        found += 1;
        assert_eq!(endpoint["operationId"], operation.id);
        assert_eq!(endpoint["tags"], json!([operation.tag]));
        let mut params: Vec<(String, String, bool)> = endpoint["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|param| {
                let text = |key: &str| param[key].as_str().expect("is text").to_owned();
                (text("in"), text("name"), param["required"] == json!(true))
            })
            .collect();
        let mut expected: Vec<(String, String, bool)> = operation
            .params
            .iter()
            // dropshot cannot describe cookies.
            .filter(|param| param.location != ParamLocation::Cookie)
            .map(|param| (param.location.token().to_owned(), param.name.to_owned(), param.required))
            .collect();
        params.sort();
        expected.sort();
        assert_eq!(params, expected, "{}", operation.id);
    }
    assert!(found + 12 > OPERATIONS.len(), "{found} of {}", OPERATIONS.len());
}

#[test]
fn the_checks_are_ready_soon_after_start() {
    let started = Instant::now();
    schema_validator().expect("compiles");
    let took = started.elapsed();
    // Far above what it takes; a check that is slow by mistake takes seconds.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn every_answer_has_a_check_that_compiles() {
    let boundary = schema_validator().expect("compiles");
    for operation in OPERATIONS {
        let lines = boundary.check_response(
            operation,
            http::StatusCode::BAD_REQUEST,
            Some("application/json"),
            Some(b"7"),
        );
        assert_eq!(lines, ["/body: must be an object"], "{}", operation.id);
    }
}

#[test]
fn a_rule_of_two_members_is_a_sentence() {
    let boundary = schema_validator().expect("compiles");
    let lines = refused(&boundary, "unregisterDevicePushToken", json!({}));
    assert!(lines.len() == 1 && lines[0].contains("/body/token: is required"), "{lines:?}");
    assert!(
        refused(&boundary, "unregisterDevicePushToken", json!({ "token": "t", "deviceId": "d" })).is_empty()
    );
}

#[test]
fn what_every_example_of_the_contract_says_passes_its_check() {
    let boundary = schema_validator().expect("compiles");
    let mut seen = 0;
    for operation in OPERATIONS {
        let pointer = format!("{}/requestBody/content", operation.pointer.trim_start_matches('#'));
        let Some(content) = boundary.document().pointer(&pointer).and_then(Value::as_object) else {
            continue;
        };
        for (content_type, media) in content.iter().filter(|(name, _)| {
            !name.contains("multipart") && !name.contains("sdp") && !name.starts_with("text/")
        }) {
            let named =
                media["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
            for example in media.get("example").into_iter().chain(named) {
                seen += 1;
                let lines = boundary.check_body(operation, example);
                assert!(lines.is_empty(), "{} {content_type}: {lines:?}", operation.id);
            }
        }
    }
    assert!(seen > 0, "the contract has examples");
}

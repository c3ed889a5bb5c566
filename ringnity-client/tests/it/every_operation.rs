//! Calls every operation of the contract with every kind of credential that it accepts, and compares method, path,
//! credential, parameters and content type with the effective contract, independently of the generator.

use std::collections::{BTreeMap, BTreeSet};

use ringnity_client::{Client, OPERATIONS};
use serde_json::Value;

use crate::generated::{CASES, call};
use crate::mock_server::{MockResponse, MockServer, RecordedRequest};

/// What the contract says about one operation.
struct Expected {
    method: String,
    path: String,
    kinds: BTreeSet<String>,
    query: BTreeSet<String>,
    headers: BTreeSet<String>,
    media: Vec<String>,
    body_required: bool,
}

fn contract() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ringnity-server/api/src/generated/contract.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("the contract is JSON")
}

fn resolve<'v>(contract: &'v Value, value: &'v Value) -> &'v Value {
    match value["$ref"].as_str() {
        Some(reference) => contract.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}")),
        None => value,
    }
}

/// The kinds of credential of a security scheme.
fn kinds_of_scheme(scheme: &str) -> &'static [&'static str] {
    match scheme {
        "ServerApiKey" => &["server"],
        "RuntimeBearer" => &["visitor", "agent", "admin"],
        "DashboardBearer" => &["owner", "workspace"],
        "OwnerBearer" => &["owner"],
        "WorkspaceBearer" => &["workspace"],
        "PlatformBearer" => &["platform"],
        "OAuthAccessToken" => &["oauth"],
        other => panic!("unknown scheme {other}"),
    }
}

fn expected() -> BTreeMap<String, Expected> {
    let contract = contract();
    let mut out = BTreeMap::new();
    for (path, item) in contract["paths"].as_object().expect("has paths") {
        let servers = item.get("servers").unwrap_or(&contract["servers"]);
        let server = servers[0]["url"].as_str().expect("names a server");
        let prefix = server.splitn(4, '/').nth(3).map_or_else(String::new, |path| format!("/{path}"));
        for (method, operation) in item.as_object().expect("is an object") {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let principals: Option<Vec<&str>> = operation["x-ringnity-principals"]
                .as_array()
                .map(|all| all.iter().filter_map(Value::as_str).collect());
            let mut kinds = BTreeSet::new();
            let security = operation.get("security").or_else(|| contract.get("security"));
            for alternative in security.and_then(Value::as_array).into_iter().flatten() {
                let alternative = alternative.as_object().expect("is an object");
                if alternative.is_empty() {
                    kinds.insert(String::new());
                }
                for kind in alternative.keys().flat_map(|scheme| kinds_of_scheme(scheme)) {
                    if principals.as_ref().is_none_or(|allowed| allowed.contains(kind)) {
                        kinds.insert((*kind).to_owned());
                    }
                }
            }
            if kinds.is_empty() {
                kinds.insert(String::new());
            }
            let (mut query, mut headers) = (BTreeSet::new(), BTreeSet::new());
            let shared = item["parameters"].as_array().into_iter().flatten();
            for parameter in shared.chain(operation["parameters"].as_array().into_iter().flatten()) {
                let parameter = resolve(&contract, parameter);
                let name = parameter["name"].as_str().expect("has a name").to_owned();
                match parameter["in"].as_str() {
                    Some("query") => query.insert(name),
                    Some("header") => headers.insert(name),
                    _ => true,
                };
            }
            let body = operation.get("requestBody").map(|body| resolve(&contract, body));
            let content = body.and_then(|body| body["content"].as_object());
            let known = out.insert(
                id.to_owned(),
                Expected {
                    method: method.to_uppercase(),
                    path: format!("{prefix}{path}"),
                    kinds,
                    query,
                    headers,
                    media: content.into_iter().flatten().map(|(media, _)| media.clone()).collect(),
                    body_required: body.is_some_and(|body| body["required"] == true),
                },
            );
            assert!(known.is_none(), "{id} twice");
        }
    }
    out
}

#[test]
fn has_every_operation_of_the_contract() {
    let expected = expected();
    assert!(expected.len() >= 112, "{} operations", expected.len());
    let expected: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(OPERATIONS.iter().map(|operation| operation.id).collect::<BTreeSet<_>>(), expected);
    assert_eq!(CASES.iter().map(|case| case.id).collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn every_operation_is_sent_as_documented() {
    let expected = expected();
    let server = MockServer::start(MockResponse::new(200, "", "")).await;
    let client = Client::new(&server.url).expect("builds");
    let mut calls = 0;
    for case in CASES {
        let expected = &expected[case.id];
        let kinds: BTreeSet<String> = case.kinds.iter().map(|kind| (*kind).to_owned()).collect();
        assert_eq!(kinds, expected.kinds, "credentials of {}", case.id);
        let mut response = MockResponse::new(case.status, case.content_type, case.body);
        if (300..400).contains(&case.status) {
            response = response.header("Location", "https://example.com/back");
        }
        server.respond_with(response);
        for kind in case.kinds {
            let status = call(case.id, kind, &client)
                .await
                .unwrap_or_else(|error| panic!("{} as {kind:?}: {error} {error:?}\n{}", case.id, case.body));
            assert_eq!(status, case.status, "{}", case.id);
            check(case.id, kind, expected, &server.single_request());
            calls += 1;
        }
    }
    assert!(calls > CASES.len(), "no operation accepts several kinds of credential");
}

fn check(id: &str, kind: &str, expected: &Expected, request: &RecordedRequest) {
    assert_eq!(request.method, expected.method, "{id}");
    let (template, path): (Vec<&str>, Vec<&str>) =
        (expected.path.split('/').collect(), request.path.split('/').collect());
    assert_eq!(template.len(), path.len(), "{id}: {} for {}", request.path, expected.path);
    for (template, part) in template.iter().zip(&path) {
        assert!(
            if template.starts_with('{') {
                !part.is_empty() && !part.contains('{')
            } else {
                template == part
            },
            "{id}: {} for {}",
            request.path,
            expected.path
        );
    }

    let secret = format!("secret-of-{kind}");
    let (session, bearer) = (request.header("X-Ringnity-SDK-Session"), request.header("Authorization"));
    match kind {
        "" => assert_eq!((session, bearer), (None, None), "{id} sends a credential"),
        "visitor" | "agent" | "admin" => assert_eq!((session, bearer), (Some(&*secret), None), "{id}"),
        _ => assert_eq!((session, bearer), (None, Some(&*format!("Bearer {secret}"))), "{id}"),
    }

    let query: BTreeSet<String> = request.query.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(query, expected.query, "query of {id}");
    for header in &expected.headers {
        assert!(request.header(header).is_some(), "{id} does not send {header}");
    }
    assert_eq!(request.header("api-version"), None, "{id} sends an undocumented header");

    let content_type = request.header("content-type").map(|value| value.split(';').next().unwrap_or(value));
    if expected.media.is_empty() {
        assert_eq!((content_type, request.body.len()), (None, 0), "{id} has no body");
    } else {
        let content_type = content_type.unwrap_or_else(|| panic!("{id} sends no content type"));
        assert!(expected.media.iter().any(|media| media == content_type), "{id}: {content_type}");
        assert!(!request.body.is_empty() || !expected.body_required, "{id} sends no body");
        if content_type == "application/json" {
            request.json();
        }
    }
}

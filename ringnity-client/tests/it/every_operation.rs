//! Every operation of the contract, with every kind of credential that opens it: method, whole path,
//! credential, parameters and content type, read from the effective contract itself and not from the
//! generator's idea of it.

use std::collections::{BTreeMap, BTreeSet};

use ringnity_client::{Client, OPERATIONS};
use serde_json::Value;

use crate::generated::{CASES, call};
use crate::server::{Answer, Seen, Server};

/// What the contract says of one operation.
struct Said {
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

/// The kinds of credential that a security scheme carries.
fn carried(scheme: &str) -> &'static [&'static str] {
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

fn said() -> BTreeMap<String, Said> {
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
                for kind in alternative.keys().flat_map(|scheme| carried(scheme)) {
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
                Said {
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
fn no_operation_is_missing() {
    let said = said();
    assert!(said.len() >= 112, "{} operations", said.len());
    let said: BTreeSet<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(OPERATIONS.iter().map(|operation| operation.id).collect::<BTreeSet<_>>(), said);
    assert_eq!(CASES.iter().map(|case| case.id).collect::<BTreeSet<_>>(), said);
}

#[tokio::test]
async fn every_operation_goes_over_the_wire_as_the_contract_says() {
    let said = said();
    let server = Server::start(Answer::new(200, "", "")).await;
    let client = Client::new(&server.url).expect("builds");
    let mut calls = 0;
    for case in CASES {
        let said = &said[case.id];
        let kinds: BTreeSet<String> = case.kinds.iter().map(|kind| (*kind).to_owned()).collect();
        assert_eq!(kinds, said.kinds, "who may call {}", case.id);
        let mut answer = Answer::new(case.status, case.content_type, case.body);
        if (300..400).contains(&case.status) {
            answer = answer.header("Location", "https://example.com/back");
        }
        server.answer(answer);
        for kind in case.kinds {
            let status = call(case.id, kind, &client)
                .await
                .unwrap_or_else(|error| panic!("{} as {kind:?}: {error} {error:?}\n{}", case.id, case.body));
            assert_eq!(status, case.status, "{}", case.id);
            check(case.id, kind, said, &server.one());
            calls += 1;
        }
    }
    assert!(calls > CASES.len(), "some operations are called as several kinds");
}

fn check(id: &str, kind: &str, said: &Said, seen: &Seen) {
    assert_eq!(seen.method, said.method, "{id}");
    let (template, path): (Vec<&str>, Vec<&str>) =
        (said.path.split('/').collect(), seen.path.split('/').collect());
    assert_eq!(template.len(), path.len(), "{id}: {} for {}", seen.path, said.path);
    for (template, part) in template.iter().zip(&path) {
        assert!(
            if template.starts_with('{') {
                !part.is_empty() && !part.contains('{')
            } else {
                template == part
            },
            "{id}: {} for {}",
            seen.path,
            said.path
        );
    }

    let secret = format!("secret-of-{kind}");
    let (session, bearer) = (seen.header("X-Ringnity-SDK-Session"), seen.header("Authorization"));
    match kind {
        "" => assert_eq!((session, bearer), (None, None), "{id} sends a credential it does not have"),
        "visitor" | "agent" | "admin" => assert_eq!((session, bearer), (Some(&*secret), None), "{id}"),
        _ => assert_eq!((session, bearer), (None, Some(&*format!("Bearer {secret}"))), "{id}"),
    }

    let query: BTreeSet<String> = seen.query.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(query, said.query, "query of {id}");
    for header in &said.headers {
        assert!(seen.header(header).is_some(), "{id} does not send {header}");
    }
    assert_eq!(seen.header("api-version"), None, "{id} sends a header that the contract does not know");

    let content_type = seen.header("content-type").map(|value| value.split(';').next().unwrap_or(value));
    if said.media.is_empty() {
        assert_eq!((content_type, seen.body.len()), (None, 0), "{id} has no body");
    } else {
        let content_type = content_type.unwrap_or_else(|| panic!("{id} sends no content type"));
        assert!(said.media.iter().any(|media| media == content_type), "{id}: {content_type}");
        assert!(!seen.body.is_empty() || !said.body_required, "{id} sends no body");
        if content_type == "application/json" {
            seen.json();
        }
    }
}

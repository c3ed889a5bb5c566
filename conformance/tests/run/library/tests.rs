//! Tests of the library itself: it obeys its contract, and every seed is observable.

use std::collections::HashSet;
use std::time::Duration;

use conformance::values::{Document, reference};
use serde_json::{Value, json};

use super::client::{Exchange, LibraryClient};
use super::{CONTRACT, FLOWS, Library, SETTINGS, Seed, start};

/// The rules of the checker.
const RULES: [&str; 22] = [
    "status",
    "content-type",
    "header",
    "body",
    "not-json",
    "server-error",
    "code",
    "allow",
    "secret",
    "accepted",
    "refused",
    "credential",
    "scope",
    "tenant",
    "effect",
    "page",
    "idempotency",
    "media-type",
    "method",
    "limit",
    "request-id",
    "time-out",
];

#[tokio::test]
async fn library_without_seed_follows_its_flows() {
    let library = start(None);
    let client = LibraryClient::new(&library);
    let key = client.key("serverKey");
    let token = client.sign_in("").await;
    let owner = client.get("/owner", &token).await;
    assert_eq!(owner.body["email"], library.inputs["owner"]["email"]);

    let whale =
        json!({ "title": "The Whale", "subtitle": "A voyage", "genre": "novel", "year": 1851, "copies": 3 });
    let created = client.send("POST", "/books", &key, Some(whale)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let path = created.header("location").to_owned();
    assert_eq!(client.get(&path, &key).await.body, created.body);
    let elsewhere = client.raw("GET", &path, "", &[("X-Library-Key", &key)], None).await;
    assert_eq!(elsewhere.body, created.body, "a key may travel in a header of its own");
    for title in ["Second", "Third"] {
        let book = json!({ "title": title, "genre": "essay", "year": 1580 });
        assert_eq!(client.send("POST", "/books", &key, Some(book)).await.status, 201);
    }
    let page = client.get("/books?limit=2&page=2", &key).await.body;
    assert_eq!(
        (&page["total"], &page["hasMore"], &page["items"][0]),
        (&json!(3), &json!(false), &created.body)
    );
    let changed =
        client.send("PATCH", &path, &key, Some(json!({ "subtitle": null, "status": "repair" }))).await;
    assert_eq!((changed.status, &changed.body["subtitle"]), (200, &Value::Null));
    assert_eq!(client.get(&path, &key).await.body, changed.body);
    let foreign =
        client.get(&path, library.inputs["otherTenant"]["serverKey"].as_str().expect("a key")).await;
    assert_eq!((foreign.status, &foreign.body["code"]), (404, &json!("NOT_FOUND")));
    assert_eq!(client.send("DELETE", &path, &key, None).await.status, 204);
    assert_eq!(client.get(&path, &key).await.status, 404);
}

#[tokio::test]
async fn responses_without_seed_match_the_contract() {
    let root: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    let document = Document::new(root.clone()).expect("a document of schemas");
    let exchange = LibraryClient::new(&start(None)).everything().await;
    let mut called = HashSet::new();
    for one in exchange.iter().filter(|one| !one.operation.is_empty()) {
        called.insert(one.operation);
        let problems = problems(&root, &document, one);
        assert!(problems.is_empty(), "{}: {problems:?}: {one:?}", one.what);
    }
    let operations: usize = root["paths"]
        .as_object()
        .expect("paths")
        .values()
        .map(|item| {
            ["get", "put", "post", "patch", "delete"]
                .iter()
                .filter(|method| item.get(**method).is_some())
                .count()
        })
        .sum();
    assert_eq!(called.len(), operations, "{called:?}");
}

/// The deviations of a response from the contract.
fn problems(root: &Value, document: &Document, exchange: &Exchange) -> Vec<String> {
    let mut out = Vec::new();
    let (pointer, operation) = operation(root, exchange.operation);
    let status = exchange.status.to_string();
    let Some(name) =
        [status.as_str(), "4XX"].into_iter().find(|name| operation["responses"].get(name).is_some())
    else {
        return vec![format!("{status} is not documented")];
    };
    let mut place = format!("{pointer}/responses/{name}");
    if let Some(target) = operation["responses"][name]["$ref"].as_str() {
        place = target.to_owned();
    }
    let answer = root.pointer(&place[1..]).expect("the answer is in the contract");
    for (name, header) in answer["headers"].as_object().into_iter().flatten() {
        let target = header["$ref"].as_str().map(str::to_owned);
        let at = target.unwrap_or_else(|| format!("{place}/headers/{name}"));
        let schema = document.schema(&format!("{at}/schema")).expect("a header has a schema");
        if !schema.validator().expect("it compiles").is_valid(&json!(exchange.header(name))) {
            out.push(format!("header {name} is {:?}", exchange.header(name)));
        }
    }
    let media = exchange.header("content-type").split(';').next().unwrap_or_default();
    match answer.get("content") {
        None if exchange.text.is_empty() => {}
        None => out.push("a body where there is none".to_owned()),
        Some(content) if content.get(media).is_none() => out.push(format!("content type {media:?}")),
        Some(_) => {
            let at = format!("{place}/content/{}/schema", media.replace('/', "~1"));
            let schema = document.schema(&at).expect("the content has a schema");
            let value =
                if media == "application/json" { exchange.body.clone() } else { json!(exchange.text) };
            out.extend(
                schema.validator().expect("it compiles").iter_errors(&value).map(|error| error.to_string()),
            );
        }
    }
    out
}

/// JSON pointer of an operation, and the operation.
fn operation<'v>(root: &'v Value, id: &str) -> (String, &'v Value) {
    for (path, item) in root["paths"].as_object().expect("there are paths") {
        for (method, operation) in item.as_object().expect("a path has methods") {
            if operation["operationId"] == id {
                return (format!("#/paths/{}/{method}", path.replace('/', "~1")), operation);
            }
        }
    }
    panic!("{id} is not in the contract")
}

#[tokio::test]
async fn library_without_seed_validates_requests() {
    let root: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    let document = Document::new(root.clone()).expect("a document of schemas");
    let library = start(None);
    let client = LibraryClient::new(&library);
    let key = client.key("serverKey");
    let book = json!({ "title": "One", "genre": "essay", "year": 1580 });
    let book = client.send("POST", "/books", &key, Some(book)).await;
    let path = book.header("location").to_owned();
    let bodies = [
        ("createBook", "POST", "/books"),
        ("updateBook", "PATCH", &path),
        ("createLoan", "POST", "/loans"),
        ("loginOwner", "POST", "/owner/login"),
    ];
    for (id, method, path) in bodies {
        let at = format!("{}/requestBody/content/application~1json/schema", operation(&root, id).0);
        let schema = document.schema(&at).expect("the body has a schema");
        let mut valid = schema.samples(20, 7).expect("samples");
        valid.extend(schema.boundaries(None).expect("boundaries").cases.into_iter().map(|case| case.value));
        for value in valid {
            let exchange = client.send(method, path, &key, Some(value.clone())).await;
            assert!(matches!(exchange.status, 200 | 201 | 401 | 404), "{id}: {value}: {exchange:?}");
        }
        for case in schema.mutants(None).expect("mutants").cases {
            let exchange = client.send(method, path, &key, Some(case.value.clone())).await;
            assert_eq!(exchange.status, 400, "{id}: {}: {exchange:?}", case.description);
            assert_eq!(exchange.body["code"], "REQUEST_INVALID");
        }
    }
    let params = [
        ("/books", "page", "#/components/parameters/Page/schema"),
        ("/loans", "limit", "#/components/parameters/Limit/schema"),
        ("/books", "genre", "#/components/schemas/Genre"),
        ("/loans", "cursor", "#/paths/~1loans/get/parameters/0/schema"),
    ];
    for (path, name, at) in params {
        let schema = document.schema(&reference(at)).expect("the parameter has a schema");
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let validator = schema.validator().expect("it compiles");
        for case in schema.boundaries(None).expect("boundaries").cases {
            let exchange = client.get(&format!("{path}?{name}={}", text(&case.value)), &key).await;
            assert_eq!(exchange.status, 200, "{name}: {}: {exchange:?}", case.value);
        }
        for case in schema.mutants(None).expect("mutants").cases {
            // Some mutants are valid once they are text.
            let sent = text(&case.value);
            if validator.is_valid(&json!(sent)) || case.value == json!("12") {
                continue;
            }
            let exchange = client.get(&format!("{path}?{name}={sent}"), &key).await;
            assert_eq!(exchange.status, 400, "{name}: {}: {exchange:?}", case.value);
        }
    }
}

#[tokio::test]
async fn every_seed_is_observable() {
    let right = shown(&start(None)).await;
    assert_eq!(right, shown(&start(None)).await, "two libraries without a seed differ");
    let mut unseen = Vec::new();
    for seed in Seed::ALL {
        let wrong = shown(&start(Some(*seed))).await;
        let differing = right.iter().zip(&wrong).filter(|(right, wrong)| right != wrong).count();
        if differing == 0 {
            unseen.push(seed);
        }
        // A seed changes one response and those that depend on it, not most of them.
        assert!(differing * 2 < right.len() || *seed == Seed::RequestIdMissing, "{seed:?} changes too much");
    }
    assert!(unseen.is_empty(), "not observable: {unseen:?}");
}

/// One line per response without members that differ every time, and whether all request ids differ.
async fn shown(library: &Library) -> Vec<String> {
    let exchange = LibraryClient::new(library).everything().await;
    let ids: Vec<&str> =
        exchange.iter().map(|one| one.header("x-request-id")).filter(|id| !id.is_empty()).collect();
    let different: HashSet<&&str> = ids.iter().collect();
    let mut lines: Vec<String> = exchange.iter().map(Exchange::line).collect();
    lines.push(format!("every X-Request-Id is another: {}", ids.len() == different.len()));
    lines
}

#[test]
fn seeds_name_existing_rules() {
    assert!(Seed::ALL.len() >= 48);
    let descriptions: HashSet<&str> = Seed::ALL.iter().map(|seed| seed.description()).collect();
    assert_eq!(descriptions.len(), Seed::ALL.len(), "two seeds do the same");
    let unknown = |seed: &&Seed| seed.rules().iter().any(|rule| !RULES.contains(rule));
    assert_eq!(Seed::ALL.iter().find(unknown), None);
    let named: HashSet<&str> = Seed::ALL.iter().flat_map(|seed| seed.rules()).copied().collect();
    let idle: Vec<&str> = RULES.into_iter().filter(|rule| !named.contains(rule)).collect();
    assert!(idle.is_empty(), "no seed breaks {idle:?}");
}

#[test]
fn flows_and_settings_match_the_contract() {
    let root: Value = serde_json::from_str(CONTRACT).expect("the contract is JSON");
    let flows: Value = serde_json::from_str(FLOWS).expect("the flows are JSON");
    let settings: toml::Value = toml::from_str(SETTINGS).expect("the settings are TOML");
    let steps =
        flows["workflows"].as_array().expect("workflows").iter().flat_map(|flow| flow["steps"].as_array());
    let named: HashSet<&str> = steps.flatten().filter_map(|step| step["operationId"].as_str()).collect();
    for id in &named {
        operation(&root, id);
    }
    assert_eq!(named.len(), 15, "{named:?}");
    for kind in settings["principal"].as_array().expect("kinds") {
        let scheme = kind["scheme"].as_str().expect("a scheme");
        assert!(root["components"]["securitySchemes"].get(scheme).is_some(), "{scheme}");
    }
    assert!(Duration::from_secs(1) > super::client::RESPONSE_TIMEOUT);
}

//! Requests for every operation of the contract: path, credential and a valid body.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use conformance::contract::Contract;
use conformance::ringnity;
use reqwest::RequestBuilder;
use ringnity_api::Operation;
use ringnity_api::runtime::{Access, CredentialKind, CredentialLocation, ErrorField};
use serde_json::Value;

use crate::support::TestServer;

static CONTRACT: LazyLock<Arc<Contract>> = LazyLock::new(|| ringnity::contract().expect("a contract"));

/// The contract as the conformance checker reads it.
pub fn contract() -> &'static Contract {
    &CONTRACT
}

/// The operation's path, with `id` for every variable.
pub fn path(operation: &Operation, id: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { id.to_owned() } else { segment.to_owned() };
    operation.path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Whether the operation's path has variables.
pub fn has_id(operation: &Operation) -> bool {
    operation.path.contains('{')
}

pub fn kind(name: &str) -> &'static CredentialKind {
    ringnity_api::CREDENTIALS.iter().find(|kind| kind.kind == name).expect("a kind")
}

/// The error code of an answer, in the operation's error body.
pub fn code<'a>(operation: &Operation, answer: &'a Value) -> &'a str {
    let member = operation.errors.members.iter().find(|member| matches!(member.field, ErrorField::Code));
    member.and_then(|member| answer[member.name].as_str()).unwrap_or_default()
}

/// A request with a credential in that location.
pub fn with(request: RequestBuilder, source: CredentialLocation, credential: &str) -> RequestBuilder {
    match source {
        CredentialLocation::Bearer => request.bearer_auth(credential),
        CredentialLocation::Basic => request.header("authorization", format!("Basic {credential}")),
        CredentialLocation::Header(name) => request.header(name, credential),
        CredentialLocation::Query(name) => request.query(&[(name, credential)]),
        CredentialLocation::Cookie(name) => request.header("cookie", format!("{name}={credential}")),
    }
}

/// Sends the request. The answer must come in time, must not be a 500, must have a request id, and must have the
/// operation's error body if it is an error.
pub async fn send(operation: &Operation, what: &str, request: RequestBuilder) -> (u16, Value, String) {
    let request = request.timeout(std::time::Duration::from_secs(30));
    let answer = request.send().await.unwrap_or_else(|error| panic!("{} {what}: {error}", operation.id));
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap_or_else(|error| panic!("{} {what}: {error}", operation.id));
    let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    assert_ne!(status, 500, "{} {what}: a 500 is a bug: {text}", operation.id);
    assert!(headers.contains_key("x-request-id"), "{} {what}: {status} {text}", operation.id);
    if status >= 400 {
        for member in operation.errors.members.iter().filter(|member| !member.optional) {
            assert!(json.get(member.name).is_some(), "{} {what}: no {}: {text}", operation.id, member.name);
        }
        assert!(!code(operation, &json).is_empty(), "{} {what}: {text}", operation.id);
    }
    (status, json, text)
}

/// A client that follows no redirects.
pub fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.build().expect("client")
}

pub fn request(
    server: &TestServer,
    http: &reqwest::Client,
    operation: &Operation,
    id: &str,
) -> RequestBuilder {
    let method = operation.method.parse().expect("a method");
    http.request(method, format!("{}{}", server.base, path(operation, id)))
}

/// A credential of each kind with every scope.
pub async fn powers(server: &TestServer) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("owner", server.owner_token().await),
        ("workspace", server.workspace_token("amy").await),
        ("platform", server.platform_token().await),
        ("server", server.key().to_owned()),
        ("visitor", server.visitor_token("acme").await),
        ("agent", server.agent_token("grace", &scopes("agent")).await),
        ("admin", server.admin_token(&scopes("admin")).await),
    ])
}

/// Every scope that some operation requires of a kind.
pub fn scopes(kind: &str) -> Vec<&'static str> {
    let access = ringnity_api::OPERATIONS.iter().flat_map(|operation| operation.accepts);
    let access = access.filter(|access| access.kind == kind);
    let mut all: Vec<_> =
        access.flat_map(|access| access.scopes).flat_map(|any| any.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The JSON schema of the operation's body.
pub fn body_schema(operation: &Operation) -> Option<&'static str> {
    let known = contract().operation(operation.id)?;
    let media = known.body.as_ref()?.media.get("application/json")?;
    media.schema.as_deref()
}

/// The plainest body that the contract allows.
pub fn plain_body(operation: &Operation) -> Option<Value> {
    let schema = contract().schema(body_schema(operation)?).expect("a schema");
    Some(schema.minimal().expect("a value"))
}

/// Members that a body of the operation may have.
pub fn members(operation: &Operation) -> Vec<&'static str> {
    let Some(pointer) = body_schema(operation) else { return Vec::new() };
    let schema = contract().schema(&contract().resolve(pointer)).expect("a schema");
    let properties = schema.json().expect("JSON")["properties"].as_object();
    properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// Whether the operation is implemented. Others stand in a `not_implemented!` block of their routes and answer 501.
pub fn is_built(operation: &Operation) -> bool {
    static LATER: LazyLock<String> = LazyLock::new(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/routes");
        let files = std::fs::read_dir(folder).expect("the routes").flatten();
        let mut later = String::new();
        for file in files {
            let code = std::fs::read_to_string(file.path()).expect("a file of routes");
            for block in code.split("    not_implemented! {\n").skip(1) {
                later += block.split_once("    }").expect("the end of a block").0;
            }
        }
        later
    });
    !LATER.lines().any(|line| line.trim_start().starts_with(&format!("{}(", operation.name)))
}

/// Each of `powers` that opens the operation, with the first location of its kind.
pub fn credentials_for<'p>(
    operation: &Operation,
    powers: &'p BTreeMap<&'static str, String>,
) -> Vec<(CredentialLocation, &'p str)> {
    let of = |access: &Access| Some((kind(access.kind).locations[0], powers.get(access.kind)?.as_str()));
    operation.accepts.iter().filter_map(of).collect()
}

/// One of `powers` for the operation's first kind of credential, with its first location.
pub fn credential_for<'p>(
    operation: &Operation,
    powers: &'p BTreeMap<&'static str, String>,
) -> Option<(CredentialLocation, &'p str)> {
    credentials_for(operation, powers).into_iter().next()
}

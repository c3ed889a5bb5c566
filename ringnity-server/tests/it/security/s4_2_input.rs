//! S4.2: any input to any operation, by a caller who may call it: a 4xx with the operation's error body, never a 500
//! or a hang. Single refusals are tested in `http::input`.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use reqwest::RequestBuilder;
use ringnity_api::{OPERATIONS, Operation, Problem};
use serde_json::{Value, json};

use super::operations::{
    body_schema, client, code, contract, credential_for, members, path, plain_body, powers, request, send,
    with,
};
use crate::support::{TestServer, on_each_engine};

/// Bodies that are valid for no operation, by what is wrong with them.
fn invalid_json() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
    vec![
        ("half a body", b"{\"a\":".to_vec()),
        ("words", b"name=Ada".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a number", b"1".to_vec()),
        ("null", b"null".to_vec()),
        ("two values", b"{} {}".to_vec()),
        ("bad UTF-8", b"{\"\xff\xfe\":1}".to_vec()),
        ("an overlong slash", b"{\"a\":\"\xc0\xaf\"}".to_vec()),
        ("half a surrogate pair", b"{\"a\":\"\\ud800\"}".to_vec()),
        ("a byte order mark in the middle", b"{\xef\xbb\xbf}".to_vec()),
        ("a NUL byte", b"{\"a\":\"\0\"}".to_vec()),
        ("a NUL character", b"{\"a\":\"\\u0000\"}".to_vec()),
        ("a NUL in a name", b"{\"a\\u0000\":1}".to_vec()),
        ("a huge number", format!("{{\"a\":1{}}}", "0".repeat(400)).into_bytes()),
        ("a number beyond every range", b"{\"a\":1e999}".to_vec()),
        ("brackets, 20,000 deep", nested("[", "]").into_bytes()),
        ("braces, 20,000 deep", nested("{\"a\":", "}").into_bytes()),
        ("brackets that never close", b"[".repeat(100_000)),
        ("a member twice", b"{\"a\":1,\"a\":2}".to_vec()),
    ]
}

/// Values of unexpected types, for every member.
fn odd_values() -> Vec<(&'static str, Value)> {
    vec![
        ("an object", json!({ "$ne": null })),
        ("nested lists", json!([[[[[]]]]])),
        ("a huge number", json!(1e300)),
        ("a negative number", json!(-9_223_372_036_854_775_808_i64)),
        ("a long text", json!("x".repeat(100_000))),
        ("marks of other languages", json!("'; -- \" ${x} {{x}} %00 %n \u{202e}\u{feff}\u{10ffff}")),
        ("null", json!(null)),
        ("true", json!(true)),
    ]
}

/// The expected result of a request.
enum Expected {
    /// Any answer but a 500: the operation may accept it.
    Answer,
    /// Any 4xx.
    Refusal,
    /// The status and code of this problem.
    Problem(Problem),
}

impl Expected {
    fn judge(&self, operation: &Operation, what: &str, (status, answer, text): (u16, Value, String)) {
        match self {
            Self::Answer => {}
            Self::Refusal => {
                assert!((400..500).contains(&status), "{} {what}: {status} {text}", operation.id);
            }
            Self::Problem(problem) => {
                let codes = operation.errors.codes;
                let due = codes.iter().find_map(|(known, code)| (known == problem).then_some(*code));
                let due = (problem.status().as_u16(), due.expect("a code of the contract"));
                assert_eq!((status, code(operation, &answer)), due, "{} {what}: {text}", operation.id);
            }
        }
    }
}

/// Bodies in which one enum member, or a list of such, has an unknown value.
fn unknown_words(operation: &Operation) -> Vec<(String, Value)> {
    let (pointer, plain) =
        (body_schema(operation).expect("a schema"), plain_body(operation).expect("a body"));
    let schema = contract().schema(pointer).expect("a schema");
    let mut bodies = Vec::new();
    for member in members(operation) {
        for (place, word) in
            [(format!("/{member}"), json!("no such word")), (format!("/{member}/0"), json!(["no such word"]))]
        {
            if schema.keyword_values_at(&place, "enum").expect("a place").is_empty() {
                continue;
            }
            let mut body = plain.clone();
            body[member] = word;
            bodies.push((format!("an unknown word at {place}"), body));
        }
    }
    bodies
}

fn with_credential(
    request: RequestBuilder,
    operation: &Operation,
    powers: &std::collections::BTreeMap<&'static str, String>,
) -> RequestBuilder {
    match credential_for(operation, powers) {
        Some((place, credential)) => with(request, place, credential),
        None => request,
    }
}

#[test]
fn s4_2_a_body_that_cannot_be_meant_is_a_4xx_of_every_operation() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .admin("amy")
            .platform_admin()
            .start()
            .await;
        let (http, powers) = (client(), powers(&server).await);
        let takes_json = |operation: &&Operation| {
            operation
                .body
                .as_ref()
                .is_some_and(|body| body.media.iter().any(|media| media.content_type == "application/json"))
        };
        let operations: Vec<&Operation> = OPERATIONS.iter().copied().filter(takes_json).collect();
        let (mut asked, mut words) = (Vec::new(), 0);
        for operation in &operations {
            let post = || with_credential(request(&server, &http, operation, "none"), operation, &powers);
            for (what, bytes) in invalid_json() {
                asked.push((
                    *operation,
                    what.to_owned(),
                    Expected::Refusal,
                    post().header("content-type", "application/json").body(bytes),
                ));
            }
            let plain = plain_body(operation).expect("a body");
            // Without a credential the refusal is about that, not about the body.
            let may_ask = operation.accepts.is_empty() || credential_for(operation, &powers).is_some();
            let due = |problem| if may_ask { Expected::Problem(problem) } else { Expected::Refusal };
            for type_ in [
                "text/plain",
                "application/xml",
                "application/x-www-form-urlencoded",
                "image/png",
                "json",
                "application/json; charset=utf-16",
            ] {
                if operation
                    .body
                    .as_ref()
                    .is_some_and(|body| body.media.iter().any(|media| media.content_type == type_))
                {
                    continue;
                }
                asked.push((
                    *operation,
                    format!("media type {type_}"),
                    due(Problem::MediaType),
                    post().header("content-type", type_).body(plain.to_string()),
                ));
            }
            for (what, body) in unknown_words(operation) {
                words += 1;
                asked.push((*operation, what, due(Problem::Invalid), post().json(&body)));
            }
            for member in members(operation) {
                for (what, value) in odd_values() {
                    let mut body = plain.clone();
                    body[member] = value;
                    let what = format!("{what} as {member}");
                    asked.push((*operation, what, Expected::Answer, post().json(&body)));
                }
            }
        }
        let count = asked.len();
        stream::iter(asked)
            .map(async |(operation, what, due, request)| {
                due.judge(operation, &what, send(operation, &what, request).await);
            })
            .buffer_unordered(8)
            .collect::<Vec<()>>()
            .await;
        ringnity_store::print_always!(
            "{count} bodies at {} operations, {words} with unknown words",
            operations.len()
        );
        assert!(words > 15);
        // The server still works.
        assert_healthy(&server).await;
    });
}

#[test]
fn s4_2_a_path_a_query_and_headers_that_cannot_be_meant_are_no_defect_of_any_operation() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .admin("amy")
            .platform_admin()
            .start()
            .await;
        let (http, powers) = (client(), powers(&server).await);
        let ids = [
            "%00",
            "..%2f..%2fetc%2fpasswd",
            "'%20OR%201=1--",
            "%E2%80%AE",
            "a%0d%0aX-Evil:1",
            &"a".repeat(2000),
            "99999999999999999999999",
        ];
        let queries = [
            "page=%00",
            "page=%ff",
            "limit=1e999",
            "limit=99999999999999999999",
            "a=%zz",
            "&&&=&=",
            "page=1&page=2",
            "search=%F0%9F%92%A9%00",
            "tags[]=1",
            "cursor=%00",
            "token=%00",
            "slug=%00",
            "apiKey=%ff",
        ];
        let mut asked: Vec<(&Operation, String, RequestBuilder)> = Vec::new();
        for operation in OPERATIONS.iter().copied() {
            let method: reqwest::Method = operation.method.parse().expect("a method");
            let ask = |path: String| {
                with_credential(
                    http.request(method.clone(), format!("{}{path}", server.base)),
                    operation,
                    &powers,
                )
            };
            let one = path(operation, "none");
            if one != operation.path {
                asked.extend(ids.iter().map(|id| (operation, format!("id {id}"), ask(path(operation, id)))));
            }
            asked.extend(
                queries
                    .iter()
                    .map(|query| (operation, format!("query {query}"), ask(format!("{one}?{query}")))),
            );
            let long = format!("{one}?a={}", "x".repeat(20_000));
            asked.push((operation, "a long query".into(), ask(long)));
            for (name, value) in [
                ("idempotency-key", "x".repeat(5000)),
                ("idempotency-key", " ".into()),
                ("origin", "\u{fffd}".into()),
                ("cookie", "=;=;ownerRefreshToken".into()),
                ("host", "a b".into()),
                ("accept", "text/nothing".into()),
                ("x-ringnity-public-key", "\u{e9}".into()),
                ("x-forwarded-for", ",,,".into()),
                ("accept-encoding", "nothing;q=x".into()),
            ] {
                let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes()).expect("a value");
                asked.push((operation, format!("header {name}"), ask(one.clone()).header(name, value)));
            }
        }
        let count = asked.len();
        stream::iter(asked)
            .map(async |(operation, what, request)| {
                send(operation, &what, request).await;
            })
            .buffer_unordered(8)
            .collect::<Vec<()>>()
            .await;
        ringnity_store::print_always!("{count} requests at {} operations", OPERATIONS.len());
    });
}

/// A path that is not UTF-8 names no operation: the router rejects it.
#[test]
fn s4_2_a_path_that_is_not_text_is_refused_by_the_router() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for id in ["%ff%fe", "%c0%af", "%ed%a0%80"] {
            let url = format!("{}/api/server/contacts/{id}", server.base);
            let answer = client().get(url).bearer_auth(server.key()).send().await.expect("an answer");
            assert_eq!(answer.status(), 400, "{id}");
            assert!(answer.headers().contains_key("x-request-id"), "{id}");
        }
        assert_healthy(&server).await;
    });
}

/// Bytes that are no HTTP reach no handler, and must cause neither a hang nor harm.
#[test]
fn s4_2_what_is_no_request_is_refused_and_the_connection_ends() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let address = server.base.trim_start_matches("http://").to_owned();
        for sent in [
            &b"\0\0\0\0\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"GET /api/sdk/health HTTP/9.9\r\n\r\n",
            b"GET /api/sdk/health HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
            b"POST /api/server/contacts HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
            b"POST /api/server/contacts HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
            b"POST /api/server/contacts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: nothing\r\n\r\nabc",
            b"POST /api/server/contacts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc",
        ] {
            let (address, sent) = (address.clone(), sent.to_vec());
            let answer = tokio::task::spawn_blocking(move || {
                let mut socket = std::net::TcpStream::connect(address).expect("connects");
                socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
                socket.write_all(&sent).expect("sends");
                let mut answer = [0; 64];
                let read = socket.read(&mut answer).unwrap_or_else(|error| panic!("a hang: {error} {sent:?}"));
                String::from_utf8_lossy(&answer[..read]).into_owned()
            });
            let answer = answer.await.expect("an answer");
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        assert_healthy(&server).await;
    });
}

async fn assert_healthy(server: &TestServer) {
    server.get("/api/server/health").bearer(server.key()).send().await.ok();
}

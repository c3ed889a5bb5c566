//! Invalid input: a 4xx with the envelope and details.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{TestServer, on_each_engine};

/// Operations that take a body, each with a valid body.
fn with_body(server: &TestServer, token: &str) -> Vec<(Method, String, Option<String>, serde_json::Value)> {
    let key = Some(server.key().to_owned());
    vec![
        (
            Method::POST,
            "/api/auth/owner-login".into(),
            None,
            json!({ "email": "a@b.example", "password": "p" }),
        ),
        (
            Method::POST,
            "/api/sdk/developer/server-api-credentials".into(),
            Some(token.to_owned()),
            json!({ "name": "k", "scopes": ["server:health"] }),
        ),
        (Method::POST, "/api/server/contacts".into(), key.clone(), json!({ "name": "Ada", "phone": "1" })),
        (Method::PATCH, "/api/server/contacts/con_1".into(), key, json!({ "name": "Ada" })),
    ]
}

#[test]
fn rejects_body_that_is_no_json_object() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for (method, path, credential, _) in with_body(&server, &token) {
            let bodies: Vec<(&str, Vec<u8>)> = vec![
                ("nothing", Vec::new()),
                ("half", b"{\"name\":".to_vec()),
                ("no JSON", b"name=Ada".to_vec()),
                ("a list", b"[]".to_vec()),
                ("a text", b"\"x\"".to_vec()),
                ("null", b"null".to_vec()),
                ("two values", b"{} {}".to_vec()),
                ("bad UTF-8", vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}']),
                ("deep", deep.clone().into_bytes()),
                ("a duplicate", b"{\"name\":\"a\",\"name\":\"b\"}".to_vec()),
                ("a NUL", b"{\"name\":\"a\\u0000b\",\"phone\":\"1\"}".to_vec()),
                ("a huge number", format!("{{\"name\":1{}}}", "0".repeat(400)).into_bytes()),
            ];
            for (what, body) in bodies {
                let mut request = server.request(method.clone(), &path).text("application/json", body);
                if let Some(credential) = &credential {
                    request = request.bearer(credential);
                }
                let answer = request.send().await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what} to {path}: {}", answer.text);
                assert_eq!(answer.json["code"], "REQUEST_INVALID", "{what} to {path}");
                assert!(!answer.details().is_empty(), "{what} to {path}: says nothing: {}", answer.text);
            }
        }
    });
}

#[test]
fn rejects_wrong_media_type_and_large_body() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        for (method, path, credential, body) in with_body(&server, &token) {
            let send = |content_type: &'static str, body: String| {
                let mut request = server.request(method.clone(), &path).text(content_type, body);
                if let Some(credential) = &credential {
                    request = request.bearer(credential);
                }
                request.send()
            };
            for content_type in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
                send(content_type, body.to_string()).await.refused(415, "MEDIA_TYPE_UNSUPPORTED");
            }
            let large = json!({ "name": "x".repeat(3 << 20) }).to_string();
            send("application/json", large).await.refused(413, "REQUEST_TOO_LARGE");
        }
    });
}

#[test]
fn reports_every_invalid_field() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let key = server.key().to_owned();
        let post = |body| server.post("/api/server/contacts").bearer(&key).json(&body).send();
        let answer =
            post(json!({ "phone": 5, "email": "nowhere", "tags": ["", 3], "company": "c".repeat(201) }))
                .await;
        let answer = answer.refused(400, "REQUEST_INVALID");
        for pointer in ["/body/phone", "/body/email", "/body/tags/0", "/body/tags/1", "/body/company"] {
            assert!(
                answer.details().iter().any(|line| line.starts_with(pointer)),
                "{pointer}: {}",
                answer.text
            );
        }
        assert!(
            answer.details().iter().any(|line| line.contains("name")),
            "the missing name: {}",
            answer.text
        );
        post(json!({ "name": null, "phone": "1" })).await.refused(400, "REQUEST_INVALID").names("/body/name");
        post(json!({ "name": "Ada", "phone": "1", "shoeSize": 41 })).await.ok();
        let tags: Vec<String> = (0..51).map(|tag| format!("t{tag}")).collect();
        post(json!({ "name": "Ada", "phone": "1", "tags": tags }))
            .await
            .refused(400, "REQUEST_INVALID")
            .names("/body/tags");
    });
}

#[test]
fn errors_never_echo_passwords() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for body in [
            json!({ "email": "x", "password": "S3cret-value" }),
            json!({ "email": "a@b.example", "password": ["S3cret-value"] }),
        ] {
            let answer =
                server.post("/api/auth/owner-login").json(&body).send().await.refused(400, "REQUEST_INVALID");
            assert!(!answer.text.contains("S3cret-value"), "{}", answer.text);
        }
    });
}

#[test]
fn rejects_page_and_limit_out_of_range() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for (query, pointer) in [
            ("page=0", "/query/page"),
            ("page=-1", "/query/page"),
            ("page=x", "/query/page"),
            ("page=1.5", "/query/page"),
            ("page=99999999999999999999", "/query/page"),
            ("limit=0", "/query/limit"),
            ("limit=101", "/query/limit"),
            ("limit=", "/query/limit"),
            ("page=1&page=2", "/query/page"),
        ] {
            let answer =
                server.get(&format!("/api/server/contacts?{query}")).bearer(server.key()).send().await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.text);
            answer.names(pointer);
        }
        // A page beyond the last one is empty, and unknown parameters are ignored.
        let far =
            server.get("/api/server/contacts?page=1000000&limit=100").bearer(server.key()).send().await.ok();
        assert_eq!(far.data()["contacts"], json!([]));
        server.get("/api/server/contacts?colour=red").bearer(server.key()).send().await.ok();
    });
}

#[test]
fn unknown_id_is_not_found() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for id in ["con_0", "x", "%20", "con_1'%20OR%201=1--", "..%2f..%2fetc", &"a".repeat(64)] {
            let answer = server.get(&format!("/api/server/contacts/{id}")).bearer(server.key()).send().await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}: {}", answer.text);
        }
        for id in [&"a".repeat(65), "a%00b"] {
            let answer = server.get(&format!("/api/server/contacts/{id}")).bearer(server.key()).send().await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{id}: {}", answer.text);
        }
    });
}

#[test]
fn unauthenticated_request_gets_no_validation_details() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let answer = server.post("/api/server/contacts").json(&json!({ "name": 1 })).send().await;
        let answer = answer.refused(401, "SERVER_API_KEY_INVALID");
        assert!(answer.details().is_empty(), "{}", answer.text);
    });
}

#[test]
fn lists_allowed_methods_on_405() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for (method, path, allowed) in [
            (Method::PUT, "/api/server/contacts", "GET, HEAD, OPTIONS, POST"),
            (Method::POST, "/api/server/contacts/con_1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
            (Method::DELETE, "/api/sdk/health", "GET, HEAD, OPTIONS"),
            (Method::GET, "/api/auth/owner-login", "OPTIONS, POST"),
            (Method::DELETE, "/api/server/webhooks/deliveries", "GET, HEAD, OPTIONS"),
            (Method::GET, "/api/server/webhooks/whk_1", "DELETE, OPTIONS, PATCH"),
        ] {
            let answer = server.request(method.clone(), path).send().await.refused(405, "METHOD_NOT_ALLOWED");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    });
}

#[test]
fn head_answers_like_get_without_a_body() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let get = server.get("/api/sdk/health").send().await.ok();
        let head = server.request(Method::HEAD, "/api/sdk/health").send().await.ok();
        assert_eq!((head.text.as_str(), head.header("content-type")), ("", get.header("content-type")));
        for (path, status, header) in [
            ("/api/server/contacts", "401", "www-authenticate: Bearer"),
            ("/api/auth/owner-login", "405", "allow: OPTIONS, POST"),
        ] {
            let request = format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let answer = server.raw(request.as_bytes());
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status}")) && head.contains(header),
                "{path}: {head}"
            );
            assert_eq!(body, "", "{path}");
        }
    });
}

#[test]
fn answers_preflight_for_allowed_origins_only() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ask = |origin: &'static str| {
            server
                .request(Method::OPTIONS, "/api/sdk/bootstrap?slug=acme")
                .header("origin", origin)
                .header("access-control-request-method", "GET")
                .send()
        };
        let granted = ask("http://localhost:3000").await.status(StatusCode::NO_CONTENT);
        assert_eq!(granted.header("access-control-allow-origin"), Some("http://localhost:3000"));
        assert!(
            granted.header("access-control-allow-methods").is_some_and(|methods| methods.contains("GET"))
        );
        let refused = ask("https://evil.example").await.status(StatusCode::NO_CONTENT);
        assert_eq!(refused.header("access-control-allow-origin"), None);
    });
}

#[test]
fn unimplemented_operation_returns_501_after_authentication() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        server
            .get("/api/server/webhooks")
            .bearer(server.key())
            .send()
            .await
            .refused(501, "FEATURE_NOT_AVAILABLE");
        server.get("/api/server/webhooks").send().await.refused(401, "SERVER_API_KEY_INVALID");
        server.get("/api/agent-sdk/me").bearer("x").send().await.refused(401, "AGENT_SDK_TOKEN_INVALID");
    });
}

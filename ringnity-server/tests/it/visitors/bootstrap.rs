//! Bootstrap of a widget, without a credential.

use serde_json::json;

use crate::support::{TestServer, assert_data, on_each_engine};

#[test]
fn health_needs_no_credential() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let answer = server.get("/api/sdk/health").send().await.ok();
        assert_eq!(answer.json["success"], true);
        assert_eq!(answer.data()["status"], "ok");
    });
}

#[test]
fn finds_tenant_by_slug_key_header_or_host() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let tenant = server.first_tenant().clone();
        let port = server.base.rsplit(':').next().expect("port").to_owned();
        let requests = [
            server.get("/api/sdk/bootstrap?slug=acme"),
            server.get(&format!("/api/sdk/bootstrap?apiKey={}", tenant.public_key)),
            server.get("/api/sdk/bootstrap").header("x-ringnity-public-key", &tenant.public_key),
            server.get("/api/sdk/bootstrap").header("host", &format!("acme.localhost:{port}")),
        ];
        for request in requests {
            let answer = request.send().await.ok();
            assert_eq!(answer.data()["tenant"]["clientId"], json!(tenant.id.as_str()));
            // The owner's email address is not public.
            assert_data!(answer, "bootstrap");
        }
    });
}

#[test]
fn host_overrides_header_then_api_key_then_slug() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let (acme, other) = (server.first_tenant().clone(), server.tenant("other").clone());
        // Each tenant once is named by the hint that takes precedence, and the other one by the lesser hints.
        for (meant, another) in [(&acme, &other), (&other, &acme)] {
            let (slug, key) = (&meant.slug, &meant.public_key);
            let (other_slug, other_key) = (&another.slug, &another.public_key);
            let path = "/api/sdk/bootstrap";
            let by_slug = format!("{path}?slug={other_slug}");
            let by_both = format!("{path}?slug={other_slug}&apiKey={other_key}");
            let requests = [
                server.get(&format!("{path}?slug={other_slug}&apiKey={key}")),
                server.get(&by_slug).header("x-ringnity-public-key", key),
                server.get(&by_both).header("x-ringnity-public-key", key),
                server.get(&by_slug).header("host", &format!("{slug}.localhost")),
                server
                    .get(&by_both)
                    .header("x-ringnity-public-key", other_key)
                    .header("host", &format!("{slug}.localhost")),
            ];
            for request in requests {
                assert_eq!(request.send().await.ok().data()["tenant"]["clientId"], json!(meant.id.as_str()));
            }
        }
        // A hint that names no tenant is not skipped.
        let unknown = server.get("/api/sdk/bootstrap?slug=acme").header("x-ringnity-public-key", "rn_pk_0");
        unknown.send().await.refused(404, "SDK_CLIENT_NOT_FOUND");
        let unknown = server.get("/api/sdk/bootstrap?slug=acme").header("host", "nobody.localhost");
        unknown.send().await.refused(404, "SDK_CLIENT_NOT_FOUND");
        // A host outside the base domain is no hint.
        let foreign = server.get("/api/sdk/bootstrap?slug=other").header("host", "acme.example.com");
        assert_eq!(foreign.send().await.ok().data()["tenant"]["clientId"], json!(other.id.as_str()));
    });
}

#[test]
fn rejects_missing_or_unknown_tenant() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        server.get("/api/sdk/bootstrap").send().await.refused(401, "SDK_SESSION_REQUIRED");
        server.get("/api/sdk/bootstrap?slug=nobody").send().await.refused(404, "SDK_CLIENT_NOT_FOUND");
        server.get("/api/sdk/bootstrap?apiKey=rn_pk_0").send().await.refused(404, "SDK_CLIENT_NOT_FOUND");
    });
}

#[test]
fn bootstrap_requires_allowed_origin() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ask =
            |origin: &'static str| server.get("/api/sdk/bootstrap?slug=acme").header("origin", origin).send();
        let allowed = ask("http://localhost:3000").await.ok();
        assert_eq!(allowed.header("access-control-allow-origin"), Some("http://localhost:3000"));
        for origin in
            ["https://evil.example", "http://localhost:3001", "null", "http://localhost:3000.evil.example"]
        {
            let refused = ask(origin).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
            assert_eq!(refused.header("access-control-allow-origin"), None, "{origin}");
        }
    });
}

#[test]
fn explains_blocked_services_only_in_debug() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let quiet = server.get("/api/sdk/bootstrap?slug=other").send().await.ok();
        let loud = server.get("/api/sdk/bootstrap?slug=other&debug=true").send().await.ok();
        let blocked = |answer: &crate::support::Answer| {
            let all = answer.data()["services"].as_array().cloned().unwrap_or_default();
            all.into_iter().find(|service| service["key"] == "ai_voice").expect("voice of AI")
        };
        assert_eq!(blocked(&quiet)["status"], "not_in_plan");
        assert!(blocked(&quiet).get("reason").is_none());
        assert!(blocked(&loud)["reason"].as_str().is_some_and(|reason| reason.contains("ai_voice")));
    });
}

#[test]
fn rejects_ambiguous_origin_headers() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ask = |origins: &[&[u8]]| {
            let mut request =
                b"GET /api/sdk/bootstrap?slug=acme HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".to_vec();
            for origin in origins {
                request.extend_from_slice(b"Origin: ");
                request.extend_from_slice(origin);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"\r\n");
            server.raw(&request)
        };
        let allowed = ask(&[b"http://localhost:3000"]);
        assert!(allowed.starts_with("HTTP/1.1 200"), "{allowed}");
        for origins in [
            [b"https://evil\xff.example".as_slice()].as_slice(),
            &[b"http://localhost:3000", b"https://evil.example"],
            &[b"http://localhost:3000\xff"],
        ] {
            let refused = ask(origins);
            assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
            assert!(refused.contains("SDK_ORIGIN_NOT_ALLOWED"), "{refused}");
            assert!(!refused.contains("access-control-allow-origin"), "{refused}");
        }
    });
}

#[test]
fn sends_vary_origin() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        // Also without an origin. Otherwise a cache would serve that answer to pages, without their headers.
        let plain = server.get("/api/sdk/bootstrap?slug=acme").send().await.ok();
        assert_eq!(plain.header("vary"), Some("Origin"));
        let refused = server.get("/api/sdk/bootstrap").send().await.refused(401, "SDK_SESSION_REQUIRED");
        assert_eq!(refused.header("vary"), Some("Origin"));
    });
}

#[test]
fn hides_disabled_tenant_from_widget() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let paths = ["slug=acme".to_owned(), format!("apiKey={}", server.first_tenant().public_key)];
        let ask = async |said: &str| server.get(&format!("/api/sdk/bootstrap?{said}")).send().await;
        server.set_tenant_active(false).await;
        for said in &paths {
            let refused = ask(said).await.refused(403, "SDK_CLIENT_INACTIVE");
            assert!(!refused.text.contains("Company acme"), "{}", refused.text);
        }
        ask("slug=other").await.ok();
        server.set_tenant_active(true).await;
        for said in &paths {
            ask(said).await.ok();
        }
    });
}

//! S2.5: which origins may send requests, and which CORS headers they get.

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use ringnity_store::TenantId;
use serde_json::{Value, json};

use ringnity_server::config::{RateLimit, ServeConfig};

use crate::http::limits::{behind_a_proxy, is_anonymous_limit};
use crate::support::{Answer, TestServer, on_each_engine};

const LISTED: &str = "http://localhost:3000";
const DEVICES: &str = "/api/sdk/devices/push-token";
const NOT_LISTED: [&str; 12] = [
    "https://evil.example",
    "http://evillocalhost:3000",
    "http://localhost.:3000",
    "http://localhost:3000@evil.example",
    "http://localhost:30000",
    "file://",
    "localhost:3000",
    "http://localhost:3001",
    "http://localhost",
    "http://localhost:3000.evil.example",
    "ftp://localhost:3000",
    "null",
];

async fn probe(server: &TestServer, token: &str, origin: &str) -> Answer {
    server
        .delete(DEVICES)
        .header("x-ringnity-sdk-session", token)
        .header("origin", origin)
        .json(&json!({ "deviceId": "none" }))
        .send()
        .await
}

#[track_caller]
fn reads(answer: &Answer, origin: Option<&str>) {
    assert_eq!(answer.header("access-control-allow-origin"), origin, "{}", answer.text);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[test]
fn s2_5_whoever_holds_a_token_may_ask_from_a_listed_page_or_from_none() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let tokens = [
            server.visitor_session(&json!({ "slug": "acme" })).await,
            server.agent_token("grace", &["agent:presence:write"]).await,
            server.admin_token(&["admin:devices:write"]).await,
        ];
        for token in &tokens {
            let answer = probe(&server, token, LISTED).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
            reads(&answer, Some(LISTED));
            for origin in NOT_LISTED {
                let refused = probe(&server, token, origin).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
                reads(&refused, None);
            }
        }
    });
}

#[test]
fn s2_5_a_session_is_made_for_listed_pages_only() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ask = |body: Value, origin: &str| {
            server.post("/api/sdk/session").header("origin", origin).json(&body).send()
        };
        let made = ask(json!({ "slug": "acme" }), LISTED).await.status(reqwest::StatusCode::CREATED);
        reads(&made, Some(LISTED));
        for origin in NOT_LISTED {
            let refused = ask(json!({ "slug": "acme" }), origin).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
            reads(&refused, None);
        }
        // A page can read the refusal if any tenant allows its origin.
        let refused = ask(json!({}), LISTED).await.refused(401, "SDK_SESSION_REQUIRED");
        reads(&refused, Some(LISTED));
        reads(&ask(json!({}), "https://evil.example").await.refused(401, "SDK_SESSION_REQUIRED"), None);
    });
}

#[test]
fn s2_5_a_page_of_one_tenant_is_not_a_page_of_another() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        list(&server, &server.tenant("other").id, &["shop.example.com", "*.example.org"]).await;
        let session = server.visitor_session(&json!({ "slug": "acme" })).await;
        let theirs = server.visitor_session(&json!({ "slug": "other" })).await;
        for origin in ["https://shop.example.com", "https://a.b.example.org"] {
            reads(&probe(&server, &session, origin).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED"), None);
            let let_in = probe(&server, &theirs, origin).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
            reads(&let_in, Some(origin));
            let body = json!({ "slug": "acme" });
            let refused = server.post("/api/sdk/session").header("origin", origin).json(&body).send().await;
            reads(&refused.refused(403, "SDK_ORIGIN_NOT_ALLOWED"), None);
        }
        reads(&probe(&server, &theirs, LISTED).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED"), None);
    });
}

async fn list(server: &TestServer, tenant: &TenantId, domains: &[&str]) {
    let tenant = tenant.clone();
    let domains: Vec<String> = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let now = server.clock.now();
    let store = server.store();
    store
        .write(move |c| ringnity_store::tenants::tenant_domain_replace(c, &tenant, &domains, now))
        .await
        .expect("lists them");
}

#[test]
fn s2_5_a_browser_that_asks_beforehand_is_told_of_listed_pages_only() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ask = |path: &str, method: &str, origin: &str| {
            server
                .request(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "x-ringnity-sdk-session, content-type")
                .send()
        };
        for (path, method) in [
            ("/api/sdk/session", "POST"),
            (DEVICES, "DELETE"),
            ("/api/sdk/bootstrap?slug=acme", "GET"),
            ("/api/agent-sdk/me", "GET"),
            ("/api/admin-sdk/tenant", "GET"),
        ] {
            let answer = ask(path, method, LISTED).await;
            assert_eq!(answer.status, 204);
            reads(&answer, Some(LISTED));
            assert!(answer.header("access-control-allow-methods").is_some_and(|all| all.contains(method)));
            for origin in NOT_LISTED {
                let answer = ask(path, method, origin).await;
                assert_eq!(answer.status, 204);
                reads(&answer, None);
                assert_eq!(answer.header("access-control-allow-methods"), None);
            }
        }
        // The Server API is not for pages.
        reads(&ask("/api/server/contacts", "GET", LISTED).await, None);
    });
}

async fn preflight(server: &TestServer, origin: &str, address: &str) -> Answer {
    let request = server.request(Method::OPTIONS, DEVICES).header("origin", origin);
    let request =
        request.header("access-control-request-method", "DELETE").header("x-forwarded-for", address);
    request.send().await.status(reqwest::StatusCode::NO_CONTENT)
}

#[test]
fn s2_6_a_page_is_refused_at_once_whatever_its_browser_was_told_a_moment_ago() {
    const SHOP: &str = "https://shop.example.com";
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let tenant = server.tenant_id();
        list(&server, &tenant, &["shop.example.com"]).await;
        let session = server.visitor_session(&json!({ "slug": "acme" })).await;
        reads(&preflight(&server, SHOP, "192.0.2.1").await, Some(SHOP));
        list(&server, &tenant, &[]).await;
        // The preflight is cached for some seconds, which permits no request.
        reads(&preflight(&server, SHOP, "192.0.2.1").await, Some(SHOP));
        reads(&probe(&server, &session, SHOP).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED"), None);
        let session = server.post("/api/sdk/session").header("origin", SHOP).json(&json!({ "slug": "acme" }));
        reads(&session.send().await.refused(403, "SDK_ORIGIN_NOT_ALLOWED"), None);
        // Answers that concern no tenant are readable by allowed origins only.
        reads(&server.get("/api/sdk/health").header("origin", SHOP).send().await.ok(), None);
        server.clock.advance(chrono::Duration::seconds(10));
        reads(&preflight(&server, SHOP, "192.0.2.1").await, None);
    });
}

#[test]
fn s2_5_pages_that_nobody_knows_make_the_server_look_as_often_as_a_stranger_may() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let session = server.visitor_session(&json!({ "slug": "acme" })).await;
        let started = std::time::Instant::now();
        let many: Vec<bool> = stream::iter(0..660)
            .map(async |turn| {
                let origin = format!("https://evil{turn}.example");
                let answer = preflight(&server, &origin, "192.0.2.1").await;
                answer.header("access-control-allow-origin").is_none()
            })
            .buffer_unordered(8)
            .collect()
            .await;
        let looked = many.iter().filter(|looked| **looked).count();
        assert!(is_anonymous_limit(looked, started), "{looked}");
        // Preflights share the limit of requests, whose refusal the page may read, unless the bucket regains one
        // between the refusal and the CORS check.
        let mut readable = false;
        for turn in 660..1320 {
            let origin = format!("https://evil{turn}.example");
            let request = server.get("/api/agent-sdk/me").header("x-forwarded-for", "192.0.2.1");
            let answer = request.header("origin", &origin).send().await;
            readable = answer.status == 429 && answer.header("access-control-allow-origin") == Some(&origin);
            if readable {
                break;
            }
        }
        assert!(readable, "no 429 that a page may read");
        // Other addresses and valid credentials are not affected, and no further origin is allowed.
        reads(&preflight(&server, "https://evil.example", "192.0.2.2").await, None);
        let ask = |origin: &'static str| {
            let request = server.delete(DEVICES).header("x-ringnity-sdk-session", &session);
            let request = request.header("x-forwarded-for", "192.0.2.1").header("origin", origin);
            request.json(&json!({ "deviceId": "none" })).send()
        };
        let asked = ask(LISTED).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
        reads(&asked, Some(LISTED));
        reads(&ask("https://evil.example").await.refused(403, "SDK_ORIGIN_NOT_ALLOWED"), None);
    });
}

#[test]
fn s2_5_the_dashboards_own_pages_come_with_cookies() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let answer = server.get("/api/auth/owner-me").header("origin", &server.base).send().await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(server.base.as_str()));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        reads(&server.get("/api/auth/owner-me").header("origin", LISTED).send().await, None);
    });
}

#[test]
fn s2_5_a_wildcard_is_of_what_lies_below_a_domain_and_of_nothing_that_looks_like_it() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let tenant = server.tenant_id();
        list(&server, &tenant, &["*.example.org", "shop.example.com"]).await;
        let session = server.visitor_session(&json!({ "slug": "acme" })).await;
        for origin in ["https://a.example.org", "https://a.b.example.org", "https://shop.example.com"] {
            reads(
                &probe(&server, &session, origin).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND"),
                Some(origin),
            );
        }
        for origin in [
            "https://example.org",
            "https://evilexample.org",
            "https://example.org.evil.example",
            "https://a.example.org.evil.example",
            "https://a.example.orgs",
            "https://a.example.org:8443",
            "https://.example.org",
            "https://a.shop.example.com",
            "https://shop.example.com:444",
            "https://xshop.example.com",
            "https://shop.example.com/path",
            "https://shop.example.com?x",
            "ftp://shop.example.com",
        ] {
            let refused = probe(&server, &session, origin).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
            reads(&refused, None);
        }
    });
}

#[test]
fn s2_5_what_a_client_says_it_was_forwarded_for_counts_from_configured_proxies_only() {
    let plain = |config: &mut ServeConfig| config.rate_limit = Some(RateLimit::Plan);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(plain).start().await;
        // Another claimed address each time does not help a client that guesses.
        let guess = |n: usize| {
            let body = json!({ "email": server.first_tenant().owner.email, "password": "wrong" });
            let from = format!("203.0.113.{n}");
            let request = server.post("/api/auth/owner-login").header("x-forwarded-for", &from);
            request.header("x-real-ip", &from).header("forwarded", &format!("for={from}")).json(&body).send()
        };
        for n in 0..10 {
            guess(n).await.refused(401, "AUTH_CREDENTIALS_INVALID");
        }
        guess(10).await.refused(429, "RATE_LIMITED");
        // Such headers choose neither the tenant nor the scheme.
        let request = server.get("/api/sdk/bootstrap").header("x-forwarded-host", "acme.localhost");
        request.send().await.refused(401, "SDK_SESSION_REQUIRED");
    });
}

//! Sessions of visitors, anonymous and with an identity that the backend verifies.

use chrono::TimeDelta;
use reqwest::StatusCode;
use ringnity_store::visitors::{self, Visitor};
use serde_json::{Value, json};

use crate::support::{TestServer, on_each_engine};

const PATH: &str = "/api/sdk/session";

async fn known(server: &TestServer, external_id: &str) -> Option<Visitor> {
    let tenant = server.tenant_id();
    let external_id = external_id.to_owned();
    let store = server.store();
    store
        .read(move |c| visitors::visitor_by_external_id(c, &tenant, &external_id))
        .await
        .expect("looks for a visitor")
}

/// The external id of a session's visitor, as a registered device shows it.
async fn external_id(server: &TestServer, session: &str) -> Value {
    let body = json!({ "platform": "ios", "token": format!("t-{session}") });
    let answer = server
        .post("/api/sdk/devices/push-token")
        .header("x-ringnity-sdk-session", session)
        .json(&body)
        .send()
        .await
        .status(StatusCode::CREATED);
    answer.data()["device"]["externalId"].clone()
}

#[test]
fn creates_anonymous_session_for_named_tenant() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let (tenant, other) = (server.first_tenant().clone(), server.tenant("other").clone());
        for (path, body) in [
            (PATH.to_owned(), json!({ "slug": "acme" })),
            (PATH.to_owned(), json!({ "apiKey": tenant.public_key })),
            (format!("{PATH}?slug=acme"), json!({})),
            (PATH.to_owned(), json!({ "apiKey": tenant.public_key, "slug": "other" })),
            (format!("{PATH}?apiKey={}", tenant.public_key), json!({ "slug": "other" })),
            (format!("{PATH}?slug=acme"), json!({ "apiKey": other.public_key, "slug": "other" })),
        ] {
            let answer = server.post(&path).json(&body).send().await.status(StatusCode::CREATED);
            assert_eq!(answer.data()["expiresIn"], 3600);
            assert!(answer.data()["expiresAt"].is_string());
            let session = answer.data()["sessionToken"].as_str().expect("session");
            let device = server
                .post("/api/sdk/devices/push-token")
                .bearer(session)
                .json(&json!({ "platform": "web", "token": format!("t-{session}") }))
                .send()
                .await
                .status(StatusCode::CREATED);
            assert_eq!(device.data()["device"]["clientId"], json!(tenant.id.as_str()));
        }
        server
            .post(PATH)
            .header("x-ringnity-public-key", &tenant.public_key)
            .json(&json!({}))
            .send()
            .await
            .status(StatusCode::CREATED);
        server.post(PATH).json(&json!({})).send().await.refused(401, "SDK_SESSION_REQUIRED");
        server
            .post(PATH)
            .json(&json!({ "slug": "nobody" }))
            .send()
            .await
            .refused(404, "SDK_CLIENT_NOT_FOUND");
    });
}

#[test]
fn visitor_session_expires_after_an_hour() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = server.visitor_session(&json!({ "slug": "acme" })).await;
        server.clock.advance(TimeDelta::seconds(3601));
        server
            .delete("/api/sdk/devices/push-token")
            .bearer(&session)
            .json(&json!({ "deviceId": "x" }))
            .send()
            .await
            .refused(401, "TOKEN_EXPIRED");
    });
}

#[test]
fn only_context_token_verifies_visitor() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let visitor =
            json!({ "externalId": "customer-1", "name": "Ayu Lestari", "email": "ayu@example.com" });
        let context = server.context_token(&visitor).await;
        assert!(!context.contains("customer-1") && context.len() < 1024);

        // Without a context token, an identity is only claimed.
        let claimed = server.visitor_session(&json!({ "slug": "acme", "visitor": visitor })).await;
        assert!(known(&server, "customer-1").await.is_none());
        let session = server
            .visitor_session(&json!({
                "slug": "acme",
                "contextToken": context,
                "visitor": { "externalId": "customer-2", "name": "Eve" },
                "metadata": { "page": "/pricing" }
            }))
            .await;
        let first = known(&server, "customer-1").await.expect("the visitor");
        assert_eq!(first.name.as_deref(), Some("Ayu Lestari"));
        assert!(first.metadata.contains("/pricing"));
        assert!(known(&server, "customer-2").await.is_none());
        assert_eq!(external_id(&server, &session).await, json!("customer-1"));
        assert_eq!(external_id(&server, &claimed).await, Value::Null);

        // A context token can be used for several sessions, all of one visitor.
        let context = server.context_token(&json!({ "externalId": "customer-1", "phone": "+62 1" })).await;
        server.visitor_session(&json!({ "contextToken": context })).await;
        server.visitor_session(&json!({ "contextToken": context })).await;
        let again = known(&server, "customer-1").await.expect("the visitor");
        assert_eq!((&again.id, again.name.as_deref()), (&first.id, Some("Ayu Lestari")));
        assert_eq!(again.phone.as_deref(), Some("+62 1"));
    });
}

#[test]
fn rejects_foreign_and_expired_context_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let context = server.context_token(&json!({ "externalId": "customer-1" })).await;
        let ask = |body: Value| server.post(PATH).json(&body).send();
        ask(json!({ "slug": "other", "contextToken": context }))
            .await
            .refused(401, "SDK_CONTEXT_TOKEN_INVALID");
        ask(json!({ "slug": "nobody", "contextToken": context })).await.refused(404, "SDK_CLIENT_NOT_FOUND");
        let forged = format!("{}x", &context[..context.len() - 1]);
        for bad in [forged.as_str(), "x", "a.b.c"] {
            let body = json!({ "slug": "acme", "contextToken": bad });
            ask(body).await.refused(401, "SDK_CONTEXT_TOKEN_INVALID");
        }
        server.clock.advance(TimeDelta::seconds(901));
        ask(json!({ "slug": "acme", "contextToken": context })).await.refused(401, "TOKEN_EXPIRED");
    });
}

#[test]
fn context_token_without_visitor_keeps_session_anonymous() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let body = json!({ "metadata": { "orderId": "INV-2026-118" } });
        let answer = server
            .post("/api/server/visitor-context-token")
            .bearer(server.key())
            .json(&body)
            .send()
            .await
            .status(StatusCode::CREATED);
        assert_eq!(answer.data()["expiresIn"], 900);
        assert!(answer.data().get("scopes").is_none(), "it opens nothing");
        let context = answer.data()["token"].as_str().expect("token");
        let session = server.visitor_session(&json!({ "contextToken": context })).await;
        assert_eq!(external_id(&server, &session).await, Value::Null);
    });
}

#[test]
fn concurrent_first_sessions_share_one_visitor() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let context = server.context_token(&json!({ "externalId": "customer-1" })).await;
        let sessions = (0..16).map(|_| {
            let context = context.clone();
            let server = &server;
            async move { server.visitor_session(&json!({ "contextToken": context })).await }
        });
        let sessions = futures_util::future::join_all(sessions).await;
        assert!(known(&server, "customer-1").await.is_some());
        // Every session can remove the device of another one, because all belong to one visitor.
        let path = "/api/sdk/devices/push-token";
        let device = json!({ "platform": "web", "token": "t", "deviceId": "d" });
        for (one, other) in sessions.iter().zip(sessions.iter().rev()) {
            server.post(path).bearer(one).json(&device).send().await.status(StatusCode::CREATED);
            server.delete(path).bearer(other).json(&json!({ "deviceId": "d" })).send().await.ok();
        }
    });
}

#[test]
fn limits_size_of_metadata() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ask = async |bytes: usize| {
            let body =
                json!({ "slug": server.first_tenant().slug, "metadata": { "page": "x".repeat(bytes) } });
            server.post("/api/sdk/session").json(&body).send().await
        };
        // The size includes the member's name and the quotes.
        ask(16 * 1024 - 11).await.status(StatusCode::CREATED);
        // Metadata of the backend takes precedence: members of the page that do not fit are dropped.
        let vouched = json!({
            "visitor": { "externalId": "v", "name": "V" }, "metadata": { "crm": "x".repeat(12_000) },
        });
        let request = server.post("/api/server/visitor-context-token").bearer(server.key()).json(&vouched);
        let made = request.send().await.status(StatusCode::CREATED);
        let context = made.data()["token"].as_str().expect("a token").to_owned();
        let page = json!({ "small": "fits", "large": "y".repeat(8_000) });
        let body = json!({ "slug": server.first_tenant().slug, "contextToken": context, "metadata": page });
        server.post("/api/sdk/session").json(&body).send().await.status(StatusCode::CREATED);
        let visitor = known(&server, "v").await.expect("the visitor");
        let kept: Value = serde_json::from_str(&visitor.metadata).expect("JSON");
        assert_eq!((kept["crm"].as_str().map(str::len), &kept["small"]), (Some(12_000), &json!("fits")));
        assert!(kept.get("large").is_none());
        let refused = ask(16 * 1024 - 10).await.refused(400, "REQUEST_INVALID");
        assert!(refused.details()[0].starts_with("/body/metadata: has 16385 bytes"), "{}", refused.text);
    });
}

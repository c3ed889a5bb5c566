//! Requests with an `Idempotency-Key`: one effect and one answer.

use chrono::Duration;
use reqwest::StatusCode;
use ringnity_store::identity::{self, NewAgent};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, on_each_engine};

const CONTACTS: &str = "/api/server/contacts";
const KEYS: &str = "/api/sdk/developer/server-api-credentials";

async fn upsert(server: &TestServer, key: &str, repeat: &str, body: &Value) -> Answer {
    server.post(CONTACTS).bearer(key).header("idempotency-key", repeat).json(body).send().await
}

/// Names of the tenant's events.
fn happened(server: &TestServer) -> Vec<Value> {
    server.events().iter().map(|event| event["name"].clone()).collect()
}

#[test]
fn repeated_request_gets_first_answer() {
    on_each_engine(async |engine| {
        let mut server = TestServer::builder(engine).tenant("acme").start().await;
        let key = server.key().to_owned();
        let body = json!({ "externalId": "r1", "name": "Ada", "phone": "1", "tags": ["vip"] });
        let first = upsert(&server, &key, "one", &body).await.ok();
        server.clock.advance(Duration::seconds(5));
        assert_eq!(upsert(&server, &key, "one", &body).await.ok().text, first.text);
        // The same request in another spelling, after the contact has changed and the server restarted.
        let id = first.data()["contact"]["id"].as_str().expect("id");
        server
            .patch(&format!("{CONTACTS}/{id}"))
            .bearer(&key)
            .json(&json!({ "name": "Ada King" }))
            .send()
            .await
            .ok();
        server.restart().await;
        let spelled = r#" { "tags" : ["vip"], "phone":"1", "name":"\u0041da", "externalId":"r1" }"#;
        let request = server.post(CONTACTS).bearer(&key).header("idempotency-key", "one");
        let again = request.text("application/json", spelled).send().await.ok();
        assert_eq!(again.text, first.text);
        assert_eq!(happened(&server), ["contact.created", "contact.updated"]);

        // After a day it is a new request.
        server.clock.advance(Duration::hours(24));
        let later = upsert(&server, &key, "one", &body).await.ok();
        assert_ne!(later.text, first.text);
        assert_eq!(happened(&server).len(), 3);
    });
}

#[test]
fn idempotency_key_is_bound_to_request_and_credential() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let key = server.key().to_owned();
        let body = json!({ "externalId": "r1", "name": "Ada", "phone": "1" });
        let first = upsert(&server, &key, "one", &body).await.ok();
        let other = json!({ "externalId": "r1", "name": "Grace", "phone": "1" });
        let refused = upsert(&server, &key, "one", &other).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert!(!refused.text.contains("Ada"));
        assert_eq!(happened(&server), ["contact.created"]);

        let second = server.key_with(&["server:contacts:write"]).await;
        upsert(&server, &second, "one", &other).await.ok();
        upsert(&server, &server.tenant("other").key, "one", &other).await.ok();
        assert_eq!(happened(&server), ["contact.created", "contact.updated"]);
        assert_eq!(upsert(&server, &key, "one", &body).await.ok().text, first.text);
        // Without a key, every request is a new one.
        server.post(CONTACTS).bearer(&key).json(&body).send().await.ok();
        assert_eq!(happened(&server).len(), 3);
    });
}

#[test]
fn rejected_request_can_be_retried_with_same_key() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let key = server.key().to_owned();
        let good = json!({ "externalId": "r1", "name": "Ada", "phone": "1" });
        let blank = json!({ "externalId": "r1", "name": " ", "phone": "1" });
        upsert(&server, &key, "one", &blank).await.refused(400, "SERVER_CONTACT_VALIDATION_FAILED");
        upsert(&server, &key, "one", &json!({})).await.refused(400, "REQUEST_INVALID");
        upsert(&server, &key, "one", &good).await.ok();
        for (wrong, pointer) in
            [("", "/header/Idempotency-Key"), (&*"x".repeat(256), "/header/Idempotency-Key")]
        {
            upsert(&server, &key, wrong, &good).await.refused(400, "REQUEST_INVALID").names(pointer);
        }
        upsert(&server, &key, &"x".repeat(255), &good).await.ok();

        // A request that failed inside its transaction can be retried, and the key can be used for another request,
        // because it had no effect yet.
        let token = async |username: &str| {
            let body = json!({ "username": username });
            let request = server.post("/api/server/sdk-token/agent").bearer(&key);
            request.header("idempotency-key", "late").json(&body).send().await
        };
        token("agent.late").await.refused(404, "SERVER_AGENT_NOT_FOUND");
        token("agent.never").await.refused(404, "SERVER_AGENT_NOT_FOUND");
        let (tenant, store, now) = (server.tenant_id(), server.store(), server.clock.now());
        let new = NewAgent {
            username: "agent.late".into(),
            password_hash: None,
            name: "Late".into(),
            email: None,
            role: "agent".into(),
            department_id: None,
        };
        store.write(move |c| identity::agent_insert(c, &tenant, &new, now)).await.expect("an agent");
        let made = token("agent.late").await.status(StatusCode::CREATED);
        assert_eq!(token("agent.late").await.status(StatusCode::CREATED).text, made.text);
    });
}

#[test]
fn concurrent_repeats_take_effect_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let key = server.key().to_owned();
        let body = json!({ "externalId": "r1", "name": "Ada", "phone": "1" });
        let requests = (0..32).map(|_| upsert(&server, &key, "one", &body));
        let answers = futures_util::future::join_all(requests).await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.text), (StatusCode::OK, &answers[0].text));
        }
        assert_eq!(happened(&server), ["contact.created"]);
    });
}

#[test]
fn repeated_secret_is_not_stored_in_plain_text() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let token = server.owner_token().await;
        let body = json!({ "name": "Key", "scopes": ["server:health"] });
        let make = async |token: &str| {
            let request = server.post(KEYS).bearer(token).header("idempotency-key", "a-key-of-mine");
            request.json(&body).send().await.status(StatusCode::CREATED)
        };
        let first = make(&token).await;
        // A new sign-in is the same caller.
        let again = make(&server.owner_token().await).await;
        assert_eq!(again.text, first.text);
        assert_ne!(make(&server.owner_token_of(server.tenant("other")).await).await.text, first.text);
        let secret = first.data()["secret"].as_str().expect("secret").to_owned();
        server.get("/api/server/health").bearer(&secret).send().await.ok();
        let listed = server.get(KEYS).bearer(&token).send().await.ok();
        let count = listed.data()["credentials"].as_array().into_iter().flatten();
        assert_eq!(count.filter(|one| one["name"] == "Key").count(), 1);

        let Some(file) = server.database_file() else { return };
        for end in ["", "-wal"] {
            let mut name = file.clone().into_os_string();
            name.push(end);
            let bytes = std::fs::read(&name).expect("a file");
            for text in [secret.as_str(), &secret[11..43], "a-key-of-mine"] {
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "{text} stands in {}", name.display());
            }
        }
    });
}

#[test]
fn repeated_request_is_authorized_again() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let slug = &server.first_tenant().slug;
        let body = json!({ "slug": slug, "visitor": { "name": "Ada" } });
        let ask = async |origin: Option<&str>| {
            let request = server.post("/api/sdk/session").header("idempotency-key", "visit").json(&body);
            origin.into_iter().fold(request, |request, origin| request.header("origin", origin)).send().await
        };
        let allowed = "http://localhost:3000";
        let first = ask(Some(allowed)).await.status(StatusCode::CREATED);
        assert_eq!(ask(Some(allowed)).await.status(StatusCode::CREATED).text, first.text);
        assert_eq!(ask(None).await.status(StatusCode::CREATED).text, first.text, "an app");
        // Pages of unknown origins, and of another tenant's.
        let domains = json!({ "allowedDomains": ["shop.example"] });
        let owner = server.owner_token_of(server.tenant("other")).await;
        server.put("/api/sdk/developer/allowed-domains").bearer(&owner).json(&domains).send().await.ok();
        for origin in ["https://evil.example", "https://shop.example"] {
            let refused = ask(Some(origin)).await.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
            assert_eq!(refused.header("access-control-allow-origin"), None, "{origin}");
        }
        server.set_tenant_active(false).await;
        ask(Some(allowed)).await.refused(403, "SDK_CLIENT_INACTIVE");
    });
}

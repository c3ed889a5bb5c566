//! Developer Settings: Server API keys.

use reqwest::StatusCode;
use ringnity_store::identity::{self, NewSession};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, assert_data, on_each_engine};

const PATH: &str = "/api/sdk/developer/server-api-credentials";

#[test]
fn shows_secret_once_and_enforces_scopes() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let body = json!({ "name": "CRM sync", "scopes": ["server:contacts:read", "server:health"] });
        let answer = server.post(PATH).bearer(&token).json(&body).send().await.status(StatusCode::CREATED);
        let secret = answer.data()["secret"].as_str().expect("secret").to_owned();
        assert!(secret.starts_with("rn_sk_live_"), "live is the default");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let made = &answer.data()["credential"];
        assert_data!(answer, "new_key");

        let listed = server.get(PATH).bearer(&token).send().await.ok();
        assert!(!listed.text.contains(&secret), "a list never tells a secret");
        let known = listed.data()["credentials"].as_array().expect("list");
        assert!(
            known
                .iter()
                .any(|known| known["id"] == made["id"] && known["secretPreview"] == made["secretPreview"])
        );

        server.get("/api/server/contacts").bearer(&secret).send().await.ok();
        server.get("/api/server/contacts").header("x-ringnity-server-key", &secret).send().await.ok();
        let health = server.get("/api/server/health").bearer(&secret).send().await.ok();
        assert_eq!(health.data()["credentialId"], made["id"]);
        let lacking = server
            .post("/api/server/contacts")
            .bearer(&secret)
            .json(&json!({ "name": "Ada", "phone": "1" }))
            .send()
            .await
            .refused(403, "SERVER_API_SCOPE_DENIED");
        assert!(lacking.text.contains("server:contacts:write"), "says which scope: {}", lacking.text);
    });
}

#[test]
fn owner_lists_only_own_keys() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let mine = server.owner_token().await;
        let theirs = server.owner_token_of(server.tenant("other")).await;
        let body = json!({ "name": "Mine", "scopes": ["server:health"] });
        let made = server.post(PATH).bearer(&mine).json(&body).send().await.status(StatusCode::CREATED);
        let listed = server.get(PATH).bearer(&theirs).send().await.ok();
        assert!(!listed.text.contains(made.data()["credential"]["id"].as_str().expect("id")));
        assert_eq!(listed.data()["credentials"].as_array().map(Vec::len), Some(1), "only their own");
    });
}

#[test]
fn rejects_invalid_key() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        for (body, pointer) in [
            (json!({ "scopes": ["server:health"] }), "/body"),
            (json!({ "name": "  ", "scopes": ["server:health"] }), "/body/name"),
            (json!({ "name": "x", "scopes": [] }), "/body/scopes"),
            (json!({ "name": "x", "scopes": ["server:everything"] }), "/body/scopes/0"),
            (json!({ "name": "x", "scopes": ["server:health", "server:health"] }), "/body/scopes"),
            (json!({ "name": "x".repeat(121), "scopes": ["server:health"] }), "/body/name"),
            (json!({ "name": "x", "scopes": ["server:health"], "environment": "prod" }), "/body/environment"),
        ] {
            let answer =
                server.post(PATH).bearer(&token).json(&body).send().await.status(StatusCode::BAD_REQUEST);
            answer.names(pointer);
        }
        server.post(PATH).json(&json!({})).send().await.refused(401, "AUTH_TOKEN_MISSING");
    });
}

/// Creates a key; returns its id and its secret.
async fn made(server: &TestServer, token: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": "A key", "environment": "test", "scopes": scopes });
    let answer = server.post(PATH).bearer(token).json(&body).send().await.status(StatusCode::CREATED);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&answer.data()["credential"]["id"]), text(&answer.data()["secret"]))
}

async fn opens(server: &TestServer, secret: &str) -> u16 {
    server.get("/api/server/contacts").bearer(secret).send().await.status.as_u16()
}

#[test]
fn updates_key_partially_and_applies_scopes_at_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, secret) = made(&server, &token, &["server:contacts:read", "server:health"]).await;
        let path = format!("{PATH}/{id}");
        let change = async |body: Value| server.patch(&path).bearer(&token).json(&body).send().await;
        assert_eq!(opens(&server, &secret).await, 200);

        let before = change(json!({})).await.ok().data()["credential"].clone();
        server.clock.advance(chrono::Duration::seconds(1));
        assert_eq!(change(json!({})).await.ok().data()["credential"], before, "nothing to change");
        let renamed = change(json!({ "name": " Backend ", "environment": "live" })).await.ok();
        let credential = &renamed.data()["credential"];
        assert_eq!((&credential["name"], &credential["environment"]), (&json!("Backend"), &json!("live")));
        assert_eq!(
            (&credential["scopes"], &credential["secretPreview"], &credential["createdAt"]),
            (&before["scopes"], &before["secretPreview"], &before["createdAt"])
        );
        assert_ne!(credential["updatedAt"], before["updatedAt"]);
        assert!(!renamed.text.contains(&secret));

        change(json!({ "scopes": ["server:health"] })).await.ok();
        assert_eq!(opens(&server, &secret).await, 403);
        change(json!({ "scopes": ["server:contacts:read"] })).await.ok();
        assert_eq!(opens(&server, &secret).await, 200);

        for (body, code, pointer) in [
            (json!({ "name": " " }), "SERVER_CREDENTIAL_VALIDATION_FAILED", "/body/name"),
            (json!({ "scopes": [] }), "REQUEST_INVALID", "/body/scopes"),
            (json!({ "environment": "prod" }), "REQUEST_INVALID", "/body/environment"),
        ] {
            change(body).await.refused(400, code).names(pointer);
        }
    });
}

#[test]
fn rejects_disabled_key_at_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, secret) = made(&server, &token, &["server:contacts:read"]).await;
        let path = format!("{PATH}/{id}");
        for round in 0..2 {
            let disabled = match round {
                0 => server.delete(&path).bearer(&token).send().await.ok(),
                _ => server.patch(&path).bearer(&token).json(&json!({ "isActive": false })).send().await.ok(),
            };
            assert_eq!(disabled.data()["credential"]["isActive"], false);
            assert_eq!(opens(&server, &secret).await, 401);
            let again = server.delete(&path).bearer(&token).send().await.ok();
            assert_eq!(again.data(), disabled.data(), "twice does no harm");
            let rotate = server.post(&format!("{path}/rotate")).bearer(&token).send().await;
            rotate.refused(409, "SERVER_CREDENTIAL_DISABLED");
            let enable = json!({ "isActive": true });
            server.patch(&path).bearer(&token).json(&enable).send().await.ok();
            assert_eq!(opens(&server, &secret).await, 200);
        }
    });
}

#[test]
fn disabling_key_ends_its_sessions_for_good() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (ending, _) = made(&server, &token, &["server:agent-token:write"]).await;
        let (staying, _) = made(&server, &token, &["server:agent-token:write"]).await;
        let tenant = server.tenant_id();
        let (now, end) = (server.clock.now(), server.clock.now() + chrono::Duration::minutes(15));
        let ids = [ending.clone(), ending.clone(), staying.clone()];
        let made = server
            .store()
            .write(move |c| {
                let issue = |id: &String| {
                    let new = NewSession {
                        subject_kind: "agent",
                        subject_id: "agt_1",
                        credential_id: Some(id),
                        refresh_hash: None,
                        expires_at: end,
                    };
                    identity::session_insert(c, Some(&tenant), &new, now)
                };
                ids.iter().map(issue).collect::<Result<Vec<_>, _>>()
            })
            .await
            .expect("sessions");
        let live = async || {
            let ids: Vec<_> = made.iter().map(|session| session.id.clone()).collect();
            let store = server.store();
            let read = store.read(move |c| {
                let found =
                    ids.iter().map(|id| identity::session_get(c, id)).collect::<Result<Vec<_>, _>>()?;
                Ok::<_, ringnity_store::StoreError>(
                    found.into_iter().flatten().map(|one| one.is_live(now)).collect::<Vec<_>>(),
                )
            });
            read.await.expect("sessions")
        };
        let path = format!("{PATH}/{ending}");
        server.post(&format!("{path}/rotate")).bearer(&token).send().await.ok();
        assert_eq!(live().await, [true, true, true], "a new secret is the same credential");
        server.patch(&path).bearer(&token).json(&json!({ "name": "Still on" })).send().await.ok();
        assert_eq!(live().await, [true, true, true]);
        server.delete(&path).bearer(&token).send().await.ok();
        assert_eq!(live().await, [false, false, true]);
        server.patch(&path).bearer(&token).json(&json!({ "isActive": true })).send().await.ok();
        assert_eq!(live().await, [false, false, true], "what has ended does not come back");
        let off = json!({ "isActive": false });
        server.patch(&format!("{PATH}/{staying}")).bearer(&token).json(&off).send().await.ok();
        assert_eq!(live().await, [false, false, false]);
    });
}

#[test]
fn rotated_key_accepts_only_new_secret() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, old) = made(&server, &token, &["server:contacts:read"]).await;
        let path = format!("{PATH}/{id}");
        let rotate = async || server.post(&format!("{path}/rotate")).bearer(&token).send().await.ok();
        let rotated = rotate().await;
        assert_eq!(rotated.header("cache-control"), Some("no-store"));
        let new = rotated.data()["secret"].as_str().expect("secret").to_owned();
        assert!(new.starts_with("rn_sk_test_") && new != old);
        assert_eq!((opens(&server, &old).await, opens(&server, &new).await), (401, 200));
        assert_eq!(rotated.data()["credential"]["id"], json!(id));
        assert!(!server.get(PATH).bearer(&token).send().await.ok().text.contains(&new));

        // The prefix follows the environment.
        server.patch(&path).bearer(&token).json(&json!({ "environment": "live" })).send().await.ok();
        let live = rotate().await.data()["secret"].as_str().expect("secret").to_owned();
        assert!(live.starts_with("rn_sk_live_"));
        assert_eq!((opens(&server, &new).await, opens(&server, &live).await), (401, 200));
    });
}

#[test]
fn concurrent_rotations_leave_one_secret() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, _) = made(&server, &token, &["server:contacts:read"]).await;
        let path = format!("{PATH}/{id}/rotate");
        let all = (0..8).map(|_| server.post(&path).bearer(&token).send());
        let mut good = 0;
        for answer in futures_util::future::join_all(all).await {
            let answer = answer.ok();
            let secret = answer.data()["secret"].as_str().expect("secret");
            good += usize::from(opens(&server, secret).await == 200);
        }
        assert_eq!(good, 1);
    });
}

#[test]
fn plan_limits_active_keys() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        server.change_plan("free").await;
        // The tenant's first key is one of the two.
        let (id, _) = made(&server, &token, &["server:health"]).await;
        let path = format!("{PATH}/{id}");
        let body = json!({ "name": "One more", "scopes": ["server:health"] });
        let make = async || server.post(PATH).bearer(&token).json(&body).send().await;
        let refused = make().await.refused(409, "SERVER_CREDENTIAL_LIMIT_REACHED");
        assert!(
            refused.json["message"].as_str().is_some_and(|text| text.contains("2 active")),
            "{refused:?}"
        );
        let listed = server.get(PATH).bearer(&token).send().await.ok();
        assert_eq!(listed.data()["credentials"].as_array().map(Vec::len), Some(2));
        // A disabled key does not count until it is enabled again.
        server.delete(&path).bearer(&token).send().await.ok();
        make().await.status(StatusCode::CREATED);
        let enable = json!({ "isActive": true });
        let refused = server.patch(&path).bearer(&token).json(&enable).send().await;
        refused.refused(409, "SERVER_CREDENTIAL_LIMIT_REACHED");
        server.patch(&path).bearer(&token).json(&json!({ "name": "Renamed" })).send().await.ok();
    });
}

#[test]
fn plan_without_server_api_disables_keys() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, secret) = made(&server, &token, &["server:health"]).await;
        let path = format!("{PATH}/{id}");
        server.get("/api/server/health").bearer(&secret).send().await.ok();
        server.set_feature("server_api", false).await;
        let refused = server.get("/api/server/health").bearer(&secret).send().await;
        refused.refused(403, "FEATURE_NOT_AVAILABLE");
        let body = json!({ "name": "One more", "scopes": ["server:health"] });
        let refused = server.post(PATH).bearer(&token).json(&body).send().await;
        refused.refused(403, "FEATURE_NOT_AVAILABLE");
        let refused = server.post(&format!("{path}/rotate")).bearer(&token).send().await;
        refused.refused(403, "FEATURE_NOT_AVAILABLE");
        server.delete(&path).bearer(&token).send().await.ok();
        let refused = server.patch(&path).bearer(&token).json(&json!({ "isActive": true })).send().await;
        refused.refused(403, "FEATURE_NOT_AVAILABLE");
    });
}

#[test]
fn key_of_other_tenant_is_not_found() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let (mine, theirs) =
            (server.owner_token().await, server.owner_token_of(server.tenant("other")).await);
        let (id, secret) = made(&server, &mine, &["server:contacts:read"]).await;
        let path = format!("{PATH}/{id}");
        let before = server.get(PATH).bearer(&mine).send().await.ok();
        for id in [id.as_str(), "scr_00000000000000000000000000"] {
            let path = format!("{PATH}/{id}");
            for request in [
                server.patch(&path).json(&json!({ "name": "stolen", "isActive": false })),
                server.delete(&path),
                server.post(&format!("{path}/rotate")),
            ] {
                request.bearer(&theirs).send().await.refused(404, "SERVER_CREDENTIAL_NOT_FOUND");
            }
        }
        assert_eq!(opens(&server, &secret).await, 200);
        server.clock.advance(chrono::Duration::seconds(1));
        let after = server.get(PATH).bearer(&mine).send().await.ok();
        let without_use = |answer: &Answer| {
            let mut all = answer.data()["credentials"].as_array().cloned().unwrap_or_default();
            for one in &mut all {
                one.as_object_mut().map(|one| one.remove("lastUsedAt"));
            }
            all
        };
        assert_eq!(without_use(&after), without_use(&before), "nothing changed");

        // Neither an anonymous request nor the key itself can change keys.
        for request in [
            server.patch(&path).json(&json!({})),
            server.delete(&path),
            server.post(&format!("{path}/rotate")),
        ] {
            request.send().await.refused(401, "AUTH_TOKEN_MISSING");
        }
        for request in [
            server.patch(&path).json(&json!({})),
            server.delete(&path),
            server.post(&format!("{path}/rotate")),
        ] {
            request.bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
        }
    });
}

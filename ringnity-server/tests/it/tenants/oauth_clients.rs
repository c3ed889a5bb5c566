//! Developer Settings: OAuth clients.

use reqwest::StatusCode;
use ringnity_store::identity::{self, NewSession};
use ringnity_store::login;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, assert_data, on_each_engine};

const PATH: &str = "/api/sdk/developer/oauth-clients";

async fn create(server: &TestServer, token: &str, body: Value) -> Answer {
    server.post(PATH).bearer(token).json(&body).send().await
}

/// Creates a client with the smallest request; returns its id and the answer.
async fn made(server: &TestServer, token: &str) -> (String, Answer) {
    let body = json!({ "name": "CRM", "redirectUris": ["https://crm.example.com/callback"] });
    let answer = create(server, token, body).await.status(StatusCode::CREATED);
    (answer.data()["oauthClient"]["id"].as_str().expect("id").to_owned(), answer)
}

async fn listed(server: &TestServer, token: &str) -> Value {
    server.get(PATH).bearer(token).send().await.ok().data().clone()
}

/// The stored hash of a client's secret.
async fn stored_hash(server: &TestServer, id: &str) -> Option<String> {
    let (tenant, id) = (server.tenant_id(), id.into());
    let store = server.store();
    store
        .read(move |c| login::oauth_client_get(c, &tenant, &id))
        .await
        .expect("reads")
        .expect("a client")
        .secret_hash
}

#[test]
fn shows_secret_of_confidential_client_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, answer) = made(&server, &token).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let secret = answer.data()["clientSecret"].as_str().expect("secret").to_owned();
        assert!(secret.starts_with("rn_os_") && secret.len() >= 6 + 32, "128 random bits or more");
        assert!(answer.data()["warning"].is_string());
        let client = &answer.data()["oauthClient"];
        assert!(client["clientId"].as_str().is_some_and(|id| id.starts_with("rn_oauth_") && id.len() == 33));
        assert_data!(answer, "confidential_client");

        let list = server.get(PATH).bearer(&token).send().await.ok();
        assert_eq!(list.data()["oauthClients"], json!([client]));
        let hash = stored_hash(&server, &id).await.expect("a hash");
        assert_ne!(hash, secret);
        assert!(!list.text.contains(&secret) && !list.text.contains(&hash));
    });
}

#[test]
fn public_client_has_no_secret_and_requires_pkce() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let body =
            json!({ "name": "App", "type": "public", "redirectUris": ["https://app.example.com/back"] });
        let answer = create(&server, &token, body.clone()).await.status(StatusCode::CREATED);
        assert_eq!(answer.data().get("clientSecret"), None);
        assert_eq!(answer.data()["oauthClient"]["requirePkce"], true);
        let id = answer.data()["oauthClient"]["id"].as_str().expect("id");
        assert_eq!(stored_hash(&server, id).await, None);
        let rotate = server.post(&format!("{PATH}/{id}/rotate-secret")).bearer(&token).send().await;
        rotate.refused(409, "DEVELOPER_OAUTH_CLIENT_PUBLIC");

        let mut careless = body;
        careless["requirePkce"] = json!(false);
        let refused = create(&server, &token, careless).await;
        refused.refused(400, "DEVELOPER_OAUTH_CLIENT_VALIDATION_FAILED").names("/body/requirePkce");
        let path = format!("{PATH}/{id}");
        let refused = server.patch(&path).bearer(&token).json(&json!({ "requirePkce": false })).send().await;
        refused.refused(400, "DEVELOPER_OAUTH_CLIENT_VALIDATION_FAILED").names("/body/requirePkce");
    });
}

#[test]
fn lists_scopes_and_discovery_url() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let list = listed(&server, &token).await;
        assert_eq!(list["oauthClients"], json!([]));
        let discovery = list["discoveryUrl"].as_str().expect("an address");
        assert_eq!(discovery, format!("{}/.well-known/openid-configuration", server.base));
        assert_eq!(list["clientTypes"], json!(["confidential", "public"]));
        let catalog = list["scopeCatalog"].as_array().expect("catalog");
        assert_eq!(catalog.len(), 62);
        let available: Vec<&Value> =
            catalog.iter().filter(|item| item["status"] == "available").map(|item| &item["scope"]).collect();
        assert_eq!(json!(available), list["availableScopes"]);
        let recommended = list["recommendedScopes"].as_array().expect("recommended");
        assert!(!recommended.is_empty() && recommended.iter().all(|scope| available.contains(&scope)));
        assert!(catalog.iter().any(|item| item["status"] == "planned"));
    });
}

#[test]
fn rejects_invalid_oauth_client() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let good = json!({ "name": "CRM", "redirectUris": ["https://crm.example.com/callback"] });
        let with = |member: &str, value: Value| {
            let mut body = good.clone();
            body[member] = value;
            body
        };
        let own = "DEVELOPER_OAUTH_CLIENT_VALIDATION_FAILED";
        let uris = |second: &str| json!(["https://crm.example.com/callback", second]);
        for (body, code, pointer) in [
            (with("name", json!("  ")), own, "/body/name"),
            (with("redirectUris", uris("https://crm.example.com/#x")), own, "/body/redirectUris/1"),
            (with("redirectUris", uris("http://crm.example.com/")), own, "/body/redirectUris/1"),
            (with("redirectUris", uris("javascript:alert(1)")), own, "/body/redirectUris/1"),
            (with("redirectUris", uris("https://u:p@crm.example.com/")), own, "/body/redirectUris/1"),
            (with("allowedScopes", json!([])), own, "/body/allowedScopes"),
            (
                with("allowedScopes", json!(["openid", "billing.write"])),
                "DEVELOPER_OAUTH_SCOPE_PLANNED",
                "/body/allowedScopes/1",
            ),
            (with("allowedScopes", json!(["everything"])), "REQUEST_INVALID", "/body/allowedScopes/0"),
            (with("redirectUris", json!([])), "REQUEST_INVALID", "/body/redirectUris"),
            (with("redirectUris", json!(["not an address"])), "REQUEST_INVALID", "/body/redirectUris/0"),
            (with("type", json!("secretive")), "REQUEST_INVALID", "/body/type"),
        ] {
            create(&server, &token, body).await.refused(400, code).names(pointer);
        }
        assert_eq!(listed(&server, &token).await["oauthClients"], json!([]));

        let doubled = json!({
            "name": " CRM ",
            "redirectUris": ["http://localhost:3000/x", "https://crm.example.com/a", "http://localhost:3000/x"],
            "allowedScopes": ["email", "openid", "email"],
            "requirePkce": true,
        });
        let client = create(&server, &token, doubled).await.status(StatusCode::CREATED);
        let client = &client.data()["oauthClient"];
        assert_eq!(client["name"], "CRM");
        assert_eq!(client["redirectUris"], json!(["http://localhost:3000/x", "https://crm.example.com/a"]));
        assert_eq!(client["allowedScopes"], json!(["email", "openid"]));
        assert_eq!(client["requirePkce"], true);
    });
}

#[test]
fn updates_oauth_client_partially() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, answer) = made(&server, &token).await;
        let before = answer.data()["oauthClient"].clone();
        let path = format!("{PATH}/{id}");
        let change = async |body: Value| server.patch(&path).bearer(&token).json(&body).send().await;
        server.clock.advance(chrono::Duration::seconds(1));
        assert_eq!(change(json!({})).await.ok().data()["oauthClient"], before);

        let changed =
            change(json!({ "name": "CRM 2", "redirectUris": ["https://two.example.com/"] })).await.ok();
        let client = &changed.data()["oauthClient"];
        assert_eq!((&client["name"], &client["clientId"]), (&json!("CRM 2"), &before["clientId"]));
        assert_eq!(client["redirectUris"], json!(["https://two.example.com/"]));
        assert_eq!(client["allowedScopes"], before["allowedScopes"]);
        assert_ne!(client["updatedAt"], before["updatedAt"]);
        assert_eq!(listed(&server, &token).await["oauthClients"][0], *client);

        for (body, code) in [
            (json!({ "name": " " }), "DEVELOPER_OAUTH_CLIENT_VALIDATION_FAILED"),
            (json!({ "redirectUris": ["http://a.example/"] }), "DEVELOPER_OAUTH_CLIENT_VALIDATION_FAILED"),
            (json!({ "allowedScopes": ["staff.write"] }), "DEVELOPER_OAUTH_SCOPE_PLANNED"),
        ] {
            change(body).await.refused(400, code);
        }

        // A public client has no secret and requires PKCE. Made confidential again, it needs a new secret.
        assert!(stored_hash(&server, &id).await.is_some());
        let public = change(json!({ "type": "public" })).await.ok();
        assert_eq!(public.data()["oauthClient"]["requirePkce"], true);
        assert_eq!(stored_hash(&server, &id).await, None);
        change(json!({ "type": "confidential", "requirePkce": false })).await.ok();
        assert_eq!(stored_hash(&server, &id).await, None);
        let rotated = server.post(&format!("{path}/rotate-secret")).bearer(&token).send().await.ok();
        assert!(rotated.data()["clientSecret"].is_string());
        assert!(stored_hash(&server, &id).await.is_some());
    });
}

#[test]
fn rotated_secret_replaces_old_one() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, answer) = made(&server, &token).await;
        let before = stored_hash(&server, &id).await;
        let rotated = server.post(&format!("{PATH}/{id}/rotate-secret")).bearer(&token).send().await.ok();
        assert_eq!(rotated.header("cache-control"), Some("no-store"));
        assert_ne!(rotated.data()["clientSecret"], answer.data()["clientSecret"]);
        assert_eq!(rotated.data()["oauthClient"]["clientId"], answer.data()["oauthClient"]["clientId"]);
        assert_ne!(stored_hash(&server, &id).await, before);
    });
}

#[test]
fn revokes_oauth_client_before_deleting_it() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (id, _) = made(&server, &token).await;
        let path = format!("{PATH}/{id}");
        let (tenant, client, now) = (server.tenant_id(), id.clone(), server.clock.now());
        let session = server
            .store()
            .write(move |c| {
                let end = now + chrono::Duration::days(30);
                let new = NewSession {
                    subject_kind: "oauth",
                    subject_id: "own_1",
                    credential_id: Some(&client),
                    refresh_hash: None,
                    expires_at: end,
                };
                identity::session_insert(c, Some(&tenant), &new, now)
            })
            .await
            .expect("a session");
        let refused = server.delete(&format!("{path}/revoked")).bearer(&token).send().await;
        refused.refused(409, "DEVELOPER_OAUTH_CLIENT_ACTIVE");

        let revoked = server.delete(&path).bearer(&token).send().await.ok();
        assert_eq!(revoked.data()["oauthClient"]["status"], "revoked");
        assert!(revoked.data()["oauthClient"]["revokedAt"].is_string());
        let session_id = session.id.clone();
        let ended = server.store().read(move |c| identity::session_get(c, &session_id)).await.expect("reads");
        assert!(!ended.expect("a session").is_live(now));
        server.clock.advance(chrono::Duration::seconds(1));
        let again = server.delete(&path).bearer(&token).send().await.ok();
        assert_eq!(again.data(), revoked.data(), "twice does no harm");

        let rotate = server.post(&format!("{path}/rotate-secret")).bearer(&token).send().await;
        rotate.refused(409, "DEVELOPER_OAUTH_CLIENT_REVOKED");
        let change = async |body: Value| server.patch(&path).bearer(&token).json(&body).send().await;
        change(json!({ "name": "Other" })).await.refused(409, "DEVELOPER_OAUTH_CLIENT_REVOKED");
        change(json!({ "status": "revoked" })).await.ok();
        let revived = change(json!({ "status": "active", "name": "Other" })).await.ok();
        assert_eq!(revived.data()["oauthClient"]["status"], "active");
        assert_eq!(revived.data()["oauthClient"].get("revokedAt"), None);
        let revoked = change(json!({ "status": "revoked", "name": "Third" })).await.ok();
        assert_eq!(revoked.data()["oauthClient"]["status"], "revoked");
        assert_eq!(revoked.data()["oauthClient"]["name"], "Third");

        let deleted = server.delete(&format!("{path}/revoked")).bearer(&token).send().await.ok();
        assert_eq!(deleted.data(), &json!({ "oauthClientId": id, "deleted": true }));
        assert_eq!(listed(&server, &token).await["oauthClients"], json!([]));
        for request in gone(&server, &id) {
            request.bearer(&token).send().await.refused(404, "DEVELOPER_OAUTH_CLIENT_NOT_FOUND");
        }
    });
}

/// Every operation on one client.
fn gone(server: &TestServer, id: &str) -> [crate::support::Request; 4] {
    let path = format!("{PATH}/{id}");
    [
        server.patch(&path).json(&json!({ "name": "stolen" })),
        server.delete(&path),
        server.post(&format!("{path}/rotate-secret")),
        server.delete(&format!("{path}/revoked")),
    ]
}

#[test]
fn oauth_client_of_other_tenant_is_not_found() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let (mine, theirs) =
            (server.owner_token().await, server.owner_token_of(server.tenant("other")).await);
        let (id, _) = made(&server, &mine).await;
        let before = listed(&server, &mine).await;
        for id in [id.as_str(), "oac_00000000000000000000000000"] {
            for request in gone(&server, id) {
                request.bearer(&theirs).send().await.refused(404, "DEVELOPER_OAUTH_CLIENT_NOT_FOUND");
            }
        }
        assert_eq!(listed(&server, &theirs).await["oauthClients"], json!([]));
        assert_eq!(listed(&server, &mine).await, before, "nothing changed");
        let client_id = before["oauthClients"][0]["clientId"].as_str().expect("clientId");
        for request in gone(&server, client_id) {
            // A client is found by its id only.
            request.bearer(&mine).send().await.refused(404, "DEVELOPER_OAUTH_CLIENT_NOT_FOUND");
        }
        for request in gone(&server, &id) {
            request.send().await.refused(401, "AUTH_TOKEN_MISSING");
        }
        for request in gone(&server, &id) {
            request.bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
        }
        server.get(PATH).bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
        create(&server, server.key(), json!({})).await.refused(401, "AUTH_TOKEN_INVALID");
    });
}

#[test]
fn plan_enables_and_limits_oauth_clients() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        server.change_plan("professional").await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(made(&server, &token).await.0);
        }
        let body = json!({ "name": "Sixth", "redirectUris": ["https://six.example.com/"] });
        let sixth = async || create(&server, &token, body.clone()).await;
        sixth().await.refused(409, "DEVELOPER_OAUTH_CLIENT_LIMIT_REACHED");
        // A revoked client still counts.
        let path = format!("{PATH}/{}", ids[0]);
        server.delete(&path).bearer(&token).send().await.ok();
        sixth().await.refused(409, "DEVELOPER_OAUTH_CLIENT_LIMIT_REACHED");
        server.delete(&format!("{path}/revoked")).bearer(&token).send().await.ok();
        sixth().await.status(StatusCode::CREATED);

        server.change_plan("starter").await;
        sixth().await.refused(403, "FEATURE_NOT_AVAILABLE");
        let path = format!("{PATH}/{}", ids[1]);
        let change = async |body: Value| server.patch(&path).bearer(&token).json(&body).send().await;
        change(json!({ "name": "Other" })).await.refused(403, "FEATURE_NOT_AVAILABLE");
        let rotate = server.post(&format!("{path}/rotate-secret")).bearer(&token).send().await;
        rotate.refused(403, "FEATURE_NOT_AVAILABLE");
        // Existing clients can be listed and deleted.
        assert_eq!(listed(&server, &token).await["oauthClients"].as_array().map(Vec::len), Some(5));
        change(json!({ "status": "revoked" })).await.ok();
        server.delete(&format!("{path}/revoked")).bearer(&token).send().await.ok();
    });
}

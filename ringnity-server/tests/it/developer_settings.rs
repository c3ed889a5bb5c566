//! Developer Settings: Server API credentials.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::on_each_engine;

const PATH: &str = "/api/sdk/developer/server-api-credentials";

#[test]
fn a_secret_is_told_once_and_opens_what_its_scopes_say() {
    on_each_engine(async |server| {
        let token = server.owner_token().await;
        let body = json!({ "name": "CRM sync", "scopes": ["server:contacts:read", "server:health"] });
        let answer = server.post(PATH).bearer(&token).json(&body).send().await.status(StatusCode::CREATED);
        let secret = answer.data()["secret"].as_str().expect("secret").to_owned();
        assert!(secret.starts_with("rn_sk_live_"), "live is the default");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let made = &answer.data()["credential"];
        assert_eq!(
            (&made["name"], &made["environment"], &made["isActive"]),
            (&json!("CRM sync"), &json!("live"), &json!(true))
        );

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
fn owners_see_only_their_own_tenants_credentials() {
    on_each_engine(async |server| {
        let mine = server.owner_token().await;
        let theirs = server.other_owner_token().await;
        let body = json!({ "name": "Mine", "scopes": ["server:health"] });
        let made = server.post(PATH).bearer(&mine).json(&body).send().await.status(StatusCode::CREATED);
        let listed = server.get(PATH).bearer(&theirs).send().await.ok();
        assert!(!listed.text.contains(made.data()["credential"]["id"].as_str().expect("id")));
        assert_eq!(listed.data()["credentials"].as_array().map(Vec::len), Some(1), "the demo's own");
    });
}

#[test]
fn a_credential_must_make_sense() {
    on_each_engine(async |server| {
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

//! The workspace: sign-in of agents, entry tokens of owners, and sessions.

use chrono::Duration;
use ringnity_store::identity::{self, AgentChanges};
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, assert_data, on_each_engine};

const LOGIN: &str = "/api/auth/workspace-login";
const REFRESH: &str = "/api/auth/workspace-refresh";
const LOGOUT: &str = "/api/auth/workspace-logout";
const ENTRY: &str = "/api/auth/workspace-entry-token";
/// An operation that every role of the dashboard may call.
const SHARED: &str = "/api/sdk/developer/server-api-credentials";

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn refresh(session: &Value) -> Value {
    json!({ "refreshToken": session["refreshToken"] })
}

/// What the agent signs in with.
fn credentials(server: &TestServer) -> Value {
    let agent = server.first_tenant().agent("grace");
    json!({ "username": agent.username, "password": agent.password })
}

async fn login(server: &TestServer) -> Value {
    server.workspace_session("acme", "grace").await
}

/// Enables or disables the first agent.
async fn set_agent_active(server: &TestServer, active: bool) {
    let (tenant, id) = (server.tenant_id(), server.first_tenant().agent("grace").id.clone());
    let (changes, now) =
        (AgentChanges { is_active: Some(active), ..AgentChanges::default() }, server.clock.now());
    assert!(server.write(move |c| identity::agent_update(c, &tenant, &id, &changes, now)).await.is_some());
}

/// A new entry token.
async fn entry(server: &TestServer, owner: &str) -> String {
    text(&server.post(ENTRY).bearer(owner).send().await.ok().data()["autoLoginToken"])
}

fn enter(token: &str) -> String {
    format!("/api/auth/workspace-auto-login?token={token}")
}

#[test]
fn agent_signs_in_by_host_header_key_or_slug() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").tenant("other").start().await;
        let tenant = server.first_tenant().clone();
        let agent = server.first_tenant().agent("grace").clone();
        for request in [
            server.post(&format!("{LOGIN}?slug=acme")),
            server.post(&format!("{LOGIN}?apiKey={}", tenant.public_key)),
            server.post(LOGIN).header("x-ringnity-public-key", &tenant.public_key),
            server.post(LOGIN).header("host", "acme.localhost"),
            // The host overrides what the request names.
            server.post(&format!("{LOGIN}?slug=other")).header("host", "acme.localhost"),
        ] {
            let answer = request.json(&credentials(&server)).send().await.ok();
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let data = answer.data();
            assert_data!(answer, "workspace_session");
            let profile = &data["agent"];
            assert_eq!(
                (&profile["agentId"], &profile["clientId"]),
                (&json!(agent.id.as_str()), &json!(tenant.id.as_str()))
            );
            assert_eq!((&data["agentId"], &data["token"]), (&profile["agentId"], &data["accessToken"]));
            server.get(SHARED).bearer(&text(&data["accessToken"])).send().await.ok();
        }
    });
}

#[test]
fn rejects_unknown_workspace() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine);
        let server = server.tenant("acme").agent("grace").tenant("other").agent("grace").start().await;
        let ask = |path: &str| server.post(path).json(&credentials(&server)).send();
        ask(LOGIN).await.refused(404, "AUTH_WORKSPACE_NOT_FOUND");
        ask(&format!("{LOGIN}?slug=nobody")).await.refused(404, "SDK_CLIENT_NOT_FOUND");
        ask(&format!("{LOGIN}?apiKey=rn_pk_0")).await.refused(404, "SDK_CLIENT_NOT_FOUND");
        // The agent of that name in another tenant has another password.
        ask(&format!("{LOGIN}?slug=other")).await.refused(401, "AUTH_CREDENTIALS_INVALID");
    });
}

#[test]
fn wrong_password_and_unknown_agent_get_same_answer() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let ask = async |username: &str| {
            let body = json!({ "username": username, "password": "wrong" });
            let path = format!("{LOGIN}?slug=acme");
            server.post(&path).json(&body).send().await.refused(401, "AUTH_CREDENTIALS_INVALID").json
        };
        assert_eq!(ask("grace").await, ask("nobody").await);
    });
}

#[test]
fn workspace_token_opens_only_own_dashboard() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .tenant("other")
            .agent("grace")
            .start()
            .await;
        let token = text(&login(&server).await["accessToken"]);
        server.get("/api/auth/owner-me").bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(ENTRY).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.get("/api/platform/ai-pricing").bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.get("/api/server/contacts").bearer(&token).send().await.refused(401, "SERVER_API_KEY_INVALID");

        let theirs = server.workspace_session("other", "grace").await;
        let (mine, theirs) = (
            server.get(SHARED).bearer(&token).send().await.ok(),
            server.get(SHARED).bearer(&text(&theirs["accessToken"])).send().await.ok(),
        );
        let id = |answer: &crate::support::Answer| answer.data()["credentials"][0]["id"].clone();
        assert_ne!(id(&mine), id(&theirs));
    });
}

#[test]
fn refreshes_expired_workspace_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let first = login(&server).await;
        server.clock.advance(Duration::seconds(900));
        let token = text(&first["accessToken"]);
        server.get(SHARED).bearer(&token).send().await.refused(401, "TOKEN_EXPIRED");
        let second = server.post(REFRESH).json(&refresh(&first)).send().await.ok().data().clone();
        assert_eq!(second["expiresIn"], 900);
        server.get(SHARED).bearer(&text(&second["accessToken"])).send().await.ok();

        server.post(REFRESH).json(&refresh(&first)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        server.post(REFRESH).json(&refresh(&second)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        let token = text(&second["accessToken"]);
        server.get(SHARED).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(REFRESH).json(&json!({})).send().await.refused(400, "REQUEST_INVALID");
    });
}

#[test]
fn workspace_refresh_token_is_rejected_elsewhere() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let session = login(&server).await;
        for path in ["/api/auth/owner-refresh", "/api/platform/auth/refresh"] {
            server
                .post(path)
                .json(&refresh(&session))
                .send()
                .await
                .refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        }
        let cookie = format!("ownerRefreshToken={}", text(&session["refreshToken"]));
        let out = server.post("/api/auth/owner-logout").header("cookie", &cookie).send().await.ok();
        assert_eq!(out.data()["loggedOut"], false);
        server.post(REFRESH).json(&refresh(&session)).send().await.ok();
    });
}

#[test]
fn logout_ends_workspace_session() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let (session, other) = (login(&server).await, login(&server).await);
        let out = server.post(LOGOUT).json(&refresh(&session)).send().await.ok();
        assert_eq!(out.data()["loggedOut"], true);
        let token = text(&session["accessToken"]);
        server.get(SHARED).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(REFRESH).json(&refresh(&session)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        for body in [refresh(&session), json!({}), json!({ "refreshToken": "nobody's" })] {
            let out = server.post(LOGOUT).json(&body).send().await.ok();
            assert_eq!(out.data()["loggedOut"], false);
        }
        server.post(LOGOUT).send().await.ok();
        server.get(SHARED).bearer(&text(&other["accessToken"])).send().await.ok();
    });
}

#[test]
fn rejects_disabled_agent_at_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let session = login(&server).await;
        let token = text(&session["accessToken"]);
        set_agent_active(&server, false).await;
        server.get(SHARED).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(REFRESH).json(&refresh(&session)).send().await.refused(403, "AUTH_ACCOUNT_DISABLED");
        let again = server.post(&format!("{LOGIN}?slug=acme")).json(&credentials(&server)).send().await;
        again.refused(403, "AUTH_ACCOUNT_DISABLED");
        // Without the password, nobody learns that the agent is disabled.
        let wrong = json!({ "username": "grace", "password": "wrong" });
        let again = server.post(&format!("{LOGIN}?slug=acme")).json(&wrong).send().await;
        again.refused(401, "AUTH_CREDENTIALS_INVALID");
        set_agent_active(&server, true).await;
        server.get(SHARED).bearer(&token).send().await.ok();
    });
}

#[test]
fn owner_enters_workspace_once_per_entry_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let owner = server.owner_token().await;
        let made = server.post(ENTRY).bearer(&owner).send().await.ok();
        assert_eq!(made.header("cache-control"), Some("no-store"));
        assert_eq!(made.data()["expiresIn"], 60);
        let token = text(&made.data()["autoLoginToken"]);
        assert!(!text(&made.data()["dashboardUrl"]).contains(&token), "no secret in a link");
        if let Some(file) = server.database_file() {
            for name in [file.clone(), file.with_extension("db-wal")] {
                let held = std::fs::read(name).unwrap_or_default();
                assert!(
                    !held.windows(token.len()).any(|part| part == token.as_bytes()),
                    "it is kept as a hash"
                );
            }
        }

        let answer = server.get(&enter(&token)).send().await.ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_data!(answer, "workspace_session_of_owner");
        let agent = &answer.data()["agent"];
        let session = text(&answer.data()["accessToken"]);
        server.get(SHARED).bearer(&session).send().await.ok();
        server.post(REFRESH).json(&refresh(answer.data())).send().await.ok();

        server.get(&enter(&token)).send().await.refused(401, "AUTH_ENTRY_TOKEN_INVALID");
        server.get(&enter("rn_et_nobodys")).send().await.refused(401, "AUTH_ENTRY_TOKEN_INVALID");
        server.get("/api/auth/workspace-auto-login").send().await.refused(400, "REQUEST_INVALID");

        // The owner has one agent profile, which the dashboard names.
        let again = server.get(&enter(&entry(&server, &owner).await)).send().await.ok();
        assert_eq!(again.data()["agentId"], agent["agentId"]);
        let me = server.get("/api/auth/owner-me").bearer(&owner).send().await.ok();
        assert_eq!(me.data()["admin"]["agentId"], agent["agentId"]);
        let owner = server.first_tenant().owner.clone();
        let body = json!({ "username": owner.email, "password": owner.password });
        let by_password = server.post(&format!("{LOGIN}?slug=acme")).json(&body).send().await;
        by_password.refused(401, "AUTH_CREDENTIALS_INVALID");
    });
}

#[test]
fn rejects_expired_or_foreign_entry_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        let owner = server.owner_token().await;
        let token = entry(&server, &owner).await;
        server.clock.advance(Duration::seconds(60));
        server.get(&enter(&token)).send().await.refused(401, "AUTH_ENTRY_TOKEN_INVALID");

        let token = entry(&server, &owner).await;
        let other_host = server.get(&enter(&token)).header("host", "other.localhost").send().await;
        other_host.refused(401, "AUTH_ENTRY_TOKEN_INVALID");
        server.get(&enter(&token)).header("host", "acme.localhost").send().await.ok();

        let owner = &server.first_tenant().owner;
        let body = json!({ "email": owner.email, "password": owner.password });
        let session = server.post("/api/auth/owner-login").json(&body).send().await.ok();
        let token = entry(&server, &text(&session.data()["accessToken"])).await;
        let cookie = format!("ownerRefreshToken={}", text(&session.data()["refreshToken"]));
        server.post("/api/auth/owner-logout").header("cookie", &cookie).send().await.ok();
        server.get(&enter(&token)).send().await.refused(401, "AUTH_ENTRY_TOKEN_INVALID");
    });
}

#[test]
fn only_owner_gets_entry_token_to_own_workspace() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").tenant("other").start().await;
        server.post(ENTRY).send().await.refused(401, "AUTH_TOKEN_MISSING");
        server.post(ENTRY).bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
        let theirs = server.owner_token_of(server.tenant("other")).await;
        let entered = server.get(&enter(&entry(&server, &theirs).await)).send().await.ok();
        assert_eq!(entered.data()["agent"]["clientId"], json!(server.tenant("other").id.as_str()));
    });
}

#[test]
fn repeated_request_gets_same_entry_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let owner = server.owner_token().await;
        let make = || server.post(ENTRY).bearer(&owner).header("idempotency-key", "one").send();
        let (first, again) = (make().await.ok(), make().await.ok());
        assert_eq!(first.data(), again.data());
        let token = text(&first.data()["autoLoginToken"]);
        server.get(&enter(&token)).send().await.ok();
        server.get(&enter(&token)).send().await.refused(401, "AUTH_ENTRY_TOKEN_INVALID");
    });
}

#[test]
fn counts_failed_workspace_sign_ins_per_account() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine);
        let server = server.tenant("acme").agent("grace").tenant("other").agent("grace").start().await;
        let wrong = json!({ "username": "grace", "password": "wrong" });
        let acme = format!("{LOGIN}?slug=acme");
        for _ in 0..10 {
            server.post(&acme).json(&wrong).send().await.refused(401, "AUTH_CREDENTIALS_INVALID");
        }
        let refused = server.post(&acme).json(&credentials(&server)).send().await;
        let refused = refused.refused(429, "RATE_LIMITED");
        assert!(refused.header("retry-after").is_some());
        // The agent of that name in another tenant is another account.
        server.workspace_session("other", "grace").await;
        server.clock.advance(Duration::minutes(15));
        server.post(&acme).json(&credentials(&server)).send().await.ok();
    });
}

#[test]
fn disabling_owner_ends_workspace_sessions() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let owner = server.owner_token().await;
        let session = server.get(&enter(&entry(&server, &owner).await)).send().await.ok();
        let token = entry(&server, &owner).await;
        // SDK tokens that the customer's backend requests for the owner.
        let of_the_owner = json!({ "username": server.first_tenant().owner.email });
        let mut held = Vec::new();
        for kind in ["agent", "admin"] {
            let token = server.sdk_token(kind, server.key(), &of_the_owner).await;
            probe(&server, &token).await.refused(404, "SDK_DEVICE_TOKEN_NOT_FOUND");
            held.push(token);
        }
        let tenant = server.tenant_id();
        let (owner_id, now) = (server.first_tenant().owner.id.clone(), server.clock.now());
        assert!(
            server.write(move |c| identity::owner_set_active(c, &tenant, &owner_id, false, now)).await,
            "the owner is disabled"
        );
        let access = text(&session.data()["accessToken"]);
        server.get(SHARED).bearer(&access).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server
            .post(REFRESH)
            .json(&refresh(session.data()))
            .send()
            .await
            .refused(403, "AUTH_ACCOUNT_DISABLED");
        server.get(&enter(&token)).send().await.refused(403, "AUTH_ACCOUNT_DISABLED");
        server.post(ENTRY).bearer(&owner).send().await.refused(401, "AUTH_TOKEN_INVALID");
        for (token, code) in held.iter().zip(["AGENT_SDK_TOKEN_INVALID", "ADMIN_SDK_TOKEN_INVALID"]) {
            probe(&server, token).await.refused(401, code);
        }
        for kind in ["agent", "admin"] {
            let path = format!("/api/server/sdk-token/{kind}");
            let again = server.post(&path).bearer(server.key()).json(&of_the_owner).send().await;
            again.refused(403, "AGENT_SDK_AGENT_DISABLED");
        }
    });
}

#[test]
fn rejects_workspace_of_disabled_tenant() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").agent("grace").start().await;
        let owner = server.owner_token().await;
        let session = login(&server).await;
        let token = entry(&server, &owner).await;
        let sign_in = async || {
            let slug = &server.first_tenant().slug;
            server.post(&format!("{LOGIN}?slug={slug}")).json(&credentials(&server)).send().await
        };
        let go_on = async || server.post(REFRESH).json(&refresh(&session)).send().await;
        let open = async || server.get(SHARED).bearer(&text(&session["accessToken"])).send().await;
        let make = async || server.post(ENTRY).bearer(&owner).send().await;
        let walk_in = async || server.get(&enter(&token)).send().await;
        server.set_tenant_active(false).await;
        for answer in [sign_in().await, go_on().await, open().await, make().await, walk_in().await] {
            answer.refused(403, "SDK_CLIENT_INACTIVE");
        }
        // The refused requests have used up no token.
        server.set_tenant_active(true).await;
        for answer in [sign_in().await, open().await, go_on().await, make().await, walk_in().await] {
            answer.ok();
        }
    });
}

/// A request that every SDK token may make and that finds nothing.
async fn probe(server: &TestServer, token: &str) -> Answer {
    let body = json!({ "deviceId": "no such device" });
    server.delete("/api/sdk/devices/push-token").bearer(token).json(&body).send().await
}

//! Sign-in and sessions of platform administrators.

use chrono::Duration;
use ringnity_store::identity;
use serde_json::{Value, json};

use crate::support::{TestServer, assert_data, on_each_engine};

const LOGIN: &str = "/api/platform/auth/login";
const REFRESH: &str = "/api/platform/auth/refresh";
/// An operation that only platform administrators may call.
const GUARDED: &str = "/api/platform/plan-contracts";

async fn login(server: &TestServer) -> Value {
    let admin = server.platform_admin();
    let body = json!({ "email": admin.email, "password": admin.password });
    server.post(LOGIN).json(&body).send().await.ok().data().clone()
}

fn refresh(session: &Value) -> Value {
    json!({ "refreshToken": session["refreshToken"] })
}

#[test]
fn platform_admin_signs_in() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").platform_admin().start().await;
        let admin = server.platform_admin().clone();
        let body = json!({ "email": admin.email.to_uppercase(), "password": admin.password });
        let answer = server.post(LOGIN).json(&body).send().await.ok();
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let data = answer.data();
        assert_data!(answer, "platform_session");
        let token = data["accessToken"].as_str().expect("token");
        let opened = server.get(GUARDED).bearer(token).send().await;
        assert!(![401, 403].contains(&opened.status.as_u16()), "{}", opened.text);

        let owner = server.owner_token().await;
        server.get(GUARDED).bearer(&owner).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.get(GUARDED).bearer(server.key()).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.get(GUARDED).send().await.refused(401, "AUTH_TOKEN_MISSING");
        server.get("/api/auth/owner-me").bearer(token).send().await.refused(401, "AUTH_TOKEN_INVALID");
    });
}

#[test]
fn wrong_password_and_unknown_admin_get_same_answer() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").platform_admin().start().await;
        let ask = async |email: &str| {
            let body = json!({ "email": email, "password": "wrong" });
            server.post(LOGIN).json(&body).send().await.refused(401, "AUTH_CREDENTIALS_INVALID").json
        };
        let email = server.platform_admin().email.clone();
        assert_eq!(ask(&email).await, ask("nobody@platform.example").await);
        // An owner is not a platform administrator.
        let owner = server.first_tenant().owner.clone();
        let body = json!({ "email": owner.email, "password": owner.password });
        server.post(LOGIN).json(&body).send().await.refused(401, "AUTH_CREDENTIALS_INVALID");
    });
}

#[test]
fn counts_failed_platform_sign_ins() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).platform_admin().start().await;
        let wrong = json!({ "email": server.platform_admin().email, "password": "wrong" });
        for _ in 0..10 {
            server.post(LOGIN).json(&wrong).send().await.refused(401, "AUTH_CREDENTIALS_INVALID");
        }
        server.post(LOGIN).json(&wrong).send().await.refused(429, "RATE_LIMITED");
        server.clock.advance(Duration::minutes(15));
        login(&server).await;
    });
}

#[test]
fn reused_platform_refresh_token_ends_session() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").platform_admin().start().await;
        let first = login(&server).await;
        let second = server.post(REFRESH).json(&refresh(&first)).send().await.ok().data().clone();
        assert_eq!((&second["adminId"], &second["email"]), (&first["adminId"], &first["email"]));
        assert_ne!(second["refreshToken"], first["refreshToken"]);
        let token = second["accessToken"].as_str().expect("token");
        let opened = server.get(GUARDED).bearer(token).send().await;
        assert_ne!(opened.status.as_u16(), 401);

        server.post(REFRESH).json(&refresh(&first)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        server.post(REFRESH).json(&refresh(&second)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        server.get(GUARDED).bearer(token).send().await.refused(401, "AUTH_TOKEN_INVALID");
    });
}

#[test]
fn owner_refresh_token_is_rejected_elsewhere() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let owner = server.first_tenant().owner.clone();
        let body = json!({ "email": owner.email, "password": owner.password });
        let session = server.post("/api/auth/owner-login").json(&body).send().await.ok().data().clone();
        for path in [REFRESH, "/api/auth/workspace-refresh"] {
            server
                .post(path)
                .json(&refresh(&session))
                .send()
                .await
                .refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        }
        server.post("/api/auth/owner-refresh").json(&refresh(&session)).send().await.ok();
        server
            .post(REFRESH)
            .json(&json!({ "refreshToken": "nobody's" }))
            .send()
            .await
            .refused(401, "AUTH_REFRESH_TOKEN_INVALID");
    });
}

#[test]
fn rejects_disabled_platform_admin_at_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").platform_admin().start().await;
        let session = login(&server).await;
        let token = session["accessToken"].as_str().expect("token");
        let id = session["adminId"].as_str().expect("id").to_owned().into();
        let now = server.clock.now();
        let store = server.store();
        store.write(move |c| identity::platform_admin_set_active(c, &id, false, now)).await.expect("writes");
        server.get(GUARDED).bearer(token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(REFRESH).json(&refresh(&session)).send().await.refused(403, "AUTH_ACCOUNT_DISABLED");
        let admin = server.platform_admin();
        let body = json!({ "email": admin.email, "password": admin.password });
        server.post(LOGIN).json(&body).send().await.refused(403, "AUTH_ACCOUNT_DISABLED");
    });
}

#[test]
fn platform_session_expires_after_thirty_days() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").platform_admin().start().await;
        let session = login(&server).await;
        server.clock.advance(Duration::days(29));
        let next = server.post(REFRESH).json(&refresh(&session)).send().await.ok().data().clone();
        server.clock.advance(Duration::days(30));
        server.post(REFRESH).json(&refresh(&next)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
    });
}

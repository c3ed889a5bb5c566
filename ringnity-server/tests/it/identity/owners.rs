//! Sign-in of owners with a password, and their access tokens.

use chrono::Duration;
use serde_json::json;

use crate::support::{TestServer, assert_data, on_each_engine};

#[test]
fn owner_signs_in() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let owner = server.first_tenant().owner.clone();
        let body = json!({ "email": owner.email.to_uppercase(), "password": owner.password });
        let answer = server.post("/api/auth/owner-login").json(&body).send().await.ok();
        let data = answer.data();
        assert_data!(answer, "owner_session");
        assert_eq!(data["client"]["apiKey"], json!(server.first_tenant().public_key));
        assert_eq!(data["sessionToken"], data["accessToken"]);
        let cookie = answer.header("set-cookie").expect("cookie");
        for part in ["ownerRefreshToken=rn_rt_", "HttpOnly", "SameSite=Lax", "Path=/api/auth"] {
            assert!(cookie.contains(part), "{part} in {cookie}");
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"));

        let token = data["accessToken"].as_str().expect("token");
        let me = server.get("/api/auth/owner-me").bearer(token).send().await.ok();
        assert_eq!(me.data()["client"], data["client"]);
    });
}

#[test]
fn wrong_password_and_unknown_owner_get_same_answer() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let email = server.first_tenant().owner.email.clone();
        let ask = async |email: &str| {
            let body = json!({ "email": email, "password": "wrong" });
            server
                .post("/api/auth/owner-login")
                .json(&body)
                .send()
                .await
                .refused(401, "AUTH_CREDENTIALS_INVALID")
                .json
        };
        assert_eq!(ask(&email).await, ask("nobody@acme.example").await);
    });
}

#[test]
fn access_token_expires() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        server.clock.advance(Duration::seconds(880));
        server.get("/api/auth/owner-me").bearer(&token).send().await.ok();
        server.clock.advance(Duration::seconds(20));
        server.get("/api/auth/owner-me").bearer(&token).send().await.refused(401, "TOKEN_EXPIRED");
    });
}

#[test]
fn owner_me_requires_owner_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let key = server.key().to_owned();
        let missing = server.get("/api/auth/owner-me").send().await.refused(401, "AUTH_TOKEN_MISSING");
        assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
        for token in [key.as_str(), "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            server.get("/api/auth/owner-me").bearer(token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        }
    });
}

#[test]
fn access_token_survives_restart() {
    on_each_engine(async |engine| {
        let mut server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        server.restart().await;
        server.get("/api/auth/owner-me").bearer(&token).send().await.ok();
    });
}

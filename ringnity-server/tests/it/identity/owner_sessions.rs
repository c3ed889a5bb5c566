//! Sessions of owners: refresh by body and by cookie, and logout.

use chrono::Duration;
use ringnity_store::identity;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, on_each_engine};

const REFRESH: &str = "/api/auth/owner-refresh";
const LOGOUT: &str = "/api/auth/owner-logout";
const ME: &str = "/api/auth/owner-me";

async fn login(server: &TestServer) -> Answer {
    let owner = &server.first_tenant().owner;
    let body = json!({ "email": owner.email, "password": owner.password });
    server.post("/api/auth/owner-login").json(&body).send().await.ok()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// The cookie header that a browser would send.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    set.split(';').next().expect("its value").to_owned()
}

fn body(session: &Answer) -> Value {
    json!({ "refreshToken": session.data()["refreshToken"] })
}

#[test]
fn refreshes_session_by_body() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let first = login(&server).await;
        let second = server.post(REFRESH).json(&body(&first)).send().await.ok();
        let data = second.data();
        assert_eq!((&data["expiresIn"], &data["sessionToken"]), (&json!(900), &data["accessToken"]));
        assert_ne!(data["refreshToken"], first.data()["refreshToken"]);
        assert_eq!(second.header("cache-control"), Some("no-store"));
        // The cookie is updated too. Otherwise its old token would come again and end the session.
        assert_eq!(cookie(&second), format!("ownerRefreshToken={}", text(&data["refreshToken"])));
        server.get(ME).bearer(&text(&data["accessToken"])).send().await.ok();
        // The previous access token stays valid until it expires: it belongs to the same session.
        server.get(ME).bearer(&text(&first.data()["accessToken"])).send().await.ok();
    });
}

#[test]
fn refreshes_session_by_cookie() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let first = login(&server).await;
        let second = server.post(REFRESH).header("cookie", &cookie(&first)).send().await.ok();
        let set = second.header("set-cookie").expect("cookie").to_owned();
        for part in
            ["ownerRefreshToken=rn_rt_", "HttpOnly", "SameSite=Lax", "Path=/api/auth;", "Max-Age=2592000"]
        {
            assert!(set.contains(part), "{part} in {set}");
        }
        assert!(!set.contains("Secure"), "http has no secure cookies: {set}");
        let others = format!("theme=dark; {}; lang=en", cookie(&second));
        server.post(REFRESH).header("cookie", &others).json(&json!({})).send().await.ok();
    });
}

#[test]
fn refresh_token_in_body_overrides_cookie() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let (one, other) = (login(&server).await, login(&server).await);
        server.post(REFRESH).header("cookie", &cookie(&one)).json(&body(&other)).send().await.ok();
        // The token of the cookie was not used, that of the body was.
        let refused = server.post(REFRESH).header("cookie", &cookie(&one)).json(&body(&other)).send().await;
        refused.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        server.post(REFRESH).header("cookie", &cookie(&one)).send().await.ok();
        let wrong = json!({ "refreshToken": "rn_rt_nobodys" });
        let refused = server.post(REFRESH).header("cookie", &cookie(&one)).json(&wrong).send().await;
        let refused = refused.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        assert_eq!(refused.header("set-cookie"), None, "the cookie had no part in it");
    });
}

#[test]
fn reused_refresh_token_ends_session() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let bystander = login(&server).await;
        let first = login(&server).await;
        let second = server.post(REFRESH).json(&body(&first)).send().await.ok();
        let refused = server.post(REFRESH).header("cookie", &cookie(&first)).send().await;
        let refused = refused.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        let set = refused.header("set-cookie").expect("the cookie is taken back");
        assert!(set.starts_with("ownerRefreshToken=;") && set.contains("Max-Age=0"), "{set}");
        server.post(REFRESH).json(&body(&second)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        for session in [&first, &second] {
            let token = text(&session.data()["accessToken"]);
            server.get(ME).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        }
        server.get(ME).bearer(&text(&bystander.data()["accessToken"])).send().await.ok();
    });
}

#[test]
fn rejects_refresh_without_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        server.post(REFRESH).send().await.refused(401, "AUTH_REFRESH_TOKEN_MISSING");
        server.post(REFRESH).json(&json!({})).send().await.refused(401, "AUTH_REFRESH_TOKEN_MISSING");
        let empty = server.post(REFRESH).header("cookie", "ownerRefreshToken=").send().await;
        empty.refused(401, "AUTH_REFRESH_TOKEN_MISSING");
        server
            .post(REFRESH)
            .json(&json!({ "refreshToken": "" }))
            .send()
            .await
            .refused(400, "REQUEST_INVALID");
        let token = server.owner_token().await;
        let access = json!({ "refreshToken": token });
        server.post(REFRESH).json(&access).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
    });
}

#[test]
fn refresh_token_expires_after_thirty_days() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let first = login(&server).await;
        server.clock.advance(Duration::days(30) - Duration::minutes(1));
        let second = server.post(REFRESH).json(&body(&first)).send().await.ok();
        server.clock.advance(Duration::days(30));
        server.post(REFRESH).json(&body(&second)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
    });
}

#[test]
fn logout_ends_session_and_clears_cookie() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = login(&server).await;
        let token = text(&session.data()["accessToken"]);
        let out = server.post(LOGOUT).header("cookie", &cookie(&session)).send().await.ok();
        assert_eq!(out.data()["loggedOut"], true);
        let set = out.header("set-cookie").expect("cookie");
        for part in ["ownerRefreshToken=;", "Max-Age=0", "Path=/api/auth;", "HttpOnly"] {
            assert!(set.contains(part), "{part} in {set}");
        }
        server.get(ME).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(REFRESH).json(&body(&session)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        // Logging out without a live session succeeds.
        for sent in [cookie(&session), String::new(), "ownerRefreshToken=nobodys".to_owned()] {
            let out = server.post(LOGOUT).header("cookie", &sent).send().await.ok();
            assert_eq!(out.data()["loggedOut"], false);
            assert!(out.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")));
        }
        server.post(LOGOUT).send().await.ok();
    });
}

#[test]
fn logout_by_body_also_ends_session_of_cookie() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let ended = async |session: &Answer| {
            let token = text(&session.data()["accessToken"]);
            server.get(ME).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
            server.post(REFRESH).json(&body(session)).send().await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        };
        let (kept, browsers) = (login(&server).await, login(&server).await);
        let out = server.post(LOGOUT).json(&body(&kept)).send().await.ok();
        assert_eq!(out.data()["loggedOut"], true);
        ended(&kept).await;
        server.get(ME).bearer(&text(&browsers.data()["accessToken"])).send().await.ok();
        let again = login(&server).await;
        let out =
            server.post(LOGOUT).header("cookie", &cookie(&browsers)).json(&body(&again)).send().await.ok();
        assert_eq!(out.data()["loggedOut"], true);
        ended(&again).await;
        ended(&browsers).await;
        let out = server.post(LOGOUT).json(&json!({ "refreshToken": "nobodys" })).send().await.ok();
        assert_eq!(out.data()["loggedOut"], false);
    });
}

#[test]
fn rejects_disabled_owner_or_tenant_without_using_token() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = login(&server).await;
        let token = text(&session.data()["accessToken"]);
        let switch_owner = async |on: bool| {
            let (tenant, owner) = (server.tenant_id(), server.first_tenant().owner.id.clone());
            let now = server.clock.now();
            assert!(server.write(move |c| identity::owner_set_active(c, &tenant, &owner, on, now)).await);
        };
        let owner = server.first_tenant().owner.clone();
        let login_body = json!({ "email": owner.email, "password": owner.password });

        switch_owner(false).await;
        server.get(ME).bearer(&token).send().await.refused(401, "AUTH_TOKEN_INVALID");
        server.post(REFRESH).json(&body(&session)).send().await.refused(403, "AUTH_ACCOUNT_DISABLED");
        let again = server.post("/api/auth/owner-login").json(&login_body).send().await;
        again.refused(403, "AUTH_ACCOUNT_DISABLED");
        switch_owner(true).await;

        server.set_tenant_active(false).await;
        server.get(ME).bearer(&token).send().await.refused(403, "SDK_CLIENT_INACTIVE");
        server.post(REFRESH).json(&body(&session)).send().await.refused(403, "SDK_CLIENT_INACTIVE");
        let again = server.post("/api/auth/owner-login").json(&login_body).send().await;
        again.refused(403, "SDK_CLIENT_INACTIVE");
        server.set_tenant_active(true).await;

        server.post(REFRESH).json(&body(&session)).send().await.ok();
    });
}

#[test]
fn cookie_is_secure_with_https_url() {
    let secure = |config: &mut ringnity_server::config::ServeConfig| {
        config.public_url = Some("https://api.example.com".into());
    };
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(secure).start().await;
        let session = login(&server).await;
        let next = server.post(REFRESH).header("cookie", &cookie(&session)).send().await.ok();
        let out = server.post(LOGOUT).header("cookie", &cookie(&next)).send().await.ok();
        for answer in [&session, &next, &out] {
            let set = answer.header("set-cookie").expect("cookie");
            assert!(set.split("; ").any(|attribute| attribute == "Secure"), "{set}");
        }
    });
}

#[test]
fn other_origins_cannot_read_session() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let session = login(&server).await;
        let asked =
            server.post(REFRESH).header("cookie", &cookie(&session)).header("origin", "https://evil.example");
        let answer = asked.send().await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    });
}

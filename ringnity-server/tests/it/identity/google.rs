//! Sign-in of owners with Google: which ID tokens are accepted, and which accounts they belong to.

use chrono::Duration;
use futures_util::{StreamExt as _, stream};
use ringnity_server::config::{RateLimit, ServeConfig};
use ringnity_store::identity;
use serde_json::{Value, json};

use crate::support::fake_google::{CLIENT_ID, FakeGoogle, Key, signing_input, with_secret};
use crate::support::{Answer, TestServer, on_each_engine};

const PATH: &str = "/api/auth/owner-google-login";

/// Claims of an ID token for that email address.
fn claims(server: &TestServer, sub: &str, email: &str) -> Value {
    let now = server.clock.now().timestamp();
    json!({
        "iss": "https://accounts.google.com", "aud": CLIENT_ID, "azp": CLIENT_ID, "sub": sub,
        "email": email, "email_verified": true, "name": "Ada Lovelace",
        "picture": "https://lh3.googleusercontent.com/a/ada", "iat": now, "exp": now + 3600,
    })
}

fn owner_claims(server: &TestServer, sub: &str) -> Value {
    claims(server, sub, &server.first_tenant().owner.email)
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("claims").shift_remove(name);
    claims
}

async fn ask(server: &TestServer, token: &str) -> Answer {
    server.post(PATH).json(&json!({ "idToken": token })).send().await
}

#[test]
fn google_sign_in_is_refused_if_not_configured() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = Key::new("k1").token(&owner_claims(&server, "1"));
        ask(&server, &token).await.refused(403, "AUTH_GOOGLE_NOT_CONFIGURED");
        server.post(PATH).json(&json!({})).send().await.refused(400, "REQUEST_INVALID");
    });
}

#[test]
fn s2_4_whoever_sends_tokens_that_are_none_is_stopped_and_nobody_else() {
    let key = Key::new("k1");
    let google = FakeGoogle::with(&[&key]);
    let configure = google.configure();
    let behind_a_proxy = move |config: &mut ServeConfig| {
        configure(config);
        config.rate_limit = Some(RateLimit::Plan);
        config.trusted_proxies = vec!["127.0.0.1/32".parse().expect("address")];
    };
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(&behind_a_proxy).start().await;
        let ask = async |address: &str, token: &str| {
            let request = server.post(PATH).header("x-forwarded-for", address);
            request.json(&json!({ "idToken": token })).send().await
        };
        let good = key.token(&owner_claims(&server, "1"));
        // Successful sign-ins do not count.
        for _ in 0..10 {
            ask("192.0.2.1", &good).await.ok();
        }
        let started = std::time::Instant::now();
        let many: Vec<_> = stream::iter(0..310)
            .map(async |_| ask("192.0.2.1", "a.b.c").await.status.as_u16())
            .buffer_unordered(8)
            .collect()
            .await;
        let mut judged = many.iter().filter(|status| **status == 401).count();
        // The limit regains one attempt every three seconds, which a slow machine may need.
        while ask("192.0.2.1", "a.b.c").await.status == 401 {
            judged += 1;
        }
        let back = usize::try_from(started.elapsed().as_secs() / 3).expect("small") + 1;
        assert!((300..=300 + back).contains(&judged), "{judged} in {:?}", started.elapsed());
        let refused = ask("192.0.2.1", &good).await.refused(429, "RATE_LIMITED");
        assert!(refused.header("retry-after").is_some());
        ask("192.0.2.2", &good).await.ok();
        server.clock.advance(Duration::minutes(15));
        ask("192.0.2.1", &key.token(&owner_claims(&server, "1"))).await.ok();
    });
}

#[test]
fn links_google_account_by_verified_email() {
    let key = Key::new("k1");
    let google = FakeGoogle::with(&[&key]);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .tenant("other")
            .configure(google.configure())
            .start()
            .await;
        let first = ask(&server, &key.token(&owner_claims(&server, "1"))).await.ok();
        let data = first.data();
        assert_eq!((&data["requiresRegistration"], &data["client"]["slug"]), (&json!(false), &json!("acme")));
        assert_eq!((&data["expiresIn"], &data["sessionToken"]), (&json!(900), &data["accessToken"]));
        assert!(data.get("googleProfile").is_none());
        assert_eq!(first.header("cache-control"), Some("no-store"));
        let cookie = first.header("set-cookie").expect("cookie").split(';').next().expect("value").to_owned();
        let token = data["accessToken"].as_str().expect("token");
        server.get("/api/auth/owner-me").bearer(token).send().await.ok();
        server.post("/api/auth/owner-refresh").header("cookie", &cookie).send().await.ok();

        // A renamed account stays the same account; and there are two spellings of the issuer.
        let renamed =
            with(&claims(&server, "1", "ada@elsewhere.example"), "iss", json!("accounts.google.com"));
        let again = ask(&server, &key.token(&renamed)).await.ok();
        assert_eq!(again.data()["client"], data["client"]);

        // Another Google account with the same address is not linked.
        let taken_over = ask(&server, &key.token(&owner_claims(&server, "2"))).await;
        taken_over.refused(409, "RESOURCE_CONFLICT");
        let other = server.tenant("other").owner.email.to_uppercase();
        let other = ask(&server, &key.token(&claims(&server, "2", &other))).await.ok();
        assert_eq!(other.data()["client"]["slug"], "other");
    });
}

#[test]
fn unknown_google_account_requires_registration() {
    let key = Key::new("k1");
    let google = FakeGoogle::with(&[&key]);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(google.configure()).start().await;
        let answer = ask(&server, &key.token(&claims(&server, "7", "new@elsewhere.example"))).await.ok();
        assert_eq!(
            answer.data(),
            &json!({
                "requiresRegistration": true,
                "googleProfile": {
                    "sub": "7", "email": "new@elsewhere.example", "emailVerified": true, "name": "Ada Lovelace",
                    "picture": "https://lh3.googleusercontent.com/a/ada",
                },
            })
        );
        assert_eq!(answer.header("set-cookie"), None);
        let bare = without(&without(&claims(&server, "7", "new@elsewhere.example"), "name"), "picture");
        let answer = ask(&server, &key.token(&bare)).await.ok();
        assert!(answer.data()["googleProfile"].get("name").is_none());
    });
}

#[test]
fn rejects_forged_and_foreign_id_tokens() {
    let (key, other_key) = (Key::new("k1"), Key::new("k1"));
    let google = FakeGoogle::with(&[&key]);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(google.configure()).start().await;
        let good = owner_claims(&server, "1");
        let now = server.clock.now().timestamp();
        let header = |name: &str, value: Value| with(&key.header(), name, value);
        let none = header("alg", json!("none"));
        let hs = header("alg", json!("HS256"));
        let signed = key.token(&good);
        let (body, signature) = signed.rsplit_once('.').expect("a signature");
        let swapped = signing_input(&key.header(), &claims(&server, "9", "eve@example.com"));
        let tokens = [
            ("no signature", format!("{}.", signing_input(&none, &good))),
            ("no signature, as before", format!("{body}.")),
            ("none, with the signature", format!("{}.{signature}", signing_input(&none, &good))),
            ("the public key as a secret", with_secret(&hs, &good, key.public())),
            (
                "the modulus as a secret",
                with_secret(&hs, &good, key.jwk()["n"].as_str().unwrap_or("").as_bytes()),
            ),
            ("another key of that name", other_key.token(&good)),
            ("a foreign kid", key.sign(&header("kid", json!("k9")), &good)),
            ("a kid that is a path", key.sign(&header("kid", json!("../../etc/passwd")), &good)),
            ("no kid", key.sign(&json!({ "alg": "RS256" }), &good)),
            ("jku", key.sign(&header("jku", json!(google.url)), &good)),
            ("jwk", other_key.sign(&header("jwk", other_key.jwk()), &good)),
            ("jwk of Google's own", key.sign(&header("jwk", key.jwk()), &good)),
            ("x5u", key.sign(&header("x5u", json!("https://example.com/x")), &good)),
            ("crit", key.sign(&header("crit", json!(["exp"])), &good)),
            ("PS256 in the header", key.sign(&header("alg", json!("PS256")), &good)),
            ("other claims", format!("{swapped}.{signature}")),
            ("exp as text", key.token(&with(&good, "exp", json!((now + 3600).to_string())))),
            ("no exp", key.token(&without(&good, "exp"))),
            ("over", key.token(&with(&good, "exp", json!(now - 1)))),
            ("from the future", key.token(&with(&good, "iat", json!(now + 3600)))),
            ("another audience", key.token(&with(&good, "aud", json!("someone-elses")))),
            ("several audiences", key.token(&with(&good, "aud", json!([CLIENT_ID, "someone-elses"])))),
            ("no audience", key.token(&without(&good, "aud"))),
            (
                "another issuer",
                key.token(&with(&good, "iss", json!("https://accounts.google.com.evil.example"))),
            ),
            ("no issuer", key.token(&without(&good, "iss"))),
            ("no account", key.token(&without(&good, "sub"))),
            ("an empty account", key.token(&with(&good, "sub", json!("")))),
            ("an unverified email", key.token(&with(&good, "email_verified", json!(false)))),
            ("verified as text", key.token(&with(&good, "email_verified", json!("true")))),
            ("nothing of verification", key.token(&without(&good, "email_verified"))),
            ("no email", key.token(&without(&good, "email"))),
            ("no token", "x".to_owned()),
            ("three dots", "a.b.c".to_owned()),
        ];
        for (what, token) in tokens {
            let answer = ask(&server, &token).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.text);
            let answer = answer.refused(401, "AUTH_GOOGLE_TOKEN_INVALID");
            assert_eq!(answer.header("set-cookie"), None, "{what}");
        }
        // None of them was linked, so that another account still can be.
        ask(&server, &key.token(&owner_claims(&server, "another"))).await.ok();
        server.clock.advance(Duration::seconds(3600));
        ask(&server, &key.token(&good)).await.refused(401, "AUTH_GOOGLE_TOKEN_INVALID");
    });
}

#[test]
fn fetches_google_keys_only_when_needed() {
    let (old, new, foreign) = (Key::new("old"), Key::new("new"), Key::new("foreign"));
    let google = FakeGoogle::with(&[&old]);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(google.configure()).start().await;
        google.publish(&[&old]);
        let start = google.asked();
        let count = || google.asked() - start;
        let sign_in = async |key: &Key| ask(&server, &key.token(&owner_claims(&server, "1"))).await;
        assert_eq!(count(), 0, "nothing is asked before it is needed");
        for _ in 0..5 {
            sign_in(&old).await.ok();
        }
        assert_eq!(count(), 1);

        // Unknown keys do not cause a fetch each time.
        let many = (0..20).map(|_| sign_in(&foreign));
        for answer in futures_util::future::join_all(many).await {
            answer.refused(401, "AUTH_GOOGLE_TOKEN_INVALID");
        }
        assert_eq!(count(), 1);

        // A new key is accepted within half a minute, beside the old one.
        google.publish(&[&old, &new]);
        sign_in(&new).await.refused(401, "AUTH_GOOGLE_TOKEN_INVALID");
        server.clock.advance(Duration::seconds(30));
        let many = (0..20).map(|_| sign_in(&new));
        for answer in futures_util::future::join_all(many).await {
            answer.ok();
        }
        sign_in(&old).await.ok();
        assert_eq!(count(), 2);

        // A withdrawn key is rejected after the next fetch.
        google.publish(&[&new]);
        server.clock.advance(Duration::hours(1));
        sign_in(&new).await.ok();
        sign_in(&old).await.refused(401, "AUTH_GOOGLE_TOKEN_INVALID");
        assert_eq!(count(), 3);
    });
}

#[test]
fn uses_cached_keys_while_google_is_unreachable() {
    let (key, new) = (Key::new("k1"), Key::new("k2"));
    let google = FakeGoogle::with(&[&key]);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(google.configure()).start().await;
        let sign_in = async |key: &Key| ask(&server, &key.token(&owner_claims(&server, "1"))).await;
        google.answer(500, "oops");
        let away = sign_in(&key).await.refused(503, "SERVICE_UNAVAILABLE");
        assert_eq!(away.header("retry-after"), Some("5"));
        google.publish(&[&key]);
        let asked = google.asked();
        sign_in(&key).await.refused(503, "SERVICE_UNAVAILABLE");
        assert_eq!(google.asked(), asked, "not again at once");
        server.clock.advance(Duration::seconds(30));
        sign_in(&key).await.ok();

        for (status, body) in
            [(500, "oops"), (302, ""), (200, "<html>"), (200, "{}"), (200, &" ".repeat(300_000))]
        {
            google.answer(status, body);
            server.clock.advance(Duration::seconds(30));
            sign_in(&new).await.refused(503, "SERVICE_UNAVAILABLE");
            sign_in(&key).await.ok();
        }
        // Keys of that age may have been withdrawn.
        server.clock.advance(Duration::hours(24));
        sign_in(&key).await.refused(503, "SERVICE_UNAVAILABLE");
        google.publish(&[&key]);
        server.clock.advance(Duration::seconds(30));
        sign_in(&key).await.ok();
    });
}

#[test]
fn rejects_disabled_owner_with_google_account() {
    let key = Key::new("k1");
    let google = FakeGoogle::with(&[&key]);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(google.configure()).start().await;
        let switch = async |on: bool| {
            let (tenant, owner) = (server.tenant_id(), server.first_tenant().owner.id.clone());
            let now = server.clock.now();
            assert!(server.write(move |c| identity::owner_set_active(c, &tenant, &owner, on, now)).await);
        };
        switch(false).await;
        let refused = ask(&server, &key.token(&owner_claims(&server, "1"))).await;
        refused.refused(403, "AUTH_ACCOUNT_DISABLED");
        switch(true).await;
        // The account was not linked either.
        ask(&server, &key.token(&owner_claims(&server, "2"))).await.ok();
    });
}

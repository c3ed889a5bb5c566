//! Expired rows are deleted, and no answer shows when.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use ringnity_server::secrets::hash;
use ringnity_server::secrets::tokens::MAX_TOKEN_TTL;
use ringnity_store::identity::{self, NewSession, NewSigningKey};
use ringnity_store::jobs::job_get;
use ringnity_store::visitors::{self, VisitorProfile};
use ringnity_store::{Conn, Store, StoreError, StoreResult, idempotency, rate_limits};
use serde_json::{Value, json};

use crate::support::{TestServer, on_each_engine};

type Delete = fn(&mut Conn, DateTime<Utc>, i64) -> StoreResult<usize>;

/// The kinds of rows that expire: the job that deletes them, and its query.
const KINDS: [(&str, Delete); 5] = [
    ("expire-idempotency-keys", idempotency::idempotency_delete_expired),
    ("expire-rate-buckets", rate_limits::rate_bucket_delete_full),
    ("expire-sign-in-places", identity::sign_in_address_delete_expired),
    ("expire-entry-tokens", identity::entry_token_delete_expired),
    ("expire-sessions", identity::session_delete_expired),
];

/// The number of rows that have expired by then: deletes them and rolls back.
async fn ending(store: &Store, delete: Delete, at: DateTime<Utc>) -> usize {
    enum RolledBack {
        Count(usize),
        Wrong(StoreError),
    }
    impl From<StoreError> for RolledBack {
        fn from(error: StoreError) -> Self {
            Self::Wrong(error)
        }
    }
    match store.write(move |c| Err::<(), RolledBack>(RolledBack::Count(delete(c, at, 100_000)?))).await {
        Err(RolledBack::Count(count)) => count,
        Err(RolledBack::Wrong(error)) => panic!("{error}"),
        Ok(()) => unreachable!("it always refuses"),
    }
}

/// Advances the clock and waits until every job has run.
async fn pass(server: &TestServer, store: &Store, time: TimeDelta) {
    server.clock.advance(time);
    // A job that is due later has run.
    let now = server.clock.now();
    for name in KINDS.iter().map(|(name, _)| *name).chain(["expire-signing-keys", "expire-visitors"]) {
        let mut looked = false;
        for _ in 0..500 {
            let row = store.read(move |c| job_get(c, name, "")).await.expect("read");
            looked = row.is_some_and(|row| row.attempts == 0 && row.run_at > now);
            if looked {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(looked, "{name} did not run");
    }
}

/// Inserts one row of each kind that expires at `end`.
async fn make(server: &TestServer, store: &Store, word: &'static str, end: DateTime<Utc>) {
    let (tenant, now) = (server.tenant_id(), server.clock.now());
    store
        .write(move |c| {
            let owner = identity::owner_list(c, &tenant)?.remove(0).id;
            idempotency::idempotency_claim(c, word, "h", None, end, now)?;
            // A bucket of one token that is full again at `end`.
            rate_limits::rate_bucket_take(c, word, rate_limits::Gcra::new(1, end - now), 1, now)?;
            identity::sign_in_address_put(c, word, end)?;
            let new = NewSession {
                subject_kind: "owner",
                subject_id: owner.as_str(),
                credential_id: None,
                refresh_hash: Some(word),
                expires_at: end,
            };
            let family = identity::session_insert(c, Some(&tenant), &new, now)?;
            let profile = VisitorProfile { metadata: "{}".into(), ..VisitorProfile::default() };
            visitors::visitor_context_insert(c, &tenant, &family.id, &profile)?;
            // For a session that outlives the entry token.
            let hash = format!("lasting {word}");
            let expires_at = end + TimeDelta::days(900);
            let lasting = NewSession { refresh_hash: Some(&hash), expires_at, ..new };
            let session = identity::session_insert(c, Some(&tenant), &lasting, now)?;
            identity::entry_token_insert(c, &tenant, &owner, &session.id, word, end, now)?;
            Ok::<_, StoreError>(())
        })
        .await
        .expect("rows");
}

#[test]
fn deletes_rows_of_every_kind_after_expiry() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let store = server.store();
        pass(&server, store, TimeDelta::zero()).await;
        let begin = server.clock.now();
        let (soon, late) = (begin + TimeDelta::hours(40), begin + TimeDelta::hours(60));
        make(&server, store, "soon", soon).await;
        make(&server, store, "late", late).await;
        let count = async |at| {
            let mut counts = Vec::new();
            for (_, delete) in KINDS {
                counts.push(ending(store, delete, at).await);
            }
            counts
        };
        let made = count(soon).await;
        assert!(made.iter().all(|count| *count > 0), "{made:?}");

        // Just expired: the clock of another node may be behind.
        pass(&server, store, TimeDelta::hours(40) + TimeDelta::minutes(4)).await;
        let kept = count(soon).await;
        assert!(kept.iter().all(|count| *count > 0), "{kept:?} of {made:?}");

        pass(&server, store, TimeDelta::minutes(11)).await;
        let left = count(soon).await;
        ringnity_store::print_always!("{}: rows that ended {kept:?}, left {left:?}", store.engine());
        assert_eq!(left, [0; 5]);
        assert!(count(late).await.iter().all(|count| *count > 0), "what has not ended stays");
        let lasting = store.read(|c| identity::session_by_token(c, "lasting soon")).await.expect("read");
        assert!(lasting.is_some());
        pass(&server, store, TimeDelta::hours(21)).await;
        assert_eq!(count(late).await, [0; 5]);
    });
}

#[test]
fn deletes_unverified_visitors_after_a_month() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let store = server.store();
        let visit = async |body: Value| server.visitor_session(&body).await;
        let slug = &server.first_tenant().slug;
        visit(json!({ "slug": slug })).await;
        let context = server.context_token(&json!({ "externalId": "known", "name": "Ada" })).await;
        visit(json!({ "slug": slug, "contextToken": context })).await;
        let with_device = visit(json!({ "slug": slug })).await;
        let device = json!({ "token": "t", "provider": "fcm", "platform": "android" });
        let registered = server.post("/api/sdk/devices/push-token").bearer(&with_device).json(&device);
        registered.send().await.status(StatusCode::CREATED);
        let rows = || {
            let mut rows = server.database().rows("visitors");
            rows.retain(|row| row["tenant_id"] == server.tenant_id().as_str());
            rows
        };
        let count = async || rows().len();
        assert_eq!(count().await, 3);
        pass(&server, store, TimeDelta::days(30) - TimeDelta::minutes(20)).await;
        assert_eq!(count().await, 3);
        server.clock.advance(TimeDelta::minutes(21));
        for _ in 0..500 {
            if count().await < 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pass(&server, store, TimeDelta::hours(1)).await;
        let left: Vec<bool> = rows().iter().map(|row| row["external_id"] == "known").collect();
        assert_eq!((left.len(), left.iter().filter(|known| **known).count()), (2, 1));
        // A later visitor is deleted although two older ones stay.
        visit(json!({ "slug": slug })).await;
        pass(&server, store, TimeDelta::days(31)).await;
        let now = server.clock.now();
        let ended =
            store.read(move |c| visitors::visitor_list_expired(c, now, None, 500)).await.expect("a look");
        assert_eq!(ended.found, []);
    });
}

#[test]
fn deletes_more_rows_than_one_batch() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let store = server.store();
        pass(&server, store, TimeDelta::zero()).await;
        let (tenant, now) = (server.tenant_id(), server.clock.now());
        let end = now + TimeDelta::hours(1);
        store
            .write(move |c| {
                for n in 0..1100 {
                    idempotency::idempotency_claim(c, &format!("k{n}"), "h", None, end, now)?;
                }
                // A session with more tokens than one batch deletes.
                let new = NewSession {
                    subject_kind: "owner",
                    subject_id: "o",
                    credential_id: None,
                    refresh_hash: Some("t0"),
                    expires_at: end,
                };
                let family = identity::session_insert(c, Some(&tenant), &new, now)?;
                for n in 0..700 {
                    identity::session_rotate(c, &format!("t{n}"), &format!("t{}", n + 1), end, now)?;
                }
                Ok::<_, StoreError>(family)
            })
            .await
            .expect("rows");
        assert!(ending(store, idempotency::idempotency_delete_expired, end).await >= 1100);
        assert!(ending(store, identity::session_delete_expired, end).await >= 702);
        pass(&server, store, TimeDelta::hours(2)).await;
        assert_eq!(ending(store, idempotency::idempotency_delete_expired, end).await, 0);
        assert_eq!(ending(store, identity::session_delete_expired, end).await, 0);
    });
}

#[test]
fn deletes_retired_signing_key_after_its_tokens() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let store = server.store();
        let now = server.clock.now();
        let key = |word: &str| NewSigningKey {
            algorithm: "HS256".into(),
            private_key: word.into(),
            public_key: None,
        };
        let (one, two) = (key("one"), key("two"));
        let active = store
            .write(move |c| {
                identity::signing_key_ensure(c, "trial", &one, now)?;
                identity::signing_key_rotate(c, "trial", &two, now)
            })
            .await
            .expect("keys");
        let kept = async || {
            let keys = store.read(|c| identity::signing_key_list(c, "trial")).await.expect("keys");
            keys.into_iter().map(|key| key.kid).collect::<Vec<_>>()
        };
        pass(&server, store, MAX_TOKEN_TTL + TimeDelta::days(7) - TimeDelta::minutes(1)).await;
        assert_eq!(
            kept().await.len(),
            2,
            "a node that does not know the new key yet may still sign with the old"
        );
        pass(&server, store, TimeDelta::minutes(11)).await;
        assert_eq!(kept().await, std::slice::from_ref(&active.kid));
        pass(&server, store, TimeDelta::days(4000)).await;
        assert_eq!(kept().await, [active.kid]);
        // The server's own signing key stays too.
        server.owner_token().await;
    });
}

async fn sign_in(server: &TestServer) -> String {
    let owner = &server.first_tenant().owner;
    let body = json!({ "email": owner.email, "password": owner.password });
    let answer = server.post("/api/auth/owner-login").json(&body).send().await.ok();
    refresh_token(answer.data())
}

fn refresh_token(data: &Value) -> String {
    data["refreshToken"].as_str().expect("a token").to_owned()
}

fn brings(token: &str) -> Value {
    json!({ "refreshToken": token })
}

async fn is_known(store: &Store, token: &str) -> bool {
    let hash = hash(token);
    store.read(move |c| identity::session_by_token(c, &hash)).await.expect("read").is_some()
}

#[test]
fn expired_session_gets_same_answer_before_and_after_deletion() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let store = server.store();
        let token = sign_in(&server).await;
        pass(&server, store, TimeDelta::days(30) + TimeDelta::minutes(1)).await;
        let answers = async || {
            let refreshed = server.post("/api/auth/owner-refresh").json(&brings(&token)).send().await;
            let cookie = format!("ownerRefreshToken={token}");
            let left = server.post("/api/auth/owner-logout").header("cookie", &cookie).send().await.ok();
            (refreshed.refused(401, "AUTH_REFRESH_TOKEN_INVALID").json, left.data().clone())
        };
        assert!(is_known(store, &token).await);
        let mut before = answers().await;
        pass(&server, store, TimeDelta::minutes(15)).await;
        assert!(!is_known(store, &token).await);
        let mut after = answers().await;
        for answer in [&mut before.0, &mut after.0] {
            // Differs for each request.
            answer.as_object_mut().expect("an envelope").remove("requestId");
        }
        assert_eq!(before, after);
    });
}

#[test]
fn detects_reused_token_while_session_lives() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let store = server.store();
        let first = sign_in(&server).await;
        pass(&server, store, TimeDelta::days(20)).await;
        let answer = server.post("/api/auth/owner-refresh").json(&brings(&first)).send().await.ok();
        let second = refresh_token(answer.data());
        // The first token has expired, its session has not.
        pass(&server, store, TimeDelta::days(15)).await;
        assert!(is_known(store, &first).await);
        let refresh =
            async |token: &str| server.post("/api/auth/owner-refresh").json(&brings(token)).send().await;
        refresh(&first).await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
        refresh(&second).await.refused(401, "AUTH_REFRESH_TOKEN_INVALID");
    });
}

//! S2.2: every operation × every kind of credential × every scope, as the contract documents them, and expired and
//! revoked credentials.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Duration;
use futures_util::StreamExt as _;
use futures_util::stream;
use ringnity_api::runtime::CredentialLocation;
use ringnity_api::{OPERATIONS, Operation};
use ringnity_store::{SessionFamilyId, StoreError, identity};
use serde_json::{Value, json};

use super::operations::{client, code, kind, powers, request, scopes, send, with};
use crate::support::{TestServer, on_each_engine};

/// A credential, or text that is sent as one.
struct Credential {
    what: String,
    text: String,
    /// Kind, if it is valid.
    kind: Option<&'static str>,
    scopes: Vec<&'static str>,
}

#[derive(Debug, PartialEq)]
enum Decision {
    Accepted,
    LacksScope(&'static str),
    Rejected,
}

/// What the contract documents for a credential in that location.
fn documented(operation: &Operation, source: CredentialLocation, credential: &Credential) -> Decision {
    let travels = |kind_name: &str| kind(kind_name).locations.contains(&source);
    for access in operation.accepts.iter().filter(|access| travels(access.kind)) {
        if credential.kind != Some(access.kind) {
            continue;
        }
        let held = |any: &&[&str]| any.iter().any(|scope| credential.scopes.contains(scope));
        return if access.scopes.iter().all(held) {
            Decision::Accepted
        } else {
            Decision::LacksScope(access.kind)
        };
    }
    // A credential in no location of the operation is not seen.
    let seen = operation.accepts.iter().any(|access| travels(access.kind));
    if operation.anonymous && !seen { Decision::Accepted } else { Decision::Rejected }
}

/// What the server answered. Application code may refuse too, but with other codes.
fn said(operation: &Operation, status: u16, answer: &Value) -> Decision {
    let kinds = || operation.accepts.iter().map(|access| kind(access.kind));
    let code = code(operation, answer);
    let named = |named: Option<&str>| named == Some(code);
    let details = answer["details"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let scope = details.clone().any(|line| line.starts_with("needs scope"))
        || answer["error"] == "insufficient_scope";
    match status {
        401 if kinds().any(|kind| named(kind.missing) || named(kind.invalid) || named(kind.expired)) => {
            Decision::Rejected
        }
        403 if scope => {
            Decision::LacksScope(kinds().find(|kind| named(kind.denied)).expect("a documented code").kind)
        }
        _ => Decision::Accepted,
    }
}

/// Locations for credentials: bearer tokens and every header of a credential kind.
fn places() -> Vec<CredentialLocation> {
    let mut places: Vec<CredentialLocation> = Vec::new();
    for source in ringnity_api::CREDENTIALS.iter().flat_map(|kind| kind.locations) {
        if matches!(source, CredentialLocation::Bearer | CredentialLocation::Header(_))
            && !places.contains(source)
        {
            places.push(*source);
        }
    }
    places
}

/// Tries every combination; returns how many there were.
async fn try_all(server: &TestServer, credentials: &[Credential]) -> usize {
    let http = client();
    let places = places();
    let pairs = OPERATIONS.iter().filter(|operation| !operation.accepts.is_empty()).flat_map(|operation| {
        let places = places.clone();
        credentials
            .iter()
            .flat_map(move |one| places.clone().into_iter().map(move |place| (operation, one, place)))
    });
    let tried = AtomicUsize::new(0);
    stream::iter(pairs)
        .map(async |(operation, credential, place)| {
            let asked = with(request(server, &http, operation, "none"), place, &credential.text);
            let (status, answer, text) = send(operation, &credential.what, asked).await;
            let (said, documented) =
                (said(operation, status, &answer), documented(operation, place, credential));
            assert_eq!(
                said, documented,
                "{} with {} in {place:?}: {status} {text}",
                operation.id, credential.what
            );
            tried.fetch_add(1, Ordering::Relaxed);
        })
        .buffer_unordered(8)
        .collect::<Vec<()>>()
        .await;
    tried.into_inner()
}

/// These credentials as invalid ones.
fn ended(powers: Vec<(&'static str, String)>, how: &str) -> Vec<Credential> {
    let end = |(kind, text)| Credential {
        what: format!("a {kind} that {how}"),
        text,
        kind: None,
        scopes: Vec::new(),
    };
    powers.into_iter().map(end).collect()
}

#[test]
fn s2_2_only_documented_credentials_with_documented_scopes_open_an_operation() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .admin("amy")
            .platform_admin()
            .start()
            .await;
        let made = powers(&server).await;
        let mut all = Vec::new();
        for (name, text) in &made {
            let text = text.clone();
            all.push(Credential {
                what: format!("every {name}"),
                text,
                kind: Some(name),
                scopes: scopes(name),
            });
        }
        for scope in scopes("server") {
            let text = server.key_with(&[scope]).await;
            all.push(Credential { what: scope.into(), text, kind: Some("server"), scopes: vec![scope] });
        }
        for scope in scopes("agent") {
            let text = server.agent_token("grace", &[scope]).await;
            all.push(Credential { what: scope.into(), text, kind: Some("agent"), scopes: vec![scope] });
        }
        for scope in scopes("admin") {
            let text = server.admin_token(&[scope]).await;
            all.push(Credential { what: scope.into(), text, kind: Some("admin"), scopes: vec![scope] });
        }
        // Secrets that open no operation, and text that is none.
        let owner = &server.first_tenant().owner;
        let login = json!({ "email": owner.email, "password": owner.password });
        let session = server.post("/api/auth/owner-login").json(&login).send().await.ok();
        let refresh = session.data()["refreshToken"].as_str().expect("a token").to_owned();
        let entry = server.post("/api/auth/workspace-entry-token").bearer(&made["owner"]).send().await.ok();
        let entry = entry.data()["autoLoginToken"].as_str().expect("a token").to_owned();
        let context = server.context_token(&json!({ "externalId": "v", "name": "V" })).await;
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", made["owner"].split('.').nth(1).expect("claims"));
        let cut = made["owner"].rsplit_once('.').expect("a signature").0.to_owned();
        for (what, text) in [
            ("a refresh token", refresh),
            ("an entry token", entry),
            ("a context token", context),
            ("the public key", server.first_tenant().public_key.clone()),
            ("a password", owner.password.clone()),
            ("a token without a signature", unsigned),
            ("a token that was cut off", cut),
            ("an unknown key", format!("rn_sk_live_{}", "0".repeat(64))),
            ("garbage", "a.b.c".into()),
            ("something long", "x".repeat(4000)),
        ] {
            all.push(Credential { what: what.into(), text, kind: None, scopes: Vec::new() });
        }
        let live = try_all(&server, &all).await;

        // No credential.
        let http = client();
        for operation in OPERATIONS.iter().filter(|operation| !operation.accepts.is_empty()) {
            let (status, answer, text) =
                send(operation, "nobody", request(&server, &http, operation, "none")).await;
            let expected = if operation.anonymous { Decision::Accepted } else { Decision::Rejected };
            assert_eq!(said(operation, status, &answer), expected, "{} with nothing: {text}", operation.id);
        }

        // Expired credentials. Keys do not expire.
        server.clock.advance(Duration::hours(3));
        let late = made.clone().into_iter().filter(|(kind, _)| *kind != "server").collect();
        let late = try_all(&server, &ended(late, "has had its time")).await;

        // Revoked sessions and keys.
        let fresh = powers(&server).await;
        let key = server.key_with(&scopes("server")).await;
        let token = &fresh["owner"];
        let list = server.get("/api/sdk/developer/server-api-credentials").bearer(token).send().await.ok();
        for one in list.data()["credentials"].as_array().expect("keys") {
            let path =
                format!("/api/sdk/developer/server-api-credentials/{}", one["id"].as_str().expect("an id"));
            server.delete(&path).bearer(token).send().await.ok();
        }
        let rows = server.database().rows("session_families");
        let (store, now) = (server.store(), server.clock.now());
        let ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
        store
            .write(move |c| {
                for id in &ids {
                    identity::session_revoke(c, &SessionFamilyId::from(id.as_str()), "a test", now)?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .expect("ends them");
        let mut gone: Vec<_> = fresh.into_iter().collect();
        gone.push(("server", key));
        let gone = try_all(&server, &ended(gone, "was ended")).await;
        ringnity_store::print_always!(
            "{live} pairs of operation and credential, {late} with expired and {gone} with revoked ones"
        );
        assert!(live > 5000 && late > 500 && gone > 500);
    });
}

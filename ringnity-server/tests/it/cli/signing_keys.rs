//! Another key signs: old tokens go on, new ones are known at once, on every node and without a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringnity_server::secrets::tokens::{self, Signer, TokenScope};
use serde_json::Value;

use super::{Desk, Served, at_each_engine};
use crate::support::{TestServer, on_each_engine};

/// One of the parts of a token: its header or its claims.
fn part(token: &str, which: usize) -> Value {
    let part = token.split('.').nth(which).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("kid").to_owned()
}

fn new_owner(desk: &Desk) -> String {
    let made =
        desk.run(&["tenant", "create", "--slug=acme", "--name=A", "--owner-email=a@b.example", "--json"]);
    made.ok().json()["owner"]["password"].as_str().expect("a password").to_owned()
}

#[test]
fn a_running_server_takes_up_a_rotated_key_and_old_tokens_go_on() {
    at_each_engine(|desk| {
        desk.run(&["migrate"]).ok();
        let password = new_owner(desk);
        // PostgreSQL is shared by nodes; an SQLite file has one.
        let shared = desk.engine() == ringnity_store::Engine::Postgres;
        let nodes: Vec<Served> = (0..if shared { 2 } else { 1 }).map(|_| desk.serve(&[])).collect();
        let opens = |token: &str| {
            nodes.iter().map(|node| node.get("/api/sdk/developer", token).0).collect::<Vec<_>>()
        };
        let good = vec![200; nodes.len()];
        let old = nodes[0].owner_token("a@b.example", &password);
        assert_eq!(opens(&old), good);
        let rotated = desk.run(&["signing-keys", "rotate", "--json"]).ok().json();
        let active = rotated["active"].as_str().expect("a key").to_owned();
        assert_ne!(kid(&old), active);
        assert_eq!(rotated["keys"].as_array().map(Vec::len), Some(2), "the old one is kept: {rotated}");
        let begun = Instant::now();
        for node in &nodes {
            loop {
                let token = node.owner_token("a@b.example", &password);
                // Whoever signed it, every node knows it at once.
                assert_eq!(opens(&token), good, "{token}");
                if kid(&token) == active {
                    break;
                }
                assert!(begun.elapsed() < Duration::from_secs(30), "it still signs with the old key");
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        assert_eq!(opens(&old), good, "what the old key signed is good until it ends");
        let listed = desk.run(&["signing-keys", "list"]).ok();
        assert!(listed.out.contains("signs") && listed.out.contains("retired"), "{}", listed.out);
    });
}

#[test]
fn a_token_of_a_key_that_another_node_just_made_is_known_at_once() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (store, now) = (server.store(), server.clock.now());
        let claims = part(&token, 1);
        let claim = |name: &str| claims[name].as_str().expect("a claim").to_owned();
        tokens::rotate_signing_key(store, now).await.expect("another key");
        let elsewhere = Arc::new(Signer::load(store, now).await.expect("its keys"));
        let tenant = claim("tid");
        let next = elsewhere
            .sign(TokenScope::Owner, &claim("sub"), Some(&tenant), &claim("sid"), now)
            .expect("signs");
        assert_ne!(kid(&next), kid(&token));
        server.get("/api/sdk/developer").bearer(&next).send().await.ok();
        server.get("/api/sdk/developer").bearer(&token).send().await.ok();
        // A key that nobody made opens nothing, however often it is shown.
        let (_, rest) = next.split_once('.').expect("parts");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"kid_nobodys"}"#);
        for _ in 0..3 {
            let made_up = format!("{header}.{rest}");
            assert_eq!(server.get("/api/sdk/developer").bearer(&made_up).send().await.status.as_u16(), 401);
        }
    });
}

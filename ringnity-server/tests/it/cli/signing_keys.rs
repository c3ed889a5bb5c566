//! Rotation of signing keys: old tokens stay valid, and every node accepts new ones at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringnity_server::secrets::tokens::{self, Signer, TokenScope};
use serde_json::Value;

use super::{Cli, ServerProcess, with_cli_on_each_engine};
use crate::support::{TestServer, on_each_engine};

/// A part of a token: the header or the claims.
fn part(token: &str, which: usize) -> Value {
    let part = token.split('.').nth(which).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("kid").to_owned()
}

fn new_owner(cli: &Cli) -> String {
    let made =
        cli.run(&["tenant", "create", "--slug=acme", "--name=A", "--owner-email=a@b.example", "--json"]);
    made.ok().json()["owner"]["password"].as_str().expect("a password").to_owned()
}

#[test]
fn running_server_adopts_rotated_key_and_accepts_old_tokens() {
    with_cli_on_each_engine(|cli| {
        cli.run(&["migrate"]).ok();
        let password = new_owner(cli);
        // Two nodes on PostgreSQL, one on SQLite.
        let shared = cli.engine() == ringnity_store::Engine::Postgres;
        let nodes: Vec<ServerProcess> = (0..if shared { 2 } else { 1 }).map(|_| cli.serve(&[])).collect();
        let opens = |token: &str| {
            nodes.iter().map(|node| node.get("/api/sdk/developer", token).0).collect::<Vec<_>>()
        };
        let good = vec![200; nodes.len()];
        let old = nodes[0].owner_token("a@b.example", &password);
        assert_eq!(opens(&old), good);
        let rotated = cli.run(&["signing-keys", "rotate", "--json"]).ok().json();
        let active = rotated["active"].as_str().expect("a key").to_owned();
        assert_ne!(kid(&old), active);
        assert_eq!(rotated["keys"].as_array().map(Vec::len), Some(2), "the old one is kept: {rotated}");
        let started = Instant::now();
        for node in &nodes {
            loop {
                let token = node.owner_token("a@b.example", &password);
                // Every node accepts it, whichever signed it.
                assert_eq!(opens(&token), good, "{token}");
                if kid(&token) == active {
                    break;
                }
                assert!(started.elapsed() < Duration::from_secs(30), "it still signs with the old key");
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        assert_eq!(opens(&old), good, "what the old key signed is good until it ends");
        let listed = cli.run(&["signing-keys", "list"]).ok();
        assert!(listed.out.contains("active") && listed.out.contains("retired"), "{}", listed.out);
    });
}

#[test]
fn accepts_token_signed_with_new_key_of_other_node() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let token = server.owner_token().await;
        let (store, now) = (server.store(), server.clock.now());
        let claims = part(&token, 1);
        let claim = |name: &str| claims[name].as_str().expect("a claim").to_owned();
        tokens::rotate_signing_key(store, now).await.expect("another key");
        let other_node = Arc::new(Signer::load(store, now).await.expect("its keys"));
        let tenant = claim("tid");
        let next = other_node
            .sign(TokenScope::Owner, &claim("sub"), Some(&tenant), &claim("sid"), now)
            .expect("signs");
        assert_ne!(kid(&next), kid(&token));
        server.get("/api/sdk/developer").bearer(&next).send().await.ok();
        server.get("/api/sdk/developer").bearer(&token).send().await.ok();
        // A token with an unknown key is rejected each time.
        let (_, rest) = next.split_once('.').expect("parts");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"kid_nobodys"}"#);
        for _ in 0..3 {
            let made_up = format!("{header}.{rest}");
            assert_eq!(server.get("/api/sdk/developer").bearer(&made_up).send().await.status.as_u16(), 401);
        }
    });
}

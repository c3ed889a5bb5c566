//! R3: effects that may happen once happen once, across crashes and concurrent attempts, on two nodes where possible.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use ringnity_server::secrets;
use ringnity_store::Engine;
use serde_json::{Value, json};

use super::random;
use crate::support::fixtures::Fixtures;
use crate::support::node::{Cluster, Node};
use crate::support::on_each_engine;

const KEYS: &str = "/api/sdk/developer/server-api-credentials";

/// A client that sends to several nodes.
struct Clients {
    http: reqwest::Client,
    bases: Vec<String>,
}

impl Clients {
    fn of(nodes: &[&Node]) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build();
        let bases = nodes.iter().map(|node| node.base.clone()).collect();
        Self { http: http.expect("client"), bases }
    }

    /// Sends one request to one of the nodes; `None` if no answer came.
    async fn try_send(
        &self,
        turn: usize,
        method: &Method,
        path: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Option<(u16, String)> {
        let base = &self.bases[turn % self.bases.len()];
        let answer = with(self.http.request(method.clone(), format!("{base}{path}"))).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }

    /// Sends one request; the answer must come and be JSON.
    async fn send(&self, turn: usize, path: &str, body: &Value) -> (u16, Value) {
        let sent = self.try_send(turn, &Method::POST, path, |request| request.json(body)).await;
        let (status, text) = sent.expect("an answer");
        (status, serde_json::from_str(&text).expect("JSON"))
    }

    /// Sends a request a hundred times at once; returns the successes and the others.
    async fn hundred(
        &self,
        method: Method,
        path: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> (Vec<Value>, Vec<(u16, Value)>) {
        let answers = join_all((0..100).map(|turn| self.try_send(turn, &method, path, &with))).await;
        let (mut good, mut refused) = (Vec::new(), Vec::new());
        for (status, text) in answers.into_iter().map(|answer| answer.expect("an answer")) {
            let json: Value = serde_json::from_str(&text).expect("JSON");
            if (200..300).contains(&status) { good.push(json) } else { refused.push((status, json)) }
        }
        (good, refused)
    }
}

/// A second node, on PostgreSQL.
fn second(cluster: &Cluster) -> Option<Node> {
    (cluster.database.engine() == Engine::Postgres).then(|| cluster.node().start())
}

#[test]
fn r3_of_a_hundred_who_trade_one_refresh_token_at_once_one_wins_and_the_session_ends() {
    on_each_engine(async |engine| {
        let cluster =
            Cluster::new(engine, Fixtures::default().tenant("acme").agent("grace").platform_admin()).await;
        let node = cluster.node().start();
        let second = second(&cluster);
        let clients = Clients::of(&[Some(&node), second.as_ref()].into_iter().flatten().collect::<Vec<_>>());
        let owner =
            json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
        let staff = cluster.tenant().agent("grace");
        let staff = json!({ "username": staff.username, "password": staff.password });
        let admin =
            json!({ "email": cluster.platform_admin().email, "password": cluster.platform_admin().password });
        for (login, refresh, body) in [
            ("/api/auth/owner-login", "/api/auth/owner-refresh", owner),
            ("/api/auth/workspace-login?slug=acme", "/api/auth/workspace-refresh", staff),
            ("/api/platform/auth/login", "/api/platform/auth/refresh", admin),
        ] {
            let (status, session) = clients.send(0, login, &body).await;
            assert_eq!(status, 200, "{session}");
            let token = json!({ "refreshToken": session["data"]["refreshToken"] });
            let (good, refused) = clients.hundred(Method::POST, refresh, |sent| sent.json(&token)).await;
            assert_eq!(good.len(), 1, "{refresh}");
            for (status, answer) in &refused {
                assert_eq!(
                    (*status, &answer["code"]),
                    (401, &json!("AUTH_REFRESH_TOKEN_INVALID")),
                    "{answer}"
                );
            }
            // A reused token means theft, so the session ends for everybody.
            let next = json!({ "refreshToken": good[0]["data"]["refreshToken"] });
            assert_eq!(clients.send(1, refresh, &next).await.0, 401, "{refresh}");
            ringnity_store::print_always!(
                "{}: {} nodes, {refresh}: 100 tries, {} won",
                cluster.database.engine(),
                clients.bases.len(),
                good.len()
            );
        }
    });
}

#[test]
fn r3_of_a_hundred_who_redeem_one_entry_token_at_once_one_enters() {
    on_each_engine(async |engine| {
        let cluster =
            Cluster::new(engine, Fixtures::default().tenant("acme").agent("grace").platform_admin()).await;
        let node = cluster.node().start();
        let second = second(&cluster);
        let clients = Clients::of(&[Some(&node), second.as_ref()].into_iter().flatten().collect::<Vec<_>>());
        let owner =
            json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
        let (_, session) = clients.send(0, "/api/auth/owner-login", &owner).await;
        let access = session["data"]["accessToken"].as_str().expect("a token").to_owned();
        let made = clients
            .try_send(1, &Method::POST, "/api/auth/workspace-entry-token", |sent| sent.bearer_auth(&access))
            .await;
        let made: Value = serde_json::from_str(&made.expect("an answer").1).expect("JSON");
        let token = made["data"]["autoLoginToken"].as_str().expect("a token");
        let path = format!("/api/auth/workspace-auto-login?token={token}");
        let (good, refused) = clients.hundred(Method::GET, &path, |sent| sent).await;
        assert_eq!((good.len(), refused.len()), (1, 99));
        for (status, answer) in &refused {
            assert_eq!(*status, 401, "{answer}");
        }
        // The session of the winner goes on.
        let next = json!({ "refreshToken": good[0]["data"]["refreshToken"] });
        assert_eq!(clients.send(1, "/api/auth/workspace-refresh", &next).await.0, 200);
        ringnity_store::print_always!(
            "{}: {} nodes: 100 tries, 1 entered",
            cluster.database.engine(),
            clients.bases.len()
        );
    });
}

#[test]
fn r3_a_hundred_repeats_at_once_are_one_request_with_one_answer() {
    on_each_engine(async |engine| {
        let cluster =
            Cluster::new(engine, Fixtures::default().tenant("acme").agent("grace").platform_admin()).await;
        let node = cluster.node().start();
        let second = second(&cluster);
        let clients = Clients::of(&[Some(&node), second.as_ref()].into_iter().flatten().collect::<Vec<_>>());
        let owner =
            json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
        let (_, session) = clients.send(0, "/api/auth/owner-login", &owner).await;
        let access = session["data"]["accessToken"].as_str().expect("a token").to_owned();
        let body = json!({ "name": "Once", "scopes": ["server:health"] });
        let (good, refused) = clients
            .hundred(Method::POST, KEYS, |sent| {
                sent.bearer_auth(&access).header("idempotency-key", "one key").json(&body)
            })
            .await;
        assert_eq!((good.len(), refused.len()), (100, 0), "{refused:?}");
        assert!(good.iter().all(|answer| answer["data"] == good[0]["data"]), "{good:?}");
        let rows = cluster.database.dump()["server_credentials"].clone();
        assert_eq!(rows.iter().filter(|row| row["name"] == "Once").count(), 1);
    });
}

#[test]
fn r3_a_request_that_is_repeated_after_a_crash_takes_effect_once() {
    const ROUNDS: usize = 10;
    const AT_ONCE: usize = 8;
    on_each_engine(async |engine| {
        let cluster =
            Cluster::new(engine, Fixtures::default().tenant("acme").agent("grace").platform_admin()).await;
        let mut node = cluster.node().start();
        let owner =
            json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
        let (_, session) = Clients::of(&[&node]).send(0, "/api/auth/owner-login", &owner).await;
        let access = session["data"]["accessToken"].as_str().expect("a token").to_owned();
        let (mut answered, mut unanswered) = (0, 0);
        let mut secrets_told = Vec::new();
        for round in 0..ROUNDS {
            let make = async |clients: &Clients, n: usize| {
                let name = format!("crash {round} {n}");
                let body = json!({ "name": name, "scopes": ["server:health"] });
                let sent = clients.try_send(0, &Method::POST, KEYS, |sent| {
                    sent.bearer_auth(&access).header("idempotency-key", &name).json(&body)
                });
                sent.await
            };
            let clients = Clients::of(&[&node]);
            // The first request of a server takes longer than later ones.
            clients.try_send(0, &Method::GET, KEYS, |sent| sent.bearer_auth(&access)).await;
            let before = {
                let all = join_all((0..AT_ONCE).map(|n| make(&clients, n)));
                let kill = async {
                    tokio::time::sleep(Duration::from_millis(random(60))).await;
                    node.kill_9();
                };
                futures_util::future::join(all, kill).await.0
            };
            node = cluster.node().start();
            let clients = Clients::of(&[&node]);
            for (n, before) in before.into_iter().enumerate() {
                let first = make(&clients, n).await.expect("an answer");
                let repeat = make(&clients, n).await.expect("an answer");
                let data = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["data"].clone();
                assert_eq!((first.0, repeat.0), (201, 201), "{} {}", first.1, repeat.1);
                assert_eq!(data(&first.1), data(&repeat.1));
                match before {
                    Some((status, text)) => {
                        answered += 1;
                        assert_eq!((status, data(&text)), (201, data(&first.1)), "{text}");
                    }
                    None => unanswered += 1,
                }
                let secret = data(&first.1)["secret"].as_str().expect("a secret").to_owned();
                secrets_told.push((format!("crash {round} {n}"), secrets::hash(&secret)));
            }
        }
        let rows = cluster.database.dump()["server_credentials"].clone();
        for (name, hash) in &secrets_told {
            let found: Vec<&Value> = rows.iter().filter(|row| row["name"] == name.as_str()).collect();
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found[0]["secret_hash"], hash.as_str(), "{name}");
        }
        ringnity_store::print_always!(
            "{}: {ROUNDS} kills, {answered} requests answered before and {unanswered} not, all repeated twice, doubled: 0",
            cluster.database.engine()
        );
    });
}

//! S2.1: secrets are shown once, are in no table and no log line, and cannot be guessed. They are collected from
//! answers, not listed by hand.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

/// Prefixes of public identifiers.
const PUBLIC: [&str; 2] = ["rn_pk_", "rn_oauth_"];

/// Collects every secret in the answers of a server.
struct Collector {
    http: Client,
    base: String,
    /// Each secret with the paths that returned it.
    shown: BTreeMap<String, Vec<String>>,
}

impl Collector {
    async fn ask(&mut self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Value {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        // The stored answer of an idempotent request must not contain the secret in plain text.
        let request = request.header("idempotency-key", format!("a day's key for {path}"));
        let answer = request.send().await.expect("an answer");
        let (status, cookies) = (answer.status(), answer.headers().get_all("set-cookie").clone_all());
        let json: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {status} {json}");
        for cookie in cookies {
            let value = cookie.split([';', '=']).nth(1).unwrap_or_default().to_owned();
            self.collect(&Value::String(value), "a cookie");
        }
        self.collect(&json, path);
        json["data"].clone()
    }

    /// Collects text with a secret prefix, and signed tokens.
    fn collect(&mut self, value: &Value, shown: &str) {
        match value {
            Value::String(text) => {
                let whole = !text.contains('…') && text.len() > 24;
                let prefixed =
                    text.starts_with("rn_") && !PUBLIC.iter().any(|public| text.starts_with(public));
                let signed = text.starts_with("eyJ") && text.split('.').count() == 3;
                if whole && (prefixed || signed) {
                    self.shown.entry(text.clone()).or_default().push(shown.to_owned());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, shown)),
            Value::Object(members) => members.values().for_each(|member| self.collect(member, shown)),
            _ => {}
        }
    }
}

trait CloneAll {
    fn clone_all(&self) -> Vec<String>;
}

impl CloneAll for reqwest::header::GetAll<'_, reqwest::header::HeaderValue> {
    fn clone_all(&self) -> Vec<String> {
        self.iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

const KEYS: &str = "/api/sdk/developer/server-api-credentials";
const CLIENTS: &str = "/api/sdk/developer/oauth-clients";

/// Sends every request that returns secrets; returns the owner's token.
async fn send_everything(collector: &mut Collector, cluster: &Cluster) -> String {
    let (get, post) = (Method::GET, Method::POST);
    let login = json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
    let session = collector.ask(post.clone(), "/api/auth/owner-login", None, Some(login)).await;
    let refresh = json!({ "refreshToken": session["refreshToken"] });
    let session = collector.ask(post.clone(), "/api/auth/owner-refresh", None, Some(refresh)).await;
    let owner = text(&session["accessToken"]);
    let entry = collector.ask(post.clone(), "/api/auth/workspace-entry-token", Some(&owner), None).await;
    let token = text(&entry["autoLoginToken"]);
    collector.shown.entry(token.clone()).or_default().push("the entry token".into());
    let enter = format!("/api/auth/workspace-auto-login?token={token}");
    let workspace = collector.ask(get.clone(), &enter, None, None).await;
    let refresh = json!({ "refreshToken": workspace["refreshToken"] });
    collector.ask(post.clone(), "/api/auth/workspace-refresh", None, Some(refresh)).await;
    let staff = cluster.tenant().agent("grace");
    let login = json!({ "username": staff.username, "password": staff.password });
    collector.ask(post.clone(), "/api/auth/workspace-login?slug=acme", None, Some(login)).await;
    let admin =
        json!({ "email": cluster.platform_admin().email, "password": cluster.platform_admin().password });
    let platform = collector.ask(post.clone(), "/api/platform/auth/login", None, Some(admin)).await;
    let refresh = json!({ "refreshToken": platform["refreshToken"] });
    collector.ask(post.clone(), "/api/platform/auth/refresh", None, Some(refresh)).await;

    let key = json!({ "name": "Collector", "scopes": ["server:health"] });
    let key = collector.ask(post.clone(), KEYS, Some(&owner), Some(key)).await;
    let id = text(&key["credential"]["id"]);
    collector.ask(post.clone(), &format!("{KEYS}/{id}/rotate"), Some(&owner), None).await;
    let application =
        json!({ "name": "Collector", "type": "confidential", "redirectUris": ["https://day.example/back"] });
    let application = collector.ask(post.clone(), CLIENTS, Some(&owner), Some(application)).await;
    let id = text(&application["oauthClient"]["id"]);
    collector.ask(post.clone(), &format!("{CLIENTS}/{id}/rotate-secret"), Some(&owner), None).await;

    let server = cluster.tenant().key.clone();
    let visitor = json!({ "visitor": { "externalId": "v", "name": "V" } });
    let context =
        collector.ask(post.clone(), "/api/server/visitor-context-token", Some(&server), Some(visitor)).await;
    let agent = json!({ "username": staff.username });
    collector.ask(post.clone(), "/api/server/sdk-token/agent", Some(&server), Some(agent)).await;
    let admin = json!({ "adminActorId": "crm" });
    collector.ask(post.clone(), "/api/server/sdk-token/admin", Some(&server), Some(admin)).await;
    let vouched = json!({ "slug": "acme", "contextToken": context["token"] });
    let visitor = collector.ask(post.clone(), "/api/sdk/session", None, Some(vouched)).await;
    let device = json!({ "platform": "ios", "token": "a device's", "deviceId": "d" });
    let visitor = text(&visitor["sessionToken"]);
    collector.ask(post.clone(), "/api/sdk/devices/push-token", Some(&visitor), Some(device)).await;
    // Failed requests: a wrong password, a key in the wrong location, an invalid body.
    for (path, body) in [
        (
            "/api/auth/owner-login",
            json!({ "email": cluster.tenant().owner.email, "password": "Wrong-pa55word-of-the-collector" }),
        ),
        ("/api/auth/owner-refresh", json!({ "refreshToken": server })),
        ("/api/server/contacts", json!({ "name": owner })),
    ] {
        let sent = collector
            .http
            .post(format!("{}{path}?apiKey={server}", collector.base))
            .bearer_auth(&owner)
            .json(&body);
        assert!(sent.send().await.expect("an answer").status().is_client_error(), "{path}");
    }
    owner
}

#[test]
fn s2_1_secrets_are_told_once_and_stand_in_no_table_and_in_no_log_line() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(
            engine,
            Fixtures::default().tenant("acme").agent("grace").tenant("other").agent("grace").platform_admin(),
        )
        .await;
        let mut node = cluster.node().log("trace").start();
        let http = Client::builder().no_proxy().build().expect("client");
        let mut collector = Collector { http, base: node.base.clone(), shown: BTreeMap::new() };
        let owner = send_everything(&mut collector, &cluster).await;

        // Reading returns no secret, not even for a new key or client.
        let shown = collector.shown.clone();
        for path in [KEYS, CLIENTS, "/api/sdk/developer", "/api/auth/owner-me"] {
            let answer = collector.ask(Method::GET, path, Some(&owner), None).await.to_string();
            for secret in shown.keys() {
                assert!(!answer.contains(secret.as_str()), "{path} tells a secret again: {answer}");
            }
        }
        assert_eq!(collector.shown.len(), shown.len(), "what is only looked at tells a secret");
        for (secret, places) in &shown {
            // The same token in two members or in a cookie of one answer counts once.
            let different: BTreeSet<&String> = places.iter().filter(|place| *place != "a cookie").collect();
            let entry = places.iter().any(|place| place.contains("entry"));
            assert!(different.len() == 1 || entry, "{secret} was shown by {places:?}");
        }

        // 128 random bits are 32 hexadecimal digits.
        let mut prefixes = BTreeSet::new();
        for secret in shown.keys().filter(|secret| secret.starts_with("rn_")) {
            let (prefix, random) = secret.rsplit_once('_').expect("a prefix");
            assert!(random.len() >= 32 && random.chars().all(|digit| digit.is_ascii_hexdigit()), "{secret}");
            prefixes.insert(prefix.to_owned());
        }

        node.terminate();
        assert!(node.ended(std::time::Duration::from_secs(20)).is_some_and(|status| status.success()));
        let log = node.log();
        assert!(log.lines().count() > 100, "this is no trace: {log}");
        let rows: Vec<(String, String)> = cluster
            .database
            .dump()
            .into_iter()
            .flat_map(|(table, rows)| rows.into_iter().map(move |row| (table.clone(), row.to_string())))
            .collect();
        let mut secrets: Vec<String> = shown.into_keys().collect();
        for tenant in [cluster.tenant(), cluster.tenant_named("other")] {
            secrets.push(tenant.key.clone());
            secrets.push(tenant.owner.password.clone());
            secrets.push(tenant.agent("grace").password.clone());
        }
        secrets.push(cluster.platform_admin().password.clone());
        secrets.push("Wrong-pa55word-of-the-collector".into());
        secrets.push("a day's key for".into());
        for secret in &secrets {
            // Looks for a part of each secret: the signature of a token, or the middle.
            let part = match secret.rsplit_once('.') {
                Some((_, signature)) => signature,
                None if secret.len() > 40 => &secret[secret.len() - 40..secret.len() - 8],
                None => secret,
            };
            let line = log.lines().find(|line| line.contains(part));
            assert_eq!(line, None, "{secret} is logged");
            let row = rows.iter().find(|(_, row)| row.contains(part));
            assert_eq!(row, None, "{secret} is stored");
        }
        ringnity_store::print_always!(
            "{}: {} secrets ({}) in none of {} rows and {} log lines",
            cluster.database.engine(),
            secrets.len(),
            prefixes.into_iter().collect::<Vec<_>>().join(", "),
            rows.len(),
            log.lines().count(),
        );
        assert!(secrets.len() > 25);
    });
}

#[test]
fn s2_1_debug_output_shows_no_secret() {
    const SECRET: &str = "rn_sk_live_0123456789abcdef";
    let login = ringnity_types::OwnerLoginRequest::new("ada@example.com", SECRET);
    let refresh: ringnity_types::RefreshTokenRequest =
        serde_json::from_value(json!({ "refreshToken": SECRET })).expect("a body");
    let credential = ringnity_api::Credential::new(SECRET);
    let key = ringnity_client::ServerKey::new(SECRET);
    let database = ringnity_store::StoreConfig::new(&format!("postgres://ada:{SECRET}@db/x")).expect("a URL");
    for shown in [
        format!("{login:?}"),
        format!("{refresh:?}"),
        format!("{credential:?}"),
        format!("{key:?}"),
        format!("{database:?}"),
    ] {
        assert!(!shown.contains("0123456789"), "{shown}");
    }
}

//! S2.1: secrets are told once, stand in no table and in no log line, and are long enough not to be guessed. Everything
//! that answers hold and that opens something is collected while a busy day goes by, not listed by hand.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::on_each_engine;

/// What identifies and opens nothing.
const PUBLIC: [&str; 2] = ["rn_pk_", "rn_oauth_"];

/// Clients of one server who keep every secret that they are told.
struct Day {
    http: Client,
    base: String,
    /// Each secret with where it was told, and how often.
    told: BTreeMap<String, Vec<String>>,
}

impl Day {
    async fn ask(&mut self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Value {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        // A repeatable request keeps its answer, and must not keep it so that anybody can read it.
        let request = request.header("idempotency-key", format!("a day's key for {path}"));
        let answer = request.send().await.expect("an answer");
        let (status, cookies) = (answer.status(), answer.headers().get_all("set-cookie").clone_all());
        let json: Value = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{path}: {status} {json}");
        for cookie in cookies {
            let value = cookie.split([';', '=']).nth(1).unwrap_or_default().to_owned();
            self.keep(&Value::String(value), "a cookie");
        }
        self.keep(&json, path);
        json["data"].clone()
    }

    /// Keeps whatever looks like a secret: with one of our prefixes, or a signed token.
    fn keep(&mut self, value: &Value, told: &str) {
        match value {
            Value::String(text) => {
                let whole = !text.contains('…') && text.len() > 24;
                let prefixed =
                    text.starts_with("rn_") && !PUBLIC.iter().any(|public| text.starts_with(public));
                let signed = text.starts_with("eyJ") && text.split('.').count() == 3;
                if whole && (prefixed || signed) {
                    self.told.entry(text.clone()).or_default().push(told.to_owned());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.keep(item, told)),
            Value::Object(members) => members.values().for_each(|member| self.keep(member, told)),
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

/// Everything that tells secrets; answers the owner's token.
async fn live_through(day: &mut Day, cluster: &Cluster) -> String {
    let (get, post) = (Method::GET, Method::POST);
    let login = json!({ "email": cluster.tenant().owner.email, "password": cluster.tenant().owner.password });
    let session = day.ask(post.clone(), "/api/auth/owner-login", None, Some(login)).await;
    let refresh = json!({ "refreshToken": session["refreshToken"] });
    let session = day.ask(post.clone(), "/api/auth/owner-refresh", None, Some(refresh)).await;
    let owner = text(&session["accessToken"]);
    let entry = day.ask(post.clone(), "/api/auth/workspace-entry-token", Some(&owner), None).await;
    let token = text(&entry["autoLoginToken"]);
    day.told.entry(token.clone()).or_default().push("the entry token".into());
    let enter = format!("/api/auth/workspace-auto-login?token={token}");
    let workspace = day.ask(get.clone(), &enter, None, None).await;
    let refresh = json!({ "refreshToken": workspace["refreshToken"] });
    day.ask(post.clone(), "/api/auth/workspace-refresh", None, Some(refresh)).await;
    let staff = cluster.tenant().agent("grace");
    let login = json!({ "username": staff.username, "password": staff.password });
    day.ask(post.clone(), "/api/auth/workspace-login?slug=acme", None, Some(login)).await;
    let admin =
        json!({ "email": cluster.platform_admin().email, "password": cluster.platform_admin().password });
    let platform = day.ask(post.clone(), "/api/platform/auth/login", None, Some(admin)).await;
    let refresh = json!({ "refreshToken": platform["refreshToken"] });
    day.ask(post.clone(), "/api/platform/auth/refresh", None, Some(refresh)).await;

    let key = json!({ "name": "Day", "scopes": ["server:health"] });
    let key = day.ask(post.clone(), KEYS, Some(&owner), Some(key)).await;
    let id = text(&key["credential"]["id"]);
    day.ask(post.clone(), &format!("{KEYS}/{id}/rotate"), Some(&owner), None).await;
    let application =
        json!({ "name": "Day", "type": "confidential", "redirectUris": ["https://day.example/back"] });
    let application = day.ask(post.clone(), CLIENTS, Some(&owner), Some(application)).await;
    let id = text(&application["oauthClient"]["id"]);
    day.ask(post.clone(), &format!("{CLIENTS}/{id}/rotate-secret"), Some(&owner), None).await;

    let server = cluster.tenant().key.clone();
    let visitor = json!({ "visitor": { "externalId": "v", "name": "V" } });
    let context =
        day.ask(post.clone(), "/api/server/visitor-context-token", Some(&server), Some(visitor)).await;
    let agent = json!({ "username": staff.username });
    day.ask(post.clone(), "/api/server/sdk-token/agent", Some(&server), Some(agent)).await;
    let admin = json!({ "adminActorId": "crm" });
    day.ask(post.clone(), "/api/server/sdk-token/admin", Some(&server), Some(admin)).await;
    let vouched = json!({ "slug": "acme", "contextToken": context["token"] });
    let visitor = day.ask(post.clone(), "/api/sdk/session", None, Some(vouched)).await;
    let device = json!({ "platform": "ios", "token": "a device's", "deviceId": "d" });
    let visitor = text(&visitor["sessionToken"]);
    day.ask(post.clone(), "/api/sdk/devices/push-token", Some(&visitor), Some(device)).await;
    // Mistakes are logged too: a wrong password, a key in the wrong place, a body that is refused.
    for (path, body) in [
        (
            "/api/auth/owner-login",
            json!({ "email": cluster.tenant().owner.email, "password": "Wrong-pa55word-of-the-day" }),
        ),
        ("/api/auth/owner-refresh", json!({ "refreshToken": server })),
        ("/api/server/contacts", json!({ "name": owner })),
    ] {
        let sent =
            day.http.post(format!("{}{path}?apiKey={server}", day.base)).bearer_auth(&owner).json(&body);
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
        let mut day = Day { http, base: node.base.clone(), told: BTreeMap::new() };
        let owner = live_through(&mut day, &cluster).await;

        // Nothing that is only looked at tells a secret, and no key or client tells the one it was made with.
        let told = day.told.clone();
        for path in [KEYS, CLIENTS, "/api/sdk/developer", "/api/auth/owner-me"] {
            let answer = day.ask(Method::GET, path, Some(&owner), None).await.to_string();
            for secret in told.keys() {
                assert!(!answer.contains(secret.as_str()), "{path} tells a secret again: {answer}");
            }
        }
        assert_eq!(day.told.len(), told.len(), "what is only looked at tells a secret");
        for (secret, places) in &told {
            // The same token in two members of one answer, or in its cookie, is told once.
            let different: BTreeSet<&String> = places.iter().filter(|place| *place != "a cookie").collect();
            let entry = places.iter().any(|place| place.contains("entry"));
            assert!(different.len() == 1 || entry, "{secret} was told by {places:?}");
        }

        // Guessing one is hopeless: 128 random bits are 32 hexadecimal digits.
        let mut prefixes = BTreeSet::new();
        for secret in told.keys().filter(|secret| secret.starts_with("rn_")) {
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
        let mut secrets: Vec<String> = told.into_keys().collect();
        for tenant in [cluster.tenant(), cluster.tenant_named("other")] {
            secrets.push(tenant.key.clone());
            secrets.push(tenant.owner.password.clone());
            secrets.push(tenant.agent("grace").password.clone());
        }
        secrets.push(cluster.platform_admin().password.clone());
        secrets.push("Wrong-pa55word-of-the-day".into());
        secrets.push("a day's key for".into());
        for secret in &secrets {
            // Half of one would be too much as well: of a signed token, the signature.
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
    let credential = ringnity_api::Credential::new(ringnity_api::Source::Bearer, SECRET);
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

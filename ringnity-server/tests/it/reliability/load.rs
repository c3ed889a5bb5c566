//! Clients that write until they are stopped and record every answer; then the database is compared with the records.
//! A request without an answer is sent again until it has one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder};
use ringnity_server::secrets;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::ledger::{Ledger, Verdict};
use crate::support::fixtures::Tenant;

const CONTACTS: &str = "/api/server/contacts";
const KEYS: &str = "/api/sdk/developer/server-api-credentials";
const LOGIN: &str = "/api/auth/owner-login";
const REFRESH: &str = "/api/auth/owner-refresh";

/// How often a session is refreshed. At the end its last token must be valid and the others used.
const REFRESHES: usize = 6;

/// Running clients.
pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
}

struct Shared {
    http: reqwest::Client,
    tenant: Tenant,
    /// Base URLs of the nodes; requests alternate between them.
    bases: Mutex<Vec<String>>,
    turn: AtomicUsize,
    sign_ins: AtomicUsize,
    /// Counts the changes of `bases`. After one, clients repeat an old request and compare the answers.
    epoch: AtomicU64,
    stop: AtomicBool,
    ledger: Mutex<Ledger>,
    answered: AtomicU64,
    refused: AtomicU64,
    cut: AtomicU64,
    broken: AtomicU64,
    unanswered: AtomicU64,
    unavailable: AtomicU64,
}

struct Response {
    status: u16,
    text: String,
    json: Value,
    /// When an earlier attempt got no answer, so that it may have taken effect by then.
    cut_at: Option<DateTime<Utc>>,
}

impl Load {
    /// Starts clients that write contacts, keys and sessions.
    pub fn start(tenant: &Tenant, bases: Vec<String>, writers: usize) -> Self {
        let shared = Arc::new(Shared {
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(60))
                .build()
                .expect("client"),
            tenant: tenant.clone(),
            bases: Mutex::new(bases),
            turn: AtomicUsize::new(0),
            sign_ins: AtomicUsize::new(0),
            epoch: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            ledger: Mutex::default(),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
        });
        let writers = (0..writers)
            .map(|n| {
                let shared = shared.clone();
                tokio::spawn(async move {
                    match n % 4 {
                        0 | 1 => shared.write_contacts(n).await,
                        2 => shared.write_keys(n).await,
                        _ => shared.write_sessions().await,
                    }
                })
            })
            .collect();
        Self { shared, writers }
    }

    /// Sets the base URLs of the nodes.
    pub fn set_bases(&self, bases: Vec<String>) {
        *self.shared.bases.lock().expect("no panic") = bases;
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of answered writes.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Waits for that many more answered writes.
    pub async fn wait_for(&self, answers: u64) {
        let (enough, started) = (self.answered() + answers, Instant::now());
        while self.answered() < enough {
            assert!(started.elapsed() < Duration::from_secs(60), "nobody is answered any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the clients after their current request, and compares.
    pub async fn finish(self, dump: impl FnOnce() -> BTreeMap<String, Vec<Value>>) -> Verdict {
        self.shared.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.expect("a writer");
        }
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let mut verdict = Verdict {
            answered: count(&self.shared.answered),
            refused: count(&self.shared.refused),
            cut: count(&self.shared.cut),
            broken: count(&self.shared.broken),
            unanswered: count(&self.shared.unanswered),
            unavailable: count(&self.shared.unavailable),
            lost: 0,
            doubled: 0,
            words: Vec::new(),
        };
        let ledger = std::mem::take(&mut *self.shared.ledger.lock().expect("no panic"));
        ledger.compare(&dump(), self.shared.tenant.id.as_str(), &mut verdict);
        // Some sessions are refreshed once more.
        for tokens in ledger.sessions.iter().rev().take(20) {
            let body = json!({ "refreshToken": tokens.last() });
            let answer =
                self.shared.send_until_answered(Method::POST, REFRESH, |request| request.json(&body)).await;
            if answer.status != 200 {
                verdict.lost += 1;
                verdict.words.push(format!("a session does not go on: {}", answer.text));
            }
        }
        verdict.words.truncate(12);
        verdict
    }
}

impl Shared {
    fn is_running(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn wrong(&self, what: &str, answer: &Response) {
        let words = format!("{what}: {} {}", answer.status, answer.text);
        self.ledger.lock().expect("no panic").wrong.push(words);
    }

    fn count(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts writes that took effect although their request was cut.
    fn count_unanswered(&self, answer: &Response, what: &str) {
        let made = answer.json["data"][what]["createdAt"].as_str();
        let made: DateTime<Utc> = made.and_then(|text| text.parse().ok()).expect("a time");
        let before = answer.cut_at.is_some_and(|cut_at| made < cut_at);
        self.unanswered.fetch_add(u64::from(before), Ordering::Relaxed);
    }

    /// Sends a request until a node answers it.
    async fn send_until_answered(
        &self,
        method: Method,
        path: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Response {
        let mut cut_at = None;
        loop {
            let base = {
                let bases = self.bases.lock().expect("no panic");
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                bases[turn % bases.len()].clone()
            };
            let request = with(self.http.request(method.clone(), format!("{base}{path}")));
            let attempt = async {
                let answer = request.send().await?;
                let status = answer.status().as_u16();
                let text = answer.text().await;
                self.broken.fetch_add(u64::from(text.is_err()), Ordering::Relaxed);
                Ok::<_, reqwest::Error>((status, text?))
            };
            match attempt.await {
                // The write may have taken effect: the database may disappear during a commit.
                Ok((503, _)) => {
                    self.unavailable.fetch_add(1, Ordering::Relaxed);
                    cut_at = Some(Utc::now());
                }
                Ok((status, text)) => {
                    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
                    return Response { status, text, json, cut_at };
                }
                Err(error) if error.is_connect() => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
                Err(_) => {
                    self.cut.fetch_add(1, Ordering::Relaxed);
                    cut_at = Some(Utc::now());
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn write_contacts(&self, writer: usize) {
        let key = &self.tenant.key;
        let mut epoch = 0;
        let mut last: Option<(Value, String, String)> = None;
        for n in 0.. {
            if !self.is_running() {
                return;
            }
            let external = format!("w{writer}-{n}");
            let body = json!({ "externalId": external, "name": "0", "phone": external, "tags": ["load"] });
            let repeat = format!("contact {external}");
            let make = |body: &Value, repeat: &str| {
                let (body, repeat) = (body.clone(), repeat.to_owned());
                self.send_until_answered(Method::POST, CONTACTS, move |request| {
                    request.bearer_auth(key).header("idempotency-key", repeat.as_str()).json(&body)
                })
            };
            // After a crash, a repeated request gets the same answer as before.
            let now = self.epoch.load(Ordering::SeqCst);
            if now != epoch
                && let Some((body, repeat, text)) = &last
            {
                epoch = now;
                let answer = make(body, repeat).await;
                if answer.text != *text {
                    self.wrong("a repeat is answered otherwise", &answer);
                }
            }
            let answer = make(&body, &repeat).await;
            let Some(id) = answer.json["data"]["contact"]["id"].as_str().filter(|_| answer.status == 200)
            else {
                self.wrong("a contact", &answer);
                continue;
            };
            self.count();
            self.count_unanswered(&answer, "contact");
            self.ledger.lock().expect("no panic").contacts.insert(external.clone(), (id.to_owned(), 0));
            last = Some((body, repeat, answer.text.clone()));
            if n % 4 == 0 {
                let path = format!("{CONTACTS}/{id}");
                let change = json!({ "name": "1" });
                let answer = self
                    .send_until_answered(Method::PATCH, &path, |request| {
                        request.bearer_auth(key).json(&change)
                    })
                    .await;
                if answer.status == 200 {
                    self.count();
                    self.ledger.lock().expect("no panic").contacts.insert(external, (id.to_owned(), 1));
                } else {
                    self.wrong("a change of a contact", &answer);
                }
            }
        }
    }

    async fn write_keys(&self, writer: usize) {
        let mut token = self.sign_in().await;
        let mut n = 0_u64;
        while self.is_running() {
            let name = format!("w{writer}-{n}");
            let body = json!({ "name": name, "scopes": ["server:health"] });
            let answer = self
                .send_until_answered(Method::POST, KEYS, |request| {
                    request.bearer_auth(&token.0).header("idempotency-key", &name).json(&body)
                })
                .await;
            if answer.status == 401 {
                // An access token expires after a quarter of an hour.
                token = self.sign_in().await;
                continue;
            }
            n += 1;
            match answer.json["data"]["secret"].as_str().filter(|_| answer.status == 201) {
                Some(secret) => {
                    self.count();
                    self.count_unanswered(&answer, "credential");
                    let hash = secrets::hash(secret);
                    self.ledger.lock().expect("no panic").keys.insert(name, hash);
                }
                None => self.wrong("a key", &answer),
            }
        }
    }

    /// Signs the owner in; returns both tokens.
    async fn sign_in(&self) -> (String, String) {
        let owner = &self.tenant.owner;
        let body = json!({ "email": owner.email, "password": owner.password });
        loop {
            // From another address each time: one address may have ten attempts at once, and those at a killed node
            // count as failed.
            let [a, b] =
                u16::try_from(self.sign_ins.fetch_add(1, Ordering::Relaxed)).expect("few").to_be_bytes();
            let address = format!("198.18.{a}.{b}");
            let answer = self
                .send_until_answered(Method::POST, LOGIN, |request| {
                    request.header("x-forwarded-for", &address).json(&body)
                })
                .await;
            let token = |name: &str| answer.json["data"][name].as_str().map(str::to_owned);
            if let (200, Some(access), Some(refresh)) =
                (answer.status, token("accessToken"), token("refreshToken"))
            {
                self.count();
                return (access, refresh);
            }
            self.wrong("signing in", &answer);
            if !self.is_running() {
                return Default::default();
            }
        }
    }

    async fn write_sessions(&self) {
        while self.is_running() {
            let mut tokens = vec![self.sign_in().await.1];
            let ended = loop {
                let body = json!({ "refreshToken": tokens.last() });
                let answer =
                    self.send_until_answered(Method::POST, REFRESH, |request| request.json(&body)).await;
                match answer.json["data"]["refreshToken"].as_str().filter(|_| answer.status == 200) {
                    Some(next) => {
                        self.count();
                        tokens.push(next.to_owned());
                    }
                    // The token was used when the answer got lost, and a reused token ends the session.
                    None if answer.status == 401 && answer.cut_at.is_some() => {
                        self.unanswered.fetch_add(1, Ordering::Relaxed);
                        break true;
                    }
                    None => {
                        self.wrong("a session", &answer);
                        break true;
                    }
                }
                if tokens.len() > REFRESHES || !self.is_running() {
                    break false;
                }
            };
            if !ended {
                self.ledger.lock().expect("no panic").sessions.push(tokens);
            }
        }
    }
}

//! Clients that write as long as they may and keep a ledger of what they were answered; afterwards the database is
//! compared with it, in both directions. They insist: a request that got no answer is sent again, as a client of
//! ours would, until it has one.

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

/// A session is traded so often, then left alone: at the end its last token must be good and the others used.
const TRADES: usize = 6;

/// Clients under way.
pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
}

struct Shared {
    http: reqwest::Client,
    tenant: Tenant,
    /// Where the nodes are now; requests alternate between them.
    bases: Mutex<Vec<String>>,
    turn: AtomicUsize,
    sign_ins: AtomicUsize,
    /// Counts the changes of `bases`: who sees a new number looks whether old answers still hold.
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

struct Told {
    status: u16,
    text: String,
    json: Value,
    /// When it was sent before and not answered, so that it may have been done by then.
    cut_at: Option<DateTime<Utc>>,
}

impl Load {
    /// Starts writers of contacts, of keys and of sessions.
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

    /// The nodes are there now.
    pub fn moved(&self, bases: Vec<String>) {
        *self.shared.bases.lock().expect("no panic") = bases;
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// How many writes were answered so far.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Waits for that many more answers.
    pub async fn more(&self, answers: u64) {
        let (enough, begun) = (self.answered() + answers, Instant::now());
        while self.answered() < enough {
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody is answered any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets every writer come to the end of what it does, so that nothing is open, and compares.
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
        // Some of the sessions go on over HTTP, as their holders would.
        for tokens in ledger.sessions.iter().rev().take(20) {
            let body = json!({ "refreshToken": tokens.last() });
            let told = self.shared.insist(Method::POST, REFRESH, |request| request.json(&body)).await;
            if told.status != 200 {
                verdict.lost += 1;
                verdict.words.push(format!("a session does not go on: {}", told.text));
            }
        }
        verdict.words.truncate(12);
        verdict
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn wrong(&self, what: &str, told: &Told) {
        let words = format!("{what}: {} {}", told.status, told.text);
        self.ledger.lock().expect("no panic").wrong.push(words);
    }

    fn count(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was made before its request was cut off: a repeat gets the first answer.
    fn count_unanswered(&self, told: &Told, what: &str) {
        let made = told.json["data"][what]["createdAt"].as_str();
        let made: DateTime<Utc> = made.and_then(|text| text.parse().ok()).expect("a time");
        let before = told.cut_at.is_some_and(|cut_at| made < cut_at);
        self.unanswered.fetch_add(u64::from(before), Ordering::Relaxed);
    }

    /// Sends a request until it is answered, by whichever node is there.
    async fn insist(
        &self,
        method: Method,
        path: &str,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Told {
        let mut cut_at = None;
        loop {
            let base = {
                let bases = self.bases.lock().expect("no panic");
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                bases[turn % bases.len()].clone()
            };
            let request = with(self.http.request(method.clone(), format!("{base}{path}")));
            let answer = async {
                let answer = request.send().await?;
                let status = answer.status().as_u16();
                let text = answer.text().await;
                self.broken.fetch_add(u64::from(text.is_err()), Ordering::Relaxed);
                Ok::<_, reqwest::Error>((status, text?))
            };
            match answer.await {
                // Whether it was done is not known: a database may go while it commits.
                Ok((503, _)) => {
                    self.unavailable.fetch_add(1, Ordering::Relaxed);
                    cut_at = Some(Utc::now());
                }
                Ok((status, text)) => {
                    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
                    return Told { status, text, json, cut_at };
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
            if !self.goes_on() {
                return;
            }
            let external = format!("w{writer}-{n}");
            let body = json!({ "externalId": external, "name": "0", "phone": external, "tags": ["load"] });
            let repeat = format!("contact {external}");
            let make = |body: &Value, repeat: &str| {
                let (body, repeat) = (body.clone(), repeat.to_owned());
                self.insist(Method::POST, CONTACTS, move |request| {
                    request.bearer_auth(key).header("idempotency-key", repeat.as_str()).json(&body)
                })
            };
            // After a crash, what was answered before it is answered alike.
            let now = self.epoch.load(Ordering::SeqCst);
            if now != epoch
                && let Some((body, repeat, text)) = &last
            {
                epoch = now;
                let told = make(body, repeat).await;
                if told.text != *text {
                    self.wrong("a repeat is answered otherwise", &told);
                }
            }
            let told = make(&body, &repeat).await;
            let Some(id) = told.json["data"]["contact"]["id"].as_str().filter(|_| told.status == 200) else {
                self.wrong("a contact", &told);
                continue;
            };
            self.count();
            self.count_unanswered(&told, "contact");
            self.ledger.lock().expect("no panic").contacts.insert(external.clone(), (id.to_owned(), 0));
            last = Some((body, repeat, told.text.clone()));
            if n % 4 == 0 {
                let path = format!("{CONTACTS}/{id}");
                let change = json!({ "name": "1" });
                let told =
                    self.insist(Method::PATCH, &path, |request| request.bearer_auth(key).json(&change)).await;
                if told.status == 200 {
                    self.count();
                    self.ledger.lock().expect("no panic").contacts.insert(external, (id.to_owned(), 1));
                } else {
                    self.wrong("a change of a contact", &told);
                }
            }
        }
    }

    async fn write_keys(&self, writer: usize) {
        let mut token = self.sign_in().await;
        let mut n = 0_u64;
        while self.goes_on() {
            let name = format!("w{writer}-{n}");
            let body = json!({ "name": name, "scopes": ["server:health"] });
            let told = self
                .insist(Method::POST, KEYS, |request| {
                    request.bearer_auth(&token.0).header("idempotency-key", &name).json(&body)
                })
                .await;
            if told.status == 401 {
                // A token lives for a quarter of an hour, and a long run longer.
                token = self.sign_in().await;
                continue;
            }
            n += 1;
            match told.json["data"]["secret"].as_str().filter(|_| told.status == 201) {
                Some(secret) => {
                    self.count();
                    self.count_unanswered(&told, "credential");
                    let hash = secrets::hash(secret);
                    self.ledger.lock().expect("no panic").keys.insert(name, hash);
                }
                None => self.wrong("a key", &told),
            }
        }
    }

    /// Signs the owner in; answers the tokens.
    async fn sign_in(&self) -> (String, String) {
        let owner = &self.tenant.owner;
        let body = json!({ "email": owner.email, "password": owner.password });
        loop {
            // From an address of its own each time: from one, only ten may be under way at once, and those that were
            // under way at a node that is killed count as failed.
            let [a, b] =
                u16::try_from(self.sign_ins.fetch_add(1, Ordering::Relaxed)).expect("few").to_be_bytes();
            let address = format!("198.18.{a}.{b}");
            let told = self
                .insist(Method::POST, LOGIN, |request| {
                    request.header("x-forwarded-for", &address).json(&body)
                })
                .await;
            let token = |name: &str| told.json["data"][name].as_str().map(str::to_owned);
            if let (200, Some(access), Some(refresh)) =
                (told.status, token("accessToken"), token("refreshToken"))
            {
                self.count();
                return (access, refresh);
            }
            self.wrong("signing in", &told);
            if !self.goes_on() {
                return Default::default();
            }
        }
    }

    async fn write_sessions(&self) {
        while self.goes_on() {
            let mut tokens = vec![self.sign_in().await.1];
            let ended = loop {
                let body = json!({ "refreshToken": tokens.last() });
                let told = self.insist(Method::POST, REFRESH, |request| request.json(&body)).await;
                match told.json["data"]["refreshToken"].as_str().filter(|_| told.status == 200) {
                    Some(next) => {
                        self.count();
                        tokens.push(next.to_owned());
                    }
                    // It had been traded when the answer got lost: a used token ends the session.
                    None if told.status == 401 && told.cut_at.is_some() => {
                        self.unanswered.fetch_add(1, Ordering::Relaxed);
                        break true;
                    }
                    None => {
                        self.wrong("a session", &told);
                        break true;
                    }
                }
                if tokens.len() > TRADES || !self.goes_on() {
                    break false;
                }
            };
            if !ended {
                self.ledger.lock().expect("no panic").sessions.push(tokens);
            }
        }
    }
}

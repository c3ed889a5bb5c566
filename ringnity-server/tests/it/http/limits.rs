//! Rate limits of credentials and addresses, and limits of failed sign-ins.

use std::time::Instant;

use chrono::Duration;
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use ringnity_server::app::identity::owners;
use ringnity_server::app::throttle;
use ringnity_server::app::{App, ErrorKind, Limits};
use ringnity_server::clock::Clock;
use ringnity_server::config::{RateLimit, ServeConfig};
use ringnity_server::secrets::password::PasswordHasherPool;
use ringnity_store::tenants;
use serde_json::json;

use crate::support::fixtures::PLAN;
use crate::support::node::on_postgres;
use crate::support::{Answer, TestServer, on_each_engine};

const TENANT: &str = "/api/server/tenant";

fn number(answer: &Answer, name: &str) -> Option<i64> {
    answer.header(name).map(|text| text.parse().expect("a number"))
}

async fn ask(server: &TestServer, key: &str) -> Answer {
    server.get(TENANT).bearer(key).send().await
}

fn twelve(config: &mut ServeConfig) {
    config.rate_limit = Some(RateLimit::PerMinute(12));
}

#[test]
fn sends_rate_limit_headers() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(twelve).start().await;
        let health = server.key_with(&["server:health"]).await;
        let now = server.clock.now().timestamp();
        for (left, (path, status)) in (0..12).rev().zip([
            ("/api/server/health", 200),
            (TENANT, 403),
            ("/api/server/health?x=1", 200),
            (TENANT, 403),
        ]) {
            let answer = server.get(path).bearer(&health).send().await;
            assert_eq!(answer.status, status);
            assert_eq!(number(&answer, "x-ratelimit-limit"), Some(12));
            let remaining = number(&answer, "x-ratelimit-remaining").expect("remaining");
            assert!((left..=left + 1).contains(&remaining), "{remaining} of {left}");
            let reset = number(&answer, "x-ratelimit-reset").expect("reset");
            assert!((now + 1..=now + 70).contains(&reset), "{reset} at {now}");
        }
        let key = server.key().to_owned();
        let bad = server.post("/api/server/contacts").bearer(&key).json(&json!({})).send().await;
        assert_eq!((bad.status.as_u16(), number(&bad, "x-ratelimit-limit")), (400, Some(12)));
        let missing = server.get("/api/server/contacts/con_0").bearer(&key).send().await;
        assert_eq!((missing.status.as_u16(), number(&missing, "x-ratelimit-limit")), (404, Some(12)));
        for answer in [
            server.get("/api/sdk/health").send().await,
            server.get(TENANT).send().await,
            ask(&server, "rn_sk_test_0").await,
        ] {
            assert_eq!(number(&answer, "x-ratelimit-limit"), None);
        }
        // Rejected requests with a valid credential count too.
        let visitor = server.visitor_session(&json!({ "slug": server.first_tenant().slug })).await;
        for left in (0..12).rev() {
            let request = server.delete("/api/sdk/devices/push-token").bearer(&visitor);
            let body = json!({ "provider": "fcm", "token": "t" });
            let refused = request.header("origin", "https://evil.example").json(&body).send().await;
            let refused = refused.refused(403, "SDK_ORIGIN_NOT_ALLOWED");
            let remaining = number(&refused, "x-ratelimit-remaining").expect("remaining");
            assert!((left..=left + 1).contains(&remaining), "{remaining} of {left}");
        }
        server.set_tenant_active(false).await;
        let owner = ask(&server, &key).await.refused(403, "SDK_CLIENT_INACTIVE");
        assert_eq!(number(&owner, "x-ratelimit-limit"), Some(12));
    });
}

#[test]
fn limits_credential_and_sends_retry_after() {
    on_each_engine(async |engine| {
        let server =
            TestServer::builder(engine).tenant("acme").tenant("other").configure(twelve).start().await;
        let key = server.key().to_owned();
        let mut answered = 0;
        let refused = loop {
            let answer = ask(&server, &key).await;
            if answer.status.as_u16() == 429 {
                break answer.refused(429, "RATE_LIMITED");
            }
            answer.ok();
            answered += 1;
        };
        // The bucket regains one request every five seconds.
        assert!((12..16).contains(&answered), "{answered}");
        assert_eq!(number(&refused, "x-ratelimit-remaining"), Some(0));
        let wait = number(&refused, "retry-after").expect("retry-after");
        assert!((1..=5).contains(&wait), "{wait}");
        ask(&server, &server.tenant("other").key).await.ok();

        server.clock.advance(Duration::seconds(10));
        ask(&server, &key).await.ok();
        ask(&server, &key).await.ok();
        server.clock.advance(Duration::minutes(2));
        let full = ask(&server, &key).await.ok();
        assert_eq!(number(&full, "x-ratelimit-remaining"), Some(11));
    });
}

#[test]
fn plan_sets_rate_limit() {
    let plan = |config: &mut ServeConfig| config.rate_limit = Some(RateLimit::Plan);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(plan).start().await;
        let key = server.key().to_owned();
        assert_eq!(number(&ask(&server, &key).await.ok(), "x-ratelimit-limit"), Some(300));
        for limit in [Some(1000), None, Some(2)] {
            server.set_quota("api_requests_per_minute", limit).await;
            server.clock.advance(Duration::minutes(2));
            assert_eq!(number(&ask(&server, &key).await.ok(), "x-ratelimit-limit"), limit);
        }
        ask(&server, &key).await.ok();
        ask(&server, &key).await.refused(429, "RATE_LIMITED");
    });
}

#[test]
fn every_plan_has_its_rate_limit() {
    const RATES: [(&str, i64); 4] =
        [("free", 300), ("starter", 300), ("professional", 300), ("enterprise", 1000)];
    let plan = |config: &mut ServeConfig| config.rate_limit = Some(RateLimit::Plan);
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(plan).start().await;
        let catalog = server.read(tenants::plan_catalog).await;
        let slugs = catalog.plans.iter().map(|plan| plan.slug.as_str());
        let slugs: Vec<&str> = slugs.filter(|slug| *slug != PLAN).collect();
        assert_eq!(slugs, RATES.map(|(slug, _)| slug));
        for (slug, rate) in RATES {
            server.change_plan(slug).await;
            // The limit of a plan is cached for a while.
            server.clock.advance(Duration::minutes(2));
            let answer = ask(&server, server.key()).await.ok();
            assert_eq!(number(&answer, "x-ratelimit-limit"), Some(rate), "{slug}");
        }
    });
}

/// Whether that many anonymous requests were accepted: a minute's limit, and ten more for each second since.
pub fn is_anonymous_limit(number: usize, started: Instant) -> bool {
    (600..=610 + 10 * started.elapsed().as_secs() as usize).contains(&number)
}

/// Repeats a request until its status is another one. The address has used up its limit and regains ten requests a
/// second, so this takes few requests.
async fn until_not(status: u16, ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..500 {
        let answer = ask().await;
        if answer.status != status {
            return answer;
        }
    }
    panic!("it may ask as often as it likes, and always gets {status}");
}

#[test]
fn limits_anonymous_requests_by_address() {
    let plan = |config: &mut ServeConfig| {
        behind_a_proxy(config);
        config.rate_limit = Some(RateLimit::Plan);
    };
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(plan).start().await;
        let ask = async |address: &str| {
            server.get("/api/sdk/health").header("x-forwarded-for", address).send().await
        };
        // Requests of the fixtures come from another address.
        let started = Instant::now();
        let many: Vec<u16> = stream::iter(0..660)
            .map(async |_| ask("192.0.2.1").await.status.as_u16())
            .buffer_unordered(8)
            .collect()
            .await;
        let answered = many.iter().filter(|status| **status == 200).count();
        assert!(is_anonymous_limit(answered, started), "{answered}");
        let refused = until_not(200, async || ask("192.0.2.1").await).await.refused(429, "RATE_LIMITED");
        assert_eq!(number(&refused, "retry-after"), Some(1));
        ask("192.0.2.2").await.ok();
        // A valid credential is not limited by its address.
        let request = server.get(TENANT).bearer(server.key()).header("x-forwarded-for", "192.0.2.1");
        request.send().await.ok();
        server.clock.advance(Duration::minutes(1));
        ask("192.0.2.1").await.ok();
    });
}

#[test]
fn counts_405_against_address_but_not_preflights() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let ask = async |method: Method| {
            let request = server.request(method, "/api/auth/owner-login");
            request.header("x-forwarded-for", "192.0.2.1").send().await
        };
        let refused = loop {
            let answer = ask(Method::DELETE).await;
            if answer.status != 405 {
                break answer.refused(429, "RATE_LIMITED");
            }
        };
        assert_eq!(number(&refused, "retry-after"), Some(1));
        assert_eq!(ask(Method::OPTIONS).await.status, 204);
    });
}

#[test]
fn limits_address_that_sends_invalid_credentials() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let ask = async |path: &str, key: Option<&str>, address: &str| {
            let request = server.get(path).header("x-forwarded-for", address);
            let request = if let Some(key) = key { request.bearer(key) } else { request };
            request.send().await
        };
        let owner = server.owner_token().await;
        let wrong = [
            (TENANT, None),
            (TENANT, Some("rn_sk_test_0")),
            (TENANT, Some(owner.as_str())),
            ("/api/auth/owner-me", Some("made.up.token")),
        ];
        let started = Instant::now();
        let many: Vec<u16> = stream::iter(0..660)
            .map(async |turn| {
                let (path, key) = wrong[turn % wrong.len()];
                ask(path, key, "192.0.2.1").await.status.as_u16()
            })
            .buffer_unordered(8)
            .collect()
            .await;
        let answered = many.iter().filter(|status| **status == 401).count();
        assert!(is_anonymous_limit(answered, started), "{answered}");
        for (path, key) in wrong {
            let refused = until_not(401, async || ask(path, key, "192.0.2.1").await).await;
            let refused = refused.refused(429, "RATE_LIMITED");
            assert_eq!(number(&refused, "retry-after"), Some(1));
            assert_eq!(number(&refused, "x-ratelimit-limit"), None);
        }
        ask(TENANT, Some(server.key()), "192.0.2.1").await.ok();
        ask("/api/auth/owner-me", Some(&owner), "192.0.2.1").await.ok();
        ask(TENANT, None, "192.0.2.2").await.refused(401, "SERVER_API_KEY_INVALID");
    });
}

#[test]
fn demo_has_a_high_rate_limit() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).demo().start().await;
        let answer = ask(&server, &server.demo().first.server_api_key).await.ok();
        assert_eq!(number(&answer, "x-ratelimit-limit"), Some(1_000_000));
    });
}

#[test]
fn r5_two_nodes_share_a_limit() {
    let thirty = |config: &mut ServeConfig| config.rate_limit = Some(RateLimit::PerMinute(30));
    on_postgres(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(thirty).start().await;
        let second = server.second().await.expect("a second node");
        let bases = [server.base.clone(), format!("http://{}", second.address)];
        let started = Instant::now();
        let mut answered = 0;
        for turn in 0..80 {
            let request = server.request_at(&bases[turn % 2], Method::GET, TENANT);
            answered += usize::from(request.bearer(server.key()).send().await.status.is_success());
        }
        // The bucket regains one request every two seconds; a few may be lost in a lease.
        let back = usize::try_from(started.elapsed().as_secs()).expect("small") / 2 + 1;
        assert!((26..=30 + back).contains(&answered), "{answered} in {:?}", started.elapsed());
        second.stop().await.expect("stops");
    });
}

pub fn behind_a_proxy(config: &mut ServeConfig) {
    config.rate_limit = Some(RateLimit::Plan);
    config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a range")];
}

async fn sign_in(server: &TestServer, address: &str, password: &str) -> Answer {
    let body = json!({ "email": server.first_tenant().owner.email, "password": password });
    let request = server.post("/api/auth/owner-login").header("x-forwarded-for", address);
    request.json(&body).send().await
}

#[test]
fn s2_4_whoever_guesses_is_stopped_and_locks_nobody_else_out() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let right = server.first_tenant().owner.password.clone();
        for _ in 0..12 {
            sign_in(&server, "192.0.2.1", &right).await.ok();
        }
        for _ in 0..10 {
            sign_in(&server, "192.0.2.1", "wrong").await.refused(401, "AUTH_CREDENTIALS_INVALID");
        }
        // From this address, the right password is rejected too. Otherwise guessing could go on.
        let refused = sign_in(&server, "192.0.2.1", &right).await.refused(429, "RATE_LIMITED");
        assert!((1..=90).contains(&number(&refused, "retry-after").expect("retry-after")));
        // Addresses that the client puts before the proxy's are ignored.
        sign_in(&server, "198.51.100.9, 192.0.2.1", &right).await.refused(429, "RATE_LIMITED");
        sign_in(&server, "192.0.2.2", &right).await.ok();
        server.clock.advance(Duration::minutes(2));
        sign_in(&server, "192.0.2.1", &right).await.ok();
    });
}

#[test]
fn s2_4_an_account_that_everybody_guesses_at_opens_from_where_it_was_opened_before() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let right = server.first_tenant().owner.password.clone();
        sign_in(&server, "192.0.2.1", &right).await.ok();
        let mut address = 0;
        let mut stopped = false;
        while !stopped && address < 150 {
            let guesses = (0..10).map(|_| {
                address += 1;
                let from = format!("203.0.113.{address}");
                let server = &server;
                async move { sign_in(server, &from, "wrong").await.status.as_u16() == 429 }
            });
            stopped = futures_util::future::join_all(guesses).await.contains(&true);
        }
        assert!(stopped && address > 100, "stopped: {stopped} after {address}");
        sign_in(&server, "192.0.2.1", &right).await.ok();
        // Unknown accounts are limited alike, so that nobody learns which exist.
        let body = json!({ "email": "nobody@acme.example", "password": "wrong" });
        for turn in 0..11 {
            let answer = server.post("/api/auth/owner-login").json(&body).send().await;
            assert_eq!(answer.status.as_u16(), if turn < 10 { 401 } else { 429 });
        }
    });
}

#[test]
fn s2_4_whoever_guesses_at_many_accounts_is_stopped_at_all_of_them() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine)
            .tenant("acme")
            .agent("grace")
            .platform_admin()
            .configure(behind_a_proxy)
            .start()
            .await;
        let right = server.first_tenant().owner.password.clone();
        // Attempts are counted before the password is verified, so these cost no hashing. Their clock is a minute
        // ahead. Otherwise the attempts that are regained meanwhile would let a slow machine in below.
        let clock = Clock::default();
        clock.advance(Duration::minutes(1));
        let limits = Limits::new(RateLimit::Plan, false);
        let app = App { clock, ..server.app().await.with_limits(limits) };
        let started = Instant::now();
        let from = "2001:db8:1:2::7".parse().expect("address");
        let mut guesses = 0;
        let refusal = loop {
            match throttle::begin(&app, "owner", &format!("{guesses}@guess.example"), from).await {
                Ok(_) => guesses += 1,
                Err(refusal) => break refusal,
            }
            assert!(guesses < 1000, "nobody stops it");
        };
        let back = i32::try_from(started.elapsed().as_secs() / 3).expect("small") + 1;
        assert!((300..=300 + back).contains(&guesses), "{guesses} in {:?}", started.elapsed());
        assert_eq!(refusal.kind, ErrorKind::RateLimited);

        // An IPv6 address stands for its /64 network.
        let refused = sign_in(&server, "2001:db8:1:2::8", &right).await.refused(429, "RATE_LIMITED");
        assert!((1..=3).contains(&number(&refused, "retry-after").expect("retry-after")));
        let workspace = json!({ "username": "grace", "password": "wrong" });
        let workspace = server.post("/api/auth/workspace-login?slug=acme").json(&workspace);
        workspace.header("x-forwarded-for", "2001:db8:1:2::9").send().await.refused(429, "RATE_LIMITED");
        let platform = json!({ "email": server.platform_admin().email, "password": "wrong" });
        let platform = server.post("/api/platform/auth/login").json(&platform);
        platform.header("x-forwarded-for", "2001:db8:1:2::a").send().await.refused(429, "RATE_LIMITED");

        sign_in(&server, "2001:db8:1:3::7", &right).await.ok();
        sign_in(&server, "192.0.2.1", &right).await.ok();
        server.clock.advance(Duration::seconds(64));
        sign_in(&server, "2001:db8:1:2::7", &right).await.ok();
    });
}

#[test]
fn s2_4_whose_password_nobody_had_time_for_has_not_failed_and_learns_nothing() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let passwords = PasswordHasherPool::new(0, std::time::Duration::from_millis(1));
        let limits = Limits::new(RateLimit::Plan, false);
        let app = server.app().await.with_limits(limits).with_passwords(passwords);
        let known = server.first_tenant().owner.clone();
        let from = "192.0.2.1".parse().expect("address");
        let mut said = std::collections::BTreeSet::new();
        // More than the limit of failures.
        for _ in 0..12 {
            for email in [known.email.as_str(), "nobody@acme.example"] {
                let body = json!({ "email": email, "password": known.password });
                let request = serde_json::from_value(body).expect("a request");
                let refusal = owners::login_owner(&app, from, request).await.expect_err("nobody has time");
                assert_eq!(refusal.kind, ErrorKind::Unavailable, "{refusal:?}");
                said.insert(format!("{} {refusal}", refusal.code));
            }
        }
        assert_eq!(said.len(), 1, "{said:?}");
        sign_in(&server, "192.0.2.1", "wrong").await.refused(401, "AUTH_CREDENTIALS_INVALID");
        sign_in(&server, "192.0.2.1", &known.password).await.ok();
    });
}

#[test]
fn s2_4_many_who_sign_in_at_once_have_not_failed_and_many_who_guess_at_once_have() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let right = server.first_tenant().owner.password.clone();
        let at_once = async |address: &str, password: &str| -> Vec<u16> {
            let signing_in = (0..16).map(|_| sign_in(&server, address, password));
            let answers = futures_util::future::join_all(signing_in).await;
            answers.into_iter().map(|answer| answer.status.as_u16()).collect()
        };
        assert_eq!(at_once("192.0.2.1", &right).await, [200; 16]);
        let guesses = at_once("192.0.2.2", "wrong").await;
        let count = |status| guesses.iter().filter(|one| **one == status).count();
        // As many as may fail, although more came at once.
        assert_eq!((count(401), count(429)), (10, 6), "{guesses:?}");
        sign_in(&server, "192.0.2.1", &right).await.ok();
    });
}

#[test]
fn s2_4_a_proxy_that_tells_the_port_tells_its_clients_apart() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").configure(behind_a_proxy).start().await;
        let right = server.first_tenant().owner.password.clone();
        for [guesser, other] in
            [["203.0.113.9:{}", "203.0.113.10:4711"], ["[2001:db8:1:2::7]:{}", "\"[2001:db8:1:3::7]:4711\""]]
        {
            for port in 1..=10 {
                let from = guesser.replace("{}", &port.to_string());
                sign_in(&server, &from, "wrong").await.refused(401, "AUTH_CREDENTIALS_INVALID");
            }
            sign_in(&server, &guesser.replace("{}", "11"), &right).await.refused(429, "RATE_LIMITED");
            sign_in(&server, other, &right).await.ok();
        }
    });
}

//! The whole contract against the whole server: every operation, what must work and what must be refused.

use std::path::Path;

use conformance::report::{Coverage, Format, State, Verdict};
use conformance::ringnity::{self, GoogleStub};
use conformance::run::{Options, run};
use ringnity_server::config::{RateLimit, ServeConfig};

use crate::support::{TestServer, on_each_engine};

/// Covered answers by operation: a run may cover more than this, never less.
const COVERAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/coverage.json");

#[test]
fn the_server_keeps_its_contract() {
    let google = GoogleStub::start().expect("keys");
    let known_to_google = |config: &mut ServeConfig| {
        config.google_client_id = Some(GoogleStub::CLIENT_ID.to_owned());
        config.google_jwks_url = google.jwks_url().to_owned();
    };
    let tight =
        |config: &mut ServeConfig| config.rate_limit = Some(RateLimit::PerMinute(ringnity::LOW_RATE_LIMIT));
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).demo().configure(known_to_google).start().await;
        let contract = ringnity::contract().expect("a contract");
        let flows = ringnity::flows(&contract).expect("flows");
        let limited = TestServer::builder(engine).demo().configure(tight).start().await;
        let mut inputs = serde_json::to_value(server.demo()).expect("JSON");
        google.add_tokens(&mut inputs, server.clock.now()).expect("tokens");
        inputs["limited"] = serde_json::to_value(limited.demo()).expect("JSON");
        let options = Options { cases: 3, ..Options::default() };
        let report = run(contract, flows, &inputs, &server.base, options).await.expect("a run");
        let told = || Format::Text.render(&report, false);
        assert_eq!(report.verdict(), Verdict::Clean, "{}", told());
        assert!(report.cut_short.is_none(), "{}", told());
        // What the server has is tried wholly: each documented answer that can be caused was seen.
        assert_eq!(report.totals(|operation| operation.built).missing, 0, "{}", told());

        let known = Coverage::load(Path::new(COVERAGE)).expect("the coverage file");
        let lost = known.lost(&report, |_| true);
        assert!(lost.is_empty(), "{}", lost.join("\n"));
        let gained = known.gained(&report);
        if !gained.is_empty() {
            println!(
                "{}\nkeep that: cargo run -p conformance -- run --demo --coverage conformance/coverage.json \
                 --accept-coverage",
                gained.join("\n")
            );
        }
    });
}

#[test]
fn a_server_without_google_is_judged_and_what_only_google_could_cause_is_said() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).demo().start().await;
        let contract = ringnity::contract().expect("a contract");
        let flows = ringnity::flows(&contract).expect("flows");
        let inputs = serde_json::to_value(server.demo()).expect("JSON");
        let only = vec!["loginOwnerWithGoogle".to_owned()];
        let options = Options { cases: 1, only, ..Options::default() };
        let report = run(contract, flows, &inputs, &server.base, options).await.expect("a run");
        let told = Format::Text.render(&report, false);
        assert_eq!(report.verdict(), Verdict::Clean, "{told}");
        let [operation] = report.operations.as_slice() else { panic!("{told}") };
        let success = operation.cells.iter().find(|cell| cell.status == "200").expect("a success");
        let State::Unreachable(reason) = &success.state else { panic!("{told}") };
        assert!(reason.contains("google.idToken"), "{reason}");
        // It is tried as far as it can be: its body is, and that the server knows nothing of Google.
        for status in ["400", "403"] {
            let seen = operation.cells.iter().find(|cell| cell.status == status).map(|cell| &cell.state);
            assert_eq!(seen, Some(&State::Covered), "{status}: {told}");
        }
        assert!(told.contains("flow ownerComesByGoogle is left out"), "{told}");
        assert!(!told.contains("loginOwnerWithGoogle: "), "{told}");
    });
}

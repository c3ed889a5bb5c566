//! The conformance checker against this server: every operation, its successes and its refusals.

use std::path::Path;

use conformance::report::{Coverage, Format, State, Verdict};
use conformance::ringnity::{self, GoogleStub};
use conformance::run::{Options, run};
use ringnity_server::config::{RateLimit, ServeConfig};

use crate::support::{TestServer, on_each_engine};

/// Covered answers by operation. A run may cover more than these, never fewer.
const COVERAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/coverage.json");

#[test]
fn server_conforms_to_contract() {
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
        let report_text = || Format::Text.render(&report, false);
        assert_eq!(report.verdict(), Verdict::Clean, "{}", report_text());
        assert!(report.cut_short.is_none(), "{}", report_text());
        // Every documented answer that can be caused was seen.
        assert_eq!(report.totals(|operation| operation.built).missing, 0, "{}", report_text());

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
fn conformance_without_google_reports_unreachable_answers() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).demo().start().await;
        let contract = ringnity::contract().expect("a contract");
        let flows = ringnity::flows(&contract).expect("flows");
        let inputs = serde_json::to_value(server.demo()).expect("JSON");
        let only = vec!["loginOwnerWithGoogle".to_owned()];
        let options = Options { cases: 1, only, ..Options::default() };
        let report = run(contract, flows, &inputs, &server.base, options).await.expect("a run");
        let report_text = Format::Text.render(&report, false);
        assert_eq!(report.verdict(), Verdict::Clean, "{report_text}");
        let [operation] = report.operations.as_slice() else { panic!("{report_text}") };
        let success = operation.cells.iter().find(|cell| cell.status == "200").expect("a success");
        let State::Unreachable(reason) = &success.state else { panic!("{report_text}") };
        assert!(reason.contains("google.idToken"), "{reason}");
        // What does not need Google is tried: the body, and that Google is not configured.
        for status in ["400", "403"] {
            let seen = operation.cells.iter().find(|cell| cell.status == status).map(|cell| &cell.state);
            assert_eq!(seen, Some(&State::Covered), "{status}: {report_text}");
        }
        assert!(report_text.contains("flow ownerComesByGoogle is skipped"), "{report_text}");
        assert!(!report_text.contains("loginOwnerWithGoogle: "), "{report_text}");
    });
}

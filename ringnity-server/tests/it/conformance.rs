//! The whole contract against the whole server: every operation, what must work and what must be refused.

use std::path::Path;

use conformance::own;
use conformance::report::{Coverage, Format, Verdict};
use conformance::run::{Options, run};

use crate::support::on_each_engine;

/// Covered answers by operation: a run may cover more than this, never less.
const COVERAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/coverage.json");

#[test]
fn the_server_keeps_its_contract() {
    on_each_engine(async |server| {
        let contract = own::contract().expect("a contract");
        let flows = own::flows(&contract).expect("flows");
        let inputs = serde_json::to_value(&server.demo).expect("JSON");
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

//! The command `doctor`: its checks and their remedies.

use chrono::TimeDelta;
use ringnity_server::clock::Clock;
use ringnity_store::jobs;
use ringnity_store::testing::{TestDatabase, engines};
use serde_json::Value;

use super::{Cli, CommandOutput, block_on, with_cli_on_each_engine};

/// The level of a check, by its name.
fn level(report: &Value, name: &str) -> Option<String> {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["check"] == name)?;
    assert!(found["level"] == "ok" || found["remedy"].is_string(), "no remedy: {found}");
    found["level"].as_str().map(str::to_owned)
}

#[test]
fn doctor_finds_running_database_healthy() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        let _server = cli.serve(&[]);
        let report = cli.run(&["doctor", "--json"]).ok().json();
        assert_eq!(report["ok"], true);
        for name in ["database", "migrations", "clock", "signing keys"] {
            assert_eq!(level(&report, name).as_deref(), Some("ok"), "{name}: {report}");
        }
        if cli.engine() == ringnity_store::Engine::Sqlite {
            assert!(report.to_string().contains("runs on this database"), "{report}");
            assert_eq!(level(&report, "integrity").as_deref(), Some("ok"));
            assert_eq!(level(&report, "permissions").as_deref(), Some("ok"));
        }
    });
}

#[test]
fn doctor_reports_pending_migrations() {
    for engine in engines() {
        let cli = Cli::on(TestDatabase::with_first_schema(engine, "a hash"));
        let pending = cli.run(&["migrate", "--check", "--json"]).json()["pending"].clone();
        let pending = pending.as_array().expect("names").iter().filter_map(Value::as_str);
        let pending: Vec<&str> = pending.collect();
        assert!(!pending.is_empty());
        // A starting server applies them, so they are a warning only.
        let ran = cli.run(&["doctor"]).ok();
        let expected = format!(
            "warn  migrations    {} are pending\n{:20}→ ringnity-server migrate\n",
            pending.join(", "),
            ""
        );
        assert!(ran.out.contains(&expected), "{}", ran.out);
        cli.run(&["migrate"]).ok();
        let report = cli.run(&["doctor", "--json"]).ok().json();
        assert_eq!(level(&report, "migrations").as_deref(), Some("ok"), "{report}");
    }
}

#[test]
fn doctor_reports_late_and_failing_jobs() {
    with_cli_on_each_engine(|cli| {
        cli.run(&["migrate"]).ok();
        let report = cli.run(&["doctor", "--json"]).ok().json();
        assert_eq!(level(&report, "jobs").as_deref(), Some("ok"), "{report}");
        block_on(async {
            let (store, now) = (cli.store().await, Clock::default().now());
            let before = now - TimeDelta::hours(1);
            store
                .write(move |c| {
                    jobs::job_put(c, "late", "one", "{}", before, before)?;
                    jobs::job_put(c, "failing", "one", "{}", before, before)?;
                    let taken = jobs::job_claim(c, "failing", 1, now, before)?;
                    let (_, lease) = taken.first().expect("the job");
                    jobs::job_fail(c, lease, now + TimeDelta::hours(1), "the receiver is away", now)
                })
                .await
                .expect("jobs");
            store.close().await;
        });
        let ran = cli.run(&["doctor"]).ok();
        assert!(
            ran.out.contains(
                "warn  jobs          1 failed and will be retried; the last error: the receiver is away"
            ),
            "{}",
            ran.out
        );
        assert!(ran.out.contains("1 are more than five minutes late"), "{}", ran.out);
    });
}

#[test]
fn doctor_reports_problems_with_remedy() {
    let cli = Cli::new();
    let report = cli.run(&["doctor", "--json"]).ok().json();
    assert_eq!(level(&report, "database").as_deref(), Some("warn"), "nothing is there yet: {report}");
    cli.run(&["migrate"]).ok();
    let database = cli.folder().join("data/ringnity.db");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode =
            |mode| std::fs::set_permissions(&database, std::fs::Permissions::from_mode(mode)).expect("mode");
        mode(0o644);
        let ran = cli.run(&["doctor", "--json"]);
        assert_eq!((ran.code, level(&ran.json(), "permissions").as_deref()), (Some(1), Some("fail")));
        mode(0o600);
    }
    cli.write("data/.b.db.7.part", "half");
    let report = cli.run(&["doctor", "--json", "--listen=0.0.0.0:1"]).ok().json();
    assert_eq!(level(&report, "leftovers").as_deref(), Some("warn"));
    assert_eq!(level(&report, "settings").as_deref(), Some("warn"));
    // Damages the middle of the file.
    let mut bytes = std::fs::read(&database).expect("the database");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0x5a);
    std::fs::write(&database, bytes).expect("writes");
    let ran = cli.run(&["doctor"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.out.contains("FAIL") && ran.out.contains("restore the last backup"), "{}", ran.out);
    let mut gone = cli.command(&["doctor", "--json"]);
    let ran = CommandOutput::of(gone.env("RINGNITY_DATABASE_URL", "postgres://ann:s3cret@127.0.0.1:1/x"))
        .never_prints(&["s3cret"]);
    assert_eq!((ran.code, level(&ran.json(), "database").as_deref()), (Some(1), Some("fail")));
}

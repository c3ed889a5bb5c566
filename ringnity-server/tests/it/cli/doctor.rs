//! What the doctor finds, and that it says what to do.

use chrono::TimeDelta;
use ringnity_server::clock::Clock;
use ringnity_store::jobs;
use ringnity_store::testing::{TestDatabase, engines};
use serde_json::Value;

use super::{Desk, Ran, at_each_engine, block_on};

/// The level of a check, by its name.
fn level(report: &Value, name: &str) -> Option<String> {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["check"] == name)?;
    assert!(found["level"] == "ok" || found["remedy"].is_string(), "no remedy: {found}");
    found["level"].as_str().map(str::to_owned)
}

#[test]
fn a_database_in_use_is_well() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        let _server = desk.serve(&[]);
        let report = desk.run(&["doctor", "--json"]).ok().json();
        assert_eq!(report["ok"], true);
        for name in ["database", "migrations", "clock", "signing keys"] {
            assert_eq!(level(&report, name).as_deref(), Some("ok"), "{name}: {report}");
        }
        if desk.engine() == ringnity_store::Engine::Sqlite {
            assert!(report.to_string().contains("runs on this database"), "{report}");
            assert_eq!(level(&report, "integrity").as_deref(), Some("ok"));
            assert_eq!(level(&report, "permissions").as_deref(), Some("ok"));
        }
    });
}

#[test]
fn migrations_that_are_pending_are_told_and_who_applies_them() {
    for engine in engines() {
        let desk = Desk::on(TestDatabase::with_first_schema(engine, "a hash"));
        let pending = desk.run(&["migrate", "--check", "--json"]).json()["pending"].clone();
        let pending = pending.as_array().expect("names").iter().filter_map(Value::as_str);
        let pending: Vec<&str> = pending.collect();
        assert!(!pending.is_empty());
        // A server that starts applies them, so they are no failure.
        let ran = desk.run(&["doctor"]).ok();
        let told = format!(
            "warn  migrations    {} are pending\n{:20}→ ringnity-server migrate\n",
            pending.join(", "),
            ""
        );
        assert!(ran.out.contains(&told), "{}", ran.out);
        desk.run(&["migrate"]).ok();
        let report = desk.run(&["doctor", "--json"]).ok().json();
        assert_eq!(level(&report, "migrations").as_deref(), Some("ok"), "{report}");
    }
}

#[test]
fn jobs_that_nobody_does_are_told_and_that_they_fail() {
    at_each_engine(|desk| {
        desk.run(&["migrate"]).ok();
        let report = desk.run(&["doctor", "--json"]).ok().json();
        assert_eq!(level(&report, "jobs").as_deref(), Some("ok"), "{report}");
        block_on(async {
            let (store, now) = (desk.store().await, Clock::default().now());
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
        let ran = desk.run(&["doctor"]).ok();
        assert!(
            ran.out.contains(
                "warn  jobs          1 fail and are tried again; the last said: the receiver is away"
            ),
            "{}",
            ran.out
        );
        assert!(ran.out.contains("1 are more than five minutes late"), "{}", ran.out);
    });
}

#[test]
fn what_is_wrong_is_told_with_a_remedy() {
    let desk = Desk::new();
    let report = desk.run(&["doctor", "--json"]).ok().json();
    assert_eq!(level(&report, "database").as_deref(), Some("warn"), "nothing is there yet: {report}");
    desk.run(&["migrate"]).ok();
    let database = desk.folder().join("data/ringnity.db");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode =
            |mode| std::fs::set_permissions(&database, std::fs::Permissions::from_mode(mode)).expect("mode");
        mode(0o644);
        let ran = desk.run(&["doctor", "--json"]);
        assert_eq!((ran.code, level(&ran.json(), "permissions").as_deref()), (Some(1), Some("fail")));
        mode(0o600);
    }
    desk.write("data/.b.db.7.part", "half");
    let report = desk.run(&["doctor", "--json", "--listen=0.0.0.0:1"]).ok().json();
    assert_eq!(level(&report, "leftovers").as_deref(), Some("warn"));
    assert_eq!(level(&report, "settings").as_deref(), Some("warn"));
    // Damage in the middle of the file.
    let mut bytes = std::fs::read(&database).expect("the database");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 20_000].fill(0x5a);
    std::fs::write(&database, bytes).expect("writes");
    let ran = desk.run(&["doctor"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.out.contains("FAIL") && ran.out.contains("restore the last backup"), "{}", ran.out);
    let mut gone = desk.command(&["doctor", "--json"]);
    let ran = Ran::of(gone.env("RINGNITY_DATABASE_URL", "postgres://ann:s3cret@127.0.0.1:1/x"))
        .silent_about(&["s3cret"]);
    assert_eq!((ran.code, level(&ran.json(), "database").as_deref()), (Some(1), Some("fail")));
}

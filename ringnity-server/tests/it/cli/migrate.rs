//! The command `migrate`: old and newer databases, repeated and concurrent runs.

use ringnity_server::secrets;
use ringnity_store::testing::{TestDatabase, engines};

use super::{Cli, with_cli_on_each_engine};

#[test]
fn r6_an_old_database_upgrades_and_keeps_what_it_holds() {
    for by_hand in [true, false] {
        for engine in engines() {
            let secret = "rn_sk_live_of-the-first-version";
            let cli = Cli::on(TestDatabase::with_first_schema(engine, &secrets::hash(secret)));
            let pending = cli.run(&["migrate", "--check", "--json"]);
            assert_eq!(pending.code, Some(1));
            let count = pending.json()["pending"].as_array().map_or(0, Vec::len);
            assert!(count >= 5, "{pending:?}");
            // Only `migrate` and a starting server apply migrations.
            for command in
                [&["tenant", "list"][..], &["keys", "list", "--tenant=old"], &["signing-keys", "rotate"]]
            {
                cli.run(command).refused(1, &["pending migrations", "ringnity-server migrate"]);
            }
            assert_eq!(cli.run(&["migrate", "--check"]).code, Some(1), "nothing migrated it");
            if by_hand {
                let done = cli.run(&["migrate", "--json"]).ok().json();
                assert_eq!(done["applied"].as_array().map_or(0, Vec::len), count, "{done}");
            }
            let server = cli.serve(&[]);
            let (status, contacts) = server.get("/api/server/contacts", secret);
            assert_eq!(
                (
                    status,
                    contacts["data"]["contacts"][0]["name"].as_str(),
                    &contacts["data"]["pagination"]["total"]
                ),
                (200, Some("Kept"), &serde_json::json!(1)),
                "{contacts}"
            );
            let check = cli.run(&["migrate", "--check"]).ok();
            assert!(check.out.contains("up to date"), "{}", check.out);
        }
    }
}

#[test]
fn r6_a_newer_database_is_refused_with_words() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        cli.database().pretend_newer();
        for command in [
            &["serve", "--listen=127.0.0.1:0"][..],
            &["migrate"],
            &["migrate", "--check"],
            &["tenant", "list"],
            &["backup", "b"],
        ] {
            cli.run(command).refused(1, &["newer version of Ringnity", "29990101000000", "restore a backup"]);
        }
        let doctor = cli.run(&["doctor"]);
        assert!(doctor.code == Some(1) && doctor.out.contains("FAIL  migrations"), "{}", doctor.out);
    });
}

#[test]
fn r6_migrating_twice_or_by_many_at_once_is_migrating_once() {
    with_cli_on_each_engine(|cli| {
        let all: Vec<_> = (0..4)
            .map(|_| {
                let mut command = cli.command(&["migrate", "--json"]);
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                command.spawn().expect("the program starts")
            })
            .collect();
        let applied: Vec<usize> = all
            .into_iter()
            .map(|child| {
                let ran = super::CommandOutput::from(child.wait_with_output().expect("it ends")).ok();
                ran.json()["applied"].as_array().map_or(0, Vec::len)
            })
            .collect();
        assert_eq!(applied.iter().filter(|count| **count > 0).count(), 1, "one of them did all: {applied:?}");
        let again = cli.run(&["migrate", "--json"]).ok().json();
        assert_eq!(again["applied"].as_array().map(Vec::len), Some(0));
        assert!(
            again["schemaVersion"].as_str().is_some_and(|version| version.starts_with("2026-")),
            "{again}"
        );
    });
}

#[test]
fn command_without_database_creates_none_and_says_what_to_do() {
    let cli = Cli::new();
    for command in [&["tenant", "list"][..], &["backup", "b.db"], &["signing-keys", "list"]] {
        cli.run(command)
            .refused(1, &["no database of Ringnity at sqlite://data/ringnity.db", "ringnity-server migrate"]);
    }
    assert_eq!(std::fs::read_dir(cli.folder()).expect("the folder").count(), 0);
}

//! The commands `backup` and `restore`: consistent, private, and for the right engine only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringnity_store::contacts::{ContactFilter, contact_list};
use ringnity_store::tenants::tenant_by_slug;
use ringnity_store::testing::{TestDatabase, engines};
use ringnity_store::{Engine, PageRequest, StoreError};
use serde_json::json;

use super::{Cli, CommandOutput, block_on, with_cli_on_each_engine};

/// Concurrent writers.
const WRITERS: usize = 8;
/// Backups during the writes.
const BACKUPS: usize = 4;

/// When a contact was sent and answered.
#[derive(Clone, Copy)]
struct Entry {
    sent: Instant,
    answered: Option<Instant>,
}

/// The contacts of each writer, in order.
type Ledger = Arc<Mutex<Vec<Vec<Entry>>>>;

/// Writes contacts one after the other until stopped, and records each.
async fn write(base: String, key: String, writer: usize, ledger: Ledger, stop: Arc<AtomicBool>) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let body = json!({ "externalId": format!("w{writer}-{number}"), "name": "Ada", "phone": format!("{writer} {number}") });
        ledger.lock().expect("the ledger")[writer].push(Entry { sent: Instant::now(), answered: None });
        let request = client.post(format!("{base}/api/server/contacts")).bearer_auth(&key).json(&body);
        let status = request.send().await.expect("an answer").status();
        assert!(status.is_success(), "{status}");
        ledger.lock().expect("the ledger")[writer][number].answered = Some(Instant::now());
        number += 1;
    }
}

/// The numbers of each writer's contacts in the database.
fn written(cli: &Cli) -> BTreeMap<usize, Vec<usize>> {
    block_on(async {
        let store = cli.store().await;
        let all = store
            .read(|c| {
                let tenant = tenant_by_slug(c, "acme")?.expect("the tenant").id;
                Ok::<_, StoreError>(
                    contact_list(c, &tenant, &ContactFilter::default(), PageRequest::new(1, 1_000_000))?.rows,
                )
            })
            .await
            .expect("contacts");
        store.close().await;
        let mut written: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for contact in all {
            let id = contact.external_id.expect("an id");
            let (writer, number) =
                id.strip_prefix('w').and_then(|id| id.split_once('-')).expect("a writer's");
            written
                .entry(writer.parse().expect("a number"))
                .or_default()
                .push(number.parse().expect("a number"));
        }
        written.values_mut().for_each(|numbers| numbers.sort_unstable());
        written
    })
}

#[test]
fn r7_a_backup_under_load_restores_to_a_point_in_time() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("enterprise");
        let key =
            cli.run(&["keys", "create", "--tenant=acme", "--name=K", "--all-scopes", "--json"]).ok().json();
        let key = key["secret"].as_str().expect("a secret").to_owned();
        let server = cli.serve(&["--rate-limit=off"]);
        let (ledger, stop): (Ledger, _) =
            (Arc::new(Mutex::new(vec![Vec::new(); WRITERS])), Arc::new(AtomicBool::new(false)));
        let base = server.base.clone();
        let mut spans = Vec::new();
        block_on(async {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    tokio::spawn(write(base.clone(), key.clone(), writer, ledger.clone(), stop.clone()))
                })
                .collect();
            // An empty backup would prove nothing.
            while ledger.lock().expect("the ledger").iter().any(|entries| entries.len() < 5) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            for number in 0..BACKUPS {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let mut command = cli.command(&["backup", &format!("b{number}"), "--json"]);
                let ran = tokio::task::spawn_blocking(move || {
                    let started = Instant::now();
                    (started, CommandOutput::of(&mut command), Instant::now())
                });
                let (started, ran, ended) = ran.await.expect("it runs");
                spans.push((started, ran.ok().json(), ended));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.await.expect("every write was answered");
            }
        });
        let ledger = ledger.lock().expect("the ledger").clone();
        drop(server);
        for (number, (started, output, ended)) in spans.iter().enumerate() {
            let other = Cli::on(TestDatabase::empty(cli.engine()));
            let file = cli.folder().join(format!("b{number}"));
            let restored = other.run(&["restore", &file.to_string_lossy(), "--json"]).ok().json();
            assert_eq!(restored["counts"], output["counts"], "the backup has what its output says");
            let sound = other.run(&["doctor", "--json"]).ok();
            let found = written(&other);
            let (mut kept, mut before, mut open) = (0, 0, 0);
            let (mut lost, mut holes, mut later) = (0, 0, 0);
            for (writer, entries) in ledger.iter().enumerate() {
                let there = found.get(&writer).map(Vec::as_slice).unwrap_or_default();
                let answered =
                    entries.iter().filter(|entry| entry.answered.is_some_and(|at| at < *started)).count();
                let sent = entries.iter().filter(|entry| entry.sent < *ended).count();
                lost += (0..answered).filter(|number| !there.contains(number)).count();
                later += there.iter().filter(|number| **number >= sent).count();
                holes += there.iter().enumerate().filter(|(place, number)| place != *number).count();
                (kept, before, open) = (kept + there.len(), before + answered, open + sent - answered);
            }
            ringnity_store::print_always!(
                "{}: backup {number}: {kept} contacts; answered before it began {before}, under way {open}; lost {lost}, \
                 holes {holes}, from later {later}",
                cli.engine()
            );
            assert_eq!((lost, holes, later), (0, 0, 0), "backup {number} is no point in time");
            // The counts must agree with the records. A count that was read from the copy would agree with it
            // whatever the copy lacks.
            let counts =
                json!({ "tenants": 1, "platformAdmins": 0, "agents": 0, "contacts": kept, "events": kept });
            for counted in [&output["counts"], &restored["counts"]] {
                assert_eq!(*counted, counts);
            }
            // Each write is a contact, an event and a total in one transaction: a backup has all three or none.
            let rows = other.database().dump();
            let events = rows["events"].iter().filter(|row| row["name"] == "contact.created");
            let totals = rows["contact_totals"].iter().map(|row| row["total"].as_i64().expect("a number"));
            assert_eq!((events.count(), totals.sum::<i64>()), (kept, i64::try_from(kept).expect("few")));
            // Foreign keys hold: `doctor` checks them on SQLite, `pg_restore` adds them after the rows on PostgreSQL.
            // That all of them exist is compared here.
            assert_eq!(other.database().schema(), cli.database().schema());
            assert!(before >= WRITERS, "writers had started before the backup did");
            assert_eq!(sound.json()["ok"], true);
        }
        let total: usize = ledger.iter().map(Vec::len).sum();
        ringnity_store::print_always!(
            "{}: {WRITERS} writers, {total} writes answered, {BACKUPS} backups meanwhile",
            cli.engine()
        );
    });
}

#[test]
fn r7_a_backup_or_restore_that_is_killed_leaves_all_or_nothing() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        cli.run(&["backup", "one"]).ok();
        cli.run(&["tenant", "create", "--slug=later", "--name=L", "--owner-email=l@l.example"]).ok();
        cli.run(&["backup", "two"]).ok();
        let other = Cli::on(TestDatabase::empty(cli.engine()));
        // PostgreSQL's programs take longer.
        let step = if cli.engine() == Engine::Sqlite { 8 } else { 40 };
        let (mut whole, mut replaced, mut killed) = (0, 0, 0);
        for round in 0..12_u64 {
            // From before it has started to after it has ended.
            let pause =
                if round == 11 { Duration::from_secs(60) } else { Duration::from_millis(round * step) };
            let name = format!("b{round}");
            killed += u64::from(killed_after(cli, &["backup", &name], pause));
            if cli.folder().join(&name).exists() {
                let file = cli.folder().join(&name).to_string_lossy().into_owned();
                let output = other.run(&["restore", &file, "--replace", "--json"]).ok().json();
                assert!(output["counts"]["tenants"].as_u64() > Some(0), "{output}");
                whole += 1;
            }
            let file = if round % 2 == 0 { "one" } else { "two" };
            killed += u64::from(killed_after(cli, &["restore", file, "--replace"], pause));
            let listed = cli.run(&["tenant", "list", "--json"]);
            let tenants = listed.ok().json()["tenants"].as_array().map(Vec::len);
            assert!(tenants == Some(1) || tenants == Some(2), "round {round}: {tenants:?}");
            replaced += u64::from(tenants == Some(if file == "one" { 1 } else { 2 }));
            assert_eq!(cli.run(&["doctor"]).code, Some(0));
        }
        assert!(whole > 0 && replaced > 0, "the last ones had all the time they wanted");
        ringnity_store::print_always!(
            "{}: of 12 backups and 12 restores {killed} were killed; {whole} backups were there, all whole; after {replaced} \
                   restores the backup was there, else what had been",
            cli.engine()
        );
    });
}

/// Runs a command and kills it after a while; returns whether it was still running.
fn killed_after(cli: &Cli, arguments: &[&str], pause: Duration) -> bool {
    let mut command = cli.command(arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let started = Instant::now();
    while started.elapsed() < pause && child.try_wait().expect("its state").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = child.try_wait().expect("its state").is_none();
    // It may have ended by itself just now.
    let _ = child.kill();
    child.wait().expect("it ends");
    killed
}

#[test]
fn backup_is_private_complete_and_overwrites_nothing() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        let output = cli.run(&["backup", "b", "--json"]).ok().json();
        assert_eq!(output["counts"]["tenants"], 1);
        let file = cli.folder().join("b");
        let metadata = std::fs::metadata(&file).expect("the backup");
        assert_eq!(output["bytes"].as_u64(), Some(metadata.len()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        let before = std::fs::read(&file).expect("the backup");
        cli.run(&["backup", "b"]).refused(1, &["b already exists", "choose another name"]);
        assert_eq!(std::fs::read(&file).expect("the backup"), before);
        cli.run(&["backup", "nowhere/b"]).refused(1, &["nowhere"]);
        let names: Vec<_> = std::fs::read_dir(cli.folder()).expect("the folder").flatten().collect();
        assert_eq!(names.len(), 1, "nothing half made is left: {names:?}");
    });
}

#[cfg(unix)]
#[test]
fn backup_leaves_files_of_others_alone() {
    with_cli_on_each_engine(|cli| {
        cli.run(&["migrate"]).ok();
        // A name with the process id can be guessed.
        let program = cli.command(&["backup", "b"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "echo mine > .b.$$.part; exec \"$0\" \"$@\""]);
        shell.arg(program.get_program()).args(program.get_args()).current_dir(cli.folder());
        shell.env("RINGNITY_DATABASE_URL", cli.database().url());
        CommandOutput::of(&mut shell).ok();
        let left = std::fs::read_dir(cli.folder()).expect("the folder").flatten();
        let left: Vec<_> = left.map(|entry| entry.path()).filter(|path| !path.ends_with("b")).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(std::fs::read_to_string(&left[0]).expect("what was put there"), "mine\n");
    });
}

#[test]
fn restore_migrates_older_backup_and_rejects_newer() {
    for engine in engines() {
        let old = TestDatabase::with_first_schema(engine, "00");
        let cli = Cli::on(TestDatabase::empty(engine));
        let file = cli.folder().join("old");
        copy_as_is(&old, &file);
        let output = cli.run(&["restore", "old", "--json"]).ok().json();
        assert!(output["applied"].as_array().is_some_and(|applied| applied.len() >= 5), "{output}");
        assert_eq!((&output["counts"]["tenants"], &output["counts"]["contacts"]), (&json!(1), &json!(1)));
        cli.run(&["migrate", "--check"]).ok();
        // A newer backup leaves the database unchanged.
        old.pretend_newer();
        let newer = cli.folder().join("newer");
        copy_as_is(&old, &newer);
        cli.run(&["restore", "newer", "--replace"])
            .refused(1, &["newer version of Ringnity", "29990101000000"]);
        let listed = cli.run(&["tenant", "list", "--json"]).ok().json();
        assert_eq!(listed["tenants"][0]["slug"], "old");
    }
}

/// Copies a database that this program would not back up.
fn copy_as_is(database: &TestDatabase, to: &Path) {
    match database.config().sqlite_path() {
        Some(path) => drop(std::fs::copy(path, to).expect("a copy")),
        None => {
            let mut dump = std::process::Command::new("pg_dump");
            dump.args(["--format=custom", "--file"]).arg(to).arg(format!("--dbname={}", database.url()));
            assert!(dump.status().expect("pg_dump runs").success());
        }
    }
}

#[test]
fn rejects_file_that_is_no_backup_of_this_engine() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        cli.run(&["backup", "b"]).ok();
        cli.write("text", "nothing of the kind");
        cli.run(&["restore", "text", "--replace"]).refused(1, &["text is not a backup"]);
        cli.run(&["restore", "missing", "--replace"]).refused(1, &["cannot read the backup missing"]);
        let other =
            if cli.engine() == Engine::Sqlite { "PGDMP and so on" } else { "SQLite format 3\0 and so on" };
        cli.write("other", other);
        cli.run(&["restore", "other", "--replace"]).refused(1, &["but the database is"]);
        // A truncated backup and a damaged one.
        let whole = std::fs::read(cli.folder().join("b")).expect("the backup");
        std::fs::write(cli.folder().join("half"), &whole[..whole.len() / 2]).expect("writes");
        cli.run(&["restore", "half", "--replace"]).refused(1, &["half"]);
        if cli.engine() == Engine::Sqlite {
            let mut holed = whole;
            let middle = holed.len() / 2;
            holed[middle..middle + 20_000].fill(0x5a);
            std::fs::write(cli.folder().join("holed"), holed).expect("writes");
            cli.run(&["restore", "holed", "--replace"]).refused(1, &["holed cannot be restored"]);
        }
        let listed = cli.run(&["tenant", "list", "--json"]).ok().json();
        assert_eq!(listed["tenants"][0]["slug"], "acme", "the database is as it was");
        assert_eq!(cli.run(&["doctor"]).code, Some(0));
    });
}

#[test]
fn backup_without_pg_dump_says_what_to_install() {
    for engine in engines().into_iter().filter(|engine| *engine == Engine::Postgres) {
        let cli = Cli::on(TestDatabase::new(engine));
        let mut command = cli.command(&["backup", "b"]);
        CommandOutput::of(command.env("PATH", cli.folder()))
            .refused(1, &["pg_dump is not installed", "install"]);
        // The password is passed in the environment, because everybody on the machine can read arguments.
        cli.write(
            "pg_dump",
            "#!/bin/sh\necho \"$@\" >&2\n[ \"$PGPASSWORD\" = s3cret ] && echo by environment >&2\nexit 1\n",
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let run = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(cli.folder().join("pg_dump"), run).expect("mode");
            let url = cli.database().url().replace("postgres@", "postgres:s3cret@");
            let mut command = cli.command(&["backup", "b"]);
            command.env("PATH", cli.folder()).env("RINGNITY_DATABASE_URL", url);
            CommandOutput::of(&mut command)
                .refused(1, &["pg_dump failed", "by environment"])
                .never_prints(&["s3cret"]);
        }
    }
}

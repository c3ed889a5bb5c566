//! Backups: made under load, whole, private, and put back only where they belong.

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

use super::{Desk, Ran, at_each_engine, block_on};

/// Who write at once.
const WRITERS: usize = 8;
/// Backups that are made meanwhile.
const BACKUPS: usize = 4;

/// When a writer's contact was sent and, if it was, answered.
#[derive(Clone, Copy)]
struct Entry {
    sent: Instant,
    answered: Option<Instant>,
}

/// What each writer did, in its order.
type Ledger = Arc<Mutex<Vec<Vec<Entry>>>>;

/// Writes contacts one after the other until told to stop, and notes each.
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

/// The numbers of each writer's contacts at a desk.
fn written(desk: &Desk) -> BTreeMap<usize, Vec<usize>> {
    block_on(async {
        let store = desk.store().await;
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
    at_each_engine(|desk| {
        desk.with_acme("enterprise");
        let key =
            desk.run(&["keys", "create", "--tenant=acme", "--name=K", "--all-scopes", "--json"]).ok().json();
        let key = key["secret"].as_str().expect("a secret").to_owned();
        let server = desk.serve(&["--rate-limit=off"]);
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
            // A backup of nothing would prove nothing.
            while ledger.lock().expect("the ledger").iter().any(|entries| entries.len() < 5) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            for number in 0..BACKUPS {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let mut command = desk.command(&["backup", &format!("b{number}"), "--json"]);
                let ran = tokio::task::spawn_blocking(move || {
                    let begun = Instant::now();
                    (begun, Ran::of(&mut command), Instant::now())
                });
                let (begun, ran, ended) = ran.await.expect("it runs");
                spans.push((begun, ran.ok().json(), ended));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.await.expect("every write was answered");
            }
        });
        let ledger = ledger.lock().expect("the ledger").clone();
        drop(server);
        for (number, (begun, told, ended)) in spans.iter().enumerate() {
            let elsewhere = Desk::on(TestDatabase::empty(desk.engine()));
            let file = desk.folder().join(format!("b{number}"));
            let restored = elsewhere.run(&["restore", &file.to_string_lossy(), "--json"]).ok().json();
            assert_eq!(restored["counts"], told["counts"], "what was told of it is what is in it");
            let sound = elsewhere.run(&["doctor", "--json"]).ok();
            let found = written(&elsewhere);
            let (mut kept, mut before, mut open) = (0, 0, 0);
            let (mut lost, mut holes, mut later) = (0, 0, 0);
            for (writer, entries) in ledger.iter().enumerate() {
                let there = found.get(&writer).map(Vec::as_slice).unwrap_or_default();
                let answered =
                    entries.iter().filter(|entry| entry.answered.is_some_and(|at| at < *begun)).count();
                let sent = entries.iter().filter(|entry| entry.sent < *ended).count();
                lost += (0..answered).filter(|number| !there.contains(number)).count();
                later += there.iter().filter(|number| **number >= sent).count();
                holes += there.iter().enumerate().filter(|(place, number)| place != *number).count();
                (kept, before, open) = (kept + there.len(), before + answered, open + sent - answered);
            }
            ringnity_store::print_always!(
                "{}: backup {number}: {kept} contacts; answered before it began {before}, under way {open}; lost {lost}, \
                 holes {holes}, from later {later}",
                desk.engine()
            );
            assert_eq!((lost, holes, later), (0, 0, 0), "backup {number} is no point in time");
            // Counts are of what the ledger leaves possible. What was told while the copy was made may be read from the
            // copy itself, and would agree with it whatever it lacks.
            let counts =
                json!({ "tenants": 1, "platformAdmins": 0, "agents": 0, "contacts": kept, "events": kept });
            for counted in [&told["counts"], &restored["counts"]] {
                assert_eq!(*counted, counts);
            }
            // Each write was one event and one more in the total, in one transaction: a copy has all three or none.
            let rows = elsewhere.database().dump();
            let events = rows["events"].iter().filter(|row| row["name"] == "contact.created");
            let totals = rows["contact_totals"].iter().map(|row| row["total"].as_i64().expect("a number"));
            assert_eq!((events.count(), totals.sum::<i64>()), (kept, i64::try_from(kept).expect("few")));
            // Rows refer to what is there: on SQLite `doctor` has looked, on PostgreSQL whoever adds a foreign key looks,
            // and `pg_restore` adds them after the rows. That all of them are there again is left to see.
            assert_eq!(elsewhere.database().schema(), desk.database().schema());
            assert!(before >= WRITERS, "writers had begun before the backup did");
            assert_eq!(sound.json()["ok"], true);
        }
        let total: usize = ledger.iter().map(Vec::len).sum();
        ringnity_store::print_always!(
            "{}: {WRITERS} writers, {total} writes answered, {BACKUPS} backups meanwhile",
            desk.engine()
        );
    });
}

#[test]
fn r7_a_backup_or_restore_that_is_killed_leaves_all_or_nothing() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        desk.run(&["backup", "one"]).ok();
        desk.run(&["tenant", "create", "--slug=later", "--name=L", "--owner-email=l@l.example"]).ok();
        desk.run(&["backup", "two"]).ok();
        let elsewhere = Desk::on(TestDatabase::empty(desk.engine()));
        // PostgreSQL's programs take their time.
        let step = if desk.engine() == Engine::Sqlite { 8 } else { 40 };
        let (mut whole, mut replaced, mut killed) = (0, 0, 0);
        for round in 0..12_u64 {
            // From before it has done anything to after it has ended.
            let pause =
                if round == 11 { Duration::from_secs(60) } else { Duration::from_millis(round * step) };
            let name = format!("b{round}");
            killed += u64::from(killed_after(desk, &["backup", &name], pause));
            if desk.folder().join(&name).exists() {
                let file = desk.folder().join(&name).to_string_lossy().into_owned();
                let told = elsewhere.run(&["restore", &file, "--replace", "--json"]).ok().json();
                assert!(told["counts"]["tenants"].as_u64() > Some(0), "{told}");
                whole += 1;
            }
            let file = if round % 2 == 0 { "one" } else { "two" };
            killed += u64::from(killed_after(desk, &["restore", file, "--replace"], pause));
            let listed = desk.run(&["tenant", "list", "--json"]);
            let tenants = listed.ok().json()["tenants"].as_array().map(Vec::len);
            assert!(tenants == Some(1) || tenants == Some(2), "round {round}: {tenants:?}");
            replaced += u64::from(tenants == Some(if file == "one" { 1 } else { 2 }));
            assert_eq!(desk.run(&["doctor"]).code, Some(0));
        }
        assert!(whole > 0 && replaced > 0, "the last ones had all the time they wanted");
        ringnity_store::print_always!(
            "{}: of 12 backups and 12 restores {killed} were killed; {whole} backups were there, all whole; after {replaced} \
                   restores the backup was there, else what had been",
            desk.engine()
        );
    });
}

/// Runs a command and kills it after a while, if it has not ended by then; says whether that was so.
fn killed_after(desk: &Desk, arguments: &[&str], pause: Duration) -> bool {
    let mut command = desk.command(arguments);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let begun = Instant::now();
    while begun.elapsed() < pause && child.try_wait().expect("its state").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = child.try_wait().expect("its state").is_none();
    // It may just have ended by itself.
    let _ = child.kill();
    child.wait().expect("it ends");
    killed
}

#[test]
fn a_backup_is_private_whole_and_overwrites_nothing() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        let told = desk.run(&["backup", "b", "--json"]).ok().json();
        assert_eq!(told["counts"]["tenants"], 1);
        let file = desk.folder().join("b");
        let metadata = std::fs::metadata(&file).expect("the backup");
        assert_eq!(told["bytes"].as_u64(), Some(metadata.len()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        let before = std::fs::read(&file).expect("the backup");
        desk.run(&["backup", "b"]).refused(1, &["b is there already", "choose another name"]);
        assert_eq!(std::fs::read(&file).expect("the backup"), before);
        desk.run(&["backup", "nowhere/b"]).refused(1, &["nowhere"]);
        let names: Vec<_> = std::fs::read_dir(desk.folder()).expect("the folder").flatten().collect();
        assert_eq!(names.len(), 1, "nothing half made is left: {names:?}");
    });
}

#[cfg(unix)]
#[test]
fn a_backup_touches_no_file_that_somebody_else_may_have_put_in_its_way() {
    at_each_engine(|desk| {
        desk.run(&["migrate"]).ok();
        // Whoever knows the process's number can guess a name that is made of it.
        let program = desk.command(&["backup", "b"]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "echo mine > .b.$$.part; exec \"$0\" \"$@\""]);
        shell.arg(program.get_program()).args(program.get_args()).current_dir(desk.folder());
        shell.env("RINGNITY_DATABASE_URL", desk.database().url());
        Ran::of(&mut shell).ok();
        let left = std::fs::read_dir(desk.folder()).expect("the folder").flatten();
        let left: Vec<_> = left.map(|entry| entry.path()).filter(|path| !path.ends_with("b")).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(std::fs::read_to_string(&left[0]).expect("what was put there"), "mine\n");
    });
}

#[test]
fn a_backup_of_an_older_version_is_migrated_and_one_of_a_newer_is_refused() {
    for engine in engines() {
        let old = TestDatabase::with_first_schema(engine, "00");
        let desk = Desk::on(TestDatabase::empty(engine));
        let file = desk.folder().join("old");
        copy_as_is(&old, &file);
        let told = desk.run(&["restore", "old", "--json"]).ok().json();
        assert!(told["applied"].as_array().is_some_and(|applied| applied.len() >= 5), "{told}");
        assert_eq!((&told["counts"]["tenants"], &told["counts"]["contacts"]), (&json!(1), &json!(1)));
        desk.run(&["migrate", "--check"]).ok();
        // The other way round, the database stays as it was.
        old.pretend_newer();
        let newer = desk.folder().join("newer");
        copy_as_is(&old, &newer);
        desk.run(&["restore", "newer", "--replace"])
            .refused(1, &["newer version of Ringnity", "29990101000000"]);
        let listed = desk.run(&["tenant", "list", "--json"]).ok().json();
        assert_eq!(listed["tenants"][0]["slug"], "old");
    }
}

/// Copies a database that this program would not back up, as one would by hand.
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
fn what_is_no_backup_of_this_engine_is_refused_and_harms_nothing() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        desk.run(&["backup", "b"]).ok();
        desk.write("text", "nothing of the kind");
        desk.run(&["restore", "text", "--replace"]).refused(1, &["text is no backup"]);
        desk.run(&["restore", "missing", "--replace"]).refused(1, &["cannot read the backup missing"]);
        let other =
            if desk.engine() == Engine::Sqlite { "PGDMP and so on" } else { "SQLite format 3\0 and so on" };
        desk.write("other", other);
        desk.run(&["restore", "other", "--replace"]).refused(1, &["goes back to the engine it is from"]);
        // One that lost its second half, and one with a hole.
        let whole = std::fs::read(desk.folder().join("b")).expect("the backup");
        std::fs::write(desk.folder().join("half"), &whole[..whole.len() / 2]).expect("writes");
        desk.run(&["restore", "half", "--replace"]).refused(1, &["half"]);
        if desk.engine() == Engine::Sqlite {
            let mut holed = whole;
            let middle = holed.len() / 2;
            holed[middle..middle + 20_000].fill(0x5a);
            std::fs::write(desk.folder().join("holed"), holed).expect("writes");
            desk.run(&["restore", "holed", "--replace"]).refused(1, &["holed cannot be restored"]);
        }
        let listed = desk.run(&["tenant", "list", "--json"]).ok().json();
        assert_eq!(listed["tenants"][0]["slug"], "acme", "the database is as it was");
        assert_eq!(desk.run(&["doctor"]).code, Some(0));
    });
}

#[test]
fn without_postgresqls_programs_a_backup_says_what_to_install() {
    for engine in engines().into_iter().filter(|engine| *engine == Engine::Postgres) {
        let desk = Desk::on(TestDatabase::new(engine));
        let mut command = desk.command(&["backup", "b"]);
        Ran::of(command.env("PATH", desk.folder())).refused(1, &["pg_dump is not there", "install"]);
        // The password travels by the environment: an argument would be read by everybody on the machine.
        desk.write(
            "pg_dump",
            "#!/bin/sh\necho \"$@\" >&2\n[ \"$PGPASSWORD\" = s3cret ] && echo by environment >&2\nexit 1\n",
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let run = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(desk.folder().join("pg_dump"), run).expect("mode");
            let url = desk.database().url().replace("postgres@", "postgres:s3cret@");
            let mut command = desk.command(&["backup", "b"]);
            command.env("PATH", desk.folder()).env("RINGNITY_DATABASE_URL", url);
            Ran::of(&mut command).refused(1, &["pg_dump failed", "by environment"]).silent_about(&["s3cret"]);
        }
    }
}

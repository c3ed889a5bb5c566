//! What a restore does with the database that is there: it stays, whole, and the service's.

#[cfg(unix)]
use std::path::Path;
use std::sync::Mutex;

use ringnity_store::identity::platform_admin_list;
use ringnity_store::tenants::{PlanFeature, plan_catalog, plan_feature_put, tenant_by_slug};
use ringnity_store::testing::TestDatabase;
use ringnity_store::{Conn, Engine, Store, StoreConfig, StoreError};
use serde_json::{Value, json};

use super::{Desk, at_each_engine, block_on};

#[test]
fn a_restore_replaces_tenants_only_when_told_and_keeps_them() {
    at_each_engine(|desk| {
        desk.with_acme("free");
        desk.run(&["backup", "b"]).ok();
        desk.run(&["tenant", "create", "--slug=later", "--name=L", "--owner-email=l@l.example"]).ok();
        desk.run(&["restore", "b"]).refused(1, &["has 2 tenants", "--replace", "--data-dir"]);
        let server = desk.serve(&[]);
        let words = if desk.engine() == Engine::Sqlite { "a server uses" } else { "stop every server" };
        desk.run(&["restore", "b", "--replace"]).refused(1, &[words]);
        assert_eq!(server.ask("GET", "/api/sdk/health", None, None).0, 200, "the server goes on");
        drop(server);
        let told = desk.run(&["restore", "b", "--replace", "--json"]).ok().json();
        assert_eq!(told["counts"]["tenants"], 1, "{told}");
        let kept = told["keptAs"].as_str().expect("it is kept").to_owned();
        if desk.engine() == Engine::Sqlite {
            // What was there is a database like any other.
            let kept = format!("--database-url={kept}");
            let listed = desk.run(&["tenant", "list", "--json", &kept]).ok().json();
            assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(2), "{listed}");
        }
        let doctor = desk.run(&["doctor"]).ok();
        let name = kept.rsplit(['/', ' ']).next().expect("a name");
        assert!(doctor.out.contains("warn  leftovers") && doctor.out.contains(name), "{}", doctor.out);
        // A replaced database neither gets into later backups nor in the way of another restore.
        desk.run(&["backup", "again"]).ok();
        let told = desk.run(&["restore", "again", "--replace", "--json"]).ok().json();
        assert_eq!(told["counts"]["tenants"], 1);
        let server = desk.serve(&[]);
        assert_eq!(server.ask("GET", "/api/sdk/bootstrap?slug=acme", None, None).0, 200);
        assert_eq!(server.ask("GET", "/api/sdk/bootstrap?slug=later", None, None).0, 404);
        // Where nothing is, nothing is kept.
        let fresh = Desk::on(TestDatabase::empty(desk.engine()));
        let file = desk.folder().join("again");
        let told = fresh.run(&["restore", &file.to_string_lossy(), "--json"]).ok().json();
        assert_eq!((&told["counts"]["tenants"], &told["keptAs"]), (&json!(1), &Value::Null));
    });
}

#[test]
fn a_restore_replaces_platform_administrators_only_when_told_and_keeps_whatever_is_there() {
    let admins = |store: &Store| block_on(store.read(platform_admin_list)).expect("administrators").len();
    let plans = |store: &Store| block_on(store.read(plan_catalog)).expect("plans").features;
    at_each_engine(|desk| {
        desk.with_acme("free");
        desk.run(&["backup", "b"]).ok();
        let file = desk.folder().join("b").to_string_lossy().into_owned();
        // Somebody runs this one, and has no tenant yet.
        let run = Desk::on(TestDatabase::empty(desk.engine()));
        run.run(&["migrate"]).ok();
        run.run(&["platform-admin", "create", "--email=root@example.com", "--name=Root"]).ok();
        run.run(&["restore", &file]).refused(1, &["has 1 platform administrators", "--replace"]);
        assert_eq!(admins(&block_on(run.store())), 1);
        let told = run.run(&["restore", &file, "--replace", "--json"]).ok().json();
        assert_eq!((&told["counts"]["tenants"], &told["counts"]["platformAdmins"]), (&json!(1), &json!(0)));
        assert_eq!(admins(&kept(&run, &told)), 1);
        // Nobody is in this one, but a plan was changed.
        let changed = Desk::on(TestDatabase::empty(desk.engine()));
        changed.run(&["migrate"]).ok();
        let store = block_on(changed.store());
        let usual = plans(&store);
        block_on(store.write(switch_a_feature)).expect("a change");
        let own = plans(&store);
        block_on(store.close());
        let told = changed.run(&["restore", &file, "--json"]).ok().json();
        assert_eq!(told["counts"]["tenants"], 1);
        assert!(
            own != usual
                && plans(&kept(&changed, &told)) == own
                && plans(&block_on(changed.store())) == usual
        );
    });
}

/// The database that a restore has kept.
fn kept(desk: &Desk, told: &Value) -> Store {
    let name = told["keptAs"].as_str().expect("it is kept");
    let url = match name.strip_prefix("schema ") {
        Some(schema) => format!("{}?options=-csearch_path%3D{schema}", desk.database().url()),
        None => name.to_owned(),
    };
    block_on(Store::attach(&StoreConfig::new(&url).expect("a URL"))).expect("what is kept")
}

/// A change of the plans.
fn switch_a_feature(c: &mut Conn) -> Result<(), StoreError> {
    let feature = plan_catalog(c)?.features.remove(0);
    plan_feature_put(c, &PlanFeature { enabled: !feature.enabled, ..feature })
}

#[cfg(unix)]
#[test]
fn what_root_makes_for_a_database_belongs_to_whom_the_database_or_its_folder_belongs() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    /// Nobody has to have this number.
    const SERVICE: Option<u32> = Some(64_321);
    let desk = Desk::on(TestDatabase::empty(Engine::Sqlite));
    let parent_folder = |desk: &Desk| {
        let database = desk.database().config().sqlite_path().expect("a file");
        database.parent().expect("a folder").to_owned()
    };
    let folder = parent_folder(&desk);
    if std::fs::metadata(&folder).expect("the folder").uid() != 0 {
        ringnity_store::print_always!("skipped: only root can give files away");
        return;
    }
    // The names of the files, all of which are the service's.
    let names = |folder: &Path| {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
            let (name, found) = (entry.file_name(), entry.metadata().expect("its owner"));
            assert_eq!((Some(found.uid()), Some(found.gid())), (SERVICE, SERVICE), "{}", name.display());
            names.push(name.into_string().expect("a name"));
        }
        names.sort();
        names
    };
    chown(&folder, SERVICE, SERVICE).expect("its new owner");
    desk.with_acme("free");
    desk.run(&["backup", "b"]).ok();
    let server = desk.serve(&[]);
    assert_eq!(names(&folder), ["test.db", "test.db-shm", "test.db-wal", "test.db.lock"]);
    server.terminate();
    // In the place of another: whose the folder is does not matter then.
    chown(&folder, Some(0), Some(0)).expect("its new owner");
    std::fs::remove_file(folder.join("test.db.lock")).expect("a lock that nobody has");
    let told = desk.run(&["restore", "b", "--replace", "--json"]).ok().json();
    let kept = told["keptAs"].as_str().and_then(|kept| kept.rsplit('/').next()).expect("it is kept");
    assert_eq!(names(&folder), ["test.db", kept, "test.db.lock"]);
    // And in a place of its own.
    let elsewhere = Desk::on(TestDatabase::empty(Engine::Sqlite));
    chown(parent_folder(&elsewhere), SERVICE, SERVICE).expect("its new owner");
    elsewhere.run(&["restore", &desk.folder().join("b").to_string_lossy()]).ok();
    assert_eq!(names(&parent_folder(&elsewhere)), ["test.db", "test.db.lock"]);
    // A backup is its maker's.
    assert_eq!(std::fs::metadata(desk.folder().join("b")).expect("the backup").uid(), 0);
}

#[test]
fn a_restore_waits_for_whoever_reads_and_keeps_every_row_that_was_answered() {
    let desk = Desk::on(TestDatabase::empty(Engine::Sqlite));
    desk.with_acme("free");
    desk.run(&["backup", "b"]).ok();
    let key =
        desk.run(&["keys", "create", "--tenant=acme", "--name=K", "--all-scopes", "--json"]).ok().json();
    let key = key["secret"].as_str().expect("a secret");
    let server = desk.serve(&[]);
    let add = |name: &str| {
        let body = json!({ "name": name, "phone": name });
        assert!(matches!(server.ask("POST", "/api/server/contacts", Some(key), Some(&body)).0, 200 | 201));
    };
    add("1");
    // Somebody looks at the database as it is now, and takes some time for it.
    let (looking, looks) = std::sync::mpsc::channel();
    let (enough, end) = std::sync::mpsc::channel::<()>();
    let (config, end) = (desk.database().config().clone(), Mutex::new(end));
    let reader = std::thread::spawn(move || {
        block_on(async {
            let store = Store::attach(&config).await.expect("a database");
            let look = move |c: &mut Conn| {
                let there = tenant_by_slug(c, "acme")?.is_some();
                looking.send(there).expect("the test");
                end.lock().expect("the end").recv().expect("the end");
                Ok::<_, StoreError>(())
            };
            store.read(look).await.expect("a read");
            store.close().await;
        });
    });
    assert_eq!(looks.recv(), Ok(true));
    (2..=5).for_each(|number| add(&number.to_string()));
    server.terminate();
    desk.run(&["restore", "b", "--replace"]).refused(1, &["nothing was changed", "open elsewhere", "backup"]);
    let told = desk.run(&["backup", "as-it-was", "--json"]).ok().json();
    assert_eq!(told["counts"]["contacts"], 5, "the database is as it was");
    enough.send(()).expect("the reader");
    reader.join().expect("the reader");
    let told = desk.run(&["restore", "b", "--replace", "--json"]).ok().json();
    assert_eq!(told["counts"]["contacts"], 0);
    let kept = told["keptAs"].as_str().expect("it is kept");
    let of_the_kept = format!("--database-url={kept}");
    let told = desk.run(&["backup", "of-the-kept", "--json", &of_the_kept]).ok().json();
    assert_eq!(told["counts"]["contacts"], 5, "each contact was answered");
}

#[test]
fn what_is_kept_of_a_damaged_database_is_all_that_there_was() {
    let desk = Desk::on(TestDatabase::empty(Engine::Sqlite));
    desk.with_acme("free");
    desk.run(&["backup", "b"]).ok();
    let file = desk.database().config().sqlite_path().expect("a file").display().to_string();
    // Something is in the log only, for somebody has the database open, and then the beginning of the file is lost.
    let store = block_on(async {
        let store = desk.store().await;
        store.write(switch_a_feature).await.expect("a write");
        store
    });
    let damage = ["-c", "printf damaged | dd conv=notrunc status=none of=\"$0\"", &file];
    assert!(std::process::Command::new("sh").args(damage).status().expect("sh").success());
    desk.run(&["restore", "b"]).refused(1, &["cannot be read"]);
    let log = std::fs::read(format!("{file}-wal")).expect("the log");
    assert!(!log.is_empty());
    let told = desk.run(&["restore", "b", "--replace", "--json"]).ok().json();
    let kept = told["keptAs"].as_str().expect("it is kept");
    assert!(std::fs::read(kept).expect("what is kept").starts_with(b"damaged"));
    assert_eq!(std::fs::read(format!("{kept}-wal")).expect("its log"), log);
    block_on(store.close());
    assert_eq!(desk.run(&["doctor"]).code, Some(0));
}

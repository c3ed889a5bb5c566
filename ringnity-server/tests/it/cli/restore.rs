//! The command `restore` and the database that it replaces.

#[cfg(unix)]
use std::path::Path;
use std::sync::Mutex;

use ringnity_store::identity::platform_admin_list;
use ringnity_store::tenants::{PlanFeature, plan_catalog, plan_feature_put, tenant_by_slug};
use ringnity_store::testing::TestDatabase;
use ringnity_store::{Conn, Engine, Store, StoreConfig, StoreError};
use serde_json::{Value, json};

use super::{Cli, block_on, with_cli_on_each_engine};

#[test]
fn restore_replaces_tenants_only_with_replace_and_keeps_old() {
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        cli.run(&["backup", "b"]).ok();
        cli.run(&["tenant", "create", "--slug=later", "--name=L", "--owner-email=l@l.example"]).ok();
        cli.run(&["restore", "b"]).refused(1, &["has 2 tenants", "--replace", "--data-dir"]);
        let server = cli.serve(&[]);
        let words = if cli.engine() == Engine::Sqlite { "a server uses" } else { "stop every server" };
        cli.run(&["restore", "b", "--replace"]).refused(1, &[words]);
        assert_eq!(server.ask("GET", "/api/sdk/health", None, None).0, 200, "the server goes on");
        drop(server);
        let output = cli.run(&["restore", "b", "--replace", "--json"]).ok().json();
        assert_eq!(output["counts"]["tenants"], 1, "{output}");
        let kept = output["keptAs"].as_str().expect("it is kept").to_owned();
        if cli.engine() == Engine::Sqlite {
            // The replaced database can be opened like any other.
            let kept = format!("--database-url={kept}");
            let listed = cli.run(&["tenant", "list", "--json", &kept]).ok().json();
            assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(2), "{listed}");
        }
        let doctor = cli.run(&["doctor"]).ok();
        let name = kept.rsplit(['/', ' ']).next().expect("a name");
        assert!(doctor.out.contains("warn  leftovers") && doctor.out.contains(name), "{}", doctor.out);
        // A replaced database is not in later backups and does not prevent another restore.
        cli.run(&["backup", "again"]).ok();
        let output = cli.run(&["restore", "again", "--replace", "--json"]).ok().json();
        assert_eq!(output["counts"]["tenants"], 1);
        let server = cli.serve(&[]);
        assert_eq!(server.ask("GET", "/api/sdk/bootstrap?slug=acme", None, None).0, 200);
        assert_eq!(server.ask("GET", "/api/sdk/bootstrap?slug=later", None, None).0, 404);
        // Without an old database, none is kept.
        let fresh = Cli::on(TestDatabase::empty(cli.engine()));
        let file = cli.folder().join("again");
        let output = fresh.run(&["restore", &file.to_string_lossy(), "--json"]).ok().json();
        assert_eq!((&output["counts"]["tenants"], &output["keptAs"]), (&json!(1), &Value::Null));
    });
}

#[test]
fn restore_replaces_platform_admins_only_with_replace() {
    let admins = |store: &Store| block_on(store.read(platform_admin_list)).expect("administrators").len();
    let plans = |store: &Store| block_on(store.read(plan_catalog)).expect("plans").features;
    with_cli_on_each_engine(|cli| {
        cli.with_acme("free");
        cli.run(&["backup", "b"]).ok();
        let file = cli.folder().join("b").to_string_lossy().into_owned();
        // A database with a platform administrator and no tenant.
        let run = Cli::on(TestDatabase::empty(cli.engine()));
        run.run(&["migrate"]).ok();
        run.run(&["platform-admin", "create", "--email=root@example.com", "--name=Root"]).ok();
        run.run(&["restore", &file]).refused(1, &["has 1 platform administrators", "--replace"]);
        assert_eq!(admins(&block_on(run.store())), 1);
        let output = run.run(&["restore", &file, "--replace", "--json"]).ok().json();
        assert_eq!(
            (&output["counts"]["tenants"], &output["counts"]["platformAdmins"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(admins(&kept(&run, &output)), 1);
        // A database without people but with a changed plan.
        let changed = Cli::on(TestDatabase::empty(cli.engine()));
        changed.run(&["migrate"]).ok();
        let store = block_on(changed.store());
        let usual = plans(&store);
        block_on(store.write(switch_a_feature)).expect("a change");
        let own = plans(&store);
        block_on(store.close());
        let output = changed.run(&["restore", &file, "--json"]).ok().json();
        assert_eq!(output["counts"]["tenants"], 1);
        assert!(
            own != usual
                && plans(&kept(&changed, &output)) == own
                && plans(&block_on(changed.store())) == usual
        );
    });
}

/// Opens the database that a restore has kept.
fn kept(cli: &Cli, output: &Value) -> Store {
    let name = output["keptAs"].as_str().expect("it is kept");
    let url = match name.strip_prefix("schema ") {
        Some(schema) => format!("{}?options=-csearch_path%3D{schema}", cli.database().url()),
        None => name.to_owned(),
    };
    block_on(Store::attach(&StoreConfig::new(&url).expect("a URL"))).expect("what is kept")
}

/// Changes a plan.
fn switch_a_feature(c: &mut Conn) -> Result<(), StoreError> {
    let feature = plan_catalog(c)?.features.remove(0);
    plan_feature_put(c, &PlanFeature { enabled: !feature.enabled, ..feature })
}

#[cfg(unix)]
#[test]
fn files_made_by_root_belong_to_database_owner() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    /// A user id that need not exist.
    const SERVICE: Option<u32> = Some(64_321);
    let cli = Cli::on(TestDatabase::empty(Engine::Sqlite));
    let parent_folder = |cli: &Cli| {
        let database = cli.database().config().sqlite_path().expect("a file");
        database.parent().expect("a folder").to_owned()
    };
    let folder = parent_folder(&cli);
    if std::fs::metadata(&folder).expect("the folder").uid() != 0 {
        ringnity_store::print_always!("skipped: only root can give files away");
        return;
    }
    // The file names. All files must belong to the service.
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
    cli.with_acme("free");
    cli.run(&["backup", "b"]).ok();
    let server = cli.serve(&[]);
    assert_eq!(names(&folder), ["test.db", "test.db-shm", "test.db-wal", "test.db.lock"]);
    server.terminate();
    // Replacing a database: the owner of the folder has no effect.
    chown(&folder, Some(0), Some(0)).expect("its new owner");
    std::fs::remove_file(folder.join("test.db.lock")).expect("a lock that nobody has");
    let output = cli.run(&["restore", "b", "--replace", "--json"]).ok().json();
    let kept = output["keptAs"].as_str().and_then(|kept| kept.rsplit('/').next()).expect("it is kept");
    assert_eq!(names(&folder), ["test.db", kept, "test.db.lock"]);
    // Without an old database, the folder decides.
    let other = Cli::on(TestDatabase::empty(Engine::Sqlite));
    chown(parent_folder(&other), SERVICE, SERVICE).expect("its new owner");
    other.run(&["restore", &cli.folder().join("b").to_string_lossy()]).ok();
    assert_eq!(names(&parent_folder(&other)), ["test.db", "test.db.lock"]);
    // A backup belongs to the user who makes it.
    assert_eq!(std::fs::metadata(cli.folder().join("b")).expect("the backup").uid(), 0);
}

#[test]
fn restore_refuses_while_database_is_read() {
    let cli = Cli::on(TestDatabase::empty(Engine::Sqlite));
    cli.with_acme("free");
    cli.run(&["backup", "b"]).ok();
    let key = cli.run(&["keys", "create", "--tenant=acme", "--name=K", "--all-scopes", "--json"]).ok().json();
    let key = key["secret"].as_str().expect("a secret");
    let server = cli.serve(&[]);
    let add = |name: &str| {
        let body = json!({ "name": name, "phone": name });
        assert!(matches!(server.ask("POST", "/api/server/contacts", Some(key), Some(&body)).0, 200 | 201));
    };
    add("1");
    // A reader holds a snapshot of the database.
    let (looking, looks) = std::sync::mpsc::channel();
    let (enough, end) = std::sync::mpsc::channel::<()>();
    let (config, end) = (cli.database().config().clone(), Mutex::new(end));
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
    cli.run(&["restore", "b", "--replace"]).refused(1, &["nothing was changed", "open elsewhere", "backup"]);
    let output = cli.run(&["backup", "as-it-was", "--json"]).ok().json();
    assert_eq!(output["counts"]["contacts"], 5, "the database is as it was");
    enough.send(()).expect("the reader");
    reader.join().expect("the reader");
    let output = cli.run(&["restore", "b", "--replace", "--json"]).ok().json();
    assert_eq!(output["counts"]["contacts"], 0);
    let kept = output["keptAs"].as_str().expect("it is kept");
    let of_the_kept = format!("--database-url={kept}");
    let output = cli.run(&["backup", "of-the-kept", "--json", &of_the_kept]).ok().json();
    assert_eq!(output["counts"]["contacts"], 5, "each contact was answered");
}

#[test]
fn restore_keeps_damaged_database_complete() {
    let cli = Cli::on(TestDatabase::empty(Engine::Sqlite));
    cli.with_acme("free");
    cli.run(&["backup", "b"]).ok();
    let file = cli.database().config().sqlite_path().expect("a file").display().to_string();
    // A write is in the WAL only, because the database is open. Then the beginning of the file is damaged.
    let store = block_on(async {
        let store = cli.store().await;
        store.write(switch_a_feature).await.expect("a write");
        store
    });
    let damage = ["-c", "printf damaged | dd conv=notrunc status=none of=\"$0\"", &file];
    assert!(std::process::Command::new("sh").args(damage).status().expect("sh").success());
    cli.run(&["restore", "b"]).refused(1, &["cannot be read"]);
    let log = std::fs::read(format!("{file}-wal")).expect("the log");
    assert!(!log.is_empty());
    let output = cli.run(&["restore", "b", "--replace", "--json"]).ok().json();
    let kept = output["keptAs"].as_str().expect("it is kept");
    assert!(std::fs::read(kept).expect("what is kept").starts_with(b"damaged"));
    assert_eq!(std::fs::read(format!("{kept}-wal")).expect("its log"), log);
    block_on(store.close());
    assert_eq!(cli.run(&["doctor"]).code, Some(0));
}

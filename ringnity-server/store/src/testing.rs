//! Databases for tests of this crate and its users. Each test gets its own, which is removed when it is dropped. Needs the
//! feature `test-util`.
//!
//! ```ignore
//! for engine in ringnity_store::testing::engines() {
//!     let database = TestDatabase::new(engine);
//!     let store = Store::open(database.config()).await.unwrap();
//! }
//! ```

mod dump;
mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_types::Bool,
};
use tempfile::TempDir;

use crate::engine::{
    self, Engine, StoreConfig, migrate,
    sqlite::{self, OpenMode},
};

/// Environment variable with the URL of a PostgreSQL server on which tests create databases, such as
/// `postgres://postgres@127.0.0.1:5432/postgres`.
pub const SERVER_URL_ENV: &str = "RINGNITY_TEST_DATABASE_URL";

/// Prints a line even if the test passes: the test harness captures only the output of `println!`.
#[macro_export]
macro_rules! print_always {
    ($($arguments:tt)*) => {
        $crate::testing::write_line(&::std::format!($($arguments)*))
    };
}

/// Writes a line for [`print_always!`].
pub fn write_line(line: &str) {
    use std::io::Write as _;
    // Standard output may be closed.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Engines to test on: SQLite, and PostgreSQL if [`SERVER_URL_ENV`] is set. Prints a line if PostgreSQL is skipped.
pub fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Sqlite];
    if server_url().is_some() {
        engines.push(Engine::Postgres);
    } else {
        eprintln!("skipped on PostgreSQL: {SERVER_URL_ENV} is not set");
    }
    engines
}

fn server_url() -> Option<String> {
    std::env::var(SERVER_URL_ENV).ok().filter(|url| !url.is_empty())
}

/// A database for one test. Dropping it removes the database.
#[derive(Debug)]
pub struct TestDatabase {
    config: StoreConfig,
    url: String,
    location: TestLocation,
}

#[derive(Debug)]
enum TestLocation {
    /// Removed with its contents when dropped.
    Folder {
        _folder: TempDir,
    },
    Server {
        name: String,
    },
}

impl TestDatabase {
    /// A new, migrated database, copied from a template.
    ///
    /// # Panics
    /// If the database cannot be created.
    pub fn new(engine: Engine) -> TestDatabase {
        TestDatabase::make(engine, true)
    }

    /// A new, empty database, for tests of migrations.
    ///
    /// # Panics
    /// If the database cannot be created.
    pub fn empty(engine: Engine) -> TestDatabase {
        TestDatabase::make(engine, false)
    }

    /// A database of the first version, with a tenant `old`, a contact `Kept`, its event, the events of a deleted contact,
    /// and a Server API key whose secret has this hash.
    ///
    /// # Panics
    /// If the database cannot be created.
    pub fn with_first_schema(engine: Engine, secret_hash: &str) -> TestDatabase {
        /// Migrations of the first version: tables and plans.
        const FIRST: usize = 2;
        let database = TestDatabase::empty(engine);
        let at = "'2026-01-02T03:04:05.000000Z'";
        let mut rows = format!(
            "INSERT INTO tenants (id, slug, public_key, name, email, timezone, is_active, onboarding_completed, plan_id, \
             created_at, updated_at) VALUES ('ten_old', 'old', 'rn_pk_old', 'Old', 'old@old.example', 'UTC', TRUE, TRUE, \
             'pln_free', {at}, {at}); \
             INSERT INTO server_credentials (tenant_id, id, name, environment, scopes, secret_hash, secret_preview, \
             is_active, created_at, updated_at) VALUES ('ten_old', 'scr_old', 'Old key', 'live', \
             '[\"server:contacts:read\"]', '{secret_hash}', 'rn_sk_', TRUE, {at}, {at}); \
             INSERT INTO contacts (tenant_id, id, external_id, name, phone, tags, search_text, created_at, updated_at) \
             VALUES ('ten_old', 'con_old', 'kept-1', 'Kept', '1', '[]', 'kept 1', {at}, {at}); \
             INSERT INTO contact_totals (tenant_id, shard, total) VALUES ('ten_old', 0, 1)"
        );
        let events = [
            ("created", r#"{"contact":{"id":"con_old","name":"Kept"}}"#),
            ("created", r#"{"contact":{"id":"con_gone","name":"Gone"}}"#),
            ("updated", r#"{"contact":{"id":"con_gone","name":"Gone"}}"#),
            ("deleted", r#"{"contactId":"con_gone"}"#),
        ];
        for (n, (what, payload)) in events.iter().enumerate() {
            rows += &format!(
                "; INSERT INTO events (id, tenant_id, name, payload, created_at) \
                 VALUES ('evt_{n}', 'ten_old', 'contact.{what}', '{payload}', {at})"
            );
        }
        match &database.config.location {
            engine::DatabaseLocation::Sqlite(path) => {
                let mut connection = sqlite::open(path, OpenMode::Migrate).expect("opens");
                let conn = connection.sqlite().expect("SQLite");
                migrate::apply_first(conn, &migrate::SQLITE, FIRST).expect("the first migrations");
                conn.batch_execute(&rows).expect("rows");
            }
            engine::DatabaseLocation::Postgres(url) => {
                let mut conn = connect(url);
                migrate::apply_first(&mut conn, &migrate::POSTGRES, FIRST).expect("the first migrations");
                conn.batch_execute(&rows).expect("rows");
            }
        }
        database
    }

    /// Makes it look as if a newer version of this program had migrated it.
    ///
    /// # Panics
    /// Where it cannot be reached: this is for tests.
    pub fn pretend_newer(&self) {
        let sql = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
        self.run(sql, sql);
    }

    /// Lets nothing more into the outbox: from now on a write that notes an event fails at it.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn refuse_events(&self) {
        self.run(
            "CREATE TRIGGER refuse_events BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'refused by a test'); END",
            "ALTER TABLE events ADD CONSTRAINT refused_by_a_test CHECK (FALSE) NOT VALID",
        );
    }

    /// Lets no job be taken any more, and no lease of one be extended.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn refuse_leases(&self) {
        self.run(
            "CREATE TRIGGER refuse_leases BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'refused by a test'); END",
            "ALTER TABLE jobs ADD CONSTRAINT refused_by_a_test CHECK (FALSE) NOT VALID",
        );
    }

    /// Runs what is said in the words of its engine.
    fn run(&self, sqlite: &str, postgres: &str) {
        match &self.config.location {
            engine::DatabaseLocation::Sqlite(path) => {
                let mut connection = sqlite::open(path, OpenMode::Write).expect("opens");
                connection.sqlite().expect("SQLite").batch_execute(sqlite).expect("is done");
            }
            engine::DatabaseLocation::Postgres(url) => connect(url).batch_execute(postgres).expect("is done"),
        }
    }

    fn make(engine: Engine, migrated: bool) -> TestDatabase {
        let (url, location) = match engine {
            Engine::Sqlite => {
                let folder =
                    tempfile::Builder::new().prefix("ringnity-").tempdir().expect("a temporary folder");
                let file = folder.path().join("test.db");
                if migrated {
                    copy_private(&sqlite_template(), &file);
                }
                (format!("sqlite://{}", file.display()), TestLocation::Folder { _folder: folder })
            }
            Engine::Postgres => {
                let name = fresh_name();
                let template = if migrated { template() } else { "template0".to_owned() };
                admin(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
                (url_of(&name), TestLocation::Server { name })
            }
        };
        let mut config = StoreConfig::new(&url).expect("a database URL");
        // Many tests share one server.
        config.connections = config.connections.min(8);
        TestDatabase { config, url, location }
    }

    /// Configuration to open the store with.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Database URL, for programs that a test starts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Engine of the database.
    pub fn engine(&self) -> Engine {
        self.config.engine()
    }

    /// All rows of all tables as JSON objects, by table name.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub fn dump(&self) -> BTreeMap<String, Vec<serde_json::Value>> {
        self.dump_of(None)
    }

    /// Rows of one table, as in [`dump`](TestDatabase::dump).
    ///
    /// # Panics
    /// If there is no such table, or it cannot be read.
    pub fn rows(&self, table: &str) -> Vec<serde_json::Value> {
        self.dump_of(Some(table)).remove(table).unwrap_or_else(|| panic!("no table {table}"))
    }

    fn dump_of(&self, table: Option<&str>) -> BTreeMap<String, Vec<serde_json::Value>> {
        match &self.location {
            TestLocation::Folder { .. } => dump::sqlite(self.config.sqlite_path().expect("a file"), table),
            TestLocation::Server { .. } => dump::postgres(&mut connect(&self.url), table),
        }
    }

    /// Rows of the outbox as in [`dump`](TestDatabase::dump), by sequence.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let mut events = self.rows("events");
        events.sort_by_key(|row| row["sequence"].as_i64());
        events
    }

    /// The schema after migration, one line per column, key, index and reference, such as
    /// `column contacts.name text required`. The lines are the same on both engines.
    ///
    /// # Panics
    /// If the database cannot be read.
    pub fn schema(&self) -> BTreeSet<String> {
        match &self.location {
            TestLocation::Folder { .. } => schema::sqlite(self.config.sqlite_path().expect("a file")),
            TestLocation::Server { .. } => schema::postgres(&mut connect(&self.url)),
        }
    }

    /// Makes a PostgreSQL database unreachable (drops all connections and allows no new ones) or reachable. Does nothing on
    /// SQLite.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn set_reachable(&self, reachable: bool) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {reachable}"));
            if !reachable {
                self.drop_connections();
            }
        }
    }

    /// Makes a PostgreSQL database read-only, like a standby, or writable. Does nothing on SQLite.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn set_writable(&self, writable: bool) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {}", !writable));
            self.drop_connections();
        }
    }

    /// Takes the writer lock of a PostgreSQL database, as a migration does, until the result is dropped.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn hold_writer_lock(&self) -> WriterLock {
        let mut conn = connect(self.url());
        let take = "BEGIN; LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE";
        conn.batch_execute(take).unwrap_or_else(|error| panic!("{error}"));
        WriterLock { _conn: conn }
    }

    /// Drops all connections to a PostgreSQL database. Does nothing on SQLite.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn drop_connections(&self) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ));
        }
    }
}

/// The writer lock, held by a separate connection.
pub struct WriterLock {
    _conn: PgConnection,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn fresh_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    format!("ringnity_test_{}_{}_{nanos}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The URL of another database on the same server.
fn url_of(name: &str) -> String {
    let url = server_url().unwrap_or_else(|| panic!("{SERVER_URL_ENV} is not set"));
    let (url, parameters) = url.split_once('?').map_or((url.as_str(), ""), |(url, rest)| (url, rest));
    let start = url.find("://").map_or(0, |at| at + 3);
    let authority = url[start..].find('/').map_or(url.len(), |at| start + at);
    let parameters = if parameters.is_empty() { String::new() } else { format!("?{parameters}") };
    format!("{}/{name}{parameters}", &url[..authority])
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("{SERVER_URL_ENV}: {error}"))
}

fn admin(sql: &str) {
    let url = server_url().unwrap_or_else(|| panic!("{SERVER_URL_ENV} is not set"));
    connect(&url).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The migrated SQLite template file, in the build folder of this crate. The first test process creates it. The name
/// contains a hash of the migrations.
fn sqlite_template() -> PathBuf {
    static READY: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = Path::new(env!("OUT_DIR"));
        let template = folder.join(concat!("template-", env!("RINGNITY_MIGRATIONS"), ".db"));
        if !template.exists() {
            let making = tempfile::tempdir_in(folder).expect("a folder");
            let file = making.path().join("template.db");
            let mut connection = sqlite::open(&file, OpenMode::Migrate).expect("opens");
            let conn = connection.sqlite().expect("SQLite");
            migrate::migrate_sqlite(conn).expect("migrations");
            // The file must be complete without its WAL.
            conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
            drop(connection);
            // Renamed last, so that the name always leads to a complete template. Concurrent processes create the same.
            std::fs::rename(&file, &template).expect("the template's name");
        }
        template
    };
    READY.get_or_init(make).clone()
}

/// Copies a file with mode 0600, which the store gives its files.
fn copy_private(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("a copy");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    }
}

/// The name of the migrated template database. The first test process creates it. The name contains a hash of the
/// migrations; drop templates of old migrations by hand.
fn template() -> String {
    static READY: Mutex<Option<String>> = Mutex::new(None);
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = &*ready {
        return name.clone();
    }
    let name = concat!("ringnity_template_", env!("RINGNITY_MIGRATIONS")).to_owned();
    let mut server = connect(&server_url().unwrap_or_else(|| panic!("{SERVER_URL_ENV} is not set")));
    // One process creates the template, the others wait. The lock ends with the connection.
    server.batch_execute("SELECT pg_advisory_lock(722811730043)").expect("the template lock");
    if !exists(&mut server, &name) {
        let making = format!("{name}_{}", std::process::id());
        server
            .batch_execute(&format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"))
            .expect("no leftovers");
        server
            .batch_execute(&format!("CREATE DATABASE {making} TEMPLATE template0"))
            .expect("a new template");
        let mut conn = connect(&url_of(&making));
        migrate::migrate_postgres(&mut conn).expect("migrations");
        drop(conn);
        // Renamed last, so that the name always leads to a complete template.
        server
            .batch_execute(&format!("ALTER DATABASE {making} RENAME TO {name}"))
            .expect("the template's name");
    }
    *ready = Some(name.clone());
    name
}

fn exists(server: &mut PgConnection, name: &str) -> bool {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        found: bool,
    }
    let sql = format!("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = '{name}') AS found");
    let row: Row = diesel::sql_query(sql).get_result(server).expect("the list of databases");
    row.found
}

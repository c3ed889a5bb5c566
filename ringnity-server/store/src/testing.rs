//! Databases for tests, of this crate and of those that use it: each test gets one of its own and leaves nothing
//! behind. Only with the feature `test-util`; never in a server.
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

/// Names the PostgreSQL server that tests may make databases on, such as
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

/// The engines to test on: SQLite always, PostgreSQL where [`SERVER_URL_ENV`] is set. Says so when one is skipped.
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

/// A database of one's own, gone when dropped.
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
    /// A new, migrated database: a copy of one that was migrated before.
    ///
    /// # Panics
    /// Where it cannot be made: this is for tests.
    pub fn new(engine: Engine) -> TestDatabase {
        TestDatabase::make(engine, true)
    }

    /// A new database with nothing in it, for tests of migrations.
    ///
    /// # Panics
    /// Where it cannot be made: this is for tests.
    pub fn empty(engine: Engine) -> TestDatabase {
        TestDatabase::make(engine, false)
    }

    /// A database as the first version left it: with a tenant `old`, a contact `Kept`, events of it and of one that was
    /// deleted, and a Server API key that opens everything, whose secret has this hash.
    ///
    /// # Panics
    /// Where it cannot be made: this is for tests.
    pub fn with_first_schema(engine: Engine, secret_hash: &str) -> TestDatabase {
        /// The tables and the plans.
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
    /// Where it cannot be done: this is for tests.
    pub fn refuse_events(&self) {
        self.run(
            "CREATE TRIGGER refuse_events BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'refused by a test'); END",
            "ALTER TABLE events ADD CONSTRAINT refused_by_a_test CHECK (FALSE) NOT VALID",
        );
    }

    /// Lets no job be taken any more, and no lease of one be extended.
    ///
    /// # Panics
    /// Where it cannot be done: this is for tests.
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
        // Many tests run at once on one server.
        config.connections = config.connections.min(8);
        TestDatabase { config, url, location }
    }

    /// What to open the store with.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The same as a URL, for programs that are started on it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        self.config.engine()
    }

    /// Every row of every table as it is stored, as JSON objects by the table's name.
    ///
    /// # Panics
    /// Where it cannot be read: this is for tests.
    pub fn dump(&self) -> BTreeMap<String, Vec<serde_json::Value>> {
        self.dump_of(None)
    }

    /// The rows of one table, as [`dump`](TestDatabase::dump) has them.
    ///
    /// # Panics
    /// Where there is no such table, or it cannot be read: this is for tests.
    pub fn rows(&self, table: &str) -> Vec<serde_json::Value> {
        self.dump_of(Some(table)).remove(table).unwrap_or_else(|| panic!("no table {table}"))
    }

    fn dump_of(&self, table: Option<&str>) -> BTreeMap<String, Vec<serde_json::Value>> {
        match &self.location {
            TestLocation::Folder { .. } => dump::sqlite(self.config.sqlite_path().expect("a file"), table),
            TestLocation::Server { .. } => dump::postgres(&mut connect(&self.url), table),
        }
    }

    /// The rows of the outbox as [`dump`](TestDatabase::dump) tells them, in the order in which they were written.
    ///
    /// # Panics
    /// Where it cannot be read: this is for tests.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let mut events = self.rows("events");
        events.sort_by_key(|row| row["sequence"].as_i64());
        events
    }

    /// What the schema consists of, once a store has opened it: `column contacts.name text required` and the like, the same words on each engine.
    ///
    /// # Panics
    /// Where it cannot be read: this is for tests.
    pub fn schema(&self) -> BTreeSet<String> {
        match &self.location {
            TestLocation::Folder { .. } => schema::sqlite(self.config.sqlite_path().expect("a file")),
            TestLocation::Server { .. } => schema::postgres(&mut connect(&self.url)),
        }
    }

    /// Makes a PostgreSQL database go away (every connection is drop_connections and none is let in) or come back. SQLite has
    /// nobody to do that.
    ///
    /// # Panics
    /// Where it cannot be done: this is for tests.
    pub fn set_reachable(&self, reachable: bool) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {reachable}"));
            if !reachable {
                self.drop_connections();
            }
        }
    }

    /// Lets a PostgreSQL database take writes or not, as a standby does that was not promoted yet.
    ///
    /// # Panics
    /// Where it cannot be done: this is for tests.
    pub fn set_writable(&self, writable: bool) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {}", !writable));
            self.drop_connections();
        }
    }

    /// Takes the gate of a PostgreSQL database that writers go through, as a migration does, until it is dropped.
    ///
    /// # Panics
    /// Where it cannot be done: this is for tests.
    pub fn hold_writer_lock(&self) -> WriterLock {
        let mut conn = connect(self.url());
        let take = "BEGIN; LOCK TABLE ONLY __diesel_schema_migrations IN EXCLUSIVE MODE";
        conn.batch_execute(take).unwrap_or_else(|error| panic!("{error}"));
        WriterLock { _conn: conn }
    }

    /// Cuts every connection to a PostgreSQL database.
    ///
    /// # Panics
    /// Where it cannot be done: this is for tests.
    pub fn drop_connections(&self) {
        if let TestLocation::Server { name } = &self.location {
            admin(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ));
        }
    }
}

/// The gate, held by a connection of its own.
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

/// A migrated SQLite file to copy, made by whichever test process comes first, in the folder of this crate's build. Its
/// name changes with the migrations.
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
            // A copy of the file alone must have everything.
            conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
            drop(connection);
            // Whoever finds the name finds a finished template. Two processes that make it make the same.
            std::fs::rename(&file, &template).expect("the template's name");
        }
        template
    };
    READY.get_or_init(make).clone()
}

/// Copies a file so that only this user can read the copy, as the store makes its files.
fn copy_private(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("a copy");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    }
}

/// The name of a migrated database to copy, made by whichever test process comes first. Its name changes with the
/// migrations, and those of other migrations are left to be dropped by hand.
fn template() -> String {
    static READY: Mutex<Option<String>> = Mutex::new(None);
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = &*ready {
        return name.clone();
    }
    let name = concat!("ringnity_template_", env!("RINGNITY_MIGRATIONS")).to_owned();
    let mut server = connect(&server_url().unwrap_or_else(|| panic!("{SERVER_URL_ENV} is not set")));
    // The lock lasts as long as the connection: one process makes the template, the others wait for it.
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
        // Whoever finds the name finds a finished template.
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

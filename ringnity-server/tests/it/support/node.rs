//! The server as operators run it: processes that are started, killed and read from outside. Tests that need no
//! process of their own use `TestServer`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use chrono::Utc;
use ringnity_store::testing::{TestDatabase, engines};
use ringnity_store::{Engine, Store};

use super::fixtures::{Fixtures, Inserted, PlatformAdmin, Tenant};
use super::server::on_each_engine;

/// How long a node may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a log line may take to appear.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// A database with its rows, and a folder, on which nodes are started.
pub struct Cluster {
    pub database: TestDatabase,
    inserted: Inserted,
    folder: tempfile::TempDir,
}

/// A node that is not started yet.
pub struct NodeBuilder<'c> {
    cluster: &'c Cluster,
    arguments: Vec<String>,
    rate_limit: &'static str,
    log: &'static str,
    /// An option of `ulimit` with its value.
    limit: Option<(&'static str, u64)>,
}

/// A running server process, killed when dropped.
pub struct Node {
    process: Child,
    pub base: String,
    stderr: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// Runs `test` on PostgreSQL only: there, nodes share a database.
pub fn on_postgres(test: impl AsyncFn(Engine)) {
    if engines().contains(&Engine::Postgres) {
        on_each_engine(async |engine| {
            if engine == Engine::Postgres {
                test(engine).await;
            }
        });
    }
}

impl Cluster {
    /// A database with these fixtures; no node runs yet.
    pub async fn new(engine: Engine, fixtures: Fixtures) -> Self {
        let database = TestDatabase::new(engine);
        let store = Store::open(database.config()).await.expect("opens");
        let inserted = fixtures.insert(&store, Utc::now()).await;
        store.close().await;
        Self { database, inserted, folder: tempfile::tempdir().expect("a folder") }
    }

    /// A node on this database. Its rate limits are off unless a test sets them.
    pub fn node(&self) -> NodeBuilder<'_> {
        let mut node =
            NodeBuilder { cluster: self, arguments: Vec::new(), rate_limit: "off", log: "warn", limit: None };
        for (flag, value) in [
            ("--listen", "127.0.0.1:0"),
            // So that a test can be many clients at many addresses.
            ("--trusted-proxy", "127.0.0.0/8"),
            ("--database-url", self.database.url()),
            ("--data-dir", &self.folder.path().to_string_lossy()),
        ] {
            node.arguments.extend([flag.to_owned(), value.to_owned()]);
        }
        node
    }

    /// The tenant that was named first.
    #[track_caller]
    pub fn tenant(&self) -> &Tenant {
        self.inserted.first_tenant()
    }

    /// The tenant with that slug.
    #[track_caller]
    pub fn tenant_named(&self, slug: &str) -> &Tenant {
        self.inserted.tenant(slug)
    }

    /// The platform administrator.
    #[track_caller]
    pub fn platform_admin(&self) -> &PlatformAdmin {
        self.inserted.platform_admin()
    }
}

impl NodeBuilder<'_> {
    /// Sets `--rate-limit`. With `off`, the default here, no request is counted, and none touches the rows in which
    /// nodes count together.
    pub fn rate_limit(mut self, limit: &'static str) -> Self {
        self.rate_limit = limit;
        self
    }

    /// Sets `RUST_LOG`.
    pub fn log(mut self, filter: &'static str) -> Self {
        self.log = filter;
        self
    }

    /// Limits how large a file of the node may grow, which stands for a full disk.
    pub fn largest_file(mut self, kibibytes: u64) -> Self {
        self.limit = Some(("-f", kibibytes));
        self
    }

    /// Sets the soft limit of open files, which the node may raise.
    pub fn open_files(mut self, files: u64) -> Self {
        self.limit = Some(("-n", files));
        self
    }

    /// Starts it and waits until it answers.
    pub fn start(self) -> Node {
        let server = env!("CARGO_BIN_EXE_ringnity-server");
        let mut command = match self.limit {
            None => Command::new(server),
            Some((option, number)) => {
                let mut shell = Command::new("bash");
                let script = format!("ulimit -S {option} {number} && exec \"$@\"");
                shell.args(["-c", &script, "bash", server]);
                shell
            }
        };
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RINGNITY_"))
        {
            command.env_remove(name);
        }
        command.args(["serve", "--rate-limit", self.rate_limit]).args(&self.arguments);
        command.env("RUST_LOG", self.log).env("RUST_BACKTRACE", "0");
        command.current_dir(self.cluster.folder.path()).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        let (sender, base) = mpsc::channel();
        let (out, err) = (process.stdout.take().expect("output"), process.stderr.take().expect("errors"));
        let readers =
            vec![read(out, Arc::new(Mutex::default()), Some(sender)), read(err, stderr.clone(), None)];
        match base.recv_timeout(START_TIMEOUT) {
            Ok(base) => Node { process, base, stderr, readers },
            Err(_) => {
                let _ = process.kill();
                panic!("the server does not start: {}", stderr.lock().expect("no panic"));
            }
        }
    }
}

/// Collects what a process prints, and sends the address that it listens on.
fn read(
    from: impl std::io::Read + Send + 'static,
    into: Arc<Mutex<String>>,
    base: Option<mpsc::Sender<String>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            let address = text.split_whitespace().find(|word| word.starts_with("http://"));
            if let (Some(base), Some(address), true) = (&base, address, text.contains("listening on")) {
                let _ = base.send(address.to_owned());
            }
            into.lock().expect("no panic").push_str(&text);
            line.clear();
        }
    })
}

impl Node {
    /// Ends it as `kill -9` and the kernel do, without notice.
    pub fn kill_9(&mut self) {
        self.process.kill().expect("kills");
        self.process.wait().expect("ends");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let done = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(done.expect("kill").success());
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its end.
    pub fn ended(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            match self.process.try_wait().expect("a process") {
                None if started.elapsed() < timeout => std::thread::sleep(Duration::from_millis(5)),
                ended => return ended,
            }
        }
    }

    /// Whether its log contains these words, now or soon.
    pub fn logs(&mut self, words: &str) -> bool {
        let started = Instant::now();
        while !self.log().contains(words) {
            if started.elapsed() > LOG_TIMEOUT {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// What it has written to standard error; all of it once it has ended.
    pub fn log(&mut self) -> String {
        if self.process.try_wait().expect("a process").is_some() {
            self.readers.drain(..).for_each(|reader| reader.join().expect("reads"));
        }
        self.stderr.lock().expect("no panic").clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

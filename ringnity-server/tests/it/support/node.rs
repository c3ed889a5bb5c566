//! The server as what operators run: a process of its own, started, killed and read from outside. Tests that need
//! no second process use `support`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use ringnity_server::demo::Demo;
use ringnity_store::Engine;
use ringnity_store::testing::{TestDatabase, engines};

/// A database and a folder that nodes are started on.
pub struct Place {
    pub database: TestDatabase,
    folder: tempfile::TempDir,
}

/// How a node is started.
pub struct Start<'p> {
    place: &'p Place,
    arguments: Vec<String>,
    rate_limit: &'static str,
    log: &'static str,
    /// An option of `ulimit` with its number.
    limit: Option<(&'static str, u64)>,
}

/// A running server process, killed when dropped.
pub struct Node {
    process: Child,
    pub base: String,
    told: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// Runs `test` with a place on each engine.
pub fn on_each_place<Fut: Future<Output = ()>>(test: impl Fn(Place) -> Fut) {
    for engine in engines() {
        on_place(engine, &test);
    }
}

/// Runs `test` with a place on PostgreSQL, which is where nodes share a database.
pub fn on_shared_place<Fut: Future<Output = ()>>(test: impl Fn(Place) -> Fut) {
    if engines().contains(&Engine::Postgres) {
        on_place(Engine::Postgres, &test);
    }
}

fn on_place<Fut: Future<Output = ()>>(engine: Engine, test: &impl Fn(Place) -> Fut) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("runtime");
    runtime.block_on(test(Place {
        database: TestDatabase::new(engine),
        folder: tempfile::tempdir().expect("a folder"),
    }));
    runtime.shutdown_timeout(Duration::from_secs(5));
}

impl Place {
    /// A node on this place, not started yet. Nothing limits how often one may ask, unless a test says so.
    pub fn node(&self) -> Start<'_> {
        let mut start =
            Start { place: self, arguments: Vec::new(), rate_limit: "off", log: "warn", limit: None };
        for (flag, value) in [
            ("--listen", "127.0.0.1:0"),
            // So that a test can be many clients at many addresses.
            ("--trusted-proxy", "127.0.0.0/8"),
            ("--database-url", self.database.url()),
            ("--data-dir", &self.folder.path().to_string_lossy()),
        ] {
            start.arguments.extend([flag.to_owned(), value.to_owned()]);
        }
        start
    }

    /// Starts the first node, which makes the demo's tenants.
    pub fn seed(&self) -> (Node, Demo) {
        self.node().seed()
    }
}

impl Start<'_> {
    pub fn argument(mut self, text: &str) -> Self {
        self.arguments.push(text.to_owned());
        self
    }

    /// How often one credential may ask, as in `--rate-limit`. With `off`, the usual here, no request is counted, and
    /// so none touches the rows in which nodes count together.
    pub fn rate_limit(mut self, limit: &'static str) -> Self {
        self.rate_limit = limit;
        self
    }

    /// What is logged, as in `RUST_LOG`.
    pub fn log(mut self, filter: &'static str) -> Self {
        self.log = filter;
        self
    }

    /// No file of the node may grow larger, as on a disk that is full.
    pub fn largest_file(mut self, kibibytes: u64) -> Self {
        self.limit = Some(("-f", kibibytes));
        self
    }

    /// The node is given so many open files, and may take more.
    pub fn open_files(mut self, files: u64) -> Self {
        self.limit = Some(("-n", files));
        self
    }

    /// Starts it as the first node, which makes the demo's tenants.
    pub fn seed(self) -> (Node, Demo) {
        let file = self.place.folder.path().join("told.json");
        let node = self.argument("--demo-file").argument(&file.to_string_lossy()).start();
        let text = std::fs::read_to_string(file).expect("the demo's file");
        (node, serde_json::from_str(&text).expect("the demo"))
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
        command.current_dir(self.place.folder.path()).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let told = Arc::new(Mutex::new(String::new()));
        let (sender, base) = mpsc::channel();
        let (out, err) = (process.stdout.take().expect("output"), process.stderr.take().expect("errors"));
        let readers =
            vec![read(out, Arc::new(Mutex::default()), Some(sender)), read(err, told.clone(), None)];
        match base.recv_timeout(Duration::from_secs(20)) {
            Ok(base) => Node { process, base, told, readers },
            Err(_) => {
                let _ = process.kill();
                panic!("the server does not start: {}", told.lock().expect("no panic"));
            }
        }
    }
}

/// Keeps what a process says, and sends on the address that it listens on.
fn read(
    from: impl std::io::Read + Send + 'static,
    told: Arc<Mutex<String>>,
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
            told.lock().expect("no panic").push_str(&text);
            line.clear();
        }
    })
}

impl Node {
    /// Ends it as `kill -9` and the kernel do: without a word.
    pub fn kill_9(&mut self) {
        self.process.kill().expect("kills");
        self.process.wait().expect("ends");
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let done = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(done.expect("kill").success());
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its end.
    pub fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            match self.process.try_wait().expect("a process") {
                None if begun.elapsed() < patience => std::thread::sleep(Duration::from_millis(5)),
                ended => return ended,
            }
        }
    }

    /// Whether it says these words, now or soon.
    pub fn says(&mut self, words: &str) -> bool {
        let begun = Instant::now();
        while !self.log().contains(words) {
            if begun.elapsed() > Duration::from_secs(10) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// What it has said on standard error; all of it once it has ended.
    pub fn log(&mut self) -> String {
        if self.process.try_wait().expect("a process").is_some() {
            self.readers.drain(..).for_each(|reader| reader.join().expect("reads"));
        }
        self.told.lock().expect("no panic").clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! The command line as operators use it: arguments in, exit code and output out.

mod account_access;
mod backup;
mod doctor;
mod migrate;
mod provisioning;
mod readme;
mod restore;
mod settings;
mod signing_keys;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use ringnity_store::testing::{TestDatabase, engines};
use ringnity_store::{Engine, Store};
use serde_json::{Value, json};

/// Runs the program in a folder of its own, without the environment of the tests.
pub struct Cli {
    folder: tempfile::TempDir,
    database: Option<TestDatabase>,
}

/// Runs `test` on an empty database of each engine.
pub fn with_cli_on_each_engine(test: impl Fn(&Cli)) {
    for engine in engines() {
        test(&Cli::on(TestDatabase::empty(engine)));
    }
}

impl Cli {
    /// Without a database: the program uses SQLite in the folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), database: None }
    }

    pub fn on(database: TestDatabase) -> Self {
        Self { database: Some(database), ..Self::new() }
    }

    pub fn database(&self) -> &TestDatabase {
        self.database.as_ref().expect("a database")
    }

    pub fn engine(&self) -> Engine {
        self.database().engine()
    }

    pub async fn store(&self) -> Store {
        Store::attach(self.database().config()).await.expect("a database")
    }

    /// Creates a tenant acme on that plan, with the owner ada@acme.example.
    pub fn with_acme(&self, plan: &str) {
        self.run(&["migrate"]).ok();
        let arguments =
            ["tenant", "create", "--slug=acme", "--name=Acme Ltd", "--owner-email=ada@acme.example"];
        let plan = format!("--plan={plan}");
        self.run(&[&arguments[..], &[&plan]].concat()).ok();
    }

    /// Starts a server on a free port.
    pub fn serve(&self, arguments: &[&str]) -> ServerProcess {
        let mut command = self.command(&["serve", "--listen=127.0.0.1:0"]);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the program starts");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("its output"));
        said.read_line(&mut line).expect("a line");
        let base = line.split_whitespace().find(|word| word.starts_with("http://"));
        ServerProcess {
            base: base.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned(),
            child,
            _said: said,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a private file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        }
    }

    /// The program with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringnity-server"));
        command.args(arguments).current_dir(self.folder());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RINGNITY_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        if let Some(database) = &self.database {
            command.env("RINGNITY_DATABASE_URL", database.url());
        }
        command
    }

    /// Runs it with a line on standard input.
    pub fn run_with_input(&self, arguments: &[&str], line: &str) -> CommandOutput {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        writeln!(child.stdin.take().expect("its input"), "{line}").expect("is read");
        CommandOutput::from(child.wait_with_output().expect("it ends"))
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&mut self.command(arguments))
    }
}

/// A running server process, killed when dropped.
pub struct ServerProcess {
    pub base: String,
    child: Child,
    /// Kept open: the program may fail if nobody reads its output.
    _said: BufReader<ChildStdout>,
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ServerProcess {
    /// Stops it and waits until it has ended.
    pub fn terminate(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        assert!(self.child.wait().expect("it ends").success());
    }

    /// Sends a request; returns the status and the body.
    pub fn ask(&self, method: &str, path: &str, bearer: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        let (method, bearer, body) = (method.to_owned(), bearer.map(str::to_owned), body.cloned());
        block_on(async move {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let mut request = client.request(method.parse().expect("a method"), url);
            request = bearer.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
            request = body.iter().fold(request, |request, body| request.json(body));
            let answer = request.send().await.expect("an answer");
            (answer.status().as_u16(), answer.json().await.unwrap_or_default())
        })
    }

    pub fn get(&self, path: &str, bearer: &str) -> (u16, Value) {
        self.ask("GET", path, Some(bearer), None)
    }

    /// Signs an owner in; returns the access token.
    pub fn owner_token(&self, email: &str, password: &str) -> String {
        let body = json!({ "email": email, "password": password });
        let (status, answer) = self.ask("POST", "/api/auth/owner-login", None, Some(&body));
        assert_eq!(status, 200, "{answer}");
        answer["data"]["accessToken"].as_str().expect("a token").to_owned()
    }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

impl From<Output> for CommandOutput {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }
}

/// The result of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("the program runs"))
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    /// Asserts the exit code and words on standard error.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        for words in words {
            assert!(self.err.contains(words), "no {words:?} in: {}", self.err);
        }
        self
    }

    /// Standard output, which is one JSON object.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("{error} in {:?}, with {:?} on standard error", self.out, self.err)
        });
        assert!(value.is_object(), "{value}");
        value
    }

    /// Asserts that none of these is printed.
    #[track_caller]
    pub fn never_prints(self, secrets: &[&str]) -> Self {
        for secret in secrets {
            assert!(!self.out.contains(secret) && !self.err.contains(secret), "{}\n{}", self.out, self.err);
        }
        self
    }
}

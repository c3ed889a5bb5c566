//! Inputs of a run: the file with credentials, or a demo server that is started for the run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// How long a demo server may take to write its demo file.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a JSON or TOML file.
pub fn read_file(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    if path.extension().is_some_and(|extension| extension == "toml") {
        return toml::from_str(&text).with_context(|| format!("{} is not TOML", path.display()));
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// A running demo server. It stops when this value is dropped.
#[derive(Debug)]
pub struct DemoServer {
    child: Child,
    folder: PathBuf,
    /// The content of its demo file.
    pub inputs: Value,
}

impl DemoServer {
    /// Starts `server`, a `ringnity-server` program, in a temporary directory, with additional arguments.
    pub fn start(server: &Path, arguments: &[String]) -> Result<Self> {
        let unique = format!("conformance-{}-{:?}", std::process::id(), Instant::now());
        let plain: String =
            unique.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        let folder = std::env::temp_dir().join(plain);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let file = folder.join("demo.json");
        let log =
            std::fs::File::create(folder.join("server.log")).context("cannot write the server's log")?;
        let child = Command::new(server)
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .arg("--demo-file")
            .arg(&file)
            .args(arguments)
            // The server fetches keys from this process, which no proxy can reach.
            .envs([("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let mut started = Self { child, folder, inputs: Value::Null };
        let since = Instant::now();
        loop {
            // The file appears only when the server is ready.
            if let Ok(inputs) = read_file(&file) {
                started.inputs = inputs;
                return Ok(started);
            }
            if let Some(status) = started.child.try_wait()? {
                bail!("{} exited with {status}: {}", server.display(), started.log());
            }
            if since.elapsed() > START_TIMEOUT {
                bail!(
                    "{} did not start within {} s: {}",
                    server.display(),
                    START_TIMEOUT.as_secs(),
                    started.log()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the log of the server so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns the path of the `ringnity-server` next to this program. Inside the workspace it is built first.
pub fn build_server() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    let folder = own.parent().context("cannot find the path of this program")?;
    let name = format!("ringnity-server{}", std::env::consts::EXE_SUFFIX);
    let path = folder.join(name);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    if Path::new(manifest).exists() {
        // Built even if it exists: it may be older than its source.
        eprintln!("building ringnity-server");
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--package", "ringnity-server", "--bin", "ringnity-server"]);
        build.args(["--manifest-path", manifest]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().context("cannot run cargo")?;
        if !status.success() {
            bail!("cannot build ringnity-server");
        }
    }
    if !path.exists() {
        bail!("{} does not exist; pass the program with --server", path.display());
    }
    Ok(path)
}

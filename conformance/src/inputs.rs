//! What a run is given: the inputs file with credentials, and, where none is there, a server of its own to try.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// How long a fresh server may take until it has written its demo file.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a JSON or TOML file.
pub fn read_file(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    if path.extension().is_some_and(|extension| extension == "toml") {
        return toml::from_str(&text).with_context(|| format!("{} is not TOML", path.display()));
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// A fresh server with demo tenants, which ends with this value.
#[derive(Debug)]
pub struct DemoServer {
    child: Child,
    folder: PathBuf,
    /// What it wrote about itself.
    pub inputs: Value,
}

impl DemoServer {
    /// Starts `server`, a `ringnity-server` program, in a folder of its own, with more arguments.
    pub fn start(server: &Path, arguments: &[String]) -> Result<Self> {
        let unique = format!("conformance-{}-{:?}", std::process::id(), Instant::now());
        let plain: String =
            unique.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        let folder = std::env::temp_dir().join(plain);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join("demo.json");
        let log =
            std::fs::File::create(folder.join("server.log")).context("cannot write the server's log")?;
        let child = Command::new(server)
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .arg("--demo-file")
            .arg(&file)
            .args(arguments)
            // What it asks this program for goes through no proxy.
            .envs([("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let mut started = Self { child, folder, inputs: Value::Null };
        let since = Instant::now();
        loop {
            // The file is written in one go, but not at once.
            if let Ok(inputs) = read_file(&file) {
                started.inputs = inputs;
                return Ok(started);
            }
            if let Some(status) = started.child.try_wait()? {
                bail!("{} ended with {status}: {}", server.display(), started.log());
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

    /// What the server logged so far.
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

/// The `ringnity-server` beside this program; built first where it is not there.
pub fn build_server() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where this program is")?;
    let folder = own.parent().context("where this program is")?;
    let name = format!("ringnity-server{}", std::env::consts::EXE_SUFFIX);
    let path = folder.join(name);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    if Path::new(manifest).exists() {
        // Also where it is there: it may be older than its source.
        eprintln!("building ringnity-server");
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--package", "ringnity-server", "--bin", "ringnity-server"]);
        build.args(["--manifest-path", manifest]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().context("cannot run cargo")?;
        if !status.success() {
            bail!("ringnity-server could not be built");
        }
    }
    if !path.exists() {
        bail!("there is no {}: name one with --server", path.display());
    }
    Ok(path)
}

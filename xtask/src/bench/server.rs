//! `cargo xtask bench server`: time from start to first response on an existing database, idle memory, binary size.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::cargo;
use crate::source;

/// The request that is repeated until the server responds.
const HEALTH: &str = "GET /api/sdk/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// How long a server may take to respond.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the server is idle before its memory is measured.
const IDLE_TIME: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Number of times the server is started
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    starts: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    eprintln!("building the server in release mode (minutes the first time), then starting it");
    let built = cargo().args(["build", "--quiet", "--release", "--package", "ringnity-server"]).status();
    if !built.context("cannot run cargo; is it on the PATH?")?.success() {
        return Ok(ExitCode::from(2));
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source::root().join("target"), PathBuf::from);
    let program = target.join("release").join("ringnity-server");
    let folder = std::env::temp_dir().join(format!("ringnity-bench-{}", std::process::id()));
    let measured = measure(&program, &folder, args.starts);
    // The measurements are complete; leftover files are harmless.
    let _ = std::fs::remove_dir_all(&folder);
    let (mut starts, memory) = measured?;
    starts.sort();
    let bytes = std::fs::metadata(&program).context("cannot read the size of the program")?.len();
    let middle = starts[starts.len() / 2];
    let slowest = starts[starts.len() - 1];
    if args.json {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let report = json!({
            "starts": args.starts,
            "firstAnswerMilliseconds": { "median": milliseconds(middle), "slowest": milliseconds(slowest) },
            "idleMemoryBytes": memory,
            "programBytes": bytes,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "first response on an existing database, {} starts: median {middle:.0?}, slowest {slowest:.0?}",
        args.starts
    );
    match memory {
        Some(memory) => println!("idle memory: {} MB", memory / 1_000_000),
        None => println!("idle memory: not available on this system"),
    }
    println!("binary: {} MB", bytes / 1_000_000);
    Ok(ExitCode::SUCCESS)
}

/// Times of the starts, and idle memory of the last server.
fn measure(program: &Path, folder: &Path, starts: u16) -> Result<(Vec<Duration>, Option<u64>)> {
    // The first start creates the database.
    drop(Server::start(program, folder, &["--demo"])?);
    let mut times = Vec::new();
    for start in 1..=starts {
        let server = Server::start(program, folder, &[])?;
        times.push(server.time_to_answer);
        if start == starts {
            std::thread::sleep(IDLE_TIME);
            return Ok((times, resident_memory(server.child.id())));
        }
    }
    bail!("no server was started")
}

/// A running server. Dropping it kills the process.
struct Server {
    child: Child,
    time_to_answer: Duration,
}

impl Server {
    fn start(program: &Path, folder: &Path, more: &[&str]) -> Result<Self> {
        let address = free_address()?;
        let started = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(folder)
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { child, time_to_answer: Duration::ZERO };
        while !is_healthy(address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server exited with {status} before it responded");
            }
            if started.elapsed() > START_TIMEOUT {
                bail!("the server did not respond within {} s", START_TIMEOUT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.time_to_answer = started.elapsed();
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn is_healthy(address: SocketAddr) -> bool {
    let Ok(mut socket) = TcpStream::connect(address) else { return false };
    let mut response = String::new();
    socket.write_all(HEALTH.as_bytes()).is_ok()
        && socket.read_to_string(&mut response).is_ok()
        && response.starts_with("HTTP/1.1 200 ")
}

/// Resident memory of a process in bytes, if the system reports it.
fn resident_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

//! The README's walkthrough for operators, run as it is printed.

use std::process::Command;

use super::{Cli, CommandOutput};

/// The shell commands between the two markers of the README.
fn commands() -> String {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme.split_once("<!-- operating: begin -->").expect("the walk begins");
    let (walk, _) = after.split_once("<!-- operating: end -->").expect("the walk ends");
    let mut lines = Vec::new();
    let mut inside = false;
    for line in walk.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => lines.push(line),
            _ => {}
        }
    }
    lines.join("\n")
}

#[test]
fn readme_operations_walkthrough_works() {
    // A machine that only builds and tests may lack these.
    for tool in ["bash", "curl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: the README's walk needs {tool}, which is not installed");
            return;
        }
    }
    let cli = Cli::new();
    let walk = commands();
    for word in [
        "migrate",
        "tenant create",
        "agent create",
        "keys rotate",
        "backup",
        "restore",
        "doctor",
        "signing-keys",
    ] {
        assert!(walk.contains(&format!("ringnity-server {word}")), "the walk has no {word}");
    }
    // Only the port differs, because the README's may be in use.
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let walk = walk.replace("8192", &free.port().to_string());
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ringnity-server"));
    let path = format!(
        "{}:{}",
        program.parent().expect("its folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RINGNITY_")) {
        shell.env_remove(name);
    }
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{walk}\n");
    shell.args(["-c", &script]).current_dir(cli.folder()).env("PATH", path);
    let ran = CommandOutput::of(&mut shell).ok();
    for words in
        ["The settings are valid.", "is up to date now", "Secret", "Backup", "Restored", "No check failed"]
    {
        assert!(ran.out.contains(words), "no {words:?} in:\n{}\n{}", ran.out, ran.err);
    }
    assert!(!ran.out.contains("FAIL"), "{}", ran.out);
}

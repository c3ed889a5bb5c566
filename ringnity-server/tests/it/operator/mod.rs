//! The operator's command line, run as the program that people run: arguments in, exit code and words out.

mod settings;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A folder with the program in it, so to speak: what is started here sees nothing of the tests' environment.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that only its owner reads.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        }
    }

    /// The program, about to be run in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringnity-server"));
        command.args(arguments).current_dir(self.folder());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RINGNITY_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }
}

/// What a command said when it had run.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    /// It ended with this code, and said all of these words on standard error.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        for words in words {
            assert!(self.err.contains(words), "no {words:?} in: {}", self.err);
        }
        self
    }

    /// Standard output, which is one JSON object and nothing else.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("{error} in {:?}, with {:?} on standard error", self.out, self.err)
        });
        assert!(value.is_object(), "{value}");
        value
    }

    /// It says none of these, anywhere.
    #[track_caller]
    pub fn silent_about(self, secrets: &[&str]) -> Self {
        for secret in secrets {
            assert!(!self.out.contains(secret) && !self.err.contains(secret), "{}\n{}", self.out, self.err);
        }
        self
    }
}

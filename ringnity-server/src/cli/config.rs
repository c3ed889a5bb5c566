//! `config check`: prints every setting with its source and what is wrong. `config::check` decides.

use std::fmt::Write as _;

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Subcommand};
use ringnity_store::StoreConfig;
use serde::Serialize;

use crate::cli::Invocation;
use crate::cli::output::{Outcome, print, print_error, table};
use crate::config::{ServeConfig, check, file};

/// Commands for the settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting with its source and report errors
    #[command(after_help = "Example:\n  \
        ringnity-server config check --config /etc/ringnity.toml\n\n\
        Takes the settings of `serve` and changes nothing. The exit code is 1 if there is a problem.")]
    Check(CheckArgs),
}

/// Arguments of `config check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    settings: ServeConfig,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    file: Option<String>,
    settings: Vec<Setting>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Setting {
    name: String,
    /// `None` if the setting is not set and has no default.
    value: Option<Value>,
    source: &'static str,
    environment: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    One(String),
    Many(Vec<String>),
}

/// Runs a command.
pub(super) fn run(command: ConfigCommand, invocation: &Invocation) -> Result<Outcome> {
    let ConfigCommand::Check(arguments) = command;
    let mut findings = check::check(&arguments.settings);
    findings.warnings.extend(invocation.file.as_ref().and_then(readable_secret));
    let report = Report {
        ok: findings.problems.is_empty(),
        file: invocation.file.as_ref().map(|file| file.path().display().to_string()),
        settings: file::settings().iter().map(|setting| describe(setting, invocation)).collect(),
        problems: findings.problems,
        warnings: findings.warnings,
    };
    print(arguments.json, &report, || text(&report))?;
    Ok(if report.ok { Outcome::Success } else { Outcome::Failure })
}

/// `Some` if the command line is a `config check`; whether it has `--json`.
pub(super) fn is_check(matches: &ArgMatches) -> Option<bool> {
    let (_, below) = matches.subcommand().filter(|(name, _)| *name == "config")?;
    let (_, check) = below.subcommand().filter(|(name, _)| *name == "check")?;
    Some(check.try_get_one("json").ok().flatten().copied().unwrap_or(false))
}

/// Reports settings that cannot be read.
pub(super) fn print_unreadable(problems: &[String], json: bool) {
    let report = Report {
        ok: false,
        file: None,
        settings: Vec::new(),
        problems: problems.to_vec(),
        warnings: Vec::new(),
    };
    if let Err(error) = print(json, &report, || text(&report)) {
        print_error(format!("{error:#}"));
    }
}

fn describe(setting: &Arg, invocation: &Invocation) -> Setting {
    let id = setting.get_id().as_str();
    let source = match invocation.matches.value_source(id) {
        Some(ValueSource::CommandLine) => "flag",
        Some(ValueSource::EnvVariable) => "environment",
        _ if invocation.file.as_ref().is_some_and(|file| file.sets(id)) => "file",
        _ => "default",
    };
    let raw = invocation.matches.get_raw(id).into_iter().flatten();
    let mut values: Vec<String> = raw.map(|value| redacted(setting, &value.to_string_lossy())).collect();
    let value = if matches!(setting.get_action(), clap::ArgAction::Append) {
        Some(Value::Many(values))
    } else {
        values.pop().map(Value::One)
    };
    Setting {
        name: setting.get_long().unwrap_or(id).to_owned(),
        value,
        source,
        environment: setting.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    }
}

/// The value without its secret part.
fn redacted(setting: &Arg, value: &str) -> String {
    if !file::is_secret(setting) {
        return value.to_owned();
    }
    let database = value.contains("://").then(|| StoreConfig::new(value).ok()).flatten();
    database.map_or_else(|| "(hidden)".to_owned(), |database| database.describe())
}

/// Warns if other users can read secrets in the settings file.
#[cfg(unix)]
fn readable_secret(file: &file::SettingsFile) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = file::settings()
        .iter()
        .any(|setting| file::is_secret(setting) && file.sets(setting.get_id().as_str()));
    let mode = std::fs::metadata(file.path()).ok()?.permissions().mode();
    let path = file.path().display();
    (secret && mode & 0o077 != 0).then(|| {
        format!("{path}: contains a secret that other users of this machine can read; run chmod 600 {path}")
    })
}

#[cfg(not(unix))]
fn readable_secret(_: &file::SettingsFile) -> Option<String> {
    None
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    if !report.settings.is_empty() {
        let rows: Vec<[String; 3]> =
            report.settings.iter().map(|setting| row(setting, report.file.as_deref())).collect();
        out = table(["setting", "value", "source"], &rows) + "\n";
    }
    for warning in &report.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    for problem in &report.problems {
        let _ = writeln!(out, "problem: {problem}");
    }
    out.push_str(if report.ok {
        "The settings are valid."
    } else {
        "A server would not start with these settings."
    });
    out
}

fn row(setting: &Setting, file: Option<&str>) -> [String; 3] {
    let value = match &setting.value {
        None => "not set".to_owned(),
        Some(Value::Many(values)) if values.is_empty() => "none".to_owned(),
        Some(Value::Many(values)) => values.join(", "),
        Some(Value::One(value)) => value.clone(),
    };
    let from = match (setting.source, file) {
        ("file", Some(file)) => format!("file {file}"),
        ("flag", _) => format!("flag --{}", setting.name),
        ("environment", _) => format!("environment {}", setting.environment),
        (source, _) => source.to_owned(),
    };
    [setting.name.clone(), value, from]
}

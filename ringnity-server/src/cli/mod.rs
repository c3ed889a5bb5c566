//! The command line: arguments and settings in, one command run, an exit code out. One file per group of commands.
//!
//! Commands read input, call rules or the store, and print the result. This module contains no rules and no SQL.

mod account;
mod agent;
mod backup;
mod config;
mod context;
mod doctor;
mod keys;
mod migrate;
mod output;
mod owner;
mod platform_admin;
mod serve;
mod signing_keys;
mod tenant;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::ServeConfig;
use crate::config::file::{self, SettingsFile};
use crate::telemetry::logs::{self, LogFormat};
use output::Outcome;

/// The Ringnity Developer Platform: chat, calls, AI, webhooks and sign-in for many tenants.
#[derive(Debug, Parser)]
#[command(
    name = "ringnity-server",
    version,
    max_term_width = 110,
    after_help = "\
    Flags override environment variables, which override the settings file, which overrides the defaults.\n\
    `ringnity-server config check` prints the source of each value."
)]
struct Cli {
    /// Settings file (TOML). Keys are the long flags of `serve`; paths are relative to the working directory
    #[arg(long, env = "RINGNITY_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(after_help = "Examples:\n  \
        ringnity-server serve --demo                       SQLite in ./data, two demo tenants, commands to try\n  \
        ringnity-server serve --listen 0.0.0.0:8192 --data-dir /var/lib/ringnity\n  \
        ringnity-server serve --database-url postgres://ringnity@db/ringnity\n  \
        ringnity-server serve --config /etc/ringnity.toml\n\n\
        RUST_LOG sets the log filter, such as RUST_LOG=ringnity_server=debug")]
    Serve(ServeConfig),
    /// Check the settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Apply pending migrations to the database
    #[command(after_help = "Example:\n  ringnity-server migrate --check || ringnity-server migrate\n\n\
        The server also migrates when it starts. No other command does.")]
    Migrate(migrate::MigrateArgs),
    /// Create, list, enable and disable tenants
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Create, list, enable and disable owners of a tenant, and set their passwords
    #[command(subcommand)]
    Owner(owner::OwnerCommand),
    /// Create, list, enable and disable staff accounts of a tenant, and set their passwords
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Create, list, enable and disable platform administrators, and set their passwords
    #[command(subcommand)]
    PlatformAdmin(platform_admin::PlatformAdminCommand),
    /// Create, list, rotate and disable Server API keys of a tenant
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// List and rotate the keys that sign access tokens
    #[command(subcommand)]
    SigningKeys(signing_keys::SigningKeysCommand),
    /// Back up the database while servers run
    #[command(after_help = "Example:\n  ringnity-server backup /backups/ringnity-2026-11-22.db\n\n\
        The file is a consistent snapshot. It contains secrets, so only the current user may read it. PostgreSQL needs\n\
        pg_dump on PATH, at least as new as the database server.")]
    Backup(backup::BackupArgs),
    /// Restore a backup while no server runs
    #[command(
        after_help = "Example:\n  ringnity-server restore /backups/ringnity-2026-11-22.db --replace\n\n\
        The backup is checked first. A backup of an older version is migrated; one of a newer version is rejected."
    )]
    Restore(backup::RestoreArgs),
    /// Check settings, database, disk, clock and keys, and say what to do
    #[command(after_help = "Example:\n  ringnity-server doctor --config /etc/ringnity.toml\n\n\
        Takes the settings of `serve`. The exit code is 1 if a check reports FAIL.")]
    Doctor(doctor::DoctorArgs),
}

/// How the program was called.
struct Invocation {
    /// The settings file, if one was passed.
    file: Option<SettingsFile>,
    /// The arguments of the innermost command.
    matches: ArgMatches,
}

/// Runs the command in the arguments of the process. The exit code is 0 on success, 1 on failure and 2 for invalid
/// arguments.
pub async fn main() -> ExitCode {
    let (cli, invocation) = match parse(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    match &cli.command {
        Command::Serve(config) => logs::start(config.log_format, "info,dropshot=warn"),
        _ => logs::start(LogFormat::Human, "warn"),
    }
    let json = wants_json(&invocation.matches);
    let result: Result<Outcome> = match cli.command {
        Command::Serve(config) => serve::run(config).await,
        Command::Config(command) => config::run(command, &invocation),
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Tenant(command) => tenant::run(command).await,
        Command::Owner(command) => owner::run(command).await,
        Command::Agent(command) => agent::run(command).await,
        Command::PlatformAdmin(command) => platform_admin::run(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::SigningKeys(command) => signing_keys::run(command).await,
        Command::Backup(arguments) => backup::backup(arguments).await,
        Command::Restore(arguments) => backup::restore(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments).await,
    };
    match result {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Failure) => ExitCode::FAILURE,
        Err(error) => {
            output::print_errors(&[format!("{error:#}")], json);
            ExitCode::FAILURE
        }
    }
}

/// Reads arguments, environment and settings file. On an error, it has been printed already.
fn parse(arguments: Vec<OsString>) -> Result<(Cli, Invocation), ExitCode> {
    // The values of the settings file become defaults, so its path has to be known first. The first parse ignores
    // errors; the second reports them.
    let first = Cli::command().ignore_errors(true).try_get_matches_from(&arguments).ok();
    let path = first.as_ref().and_then(|first| first.get_one::<PathBuf>("config"));
    let file = path.map(|path| SettingsFile::read(path)).transpose();
    let (file, mut problems) = match file {
        Ok(file) => (file, Vec::new()),
        Err(problems) => (None, problems),
    };
    let check_requested = first.as_ref().and_then(config::is_check);
    if check_requested.is_some() {
        problems.extend(file::environment_problems());
    }
    if !problems.is_empty() {
        match check_requested {
            Some(json) => config::print_unreadable(&problems, json),
            None => output::print_errors(&problems, first.as_ref().is_some_and(wants_json)),
        }
        return Err(ExitCode::FAILURE);
    }
    let command = match &file {
        Some(file) => file.apply(Cli::command()),
        None => Cli::command(),
    };
    let matches = command.try_get_matches_from(arguments).map_err(|error| report_usage_error(&error))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| report_usage_error(&error))?;
    Ok((cli, Invocation { file, matches: innermost(&matches).clone() }))
}

/// Prints an error of clap. An invalid environment variable is reported by its name: clap would blame a flag that was
/// not passed.
fn report_usage_error(error: &clap::Error) -> ExitCode {
    let problems = file::environment_problems();
    let passed = |flag: &str| std::env::args().any(|argument| argument.starts_with(flag));
    let blamed = match error.get(clap::error::ContextKind::InvalidArg) {
        Some(clap::error::ContextValue::String(blamed)) => blamed.split(' ').next().unwrap_or_default(),
        _ => "",
    };
    if error.use_stderr() && blamed.starts_with("--") && !passed(blamed) && !problems.is_empty() {
        problems.iter().for_each(output::print_error);
        return ExitCode::from(2);
    }
    // A closed terminal is no error.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Whether `--json` was passed.
fn wants_json(matches: &ArgMatches) -> bool {
    innermost(matches).try_get_one::<bool>("json").ok().flatten().is_some_and(|asked| *asked)
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    match matches.subcommand() {
        Some((_, below)) => innermost(below),
        None => matches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_flag_and_a_variable() {
        for setting in file::settings() {
            let variable = setting.get_env().and_then(|name| name.to_str()).unwrap_or_default();
            assert!(variable.starts_with("RINGNITY_"), "{}: {variable}", setting.get_id());
            assert!(setting.get_long().is_some(), "{} has no flag", setting.get_id());
        }
    }
}

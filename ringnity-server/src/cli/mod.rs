//! The command line: arguments and settings in, one command run, an exit code out. One file per group of commands.
//!
//! Commands read input, call rules or the store, and tell what came of it. No rules and no SQL live here, and
//! nothing that a request needs.

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
    A flag counts more than the environment, the environment more than the file, the file more than the default.\n\
    `ringnity-server config check` tells which value comes from where."
)]
struct Cli {
    /// Settings as TOML, under the long names of the flags of `serve`; relative paths in it count from the
    /// working directory
    #[arg(long, env = "RINGNITY_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    #[command(after_help = "Examples:\n  \
        ringnity-server serve --demo                       SQLite in ./data, two demo tenants, commands to try\n  \
        ringnity-server serve --listen 0.0.0.0:8192 --data-dir /var/lib/ringnity\n  \
        ringnity-server serve --database-url postgres://ringnity@db/ringnity\n  \
        ringnity-server serve --config /etc/ringnity.toml\n\n\
        RUST_LOG sets what is logged, such as RUST_LOG=ringnity_server=debug")]
    Serve(ServeConfig),
    /// Look at the settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Bring the database up to date
    #[command(after_help = "Example:\n  ringnity-server migrate --check || ringnity-server migrate\n\n\
        A server migrates by itself when it starts. No other command does.")]
    Migrate(migrate::MigrateArgs),
    /// Make, list and switch tenants
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Make, list and switch a tenant's owners, and set their passwords
    #[command(subcommand)]
    Owner(owner::OwnerCommand),
    /// Make, list and switch a tenant's staff, and set their passwords
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Make, list and switch the platform's own people, and set their passwords
    #[command(subcommand)]
    PlatformAdmin(platform_admin::PlatformAdminCommand),
    /// Server API keys of a tenant
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// What access tokens are signed with
    #[command(subcommand)]
    SigningKeys(signing_keys::SigningKeysCommand),
    /// Copy the database as of one moment, while servers run
    #[command(after_help = "Example:\n  ringnity-server backup /backups/ringnity-2026-11-22.db\n\n\
        The file holds everything, secrets too, and only this user may read it. For PostgreSQL, pg_dump of the\n\
        server's version or a later one has to be on PATH.")]
    Backup(backup::BackupArgs),
    /// Put a backup in place of the database, while no server runs
    #[command(
        after_help = "Example:\n  ringnity-server restore /backups/ringnity-2026-11-22.db --replace\n\n\
        The backup is looked at first. One that an older version made is migrated; one of a newer is refused."
    )]
    Restore(backup::RestoreArgs),
    /// Look at everything that a server depends on, and say what to do
    #[command(after_help = "Example:\n  ringnity-server doctor --config /etc/ringnity.toml\n\n\
        It takes the settings of `serve`. Exit code 1 if anything is wrong enough to say FAIL.")]
    Doctor(doctor::DoctorArgs),
}

/// What a command may ask about how it was called.
struct Invocation {
    /// The settings file, if there is one.
    file: Option<SettingsFile>,
    /// The arguments of the innermost command.
    matches: ArgMatches,
}

/// Runs the command of the process's arguments; its exit code is 0 when all is well, 1 when something is not, and
/// 2 when the arguments cannot be understood.
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

/// Reads arguments, environment and settings file. What cannot be read has been told when this returns.
fn parse(arguments: Vec<OsString>) -> Result<(Cli, Invocation), ExitCode> {
    // Where the settings file is has to be known before its values can be defaults, so what the first look does not
    // understand is left for the second to tell.
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

/// Tells what clap has to say. A wrong value of the environment is told by its variable's name: clap blames a flag
/// that nobody gave.
fn report_usage_error(error: &clap::Error) -> ExitCode {
    let problems = file::environment_problems();
    let given = |flag: &str| std::env::args().any(|argument| argument.starts_with(flag));
    let blamed = match error.get(clap::error::ContextKind::InvalidArg) {
        Some(clap::error::ContextValue::String(blamed)) => blamed.split(' ').next().unwrap_or_default(),
        _ => "",
    };
    if error.use_stderr() && blamed.starts_with("--") && !given(blamed) && !problems.is_empty() {
        problems.iter().for_each(output::print_error);
        return ExitCode::from(2);
    }
    // Nobody is left to be told when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

/// Whether the answer is to be JSON, where a command can answer so.
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
    fn the_command_line_is_consistent() {
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

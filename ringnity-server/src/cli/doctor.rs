//! `doctor`: looks at everything a server depends on, and says what to do about what it finds. Changes nothing.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use ringnity_store::maintenance::{self, Inspection};
use ringnity_store::{Engine, Store, StoreConfig, StoreError};
use serde::Serialize;

use crate::cli::backup;
use crate::cli::output::{Outcome, print};
use crate::clock::Clock;
use crate::config::{ServeConfig, check};
use crate::database_lock;
use crate::secrets::tokens;

/// Less free space than this, and writes may fail soon.
const LOW_SPACE: u64 = 1_000_000_000;
/// Less than this, and they fail now.
const NO_SPACE: u64 = 50_000_000;
/// A key that has signed for so long should make room for another.
const MAX_KEY_AGE: TimeDelta = TimeDelta::days(365);

/// What `doctor` takes: the settings of `serve`, for they are looked at too.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    settings: ServeConfig,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Check {
    level: Level,
    check: &'static str,
    found: String,
    /// What to do; nothing where all is well.
    remedy: Option<String>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

#[derive(Default)]
struct Findings(Vec<Check>);

impl Findings {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Check { level: Level::Ok, check, found: found.into(), remedy: None });
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Check { level: Level::Warn, check, found: found.into(), remedy: Some(remedy.into()) });
    }

    fn fail(&mut self, check: &'static str, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Check { level: Level::Fail, check, found: found.into(), remedy: Some(remedy.into()) });
    }
}

/// Runs it.
pub(super) async fn run(arguments: DoctorArgs) -> Result<Outcome> {
    let mut found = Findings::default();
    check_settings(&arguments.settings, &mut found);
    if let Ok(config) = arguments.settings.store() {
        check_data_dir(&arguments.settings, &config, &mut found);
        let running = config.sqlite_path().map(database_lock::is_held);
        check_database(&config, running, &mut found).await;
    }
    let report = Report { ok: !found.0.iter().any(|check| check.level == Level::Fail), checks: found.0 };
    print(arguments.json, &report, || text(&report))?;
    Ok(if report.ok { Outcome::Success } else { Outcome::Failure })
}

fn check_settings(config: &ServeConfig, found: &mut Findings) {
    let judged = check::check(config);
    if judged.problems.is_empty() && judged.warnings.is_empty() {
        found.ok("settings", "make sense");
    }
    let remedy = "`ringnity-server config check` tells where each setting comes from";
    for problem in judged.problems {
        found.fail("settings", problem, remedy);
    }
    for warning in judged.warnings {
        found.warn("settings", warning, remedy);
    }
}

fn check_data_dir(settings: &ServeConfig, config: &StoreConfig, found: &mut Findings) {
    let folder = match config.sqlite_path() {
        Some(database) => database.parent().unwrap_or(Path::new(".")).to_owned(),
        None => settings.database.data_dir.clone(),
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".").to_owned() } else { folder };
    let name = folder.display().to_string();
    if !folder.is_dir() {
        match config.engine() {
            Engine::Sqlite => {
                found.warn("folder", format!("{name} is not there yet"), "a server makes it when it starts")
            }
            Engine::Postgres => found.ok("folder", format!("{name} is not there, and nothing needs it")),
        }
        return;
    }
    if let Err(error) = check::probe_writable(&folder) {
        found.fail(
            "folder",
            format!("{name} cannot be written to: {error}"),
            "change its owner, or choose another --data-dir",
        );
    } else {
        found.ok("folder", format!("{name} can be written to"));
    }
    if let Some(database) = config.sqlite_path() {
        check_permissions(database, found);
    }
    check_space(&folder, found);
    let leftovers: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            name.starts_with('.') && name.ends_with(backup::PARTIAL_SUFFIX)
                || name.contains(backup::PREVIOUS_INFIX)
        })
        .collect();
    if leftovers.is_empty() {
        found.ok("leftovers", "none");
    } else {
        let remedy = format!(
            "{} are of commands that did not come to their end, {} of restores; delete those that nobody needs",
            backup::PARTIAL_SUFFIX,
            backup::PREVIOUS_INFIX
        );
        found.warn("leftovers", format!("{name} holds {}", leftovers.join(", ")), remedy);
    }
}

/// The database holds signing keys, so nobody else may read it.
fn check_permissions(database: &Path, found: &mut Findings) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = std::fs::metadata(database) else { return };
        let (name, mode) = (database.display(), metadata.permissions().mode() & 0o777);
        if mode & 0o077 == 0 {
            found.ok("permissions", format!("{name} is its owner's alone"));
        } else {
            let remedy = format!("chmod 600 {name}*");
            found.fail(
                "permissions",
                format!("{name} is open to others ({mode:o}), and it holds signing keys"),
                remedy,
            );
        }
    }
    #[cfg(not(unix))]
    let _ = (database, found);
}

fn check_space(folder: &Path, found: &mut Findings) {
    #[cfg(unix)]
    {
        let Ok(stats) = rustix::fs::statvfs(folder) else { return };
        judge_space(stats.f_bavail.saturating_mul(stats.f_frsize), folder, found);
    }
    #[cfg(not(unix))]
    let _ = (folder, found);
}

/// Judges how many bytes are free.
#[cfg_attr(not(unix), allow(dead_code))]
fn judge_space(bytes: u64, folder: &Path, found: &mut Findings) {
    let words = format!("{} free in {}", backup::format_bytes(bytes), folder.display());
    match bytes {
        0..NO_SPACE => found.fail("space", words, "make room: writes fail when it is used up"),
        NO_SPACE..LOW_SPACE => found.warn("space", words, "make room before it is used up"),
        _ => found.ok("space", words),
    }
}

async fn check_database(config: &StoreConfig, running: Option<bool>, found: &mut Findings) {
    match running {
        Some(true) => found.ok("server", "runs on this database"),
        Some(false) => found.ok("server", "none runs on this database"),
        None => {}
    }
    let clock = Clock::default();
    let inspection = match maintenance::inspect(config, move || clock.now()).await {
        Ok(inspection) => inspection,
        Err(error @ StoreError::Missing(_)) => {
            return found.warn("database", error.to_string(), "ringnity-server migrate");
        }
        Err(error @ StoreError::Corrupt(_)) => {
            return found.fail("database", error.to_string(), DAMAGED_REMEDY);
        }
        Err(error) => {
            let remedy = "see that it runs and that --database-url is right";
            return found.fail("database", error.to_string(), remedy);
        }
    };
    let holds = inspection.counts.map_or_else(String::new, |counts| format!(", {} tenants", counts.tenants));
    let bytes = u64::try_from(inspection.bytes).unwrap_or_default();
    found.ok(
        "database",
        format!("{}: {}, {}{holds}", config.describe(), inspection.engine, backup::format_bytes(bytes)),
    );
    check_integrity(config, &inspection, found);
    check_migrations(&inspection, found);
    if !inspection.previous_schemas.is_empty() {
        let words =
            format!("the database keeps {}, which restores replaced", inspection.previous_schemas.join(", "));
        found.warn("leftovers", words, "drop the schemas that nobody needs, each with CASCADE");
    }
    check_clocks(inspection.clocks, inspection.migrations.applied.last().map(String::as_str), found);
    check_backlog(&inspection, running == Some(false), found);
    if inspection.migrations.pending.is_empty() && inspection.migrations.unknown.is_empty() {
        match check_signing_keys(config, Clock::default().now(), found).await {
            Ok(()) => {}
            Err(error) => found.fail("signing keys", error.to_string(), "see that the database can be read"),
        }
    }
    if config.engine() == Engine::Postgres {
        match backup::client_version() {
            Ok(version) => found.ok("backup", version),
            Err(error) => found.warn(
                "backup",
                format!("{error:#}"),
                "without it, `ringnity-server backup` does not work",
            ),
        }
    }
}

const DAMAGED_REMEDY: &str =
    "stop the server, keep a copy of the folder, and restore the last backup with --replace";

fn check_integrity(config: &StoreConfig, inspection: &Inspection, found: &mut Findings) {
    for damage in &inspection.damage {
        found.fail("integrity", damage, DAMAGED_REMEDY);
    }
    for table in &inspection.orphans {
        found.fail("integrity", format!("rows in {table} refer to nothing"), DAMAGED_REMEDY);
    }
    if config.engine() == Engine::Sqlite && inspection.damage.is_empty() && inspection.orphans.is_empty() {
        found.ok("integrity", "every page and every reference is sound");
    }
}

fn check_migrations(inspection: &Inspection, found: &mut Findings) {
    let state = &inspection.migrations;
    if let Err(error) = state.ensure_not_newer() {
        found.fail("migrations", error.to_string(), "start the version that wrote it, or a later one");
    } else if state.pending.is_empty() {
        found.ok("migrations", format!("all {} are applied", state.applied.len()));
    } else {
        found.warn(
            "migrations",
            format!("{} are pending", state.pending.join(", ")),
            "ringnity-server migrate",
        );
    }
}

/// Judges the database's clock and ours, read at one moment, where `newest` is the newest migration that is applied.
fn check_clocks((theirs, ours): (DateTime<Utc>, DateTime<Utc>), newest: Option<&str>, found: &mut Findings) {
    let apart = (theirs - ours).abs();
    let words = format!("{} here, {} s apart from the database's", ours.format("%F %T UTC"), millis(apart));
    let remedy = "set the clocks of both machines by NTP";
    // Nobody can run this program before it was written; its newest migration says when that was.
    let written = newest.and_then(|name| NaiveDate::parse_from_str(name.get(..10)?, "%F").ok());
    if ours.year() > 2100 || written.is_some_and(|day| ours.date_naive() < day - TimeDelta::days(2)) {
        found.fail("clock", words, "this machine's date is wrong, so every token is; set it");
    } else if apart > TimeDelta::seconds(60) {
        found.fail("clock", words, remedy);
    } else if apart > TimeDelta::seconds(2) {
        found.warn("clock", words, remedy);
    } else {
        found.ok("clock", words);
    }
}

fn millis(apart: TimeDelta) -> String {
    format!("{}.{:03}", apart.num_seconds(), apart.num_milliseconds() % 1000)
}

fn check_backlog(inspection: &Inspection, no_server: bool, found: &mut Findings) {
    let Some(backlog) = &inspection.backlog else { return };
    if backlog.failing > 0 {
        let last = backlog.last_error.as_deref().unwrap_or_default();
        let words = format!("{} fail and are tried again; the last said: {last}", backlog.failing);
        found.warn("jobs", words, "mend what they fail at; they go on by themselves");
    }
    if backlog.late > 0 {
        let remedy = if no_server {
            "start the server: it does them"
        } else {
            "see in its log why the server is behind"
        };
        found.warn("jobs", format!("{} are more than five minutes late", backlog.late), remedy);
    }
    if backlog.failing == 0 && backlog.late == 0 {
        found.ok("jobs", "none is late, none fails");
    }
}

async fn check_signing_keys(
    config: &StoreConfig,
    now: DateTime<Utc>,
    found: &mut Findings,
) -> Result<(), StoreError> {
    let store = Store::attach(config).await?;
    let keys = tokens::signing_keys(&store).await?;
    let Some(active) = keys.iter().find(|key| key.retired_at.is_none()) else {
        found.warn("signing keys", "there is none yet", "a server makes the first when it starts");
        return Ok(());
    };
    let days = (now - active.created_at).num_days();
    let words = format!("{} signs since {days} days, {} are kept", active.kid, keys.len());
    if active.created_at > now + TimeDelta::minutes(5) {
        found.fail(
            "signing keys",
            format!("{} was made in the future", active.kid),
            "set this machine's clock",
        );
    } else if now - active.created_at > MAX_KEY_AGE {
        found.warn("signing keys", words, "ringnity-server signing-keys rotate");
    } else {
        found.ok("signing keys", words);
    }
    Ok(())
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    for check in &report.checks {
        let level = match check.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        out += &format!("{level:4}  {:12}  {}\n", check.check, check.found);
        if let Some(remedy) = &check.remedy {
            out += &format!("{:4}  {:12}  → {remedy}\n", "", "");
        }
    }
    let worst =
        if report.ok { "A server can work with this." } else { "A server cannot work well with this." };
    out + "\n" + worst
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The level of the one check that `judge` makes. Whatever is not well has a remedy.
    fn level(judge: impl FnOnce(&mut Findings)) -> Level {
        let mut found = Findings::default();
        judge(&mut found);
        let [check] = &found.0[..] else { panic!("{} checks", found.0.len()) };
        assert_eq!(check.remedy.is_none(), check.level == Level::Ok, "{}", check.found);
        check.level
    }

    #[test]
    fn space_that_gets_scarce_is_told_before_writes_fail() {
        for (bytes, expected) in [
            (0, Level::Fail),
            (49_999_999, Level::Fail),
            (50_000_000, Level::Warn),
            (999_999_999, Level::Warn),
            (1_000_000_000, Level::Ok),
            (u64::MAX, Level::Ok),
        ] {
            assert_eq!(level(|found| judge_space(bytes, Path::new("data"), found)), expected, "{bytes}");
        }
    }

    #[test]
    fn clocks_that_are_apart_are_told_whichever_is_ahead() {
        let now: DateTime<Utc> = "2027-03-01T12:00:00Z".parse().expect("a time");
        for (seconds, expected) in [
            (0, Level::Ok),
            (2, Level::Ok),
            (3, Level::Warn),
            (60, Level::Warn),
            (61, Level::Fail),
            (86_400, Level::Fail),
        ] {
            let apart = TimeDelta::seconds(seconds);
            for theirs in [now + apart, now - apart] {
                let judged = level(|found| check_clocks((theirs, now), Some("2026-11-22-000060_x"), found));
                assert_eq!(judged, expected, "{seconds}");
            }
        }
    }

    #[test]
    fn a_date_before_this_program_was_written_or_in_another_century_is_wrong() {
        let newest = Some("2026-11-22-000060_minutely_quotas");
        for (ours, expected) in [
            ("1970-01-01T00:00:00Z", Level::Fail),
            ("2026-11-19T23:59:59Z", Level::Fail),
            // Somewhere it is another day already.
            ("2026-11-20T00:00:00Z", Level::Ok),
            ("2100-12-31T00:00:00Z", Level::Ok),
            ("2101-01-01T00:00:00Z", Level::Fail),
        ] {
            // An SQLite database has this machine's clock, so the two are never apart.
            let now: DateTime<Utc> = ours.parse().expect("a time");
            assert_eq!(level(|found| check_clocks((now, now), newest, found)), expected, "{ours}");
        }
        // Without migrations nobody knows when that was.
        let now: DateTime<Utc> = "2001-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(level(|found| check_clocks((now, now), None, found)), Level::Ok);
    }
}

//! `doctor`: checks what a server depends on and says how to fix what it finds. Changes nothing.

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

/// Free bytes below which a warning is printed.
const LOW_SPACE: u64 = 1_000_000_000;
/// Free bytes below which the check fails.
const NO_SPACE: u64 = 50_000_000;
/// Age at which rotating the signing key is recommended.
const MAX_KEY_AGE: TimeDelta = TimeDelta::days(365);

/// Arguments of `doctor`: the settings of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    settings: ServeConfig,
    /// Print one JSON object
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
    /// What to do; `None` if the check passed.
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

/// Runs the checks.
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
    let findings = check::check(config);
    if findings.problems.is_empty() && findings.warnings.is_empty() {
        found.ok("settings", "are valid");
    }
    let remedy = "`ringnity-server config check` prints the source of each setting";
    for problem in findings.problems {
        found.fail("settings", problem, remedy);
    }
    for warning in findings.warnings {
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
            Engine::Sqlite => found.warn(
                "folder",
                format!("{name} does not exist yet"),
                "the server creates it when it starts",
            ),
            Engine::Postgres => found.ok("folder", format!("{name} does not exist and is not needed")),
        }
        return;
    }
    if let Err(error) = check::probe_writable(&folder) {
        found.fail(
            "folder",
            format!("cannot write to {name}: {error}"),
            "change its owner, or choose another --data-dir",
        );
    } else {
        found.ok("folder", format!("{name} is writable"));
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
            "files with {} are left by interrupted commands, files with {} by restores; delete those you do not need",
            backup::PARTIAL_SUFFIX,
            backup::PREVIOUS_INFIX
        );
        found.warn("leftovers", format!("{name} contains {}", leftovers.join(", ")), remedy);
    }
}

/// The database contains signing keys, so only its owner may read it.
fn check_permissions(database: &Path, found: &mut Findings) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = std::fs::metadata(database) else { return };
        let (name, mode) = (database.display(), metadata.permissions().mode() & 0o777);
        if mode & 0o077 == 0 {
            found.ok("permissions", format!("{name} is readable only by its owner"));
        } else {
            let remedy = format!("chmod 600 {name}*");
            found.fail(
                "permissions",
                format!("{name} is accessible to other users ({mode:o}) and contains signing keys"),
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
        check_free_bytes(stats.f_bavail.saturating_mul(stats.f_frsize), folder, found);
    }
    #[cfg(not(unix))]
    let _ = (folder, found);
}

/// Checks the number of free bytes.
#[cfg_attr(not(unix), allow(dead_code))]
fn check_free_bytes(bytes: u64, folder: &Path, found: &mut Findings) {
    let words = format!("{} free in {}", backup::format_bytes(bytes), folder.display());
    match bytes {
        0..NO_SPACE => found.fail("space", words, "free up space now: writes are about to fail"),
        NO_SPACE..LOW_SPACE => found.warn("space", words, "free up space"),
        _ => found.ok("space", words),
    }
}

async fn check_database(config: &StoreConfig, running: Option<bool>, found: &mut Findings) {
    match running {
        Some(true) => found.ok("server", "runs on this database"),
        Some(false) => found.ok("server", "no server runs on this database"),
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
            let remedy = "check that it runs and that --database-url is correct";
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
        let words = format!(
            "the database still has {}, which restores replaced",
            inspection.previous_schemas.join(", ")
        );
        found.warn("leftovers", words, "drop the schemas you do not need, with CASCADE");
    }
    check_clocks(inspection.clocks, inspection.migrations.applied.last().map(String::as_str), found);
    check_backlog(&inspection, running == Some(false), found);
    if inspection.migrations.pending.is_empty() && inspection.migrations.unknown.is_empty() {
        match check_signing_keys(config, Clock::default().now(), found).await {
            Ok(()) => {}
            Err(error) => {
                found.fail("signing keys", error.to_string(), "check that the database is readable")
            }
        }
    }
    if config.engine() == Engine::Postgres {
        match backup::client_version() {
            Ok(version) => found.ok("backup", version),
            Err(error) => found.warn(
                "backup",
                format!("{error:#}"),
                "`ringnity-server backup` does not work without it",
            ),
        }
    }
}

const DAMAGED_REMEDY: &str =
    "stop the server, copy the data folder, and restore the last backup with --replace";

fn check_integrity(config: &StoreConfig, inspection: &Inspection, found: &mut Findings) {
    for damage in &inspection.damage {
        found.fail("integrity", damage, DAMAGED_REMEDY);
    }
    for table in &inspection.orphans {
        found.fail("integrity", format!("rows in {table} refer to rows that do not exist"), DAMAGED_REMEDY);
    }
    if config.engine() == Engine::Sqlite && inspection.damage.is_empty() && inspection.orphans.is_empty() {
        found.ok("integrity", "all pages and references are intact");
    }
}

fn check_migrations(inspection: &Inspection, found: &mut Findings) {
    let state = &inspection.migrations;
    if let Err(error) = state.ensure_not_newer() {
        found.fail("migrations", error.to_string(), "run the version that wrote it, or a newer one");
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

/// Compares the database's clock with ours, read at the same time. `newest` is the newest applied migration.
fn check_clocks((theirs, ours): (DateTime<Utc>, DateTime<Utc>), newest: Option<&str>, found: &mut Findings) {
    let apart = (theirs - ours).abs();
    let words =
        format!("{} on this machine, {} s off the database's clock", ours.format("%F %T UTC"), millis(apart));
    let remedy = "synchronize the clocks of both machines with NTP";
    // The date cannot be before this program was written; the newest migration says when that was.
    let written = newest.and_then(|name| NaiveDate::parse_from_str(name.get(..10)?, "%F").ok());
    if ours.year() > 2100 || written.is_some_and(|day| ours.date_naive() < day - TimeDelta::days(2)) {
        found.fail(
            "clock",
            words,
            "this machine's date is wrong, and with it the expiry of every token; set it",
        );
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
        let words = format!("{} failed and will be retried; the last error: {last}", backlog.failing);
        found.warn("jobs", words, "fix the cause; they are retried automatically");
    }
    if backlog.late > 0 {
        let remedy = if no_server {
            "start the server, which runs them"
        } else {
            "check the server log for the reason"
        };
        found.warn("jobs", format!("{} are more than five minutes late", backlog.late), remedy);
    }
    if backlog.failing == 0 && backlog.late == 0 {
        found.ok("jobs", "none late, none failing");
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
        found.warn("signing keys", "none exist yet", "the server creates the first when it starts");
        return Ok(());
    };
    let days = (now - active.created_at).num_days();
    let words = format!("{} is active since {days} days; {} keys in total", active.kid, keys.len());
    if active.created_at > now + TimeDelta::minutes(5) {
        found.fail(
            "signing keys",
            format!("{} was created in the future", active.kid),
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
    let worst = if report.ok { "No check failed." } else { "Some checks failed: fix what is marked FAIL." };
    out + "\n" + worst
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The level of the one check that `check` adds. A check that did not pass has a remedy.
    fn level(check: impl FnOnce(&mut Findings)) -> Level {
        let mut found = Findings::default();
        check(&mut found);
        let [check] = &found.0[..] else { panic!("{} checks", found.0.len()) };
        assert_eq!(check.remedy.is_none(), check.level == Level::Ok, "{}", check.found);
        check.level
    }

    #[test]
    fn warns_before_the_disk_is_full() {
        for (bytes, expected) in [
            (0, Level::Fail),
            (49_999_999, Level::Fail),
            (50_000_000, Level::Warn),
            (999_999_999, Level::Warn),
            (1_000_000_000, Level::Ok),
            (u64::MAX, Level::Ok),
        ] {
            assert_eq!(level(|found| check_free_bytes(bytes, Path::new("data"), found)), expected, "{bytes}");
        }
    }

    #[test]
    fn reports_clock_skew_in_both_directions() {
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
                let actual = level(|found| check_clocks((theirs, now), Some("2026-11-22-000060_x"), found));
                assert_eq!(actual, expected, "{seconds}");
            }
        }
    }

    #[test]
    fn rejects_implausible_dates() {
        let newest = Some("2026-11-22-000060_minutely_quotas");
        for (ours, expected) in [
            ("1970-01-01T00:00:00Z", Level::Fail),
            ("2026-11-19T23:59:59Z", Level::Fail),
            // Another time zone may be a day ahead.
            ("2026-11-20T00:00:00Z", Level::Ok),
            ("2100-12-31T00:00:00Z", Level::Ok),
            ("2101-01-01T00:00:00Z", Level::Fail),
        ] {
            // SQLite uses this machine's clock, so the two are equal.
            let now: DateTime<Utc> = ours.parse().expect("a time");
            assert_eq!(level(|found| check_clocks((now, now), newest, found)), expected, "{ours}");
        }
        // Without migrations the earliest date is unknown.
        let now: DateTime<Utc> = "2001-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(level(|found| check_clocks((now, now), None, found)), Level::Ok);
    }
}

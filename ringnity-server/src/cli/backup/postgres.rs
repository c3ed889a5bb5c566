//! Backup and restore of a PostgreSQL database with its client programs, which have to be installed. They get the
//! password in their environment, because all users of the machine can read arguments.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};
use percent_encoding::percent_decode_str;
use ringnity_store::maintenance::{self, PREVIOUS_SCHEMA_PREFIX};
use ringnity_store::{MigrationState, StoreConfig, StoreError};
use url::Url;

use crate::cli::backup::{BackupContents, RestoreResult, describe_accounts, not_empty_error, timestamp};
use crate::cli::migrate;

/// Table of applied migrations.
const MIGRATIONS: &str = "__diesel_schema_migrations";

/// Why a dump failed.
#[derive(Debug, thiserror::Error)]
enum DumpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0:#}")]
    Tool(anyhow::Error),
}

/// Dumps the database into the empty file `partial`, whose permissions pg_dump keeps.
pub(super) async fn backup(config: &StoreConfig, partial: &Path) -> Result<BackupContents> {
    let state = maintenance::migration_state(config).await?;
    state.ensure_not_newer()?;
    if state.applied.is_empty() {
        return Err(StoreError::Missing(config.describe()).into());
    }
    let connection = Connection::new(config)?;
    let file = partial.to_owned();
    let ((), migrations, counts) = maintenance::postgres_with_snapshot(config, move |snapshot| {
        let mut dump = connection.tool("pg_dump");
        dump.args(["--format=custom", "--snapshot", snapshot, "--exclude-schema"])
            .arg(format!("{PREVIOUS_SCHEMA_PREFIX}*"));
        dump.arg("--file").arg(&file);
        run(dump).map(drop).map_err(DumpError::Tool)
    })
    .await?;
    // Check that the dump can be read.
    let mut list = Command::new("pg_restore");
    list.arg("--list").arg(partial);
    run(list).context("the dump is damaged and was deleted")?;
    Ok(BackupContents { migrations, counts: Some(counts) })
}

/// Replaces the contents of the database by those of `file`.
pub(super) async fn restore(
    config: &StoreConfig,
    file: &Path,
    replace: bool,
) -> Result<(BackupContents, RestoreResult)> {
    let migrations = migrations_in(file).with_context(|| format!("{} cannot be restored", file.display()))?;
    migrations.ensure_not_newer()?;
    if migrations.applied.is_empty() {
        bail!("{} is not a dump of a Ringnity database", file.display());
    }
    let there = maintenance::postgres_schema(config).await?;
    if let Some(words) = describe_accounts(there.tenants, there.platform_admins).filter(|_| !replace) {
        return Err(not_empty_error(config, &words));
    }
    maintenance::postgres_ensure_unused(config).await?;
    let kept_as = (there.tables > 0).then(|| format!("{PREVIOUS_SCHEMA_PREFIX}{}", timestamp()));
    let make_room = kept_as.as_deref().map(|kept_as| there.replace_statements(kept_as));
    let (connection, from) = (Connection::new(config)?, file.to_owned());
    tokio::task::spawn_blocking(move || load(&connection, &from, make_room.as_deref()))
        .await?
        .context("nothing was restored; the database is unchanged")?;
    let applied = migrate::apply_locked(config).await?;
    let kept_as = kept_as.map(|schema| format!("schema {schema}"));
    Ok((BackupContents { migrations, counts: None }, RestoreResult { kept_as, applied }))
}

/// Moves the existing tables away and loads `file`, in one transaction. pg_restore writes the statements, psql runs
/// them. COMMIT is sent only when pg_restore has succeeded.
fn load(connection: &Connection, file: &Path, make_room: Option<&str>) -> Result<()> {
    let mut restore = Command::new("pg_restore");
    restore.args(["--no-owner", "--no-privileges", "--file", "-"]).arg(file);
    let mut restore = start(restore.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let mut psql = connection.tool("psql");
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]);
    let mut psql = start(psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let (Some(mut statements), Some(mut into)) = (restore.stdout.take(), psql.stdin.take()) else {
        bail!("cannot connect pg_restore to psql");
    };
    let sent = into
        .write_all(format!("BEGIN;\n{}\n", make_room.unwrap_or_default()).as_bytes())
        .and_then(|()| std::io::copy(&mut statements, &mut into));
    // pg_restore would block if its output had no reader.
    drop(statements);
    let written = restore.wait_with_output()?;
    if sent.is_ok() && written.status.success() {
        // If psql has exited, its error is reported below.
        let _ = into.write_all(b"COMMIT;\n");
    }
    drop(into);
    let done = psql.wait_with_output()?;
    if !done.status.success() {
        return Err(tool_error("psql", &done));
    }
    if sent.is_err() || !written.status.success() {
        return Err(tool_error("pg_restore", &written));
    }
    Ok(())
}

/// The migrations in a dump.
fn migrations_in(file: &Path) -> Result<MigrationState> {
    let mut tool = Command::new("pg_restore");
    tool.args(["--data-only", "--table", MIGRATIONS, "--file", "-"]).arg(file);
    let script = String::from_utf8_lossy(&run(tool)?.stdout).into_owned();
    let rows = script.lines().skip_while(|line| !line.starts_with("COPY ")).skip(1);
    let versions: Vec<String> = rows
        .take_while(|line| *line != "\\.")
        .filter_map(|row| row.split('\t').next())
        .map(str::to_owned)
        .collect();
    Ok(MigrationState::from_versions(&versions)?)
}

/// Connection arguments of the client programs.
struct Connection {
    url: String,
    password: Option<String>,
}

impl Connection {
    fn new(config: &StoreConfig) -> Result<Self> {
        let url = config.postgres_url().context("this is not a PostgreSQL database")?;
        let (url, password) = without_password(url).context("cannot use --database-url: it is not a URL")?;
        Ok(Self { url, password })
    }

    fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(name);
        tool.arg("--no-password").arg(format!("--dbname={}", self.url));
        if let Some(password) = &self.password {
            tool.env("PGPASSWORD", password);
        }
        tool
    }
}

/// The URL without its password, and the password.
fn without_password(url: &str) -> Option<(String, Option<String>)> {
    let mut url = Url::parse(url).ok()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut password = url.password().map(decoded);
    if password.is_some() {
        url.set_password(None).ok()?;
    }
    let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if parameters.iter().any(|(name, _)| name == "password") {
        let from_query =
            parameters.iter().find(|(name, _)| name == "password").map(|(_, value)| value.clone());
        password = from_query.or(password);
        // The `url` crate would encode a space as a plus, which libpq does not decode.
        let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("password="));
        let query = pairs.collect::<Vec<_>>().join("&");
        url.set_query(Some(&query).filter(|query| !query.is_empty()).map(String::as_str));
    }
    Some((url.to_string(), password))
}

/// Runs a client program to its end.
fn run(mut tool: Command) -> Result<Output> {
    let name = tool.get_program().to_string_lossy().into_owned();
    let done =
        start(tool.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()?;
    if done.status.success() { Ok(done) } else { Err(tool_error(&name, &done)) }
}

fn start(tool: &mut Command) -> Result<Child> {
    let name = tool.get_program().to_string_lossy().into_owned();
    tool.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow::anyhow!(
            "{name} is not installed: install PostgreSQL client programs at least as new as the database server, on PATH"
        ),
        _ => anyhow::anyhow!("cannot run {name}: {error}"),
    })
}

fn tool_error(name: &str, done: &Output) -> anyhow::Error {
    let words = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let known = words.contains("version mismatch") || words.contains("unsupported version");
    let remedy = if known {
        "\nInstall PostgreSQL client programs at least as new as the database server."
    } else {
        ""
    };
    anyhow::anyhow!("{name} failed: {words}{remedy}")
}

/// The version of the client programs; fails if they are not installed.
pub(in crate::cli) fn client_version() -> Result<String> {
    let mut tool = Command::new("pg_dump");
    tool.arg("--version");
    let output = run(tool)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_the_password_from_the_url() {
        for (url, without, password) in [
            ("postgres://ann@db/x", "postgres://ann@db/x", None),
            ("postgres://ann:s%40crt@db:5433/x", "postgres://ann@db:5433/x", Some("s@crt")),
            ("postgres:///x?host=/run/pg", "postgres:///x?host=/run/pg", None),
            (
                "postgres://ann@db/x?password=pw&sslmode=require",
                "postgres://ann@db/x?sslmode=require",
                Some("pw"),
            ),
            ("postgres://ann@db/x?password=pw", "postgres://ann@db/x", Some("pw")),
        ] {
            assert_eq!(
                without_password(url),
                Some((without.to_owned(), password.map(str::to_owned))),
                "{url}"
            );
        }
    }
}

//! Copies of a PostgreSQL database: made and put back by PostgreSQL's own programs, which have to be installed. They
//! get the password by their environment: everybody on the machine can read arguments.

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

/// The table in which databases note their migrations.
const MIGRATIONS: &str = "__diesel_schema_migrations";

/// Why a copy could not be made.
#[derive(Debug, thiserror::Error)]
enum DumpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0:#}")]
    Tool(anyhow::Error),
}

/// Copies the database into `partial`, which is there and empty; pg_dump leaves it to its owner.
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
    // What cannot be listed cannot be restored.
    let mut list = Command::new("pg_restore");
    list.arg("--list").arg(partial);
    run(list).context("the copy is not sound, so it is not kept")?;
    Ok(BackupContents { migrations, counts: Some(counts) })
}

/// Puts what is in `file` in place of what is in the database.
pub(super) async fn restore(
    config: &StoreConfig,
    file: &Path,
    replace: bool,
) -> Result<(BackupContents, RestoreResult)> {
    let migrations = migrations_in(file).with_context(|| format!("{} cannot be restored", file.display()))?;
    migrations.ensure_not_newer()?;
    if migrations.applied.is_empty() {
        bail!("{} is a dump of PostgreSQL, and none of Ringnity", file.display());
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
        .context("nothing was restored, and the database is as it was")?;
    let applied = migrate::apply_locked(config).await?;
    let kept_as = kept_as.map(|schema| format!("schema {schema}"));
    Ok((BackupContents { migrations, counts: None }, RestoreResult { kept_as, applied }))
}

/// Puts everything in `file` into the database, and what is there out of the way, in one transaction: pg_restore writes
/// the statements, psql carries them out, and is told to commit only when pg_restore has come to its end.
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
    // Without a reader it would wait for ever.
    drop(statements);
    let written = restore.wait_with_output()?;
    if sent.is_ok() && written.status.success() {
        // Where psql is gone already, it says why below.
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

/// Which migrations the database had that is in `file`.
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

/// A database as PostgreSQL's programs are told of it.
struct Connection {
    url: String,
    password: Option<String>,
}

impl Connection {
    fn new(config: &StoreConfig) -> Result<Self> {
        let url = config.postgres_url().context("this database is no PostgreSQL")?;
        let (url, password) = without_password(url).context("cannot use --database-url: it is no URL")?;
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
        let given = parameters.iter().find(|(name, _)| name == "password").map(|(_, value)| value.clone());
        password = given.or(password);
        // Not by the URL crate's own pairs: it writes a space as a plus, and libpq reads that as a plus.
        let kept = url.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("password="));
        let kept = kept.collect::<Vec<_>>().join("&");
        url.set_query(Some(&kept).filter(|kept| !kept.is_empty()).map(String::as_str));
    }
    Some((url.to_string(), password))
}

/// Runs one of PostgreSQL's programs to its end.
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
            "{name} is not there: install PostgreSQL's client programs, as new as the server, and put them on PATH"
        ),
        _ => anyhow::anyhow!("cannot run {name}: {error}"),
    })
}

fn tool_error(name: &str, done: &Output) -> anyhow::Error {
    let words = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let known = words.contains("version mismatch") || words.contains("unsupported version");
    let remedy = if known {
        "\nInstall PostgreSQL's client programs of the server's version or a later one."
    } else {
        ""
    };
    anyhow::anyhow!("{name} failed: {words}{remedy}")
}

/// Whether PostgreSQL's programs are there: their version.
pub(in crate::cli) fn client_version() -> Result<String> {
    let mut tool = Command::new("pg_dump");
    tool.arg("--version");
    let told = run(tool)?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_taken_out_of_the_url() {
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

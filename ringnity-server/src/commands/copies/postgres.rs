//! Copies of a PostgreSQL database: made and put back by PostgreSQL's own programs, which have to be installed. They
//! get the password by their environment: everybody on the machine can read arguments.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};
use percent_encoding::percent_decode_str;
use ringnity_store::{MigrationState, StoreConfig, StoreError, upkeep};
use url::Url;

use super::{Facts, Placed, has_tenants, stamp};
use crate::commands::migrate;

/// What schemas are called in which replaced databases are kept; backups leave them out.
const KEPT: &str = "ringnity_before_";

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

/// Copies the database into `part`.
pub(super) async fn backup(config: &StoreConfig, part: &Path) -> Result<Facts> {
    let state = upkeep::migration_state(config).await?;
    state.refuse_newer()?;
    if state.applied.is_empty() {
        return Err(StoreError::Missing(config.describe()).into());
    }
    let place = Place::of(config)?;
    let file = part.to_owned();
    let ((), migrations, counts) = upkeep::postgres_dump(config, move |snapshot| {
        private_file(&file).map_err(DumpError::Tool)?;
        let mut dump = place.tool("pg_dump");
        dump.args(["--format=custom", "--snapshot", snapshot, "--exclude-schema"]).arg(format!("{KEPT}*"));
        dump.arg("--file").arg(&file);
        run(dump).map(drop).map_err(DumpError::Tool)
    })
    .await?;
    // What cannot be listed cannot be restored.
    let mut list = Command::new("pg_restore");
    list.arg("--list").arg(part);
    run(list).context("the copy is not sound, so it is not kept")?;
    Ok(Facts { migrations, counts: Some(counts) })
}

/// Puts what is in `file` in place of what is in the database.
pub(super) async fn restore(config: &StoreConfig, file: &Path, replace: bool) -> Result<(Facts, Placed)> {
    let migrations = migrations_in(file).with_context(|| format!("{} cannot be restored", file.display()))?;
    migrations.refuse_newer()?;
    if migrations.applied.is_empty() {
        bail!("{} is a dump of PostgreSQL, and none of Ringnity", file.display());
    }
    let (tables, tenants) = upkeep::postgres_tables(config).await?;
    if tenants > 0 && !replace {
        return Err(has_tenants(config, &format!("has {tenants} tenants")));
    }
    let aside = match tables {
        0 => None,
        _ => Some(upkeep::postgres_set_aside(config, &format!("{KEPT}{}", stamp())).await?),
    };
    let mut tool = Place::of(config)?.tool("pg_restore");
    tool.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]).arg(file);
    if let Err(error) = run(tool) {
        if let Some(aside) = &aside {
            upkeep::postgres_put_back(config, aside).await.with_context(|| {
                format!(
                    "the backup failed ({error:#}), and what was there is left in the schema {}",
                    aside.kept_as
                )
            })?;
        }
        return Err(error.context("nothing was restored, and the database is as it was"));
    }
    let applied = migrate::apply_claimed(config).await?;
    let kept_as = match aside {
        Some(aside) if aside.tenants == 0 => {
            aside.forget(config).await?;
            None
        }
        other => other.map(|aside| format!("schema {}", aside.kept_as)),
    };
    Ok((Facts { migrations, counts: None }, Placed { kept_as, applied }))
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
    Ok(MigrationState::of_versions(&versions)?)
}

/// A database as PostgreSQL's programs are told of it.
struct Place {
    url: String,
    password: Option<String>,
}

impl Place {
    fn of(config: &StoreConfig) -> Result<Self> {
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
    let done = tool.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow::anyhow!(
            "{name} is not there: install PostgreSQL's client programs, as new as the server, and put them on PATH"
        ),
        _ => anyhow::anyhow!("cannot run {name}: {error}"),
    })?;
    if done.status.success() {
        return Ok(done);
    }
    let words = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let known = words.contains("version mismatch") || words.contains("unsupported version");
    let remedy = if known {
        "\nInstall PostgreSQL's client programs of the server's version or a later one."
    } else {
        ""
    };
    bail!("{name} failed: {words}{remedy}")
}

/// Whether PostgreSQL's programs are there: their version.
pub(in crate::commands) fn tools() -> Result<String> {
    let mut tool = Command::new("pg_dump");
    tool.arg("--version");
    let told = run(tool)?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// Makes an empty file that only this user may read; the program that fills it leaves that as it is.
fn private_file(path: &Path) -> Result<()> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).with_context(|| format!("cannot write to {}", path.display()))?;
    Ok(())
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

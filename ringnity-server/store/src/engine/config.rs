//! [`StoreConfig`]: location of the database, and limits. The server reads files and environment, not this crate.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::engine::error::StoreError;

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Embedded: one file, for one server process.
    Sqlite,
    /// A database server, shared by any number of nodes.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        })
    }
}

/// A file path or a PostgreSQL URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DatabaseLocation {
    Sqlite(PathBuf),
    Postgres(String),
}

/// Configuration for [`Store::open`](crate::Store::open). [`StoreConfig::new`] sets defaults.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreConfig {
    pub(crate) location: DatabaseLocation,
    /// Size of the connection pool, at least 2. On SQLite these are readers and the writer has its own connection; on
    /// PostgreSQL readers and writers share them. Default: the number of processors (2 to 16) on SQLite, 16 on
    /// PostgreSQL.
    pub connections: usize,
    /// How long a call waits for a connection, or for a slot in the write queue, before it returns
    /// [`StoreError::Busy`]. Default: 30 seconds.
    pub acquire_timeout: Duration,
    /// SQLite only: queued writes in one commit, at most. 1 disables group commit. Default: 256.
    pub group_limit: usize,
}

impl StoreConfig {
    /// Parses `postgres://…`, `postgresql://…`, `sqlite:///absolute/path`, `sqlite://relative/path`, or a path.
    ///
    /// Returns [`StoreError::Config`] for other schemes, for in-memory databases, and for TLS modes of PostgreSQL unless
    /// the program was built with the feature `postgres-tls`.
    pub fn new(url: &str) -> Result<StoreConfig, StoreError> {
        let location = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            if let Some(mode) = tls_mode(url).filter(|_| !cfg!(feature = "postgres-tls")) {
                return Err(StoreError::Config(format!(
                    "sslmode={mode} needs TLS, which this program was built without: build it with `--features \
                     postgres-tls`, or remove sslmode if the network to the database is private"
                )));
            }
            DatabaseLocation::Postgres(url.to_owned())
        } else {
            let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
            if path.is_empty() || path.contains(":memory:") || path.contains("://") {
                return Err(StoreError::Config(
                    "give the database as postgres://…, as sqlite:///path/to/file, or as a path to a file"
                        .into(),
                ));
            }
            DatabaseLocation::Sqlite(PathBuf::from(path))
        };
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let connections = match location {
            DatabaseLocation::Sqlite(_) => processors.clamp(2, 16),
            DatabaseLocation::Postgres(_) => 16,
        };
        Ok(StoreConfig { location, connections, acquire_timeout: Duration::from_secs(30), group_limit: 256 })
    }

    /// The engine of the database.
    pub fn engine(&self) -> Engine {
        match self.location {
            DatabaseLocation::Sqlite(_) => Engine::Sqlite,
            DatabaseLocation::Postgres(_) => Engine::Postgres,
        }
    }

    /// The database file; `None` on PostgreSQL.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.location {
            DatabaseLocation::Sqlite(path) => Some(path),
            DatabaseLocation::Postgres(_) => None,
        }
    }

    /// The database URL with its password, for PostgreSQL's own programs; `None` on SQLite. Do not print or log it.
    pub fn postgres_url(&self) -> Option<&str> {
        match &self.location {
            DatabaseLocation::Postgres(url) => Some(url),
            DatabaseLocation::Sqlite(_) => None,
        }
    }

    /// The database URL for messages and logs: without password and parameters.
    pub fn describe(&self) -> String {
        match &self.location {
            DatabaseLocation::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseLocation::Postgres(url) => without_secrets(url),
        }
    }
}

/// The `sslmode` of a PostgreSQL URL, if it requires TLS.
fn tls_mode(url: &str) -> Option<&str> {
    let parameters = url.split_once('?')?.1.split('&');
    let mode = parameters.filter_map(|pair| pair.strip_prefix("sslmode=")).next_back()?;
    ["require", "verify-ca", "verify-full"].contains(&mode).then_some(mode)
}

fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (head, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // Everything before the last `@` of the authority may contain a password; parameters may too.
    match head.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        // The part before the question mark may be half of a password.
        None if parameters.contains('@') => format!("{scheme}://…"),
        None => format!("{scheme}://{head}"),
    }
}

/// A replacement for a connection error that contains a part of the password; `None` if it contains none.
///
/// libpq quotes the part of a URL that it cannot parse. If the password has unescaped special characters, that may be a
/// part of the password.
pub(crate) fn without_password(url: &str, message: &str) -> Option<String> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let user_password =
        rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    let parameter_passwords = rest.split(['?', '&']).filter_map(|pair| pair.strip_prefix("password="));
    // Messages of the server itself never contain a password.
    let from_server = message.contains("FATAL") || message.starts_with("connection to server");
    let shown =
        |part: &str| part.len() > 2 && message.contains(part) || message.contains(&format!("\"{part}\""));
    let mut parts = user_password
        .into_iter()
        .chain(parameter_passwords)
        .flat_map(|password| password.split(['/', '@', '?', '#', ':', '&']));
    let leaks = !from_server && parts.any(|part| !part.is_empty() && shown(part));
    leaks.then(|| {
        "cannot parse the database URL: if its password contains : / ? # @ & or %, write them as %3A %2F %3F %23 %40 \
         %26 and %25"
            .to_owned()
    })
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("database", &self.describe())
            .field("connections", &self.connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("group_limit", &self.group_limit)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_name_an_engine() {
        assert_eq!(StoreConfig::new("postgres://u@h/d").unwrap().engine(), Engine::Postgres);
        let path = |url| StoreConfig::new(url).unwrap().sqlite_path().unwrap().to_owned();
        assert_eq!(path("sqlite:///var/a.db"), Path::new("/var/a.db"));
        assert_eq!(path("sqlite://data/a.db"), Path::new("data/a.db"));
        assert_eq!(path("data/a.db"), Path::new("data/a.db"));
        for bad in ["", "mysql://h/d", "sqlite::memory:", ":memory:"] {
            let message = StoreConfig::new(bad).unwrap_err().to_string();
            assert!(message.contains("sqlite:///path"), "{bad}: {message}");
        }
    }

    #[test]
    #[cfg(not(feature = "postgres-tls"))]
    fn tls_that_was_not_built_in_is_refused_with_what_to_do() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://u@h/d?application_name=x&sslmode={mode}");
            let message = StoreConfig::new(&url).unwrap_err().to_string();
            assert!(message.contains(mode) && message.contains("--features postgres-tls"), "{message}");
        }
        for mode in ["disable", "allow", "prefer"] {
            assert!(StoreConfig::new(&format!("postgres://u@h/d?sslmode={mode}")).is_ok(), "{mode}");
        }
    }

    #[test]
    fn describe_omits_passwords() {
        let config = StoreConfig::new("postgres://ann:s3cret@db:5432/x?password=s3cret").unwrap();
        assert_eq!(config.describe(), "postgres://ann@db:5432/x");
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(StoreConfig::new("postgres://db/x").unwrap().describe(), "postgres://db/x");
        for odd in
            ["ann:one?s3cret@db/x", "ann:s3/cret@db/x", "ann:one@s3cret@db/x", "db/x?password=s3cret@2"]
        {
            let shown = StoreConfig::new(&format!("postgres://{odd}")).unwrap().describe();
            assert!(
                !shown.contains("one") && !shown.contains("s3") && !shown.contains('2'),
                "{odd}: {shown}"
            );
        }
    }

    #[test]
    fn connection_errors_omit_passwords() {
        for (url, message) in [
            ("postgres://a:s3cret@[::1/x", "end of string reached in URI: \"postgres://a:s3cret@[::1/x\""),
            ("postgres://a:s3/cret@h/x", "invalid integer value \"s3\" for connection option \"port\""),
            ("postgres://a:one@s3cret@h/x", "could not translate host name \"s3cret@h\" to address"),
            ("postgres://h/x?password=s3cret", "no idea what s3cret is"),
        ] {
            let shown = without_password(url, message).expect("a replacement");
            assert!(!shown.contains("s3") && shown.contains("%2F"), "{shown}");
        }
        for (url, message) in [
            (
                "postgres://a:postgres@h/x",
                "connection to server at \"h\" failed: FATAL: no such user \"postgres\"",
            ),
            ("postgres://a:s3cret@h/x", "could not translate host name \"h\" to address"),
            ("postgres://a@h/x", "could not translate host name \"h\" to address"),
        ] {
            assert_eq!(without_password(url, message), None, "{message}");
        }
    }
}

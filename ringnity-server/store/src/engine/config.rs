//! Where the database is and how hard it may be leaned on. No reading of files or environment here: the server does.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::engine::error::StoreError;

/// The two databases that Ringnity runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Embedded: a file in the data folder, for one server process.
    Sqlite,
    /// Shared by any number of server nodes.
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

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DatabaseLocation {
    Sqlite(PathBuf),
    Postgres(String),
}

/// What [`Store::open`](crate::Store::open) needs to know. Made from a database URL; the rest has defaults.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreConfig {
    pub(crate) location: DatabaseLocation,
    /// Connections at most: on SQLite the readers (the writer has its own), on PostgreSQL readers and writers. Fewer than
    /// two are two.
    pub connections: usize,
    /// How long a caller waits for its turn before it is told [`StoreError::Busy`].
    pub acquire_timeout: Duration,
    /// SQLite: how many queued writes one commit may carry. 1 switches group commit off.
    pub group_limit: usize,
}

impl StoreConfig {
    /// Takes `postgres://…`, `postgresql://…`, `sqlite:///absolute/path`, `sqlite://relative/path`, or a path.
    pub fn new(url: &str) -> Result<StoreConfig, StoreError> {
        let location = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            if let Some(mode) = tls_mode(url).filter(|_| !cfg!(feature = "postgres-tls")) {
                return Err(StoreError::Config(format!(
                    "sslmode={mode} asks for TLS to the database, which this program was built without: build it \
                     with `--features postgres-tls`, or leave sslmode out where the way to the database is private"
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

    /// Which of the two databases the URL names.
    pub fn engine(&self) -> Engine {
        match self.location {
            DatabaseLocation::Sqlite(_) => Engine::Sqlite,
            DatabaseLocation::Postgres(_) => Engine::Postgres,
        }
    }

    /// The database file, on SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.location {
            DatabaseLocation::Sqlite(path) => Some(path),
            DatabaseLocation::Postgres(_) => None,
        }
    }

    /// The database's URL with its password, on PostgreSQL: for its own programs, not for people and logs.
    pub fn postgres_url(&self) -> Option<&str> {
        match &self.location {
            DatabaseLocation::Postgres(url) => Some(url),
            DatabaseLocation::Sqlite(_) => None,
        }
    }

    /// The database for people and logs: a PostgreSQL URL without its password and parameters.
    pub fn describe(&self) -> String {
        match &self.location {
            DatabaseLocation::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseLocation::Postgres(url) => without_secrets(url),
        }
    }
}

/// The `sslmode` of a PostgreSQL URL, if it insists on TLS.
fn tls_mode(url: &str) -> Option<&str> {
    let parameters = url.split_once('?')?.1.split('&');
    let mode = parameters.filter_map(|pair| pair.strip_prefix("sslmode=")).next_back()?;
    ["require", "verify-ca", "verify-full"].contains(&mode).then_some(mode)
}

fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (head, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // Everything before the last `@` of the authority may hold a password; parameters may too.
    match head.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}")
        }
        // What stands before the question mark may be half of a password.
        None if parameters.contains('@') => format!("{scheme}://…"),
        None => format!("{scheme}://{head}"),
    }
}

/// Why a database could not be connected to, without its password: libpq repeats the part of a URL that it does not
/// understand, and where a password has characters that mean something in URLs, that is a part of the password.
pub(crate) fn without_password(url: &str, message: &str) -> Option<String> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let user_password =
        rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    let parameter_passwords = rest.split(['?', '&']).filter_map(|pair| pair.strip_prefix("password="));
    // What the server itself says is about somebody that it knows, and never holds a password.
    let from_server = message.contains("FATAL") || message.starts_with("connection to server");
    let shown =
        |part: &str| part.len() > 2 && message.contains(part) || message.contains(&format!("\"{part}\""));
    let mut parts = user_password
        .into_iter()
        .chain(parameter_passwords)
        .flat_map(|password| password.split(['/', '@', '?', '#', ':', '&']));
    let leaks = !from_server && parts.any(|part| !part.is_empty() && shown(part));
    leaks.then(|| {
        "the URL of the database is not understood: where its password holds one of : / ? # @ & and %, write them as \
         %3A %2F %3F %23 %40 %26 and %25"
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
    fn passwords_stay_out_of_logs() {
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
    fn passwords_stay_out_of_errors() {
        for (url, message) in [
            ("postgres://a:s3cret@[::1/x", "end of string reached in URI: \"postgres://a:s3cret@[::1/x\""),
            ("postgres://a:s3/cret@h/x", "invalid integer value \"s3\" for connection option \"port\""),
            ("postgres://a:one@s3cret@h/x", "could not translate host name \"s3cret@h\" to address"),
            ("postgres://h/x?password=s3cret", "no idea what s3cret is"),
        ] {
            let shown = without_password(url, message).expect("it is told otherwise");
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

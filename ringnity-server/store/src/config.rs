//! Where the database is and how hard it may be leaned on. No reading of files or environment here: the server does.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::error::StoreError;

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
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

/// What [`Store::open`](crate::Store::open) needs to know. Made from a database URL; the rest has defaults.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreConfig {
    pub(crate) place: Place,
    /// Connections at most: on SQLite the readers (the writer has its own), on PostgreSQL readers and writers.
    pub connections: usize,
    /// How long a caller waits for its turn before it is told [`StoreError::Busy`].
    pub patience: Duration,
    /// SQLite: how many queued writes one commit may carry. 1 switches group commit off.
    pub group_limit: usize,
}

impl StoreConfig {
    /// Takes `postgres://…`, `postgresql://…`, `sqlite:///absolute/path`, `sqlite://relative/path`, or a path.
    pub fn new(url: &str) -> Result<StoreConfig, StoreError> {
        let place = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            if let Some(mode) = tls_mode(url).filter(|_| !cfg!(feature = "postgres-tls")) {
                return Err(StoreError::Config(format!(
                    "sslmode={mode} asks for TLS to the database, which this program was built without: build it \
                     with `--features postgres-tls`, or leave sslmode out where the way to the database is private"
                )));
            }
            Place::Postgres(url.to_owned())
        } else {
            let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
            if path.is_empty() || path.contains(":memory:") || path.contains("://") {
                return Err(StoreError::Config(
                    "give the database as postgres://…, as sqlite:///path/to/file, or as a path to a file"
                        .into(),
                ));
            }
            Place::Sqlite(PathBuf::from(path))
        };
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let connections = match place {
            Place::Sqlite(_) => processors.clamp(2, 16),
            Place::Postgres(_) => 16,
        };
        Ok(StoreConfig { place, connections, patience: Duration::from_secs(30), group_limit: 256 })
    }

    /// Which of the two databases the URL names.
    pub fn engine(&self) -> Engine {
        match self.place {
            Place::Sqlite(_) => Engine::Sqlite,
            Place::Postgres(_) => Engine::Postgres,
        }
    }

    /// The database file, on SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }

    /// The database's URL with its password, on PostgreSQL: for its own programs, not for people and logs.
    pub fn postgres_url(&self) -> Option<&str> {
        match &self.place {
            Place::Postgres(url) => Some(url),
            Place::Sqlite(_) => None,
        }
    }

    /// The database for people and logs: a PostgreSQL URL without its password and parameters.
    pub fn describe(&self) -> String {
        match &self.place {
            Place::Sqlite(path) => format!("sqlite://{}", path.display()),
            Place::Postgres(url) => without_secrets(url),
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
    // Everything before the last `@` of the authority may hold a password; parameters may too.
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("database", &self.describe())
            .field("connections", &self.connections)
            .field("patience", &self.patience)
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
            let words = StoreConfig::new(bad).unwrap_err().to_string();
            assert!(words.contains("sqlite:///path"), "{bad}: {words}");
        }
    }

    #[test]
    #[cfg(not(feature = "postgres-tls"))]
    fn tls_that_was_not_built_in_is_refused_with_what_to_do() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://u@h/d?application_name=x&sslmode={mode}");
            let words = StoreConfig::new(&url).unwrap_err().to_string();
            assert!(words.contains(mode) && words.contains("--features postgres-tls"), "{words}");
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
    }
}

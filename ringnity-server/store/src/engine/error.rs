//! [`StoreError`]. Knows no HTTP: the server maps it in one place.

use diesel::{
    ConnectionError,
    result::{DatabaseErrorKind, Error as DieselError},
};

/// Part of PostgreSQL's message when a write is begun on a standby.
pub(crate) const HOT_STANDBY: &str = "in a hot standby";

/// Boxed cause of an error.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Result of every query.
pub type StoreResult<T> = Result<T, StoreError>;

/// Names of unique indexes, the same on both engines, for [`StoreError::is_conflict_on`].
pub mod constraint {
    /// Username of an agent within its tenant.
    pub const AGENT_USERNAME: &str = "agents_tenant_id_username_key";
    /// External id of a contact within its tenant.
    pub const CONTACT_EXTERNAL_ID: &str = "contacts_tenant_id_external_id_key";
    /// Name of a department within its tenant.
    pub const DEPARTMENT_NAME: &str = "departments_tenant_id_name_key";
    /// Device id within tenant and push provider.
    pub const DEVICE_OF_PROVIDER: &str = "device_push_tokens_tenant_id_provider_device_id_key";
    /// Push token within tenant and push provider.
    pub const DEVICE_TOKEN: &str = "device_push_tokens_tenant_id_provider_token_hash_key";
    /// One identity per owner and issuer.
    pub const OWNER_IDENTITY_ISSUER: &str = "owner_identities_tenant_id_owner_id_issuer_key";
    /// `client_id` of an OAuth client.
    pub const OAUTH_CLIENT_CLIENT_ID: &str = "oauth_clients_client_id_key";
    /// Sign-in email of an owner, in all tenants.
    pub const OWNER_EMAIL: &str = "owners_email_key";
    /// Slug of a plan.
    pub const PLAN_SLUG: &str = "plans_slug_key";
    /// Sign-in email of a platform administrator.
    pub const PLATFORM_ADMIN_EMAIL: &str = "platform_admins_email_key";
    /// Secret of a Server API credential, in all tenants.
    pub const SERVER_CREDENTIAL_SECRET_HASH: &str = "server_credentials_secret_hash_key";
    /// Public widget key of a tenant.
    pub const TENANT_PUBLIC_KEY: &str = "tenants_public_key_key";
    /// Slug of a tenant.
    pub const TENANT_SLUG: &str = "tenants_slug_key";
    /// Verified external id of a visitor within its tenant.
    pub const VISITOR_EXTERNAL_ID: &str = "visitors_tenant_id_external_id_key";

    /// All names above.
    pub const ALL: &[&str] = &[
        AGENT_USERNAME,
        CONTACT_EXTERNAL_ID,
        DEPARTMENT_NAME,
        DEVICE_OF_PROVIDER,
        DEVICE_TOKEN,
        OWNER_IDENTITY_ISSUER,
        OAUTH_CLIENT_CLIENT_ID,
        OWNER_EMAIL,
        PLAN_SLUG,
        PLATFORM_ADMIN_EMAIL,
        SERVER_CREDENTIAL_SECRET_HASH,
        TENANT_PUBLIC_KEY,
        TENANT_SLUG,
        VISITOR_EXTERNAL_ID,
    ];
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached or cannot write, for example because the disk is full. Retry later. If the
    /// connection was lost during a commit, it is unknown whether the write took place.
    #[error("the database is not available: {0}")]
    Unavailable(Cause),
    /// A unique violation.
    #[error("unique constraint violated: {constraint}")]
    Conflict {
        /// Name of the unique index, one of [`constraint`].
        constraint: String,
    },
    /// A foreign key violation: a referenced row does not exist, or the row is still referenced.
    #[error("a referenced row does not exist, or the row is still referenced")]
    Reference(#[source] Cause),
    /// The text contains a NUL byte, which PostgreSQL cannot store.
    #[error("text with a NUL byte cannot be stored")]
    InvalidText,
    /// The call waited too long for a connection, the write queue or a lock. Retry later.
    #[error("the database is too busy: {0}")]
    Busy(String),
    /// The database was migrated by a newer version of this program.
    #[error(
        "the database was written by a newer version of Ringnity (its schema has {found}, this program knows up to \
         {known}): start that version or a later one, or restore a backup made before the upgrade"
    )]
    NewerSchema {
        /// The newest migration that only the database knows.
        found: String,
        /// The newest migration that this program knows.
        known: String,
    },
    /// There is no database, or it is not a Ringnity database.
    #[error(
        "there is no database of Ringnity at {0} yet: run `ringnity-server migrate`, or start the server"
    )]
    Missing(String),
    /// The database has pending migrations.
    #[error(
        "the database has {count} pending migrations ({first} and later): run `ringnity-server migrate`, or start the \
         server",
        count = pending.len(),
        first = pending.first().map_or("", String::as_str)
    )]
    NotMigrated {
        /// Names of the pending migrations, oldest first.
        pending: Vec<String>,
    },
    /// The database URL is invalid.
    #[error("{0}")]
    Config(String),
    /// The database file is damaged, or a row cannot be decoded.
    #[error("the database is corrupt: {0}")]
    Corrupt(Cause),
    /// The closure passed to `read` or `write` panicked. Its transaction was rolled back.
    #[error("a database operation panicked: {0}")]
    Panicked(String),
    /// The lease of a job expired and another worker has claimed it.
    #[error("the lease of the job expired and another worker has claimed it")]
    LeaseLost,
    /// Any other error: a bug.
    #[error("unexpected database error: {0}")]
    Other(Cause),
}

impl StoreError {
    /// Whether this is a [`StoreError::Conflict`] on that [`constraint`].
    pub fn is_conflict_on(&self, name: &str) -> bool {
        matches!(self, StoreError::Conflict { constraint } if constraint == name)
    }

    pub(crate) fn closed() -> StoreError {
        StoreError::Unavailable("the store was closed".into())
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> StoreError {
        match error {
            DieselError::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::UniqueViolation => {
                    let constraint = info
                        .constraint_name()
                        .map(str::to_owned)
                        .unwrap_or_else(|| sqlite_constraint(info.message()));
                    StoreError::Conflict { constraint }
                }
                DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::RestrictViolation => {
                    StoreError::Reference(info.message().into())
                }
                // `ReadOnlyTransaction`: an administrator made the database read-only. A standby is classified by message.
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction => {
                    StoreError::Unavailable(info.message().trim().into())
                }
                DatabaseErrorKind::SerializationFailure => StoreError::Busy(info.message().to_owned()),
                _ => classify_by_message(DieselError::DatabaseError(kind, info)),
            },
            // libpq cannot bind text with a NUL byte; SQLite can.
            DieselError::InvalidCString(_) => StoreError::InvalidText,
            DieselError::DeserializationError(cause) => StoreError::Corrupt(cause),
            DieselError::RollbackErrorOnCommit { commit_error, .. } => StoreError::from(*commit_error),
            DieselError::BrokenTransactionManager => StoreError::Unavailable(Box::new(error)),
            other => StoreError::Other(Box::new(other)),
        }
    }
}

impl From<ConnectionError> for StoreError {
    fn from(error: ConnectionError) -> StoreError {
        match error {
            ConnectionError::CouldntSetupConfiguration(error) => StoreError::from(error),
            ConnectionError::InvalidConnectionUrl(message) => StoreError::Config(message),
            other => StoreError::Unavailable(other.to_string().trim().into()),
        }
    }
}

/// Classifies errors for which diesel has no kind. SQLite's messages are always English. PostgreSQL's are English unless
/// `lc_messages` is set otherwise; these errors are `Other` then.
fn classify_by_message(error: DieselError) -> StoreError {
    let message = error.to_string();
    let contains = |part: &str| message.contains(part);
    if contains("database is locked")
        || contains("database table is locked")
        || contains("due to lock timeout")
        || contains("due to statement timeout")
    {
        StoreError::Busy(message)
    } else if contains("unable to open database file")
        || contains("disk I/O error")
        || contains("database or disk is full")
        || contains("No space left on device")
        || contains("Disk quota exceeded")
        || contains("could not extend file")
        || contains("readonly database")
        || contains("remaining connection slots")
        || contains("too many clients")
        || contains("terminating connection")
        || contains("system is shutting down")
        || contains("system is starting up")
        || contains("in recovery mode")
        || contains(HOT_STANDBY)
    {
        StoreError::Unavailable(Box::new(error))
    } else if contains("disk image is malformed") || contains("file is not a database") {
        StoreError::Corrupt(Box::new(error))
    } else if contains("invalid byte sequence for encoding") {
        StoreError::InvalidText
    } else {
        StoreError::Other(Box::new(error))
    }
}

/// The index name for an SQLite message, which lists columns: `UNIQUE constraint failed: agents.tenant_id,
/// agents.username`. Our unique indexes are called `<table>_<columns>_key`.
fn sqlite_constraint(message: &str) -> String {
    let columns = message.rsplit(": ").next().unwrap_or(message);
    let mut name = String::new();
    for column in columns.split(", ") {
        let (table, column) = column.split_once('.').unwrap_or(("", column));
        if name.is_empty() {
            name.push_str(table);
        }
        name.push('_');
        name.push_str(column);
    }
    name + "_key"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hot_standby_is_unavailable() {
        let message = Box::new("cannot use serializable mode in a hot standby".to_owned());
        let error = StoreError::from(DieselError::DatabaseError(DatabaseErrorKind::Unknown, message));
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }

    /// SQLSTATE 53100, which diesel has no kind for. The messages are from PostgreSQL's md.c, fd.c and xlog.c.
    #[test]
    fn full_disk_of_postgres_is_unavailable() {
        for text in [
            "could not extend file \"base/16384/16397\": No space left on device",
            "could not extend file \"base/16384/16397\": wrote only 4096 of 8192 bytes at block 7",
            "could not extend file \"base/16384/16397\" with FileFallocate(): No space left on device",
            "could not write to file \"pg_wal/xlogtemp.4711\": No space left on device",
            "could not write to file \"base/pgsql_tmp/pgsql_tmp4711.0\": Disk quota exceeded",
        ] {
            let message = Box::new(text.to_owned());
            let error = StoreError::from(DieselError::DatabaseError(DatabaseErrorKind::Unknown, message));
            assert!(matches!(error, StoreError::Unavailable(_)), "{text}: {error:?}");
        }
    }

    #[test]
    fn derives_constraint_names_from_sqlite_messages() {
        let name = sqlite_constraint("UNIQUE constraint failed: agents.tenant_id, agents.username");
        assert_eq!(name, constraint::AGENT_USERNAME);
        assert_eq!(sqlite_constraint("UNIQUE constraint failed: tenants.slug"), constraint::TENANT_SLUG);
    }
}

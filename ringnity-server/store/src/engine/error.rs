//! What can go wrong with the store, in few kinds. Knows no HTTP: one place in the server maps it.

use diesel::{
    ConnectionError,
    result::{DatabaseErrorKind, Error as DieselError},
};

/// Part of PostgreSQL's message when a write is begun on a standby.
pub(crate) const HOT_STANDBY: &str = "in a hot standby";

/// Boxed cause of an error.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What every query answers with.
pub type StoreResult<T> = Result<T, StoreError>;

/// Names of unique constraints, the same on both engines, to compare [`StoreError::Conflict`] with.
pub mod constraint {
    /// A username is taken within its tenant.
    pub const AGENT_USERNAME: &str = "agents_tenant_id_username_key";
    /// An external id is taken within its tenant.
    pub const CONTACT_EXTERNAL_ID: &str = "contacts_tenant_id_external_id_key";
    /// A department's name is taken within its tenant.
    pub const DEPARTMENT_NAME: &str = "departments_tenant_id_name_key";
    /// A device is registered with that provider.
    pub const DEVICE_OF_PROVIDER: &str = "device_push_tokens_tenant_id_provider_device_id_key";
    /// A push token is registered with that provider.
    pub const DEVICE_TOKEN: &str = "device_push_tokens_tenant_id_provider_token_hash_key";
    /// An owner is known by another account of the same issuer already.
    pub const OWNER_IDENTITY_ISSUER: &str = "owner_identities_tenant_id_owner_id_issuer_key";
    /// Two OAuth clients that call themselves the same.
    pub const OAUTH_CLIENT_CLIENT_ID: &str = "oauth_clients_client_id_key";
    /// An owner's sign-in email is taken.
    pub const OWNER_EMAIL: &str = "owners_email_key";
    /// A plan's slug is taken.
    pub const PLAN_SLUG: &str = "plans_slug_key";
    /// A platform administrator's email is taken.
    pub const PLATFORM_ADMIN_EMAIL: &str = "platform_admins_email_key";
    /// Two credentials with one secret.
    pub const SERVER_CREDENTIAL_SECRET_HASH: &str = "server_credentials_secret_hash_key";
    /// A public widget key is taken.
    pub const TENANT_PUBLIC_KEY: &str = "tenants_public_key_key";
    /// A tenant's slug is taken.
    pub const TENANT_SLUG: &str = "tenants_slug_key";
    /// A vouched-for identity is known within its tenant.
    pub const VISITOR_EXTERNAL_ID: &str = "visitors_tenant_id_external_id_key";

    /// All of the above.
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

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, or cannot write (disk full). It comes back by itself; the caller may try
    /// again. Only where a commit was under way is it unknown whether it took place.
    #[error("the database is not available: {0}")]
    Unavailable(Cause),
    /// A value that must be unique is taken; the name is one of [`constraint`].
    #[error("a value that must be unique is taken ({constraint})")]
    Conflict {
        /// Name of the unique index.
        constraint: String,
    },
    /// A row that this one refers to does not exist (any more), or is still referred to.
    #[error("a row that this one refers to does not exist, or rows still refer to this one")]
    Reference(#[source] Cause),
    /// The text holds what the database cannot store: a NUL byte.
    #[error("text with a NUL byte cannot be stored")]
    InvalidText,
    /// The turn of this call did not come in time.
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
    /// There is no database, or none of this program.
    #[error(
        "there is no database of Ringnity at {0} yet: run `ringnity-server migrate`, or start the server"
    )]
    Missing(String),
    /// The database lacks migrations of this program.
    #[error(
        "the database lacks {count} migrations of this version ({first} and later): run `ringnity-server migrate`, or start \
         the server",
        count = pending.len(),
        first = pending.first().map_or("", String::as_str)
    )]
    NotMigrated {
        /// Their names, oldest first.
        pending: Vec<String>,
    },
    /// The database URL makes no sense.
    #[error("{0}")]
    Config(String),
    /// The database is damaged, or a row cannot be read back.
    #[error("the database holds what cannot be read: {0}")]
    Corrupt(Cause),
    /// The closure given to `read` or `write` panicked; nothing of it was kept.
    #[error("a database operation panicked: {0}")]
    Panicked(String),
    /// A job was done too slowly, or by one who was thought dead: its lease lapsed and somebody else has it now.
    #[error("this job is somebody else's by now, so what was done here does not count")]
    LeaseLost,
    /// Everything else: a defect of the program.
    #[error("unexpected database error: {0}")]
    Other(Cause),
}

impl StoreError {
    /// Whether this is the violation of that one of the [`constraint`]s.
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
                // A database that its administrator has switched so. A standby says it in words, see below.
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction => {
                    StoreError::Unavailable(info.message().trim().into())
                }
                DatabaseErrorKind::SerializationFailure => StoreError::Busy(info.message().to_owned()),
                _ => classify_by_message(DieselError::DatabaseError(kind, info)),
            },
            // SQLite binds text as it is; libpq wants it without NUL.
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

/// The kinds that diesel does not tell apart. SQLite's messages are fixed English; PostgreSQL's are English
/// unless lc_messages says otherwise, and then these fall back to `Other`, which is honest if less helpful.
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

/// SQLite names columns, not the index: `UNIQUE constraint failed: agents.tenant_id, agents.username`.
/// Our unique indexes are called `table_columns_key`, so the name follows.
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
    fn a_standby_is_no_fault_of_ours() {
        let message = Box::new("cannot use serializable mode in a hot standby".to_owned());
        let error = StoreError::from(DieselError::DatabaseError(DatabaseErrorKind::Unknown, message));
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }

    /// SQLSTATE 53100, which diesel does not tell apart, in the words of PostgreSQL's md.c, fd.c and xlog.c.
    #[test]
    fn a_disk_of_postgresql_that_is_full_is_one_that_cannot_write() {
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
    fn constraint_names_follow_from_sqlites_messages() {
        let name = sqlite_constraint("UNIQUE constraint failed: agents.tenant_id, agents.username");
        assert_eq!(name, constraint::AGENT_USERNAME);
        assert_eq!(sqlite_constraint("UNIQUE constraint failed: tenants.slug"), constraint::TENANT_SLUG);
    }
}

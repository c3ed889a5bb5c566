//! Keys that sign tokens. They are stored so that tokens survive a restart and are valid on every node. Callers choose
//! algorithm and purpose.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult},
    ids::SigningKeyId,
    schema::signing_keys,
};

/// Value of `signing_keys.active` for the key that signs. The column is null for retired keys.
const ACTIVE: &str = "active";

/// A signing key, current or retired.
#[derive(Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = signing_keys)]
pub struct SigningKey {
    /// Key id, the `kid` of signed tokens.
    pub kid: SigningKeyId,
    /// Which tokens it signs. One key per purpose is current.
    pub purpose: String,
    /// Name of the signature algorithm.
    pub algorithm: String,
    /// Secret or private key, in the text encoding of the caller.
    pub private_key: String,
    /// Public key, in the text encoding of the caller, if the algorithm has one.
    pub public_key: Option<String>,
    /// Creation time.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// When it was replaced. Tokens that it signed are valid as long as the key is stored.
    #[diesel(deserialize_as = NullableDbTimestamp)]
    pub retired_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("purpose", &self.purpose)
            .field("algorithm", &self.algorithm)
            .field("retired_at", &self.retired_at)
            .finish_non_exhaustive()
    }
}

/// A new key. Fields as in [`SigningKey`].
#[derive(Clone)]
#[allow(missing_docs)]
pub struct NewSigningKey {
    pub algorithm: String,
    pub private_key: String,
    pub public_key: Option<String>,
}

/// The current key for a purpose, if any.
pub fn signing_key_current(c: &mut Conn, purpose: &str) -> StoreResult<Option<SigningKey>> {
    Ok(signing_keys::table
        .filter(signing_keys::purpose.eq(purpose))
        .filter(signing_keys::active.eq(ACTIVE))
        .select(SigningKey::as_select())
        .first(c)
        .optional()?)
}

/// All stored keys for a purpose, current and retired, newest first.
pub fn signing_key_list(c: &mut Conn, purpose: &str) -> StoreResult<Vec<SigningKey>> {
    Ok(signing_keys::table
        .filter(signing_keys::purpose.eq(purpose))
        .order((signing_keys::created_at.desc(), signing_keys::kid.desc()))
        .select(SigningKey::as_select())
        .load(c)?)
}

/// The current key for a purpose. Inserts `new` if there is none. Nodes that start at the same time get the same key.
pub fn signing_key_ensure(
    c: &mut Conn,
    purpose: &str,
    new: &NewSigningKey,
    now: DateTime<Utc>,
) -> StoreResult<SigningKey> {
    match signing_key_current(c, purpose)? {
        Some(key) => Ok(key),
        None => signing_key_insert(c, purpose, new, now),
    }
}

/// Makes `new` the current key for a purpose and retires the previous one.
pub fn signing_key_rotate(
    c: &mut Conn,
    purpose: &str,
    new: &NewSigningKey,
    now: DateTime<Utc>,
) -> StoreResult<SigningKey> {
    update(signing_keys::table)
        .filter(signing_keys::purpose.eq(purpose))
        .filter(signing_keys::active.eq(ACTIVE))
        .set((signing_keys::active.eq(None::<String>), signing_keys::retired_at.eq(DbTimestamp::from(now))))
        .execute(c)?;
    signing_key_insert(c, purpose, new, now)
}

fn signing_key_insert(
    c: &mut Conn,
    purpose: &str,
    new: &NewSigningKey,
    now: DateTime<Utc>,
) -> StoreResult<SigningKey> {
    let kid = SigningKeyId::generate();
    insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(&kid),
            signing_keys::purpose.eq(purpose),
            signing_keys::algorithm.eq(&new.algorithm),
            signing_keys::private_key.eq(&new.private_key),
            signing_keys::public_key.eq(new.public_key.as_deref()),
            signing_keys::active.eq(ACTIVE),
            signing_keys::created_at.eq(DbTimestamp::from(now)),
        ))
        .execute(c)?;
    Ok(signing_keys::table.find(&kid).select(SigningKey::as_select()).first(c)?)
}

/// Deletes keys retired before `before`. Returns how many. Tokens that they signed become invalid.
pub fn signing_key_delete_retired(c: &mut Conn, before: DateTime<Utc>) -> StoreResult<usize> {
    Ok(delete(signing_keys::table.filter(signing_keys::retired_at.lt(DbTimestamp::from(before))))
        .execute(c)?)
}

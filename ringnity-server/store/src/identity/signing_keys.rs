//! Keys that sign tokens: kept here so that tokens survive a restart and hold on every node. What they sign, and
//! with which algorithm, is not known here.

use chrono::{DateTime, Utc};
use diesel::{delete, insert_into, prelude::*, update};

use crate::{
    engine::{Conn, DbTimestamp, NullableDbTimestamp, StoreResult},
    ids::SigningKeyId,
    schema::signing_keys,
};

/// What `signing_keys.active` holds while a key signs.
const ACTIVE: &str = "active";

/// A key that signs, or has signed, tokens.
#[derive(Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = signing_keys)]
pub struct SigningKey {
    /// The `kid` of what it signs.
    pub kid: SigningKeyId,
    /// Which tokens it signs.
    pub purpose: String,
    /// Name of the algorithm.
    pub algorithm: String,
    /// Secret or private key, as text.
    pub private_key: String,
    /// Public key as text, where the algorithm has one.
    pub public_key: Option<String>,
    /// When it was made.
    #[diesel(deserialize_as = DbTimestamp)]
    pub created_at: DateTime<Utc>,
    /// Since when it signs no more. What it has signed stays valid as long as the key is kept.
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

/// What a new key is made of; see [`SigningKey`] for the fields.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct NewSigningKey {
    pub algorithm: String,
    pub private_key: String,
    pub public_key: Option<String>,
}

/// The key that signs for that purpose now.
pub fn signing_key_current(c: &mut Conn, purpose: &str) -> StoreResult<Option<SigningKey>> {
    Ok(signing_keys::table
        .filter(signing_keys::purpose.eq(purpose))
        .filter(signing_keys::active.eq(ACTIVE))
        .select(SigningKey::as_select())
        .first(c)
        .optional()?)
}

/// All keys of that purpose whose signatures are still valid, newest first.
pub fn signing_key_list(c: &mut Conn, purpose: &str) -> StoreResult<Vec<SigningKey>> {
    Ok(signing_keys::table
        .filter(signing_keys::purpose.eq(purpose))
        .order((signing_keys::created_at.desc(), signing_keys::kid.desc()))
        .select(SigningKey::as_select())
        .load(c)?)
}

/// The key that signs for that purpose; the given one becomes it if there is none yet. All nodes that start at
/// once get the same.
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

/// The given key signs from now on; the one that did is retired.
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

/// Deletes keys that were retired before that time, when nothing they signed can still be valid; says how many.
pub fn signing_key_delete_retired(c: &mut Conn, before: DateTime<Utc>) -> StoreResult<usize> {
    Ok(delete(signing_keys::table.filter(signing_keys::retired_at.lt(DbTimestamp::from(before))))
        .execute(c)?)
}

//! Ids: prefixed, time-ordered text (`ten_01J…`), one type per resource.
//!
//! After the prefix comes a UUID version 7 in Crockford's base 32: 26 characters that sort by creation time, also within
//! one millisecond of one process.

use std::fmt;

#[cfg(feature = "diesel")]
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id with this prefix.
fn generate(prefix: &str) -> String {
    let bits = Uuid::now_v7().as_u128();
    let mut id = String::with_capacity(prefix.len() + 26);
    id.push_str(prefix);
    for digit in (0..26).rev() {
        id.push(char::from(ALPHABET[(bits >> (digit * 5)) as usize & 31]));
    }
    id
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "diesel", derive(AsExpression, FromSqlRow), diesel(sql_type = Text))]
        pub struct $name(String);

        impl $name {
            /// Prefix of every id of this type.
            pub const PREFIX: &str = $prefix;

            /// A new id. Sorts after all ids that this process generated before.
            pub fn generate() -> $name {
                $name(generate($prefix))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as owned text.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        /// Accepts any text. Queries with an unknown id find nothing.
        impl From<String> for $name {
            fn from(text: String) -> $name {
                $name(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        #[cfg(feature = "diesel")]
        impl<DB> FromSql<Text, DB> for $name
        where
            DB: Backend,
            String: FromSql<Text, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                String::from_sql(value).map($name)
            }
        }

        #[cfg(feature = "diesel")]
        impl<DB> ToSql<Text, DB> for $name
        where
            DB: Backend,
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.0.as_str().to_sql(out)
            }
        }
    )*};
}

ids! {
    /// An agent (a member of a tenant's staff).
    AgentId "agt_";
    /// A contact.
    ContactId "con_";
    /// A department.
    DepartmentId "dep_";
    /// A device that receives push notifications.
    DevicePushTokenId "dev_";
    /// An event of the outbox.
    EventId "evt_";
    /// A job.
    JobId "job_";
    /// A claim of a job by a worker.
    LeaseId "lea_";
    /// An OAuth client. Not the same as its `client_id`.
    OauthClientId "oac_";
    /// An owner account.
    OwnerId "own_";
    /// A plan.
    PlanId "pln_";
    /// A platform administrator.
    PlatformAdminId "pad_";
    /// A Server API credential.
    ServerCredentialId "scr_";
    /// A session: a login and all refresh tokens derived from it.
    SessionFamilyId "ses_";
    /// A key that signs tokens, as in `kid`.
    SigningKeyId "kid_";
    /// A tenant. The contract calls it client.
    TenantId "ten_";
    /// A visitor.
    VisitorId "vis_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_creation_and_have_their_prefix() {
        let ids: Vec<TenantId> = (0..10_000).map(|_| TenantId::generate()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.as_str().starts_with("ten_") && id.as_str().len() == 30));
    }
}

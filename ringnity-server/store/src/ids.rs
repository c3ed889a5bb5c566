//! Ids: prefixed, time-ordered text (`ten_01J…`), one type for each resource, so that they cannot be mixed up.
//!
//! The part after the prefix is a UUID version 7 in Crockford's base 32: 26 characters that sort by the time of
//! their making, also within one millisecond of one process.

use std::fmt;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id with that prefix.
fn generate(prefix: &str) -> String {
    let bits = Uuid::now_v7().as_u128();
    let mut id = String::with_capacity(prefix.len() + 26);
    id.push_str(prefix);
    for place in (0..26).rev() {
        id.push(char::from(ALPHABET[(bits >> (place * 5)) as usize & 31]));
    }
    id
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Text)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &str = $prefix;

            /// A new id, later in order than those made before.
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

        /// Takes any text: an id that nobody made is simply not found.
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

        impl<DB> FromSql<Text, DB> for $name
        where
            DB: Backend,
            String: FromSql<Text, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
                String::from_sql(value).map($name)
            }
        }

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
    /// A device that push notifications go to.
    DevicePushTokenId "dev_";
    /// An event of the outbox.
    EventId "evt_";
    /// A job.
    JobId "job_";
    /// Whoever has claimed a job, for that time.
    LeaseId "lea_";
    /// An application that signs people in; not what it calls itself by.
    OauthClientId "oac_";
    /// An owner account.
    OwnerId "own_";
    /// A plan.
    PlanId "pln_";
    /// A platform administrator.
    PlatformAdminId "pad_";
    /// A Server API credential.
    ServerCredentialId "scr_";
    /// A signing-in and all refresh tokens that came of it.
    SessionFamilyId "ses_";
    /// A key that signs tokens: the `kid`.
    SigningKeyId "kid_";
    /// A tenant: what the contract calls a client.
    TenantId "ten_";
    /// A visitor.
    VisitorId "vis_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_of_their_making_and_carry_their_prefix() {
        let ids: Vec<TenantId> = (0..10_000).map(|_| TenantId::generate()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(ids.iter().all(|id| id.as_str().starts_with("ten_") && id.as_str().len() == 30));
    }
}

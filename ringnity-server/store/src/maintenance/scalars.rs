//! Queries with a scalar result, and row counts.

use diesel::{
    QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use crate::engine::{Conn, StoreResult};

/// Row counts of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RowCounts {
    pub tenants: i64,
    pub platform_admins: i64,
    pub agents: i64,
    pub contacts: i64,
    pub events: i64,
}

/// Counts rows. The tables must exist.
pub(super) fn counts(c: &mut Conn) -> StoreResult<RowCounts> {
    Ok(RowCounts {
        tenants: number(c, "SELECT count(*) AS n FROM tenants")?,
        platform_admins: number(c, "SELECT count(*) AS n FROM platform_admins")?,
        agents: number(c, "SELECT count(*) AS n FROM agents")?,
        contacts: number(c, "SELECT count(*) AS n FROM contacts")?,
        events: number(c, "SELECT count(*) AS n FROM events")?,
    })
}

#[derive(QueryableByName)]
struct TextValue {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Runs a query with one text column named `value`.
pub(super) fn texts(c: &mut Conn, sql: &str) -> StoreResult<Vec<String>> {
    let found: Vec<TextValue> = diesel::sql_query(sql).load(c)?;
    Ok(found.into_iter().map(|row| row.value).collect())
}

/// Runs a query with one row and one text column named `value`.
pub(super) fn text(c: &mut Conn, sql: &str) -> StoreResult<String> {
    Ok(diesel::sql_query(sql).get_result::<TextValue>(c)?.value)
}

/// Runs a query with one row and one integer column named `n`.
pub(super) fn number(c: &mut Conn, sql: &str) -> StoreResult<i64> {
    Ok(diesel::sql_query(sql).get_result::<Number>(c)?.n)
}

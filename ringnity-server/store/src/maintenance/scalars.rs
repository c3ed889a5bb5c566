//! Queries that answer one number, one text or a column of texts.

use diesel::{
    QueryableByName, RunQueryDsl,
    sql_types::{BigInt, Text},
};

use crate::engine::{Conn, StoreResult};

/// How many of something a database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RowCounts {
    pub tenants: i64,
    pub platform_admins: i64,
    pub agents: i64,
    pub contacts: i64,
    pub events: i64,
}

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
struct Word {
    #[diesel(sql_type = Text)]
    word: String,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

pub(super) fn texts(c: &mut Conn, sql: &str) -> StoreResult<Vec<String>> {
    let found: Vec<Word> = diesel::sql_query(sql).load(c)?;
    Ok(found.into_iter().map(|row| row.word).collect())
}

pub(super) fn text(c: &mut Conn, sql: &str) -> StoreResult<String> {
    Ok(diesel::sql_query(sql).get_result::<Word>(c)?.word)
}

pub(super) fn number(c: &mut Conn, sql: &str) -> StoreResult<i64> {
    Ok(diesel::sql_query(sql).get_result::<Number>(c)?.n)
}

//! Dump of all tables, for tests that search a database for secrets or compare it before and after. Generic: it names no
//! table.

use std::{collections::BTreeMap, path::Path};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_query, sql_types::Text,
};
use serde_json::Value;

type Dump = BTreeMap<String, Vec<Value>>;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn rows(lines: Vec<Line>) -> Vec<Value> {
    lines.into_iter().map(|row| serde_json::from_str(&row.line).expect("a row as JSON")).collect()
}

/// Dumps an SQLite file, which a server may have open: all tables, or only the one named `only`.
pub(super) fn sqlite(path: &Path, only: Option<&str>) -> Dump {
    let mut c = SqliteConnection::establish(&path.to_string_lossy()).expect("the database file");
    c.batch_execute("PRAGMA busy_timeout = 10000; BEGIN").expect("a snapshot");
    let tables = "SELECT name AS line FROM sqlite_master \
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut dump = Dump::new();
    for table in sql_query(tables).load::<Line>(&mut c).expect("its tables") {
        let table = table.line;
        if only.is_some_and(|only| only != table) {
            continue;
        }
        let columns = format!("SELECT name AS line FROM pragma_table_info('{table}')");
        let columns: Vec<Line> = sql_query(columns).load(&mut c).expect("their columns");
        let members: Vec<String> =
            columns.iter().map(|column| format!("'{0}', \"{0}\"", column.line)).collect();
        let all = format!("SELECT json_object({}) AS line FROM \"{table}\"", members.join(", "));
        dump.insert(table, rows(sql_query(all).load(&mut c).expect("their rows")));
    }
    dump
}

/// Dumps a PostgreSQL database: all tables, or only the one named `only`.
pub(super) fn postgres(c: &mut PgConnection, only: Option<&str>) -> Dump {
    c.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").expect("a snapshot");
    let tables = "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let mut dump = Dump::new();
    for table in sql_query(tables).load::<Line>(c).expect("its tables") {
        let table = table.line;
        if only.is_some_and(|only| only != table) {
            continue;
        }
        let all = format!("SELECT row_to_json(t)::text AS line FROM \"{table}\" AS t");
        dump.insert(table, rows(sql_query(all).load(c).expect("their rows")));
    }
    dump
}

//! Schema of a database as lines that are the same on both engines. Generic: it names no table.

use std::{collections::BTreeSet, path::Path};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text,
};

const SQLITE: &str = "
    WITH tables AS (
        SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '__diesel_schema_migrations'
    )
    SELECT 'column ' || t.name || '.' || c.name || ' ' ||
        CASE WHEN c.name LIKE '%\\_at' ESCAPE '\\' OR c.name LIKE 'current_period%' THEN 'time'
             WHEN c.type IN ('BIGINT', 'INTEGER') THEN 'number'
             ELSE lower(c.type) END ||
        CASE WHEN c.\"notnull\" THEN ' required' ELSE '' END AS line
    FROM tables t, pragma_table_info(t.name) c
    UNION ALL
    SELECT 'key ' || t.name || ' ' || (
        SELECT group_concat(k.name, ',') FROM (
            SELECT name FROM pragma_table_info(t.name) WHERE pk > 0 ORDER BY pk) k)
    FROM tables t
    UNION ALL
    SELECT 'index ' || i.name || ' on ' || t.name || CASE WHEN i.\"unique\" THEN ' unique ' ELSE ' ' END || (
        SELECT group_concat(k.part, ',') FROM (
            SELECT name || CASE WHEN \"desc\" THEN ' desc' ELSE '' END AS part
            FROM pragma_index_xinfo(i.name) WHERE key ORDER BY seqno) k)
    FROM tables t, pragma_index_list(t.name) i WHERE i.origin = 'c'
    UNION ALL
    SELECT 'reference ' || t.name || ' ' || group_concat(f.\"from\", ',') || ' to ' || f.\"table\" || ' ' ||
        group_concat(f.\"to\", ',') || ' ' || lower(f.on_delete)
    FROM tables t, (SELECT tt.name AS owner, ff.* FROM tables tt, pragma_foreign_key_list(tt.name) ff
                    ORDER BY tt.name, ff.id, ff.seq) f
    WHERE f.owner = t.name GROUP BY t.name, f.id";

const POSTGRES: &str = "
    WITH tables AS (
        SELECT oid, relname::text AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> '__diesel_schema_migrations'
    )
    SELECT 'column ' || t.name || '.' || a.attname || ' ' ||
        CASE format_type(a.atttypid, a.atttypmod)
            WHEN 'timestamp with time zone' THEN 'time' WHEN 'bigint' THEN 'number'
            ELSE format_type(a.atttypid, a.atttypmod) END ||
        CASE WHEN a.attnotnull THEN ' required' ELSE '' END AS line
    FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'key ' || t.name || ' ' || (
        SELECT string_agg(a.attname, ',' ORDER BY k.place)
        FROM unnest(c.conkey) WITH ORDINALITY k(num, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num)
    FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype = 'p'
    UNION ALL
    SELECT 'index ' || i.relname || ' on ' || t.name || CASE WHEN x.indisunique THEN ' unique ' ELSE ' ' END || (
        SELECT string_agg(pg_get_indexdef(x.indexrelid, k, true) ||
            CASE WHEN x.indoption[k - 1] & 1 = 1 THEN ' desc' ELSE '' END, ',' ORDER BY k)
        FROM generate_series(1, x.indnkeyatts) k)
    FROM tables t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid
    WHERE NOT x.indisprimary
    UNION ALL
    SELECT 'reference ' || t.name || ' ' || (
            SELECT string_agg(a.attname, ',' ORDER BY k.place)
            FROM unnest(c.conkey) WITH ORDINALITY k(num, place)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num)
        || ' to ' || r.relname || ' ' || (
            SELECT string_agg(a.attname, ',' ORDER BY k.place)
            FROM unnest(c.confkey) WITH ORDINALITY k(num, place)
            JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.num)
        || CASE c.confdeltype WHEN 'c' THEN ' cascade' WHEN 'a' THEN ' no action' ELSE ' other' END
    FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype = 'f'
    JOIN pg_class r ON r.oid = c.confrelid";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(rows: Vec<Row>) -> BTreeSet<String> {
    rows.into_iter().map(|row| row.line).collect()
}

/// Reads the schema of an SQLite file.
pub(super) fn sqlite(path: &Path) -> BTreeSet<String> {
    let mut c = SqliteConnection::establish(&path.to_string_lossy()).expect("the database file");
    lines(sql_query(SQLITE).load(&mut c).expect("its schema"))
}

/// Reads the schema of a PostgreSQL database.
pub(super) fn postgres(c: &mut PgConnection) -> BTreeSet<String> {
    lines(sql_query(POSTGRES).load(c).expect("its schema"))
}

//! Both engines have the same schema: tables, columns, nullability, keys, indexes with their order, references.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::Text;
use ringnity_store::{
    Conn, Engine, Store, StoreError, constraint,
    testing::{TestDatabase, engines},
};

/// One line for each fact of a schema, in words that both engines come to.
const SQLITE: &str = "
    WITH tables AS (
        SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '__diesel_schema_migrations'
    )
    SELECT 'column ' || t.name || '.' || c.name || ' ' ||
        CASE WHEN c.name LIKE '%\\_at' ESCAPE '\\' OR c.name LIKE 'current_period%' THEN 'time'
             WHEN c.type IN ('BIGINT', 'INTEGER') THEN 'number'
             ELSE lower(c.type) END ||
        CASE WHEN c.\"notnull\" THEN ' required' ELSE '' END AS fact
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
        CASE WHEN a.attnotnull THEN ' required' ELSE '' END AS fact
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

fn facts(c: &mut Conn) -> Result<BTreeSet<String>, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        fact: String,
    }
    let sql = if matches!(c, Conn::Sqlite(_)) { SQLITE } else { POSTGRES };
    Ok(diesel::sql_query(sql).load::<Row>(c)?.into_iter().map(|row| row.fact).collect())
}

async fn facts_of(engine: Engine) -> BTreeSet<String> {
    let database = TestDatabase::new(engine);
    let store = Store::open(database.config()).await.unwrap();
    let facts = store.read(facts).await.unwrap();
    store.close().await;
    facts
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_schema() {
    let sqlite = facts_of(Engine::Sqlite).await;
    for kind in ["column contacts.", "key contacts ", "index contacts_", "reference contacts "] {
        assert!(sqlite.iter().any(|fact| fact.starts_with(kind)), "no fact begins with {kind}: {sqlite:#?}");
    }
    if !engines().contains(&Engine::Postgres) {
        return;
    }
    let postgres = facts_of(Engine::Postgres).await;
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!((only(&sqlite, &postgres), only(&postgres, &sqlite)), (vec![], vec![]));
    println!("{} facts, the same on both engines", sqlite.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_unique_constraints_are_those_of_indexes() {
    for engine in engines() {
        let facts = facts_of(engine).await;
        for name in constraint::ALL {
            let index = facts.iter().find(|fact| fact.starts_with(&format!("index {name} ")));
            let index = index.unwrap_or_else(|| panic!("no index is called {name}"));
            assert!(index.contains(" unique "), "{index}");
        }
        // The name is made of table and columns, for that is all SQLite tells of a conflict.
        for fact in facts.iter().filter(|fact| fact.starts_with("index ") && fact.contains(" unique ")) {
            let words: Vec<&str> = fact.split(' ').collect();
            assert_eq!(words[1], format!("{}_{}_key", words[3], words[5].replace(',', "_")));
        }
    }
}

#[test]
fn both_engines_have_migrations_of_the_same_names() {
    let names = |engine: &str| -> BTreeSet<_> {
        let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

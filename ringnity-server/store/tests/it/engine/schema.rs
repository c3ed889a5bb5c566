//! Both engines have the same schema: tables, columns, nullability, keys, indexes and their order, references.

use std::collections::BTreeSet;

use ringnity_store::{
    Engine, Store, constraint,
    testing::{TestDatabase, engines},
};

async fn facts_of(engine: Engine) -> BTreeSet<String> {
    let database = TestDatabase::new(engine);
    Store::open(database.config()).await.unwrap().close().await;
    database.schema()
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
    ringnity_store::print_always!("{} facts, the same on both engines", sqlite.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn constraint_names_match_unique_indexes() {
    for engine in engines() {
        let facts = facts_of(engine).await;
        for name in constraint::ALL {
            let index = facts.iter().find(|fact| fact.starts_with(&format!("index {name} ")));
            let index = index.unwrap_or_else(|| panic!("no index is called {name}"));
            assert!(index.contains(" unique "), "{index}");
        }
        // The name consists of table and columns because SQLite reports only these in a conflict.
        for fact in facts.iter().filter(|fact| fact.starts_with("index ") && fact.contains(" unique ")) {
            let words: Vec<&str> = fact.split(' ').collect();
            assert_eq!(words[1], format!("{}_{}_key", words[3], words[5].replace(',', "_")));
        }
    }
}

#[test]
fn both_engines_have_the_same_migration_names() {
    let names = |engine: &str| -> BTreeSet<_> {
        let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

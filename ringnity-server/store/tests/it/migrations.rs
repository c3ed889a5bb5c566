//! Migrations: at once, twice, and by a program that is too old.

use ringnity_store::{
    Store, StoreError, plans,
    testing::{TestDatabase, engines},
};

use crate::support::{on_each_engine, run};

#[tokio::test(flavor = "multi_thread")]
async fn eight_nodes_that_start_at_once_migrate_once() {
    for engine in engines() {
        let database = TestDatabase::empty(engine);
        let mut nodes = Vec::new();
        for _ in 0..8 {
            let config = database.config().clone();
            nodes.push(tokio::spawn(async move { Store::open(&config).await.unwrap() }));
        }
        for node in nodes {
            let store = node.await.unwrap();
            let catalog = store.read(plans::plan_catalog).await.unwrap();
            assert_eq!(catalog.plans.len(), 4);
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused_with_words() {
    on_each_engine(async |store, database| {
        store
            .write(|c| run(c, "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')"))
            .await
            .unwrap();
        let error = Store::open(database.config()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::NewerSchema { found, .. } if found == "29990101000000"),
            "{error:?}"
        );
        let words = error.to_string();
        assert!(words.contains("start that version or a later one, or restore a backup"), "{words}");
    })
    .await;
}

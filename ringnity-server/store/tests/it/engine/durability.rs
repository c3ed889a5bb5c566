//! The settings that make commits durable when the machine crashes. `crash` tests crashes of the process.

use diesel::prelude::*;
use ringnity_store::{Conn, Engine, Store, StoreError};

use crate::support::{on_each_engine, run};

/// Runs a query with one text column `t`.
fn text(c: &mut Conn, sql: &str) -> Result<String, StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        t: String,
    }
    Ok(diesel::sql_query(sql).get_result::<Row>(c)?.t)
}

/// Runs a query in `write` and in `try_write`.
async fn in_writes(store: &Store, sql: &'static str) -> [String; 2] {
    [store.write(move |c| text(c, sql)).await.unwrap(), store.try_write(move |c| text(c, sql)).await.unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_run_with_durable_commits() {
    on_each_engine(async |store, database| match database.engine() {
        Engine::Sqlite => {
            // 2 is FULL: the WAL is synced at each commit.
            let synchronous = "SELECT CAST(synchronous AS TEXT) AS t FROM pragma_synchronous";
            assert_eq!(in_writes(&store, synchronous).await, ["2", "2"]);
            assert_eq!(
                in_writes(&store, "SELECT journal_mode AS t FROM pragma_journal_mode").await,
                ["wal", "wal"]
            );
        }
        Engine::Postgres => {
            let commit = "SELECT current_setting('synchronous_commit') AS t";
            assert_eq!(in_writes(&store, commit).await, ["on", "on"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overrides_asynchronous_commit_of_the_database() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Sqlite {
            return; // on SQLite only the store sets this
        }
        let hurry = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', \
                     current_database()); END $$";
        store.write(move |c| run(c, hurry)).await.unwrap();
        let other = Store::open(database.config()).await.unwrap();
        let usual = "SELECT reset_val AS t FROM pg_settings WHERE name = 'synchronous_commit'";
        let commit = "SELECT current_setting('synchronous_commit') AS t";
        // The default of the database, which the store overrides.
        assert_eq!(in_writes(&other, usual).await, ["off", "off"]);
        assert_eq!(in_writes(&other, commit).await, ["on", "on"]);
        other.close().await;
    })
    .await;
}

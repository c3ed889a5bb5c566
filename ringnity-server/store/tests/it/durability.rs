//! What makes "safe on disk" true: the settings that a write runs under. That a commit outlives a crash of the process
//! is tried in `crash`; that it outlives one of the machine depends on these.

use diesel::prelude::*;
use ringnity_store::{Conn, Engine, Store, StoreError};

use crate::support::{on_each_engine, run};

/// One text out of the database.
fn text(c: &mut Conn, sql: &str) -> Result<String, StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        t: String,
    }
    Ok(diesel::sql_query(sql).get_result::<Row>(c)?.t)
}

/// What a write, and one that is wanted soon, runs under.
async fn told(store: &Store, sql: &'static str) -> [String; 2] {
    [store.write(move |c| text(c, sql)).await.unwrap(), store.try_write(move |c| text(c, sql)).await.unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_answered_when_the_disk_has_it() {
    on_each_engine(async |store, database| match database.engine() {
        Engine::Sqlite => {
            // 2 is FULL: the log is synced at each commit.
            let synchronous = "SELECT CAST(synchronous AS TEXT) AS t FROM pragma_synchronous";
            assert_eq!(told(&store, synchronous).await, ["2", "2"]);
            assert_eq!(
                told(&store, "SELECT journal_mode AS t FROM pragma_journal_mode").await,
                ["wal", "wal"]
            );
        }
        Engine::Postgres => {
            let commit = "SELECT current_setting('synchronous_commit') AS t";
            assert_eq!(told(&store, commit).await, ["on", "on"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_would_answer_before_its_disk_has_it_is_told_otherwise() {
    on_each_engine(async |store, database| {
        if database.engine() == Engine::Sqlite {
            return; // there nobody but the store says how it is written
        }
        let hurry = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', \
                     current_database()); END $$";
        store.write(move |c| run(c, hurry)).await.unwrap();
        let other = Store::open(database.config()).await.unwrap();
        let usual = "SELECT reset_val AS t FROM pg_settings WHERE name = 'synchronous_commit'";
        let commit = "SELECT current_setting('synchronous_commit') AS t";
        // What would hold if the store said nothing is the database's.
        assert_eq!(told(&other, usual).await, ["off", "off"]);
        assert_eq!(told(&other, commit).await, ["on", "on"]);
        other.close().await;
    })
    .await;
}

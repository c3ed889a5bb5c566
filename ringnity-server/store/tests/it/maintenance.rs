//! SQLite backup and exclusive lock. The commands that use them are tested in the server crate.

use std::{path::Path, sync::mpsc};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use ringnity_store::{
    Engine, Store, StoreError,
    maintenance::{sqlite_backup, sqlite_lock_exclusively},
    testing::TestDatabase,
};

use crate::support::{number, run};

async fn insert(store: &Store) -> Result<(), StoreError> {
    store.write(|c| run(c, "INSERT INTO t VALUES (1)")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exclusive_lock_needs_an_unused_file_and_empties_the_wal() {
    let database = TestDatabase::new(Engine::Sqlite);
    let path = database.config().sqlite_path().unwrap();
    let log = path.with_extension("db-wal");
    let store = Store::open(database.config()).await.unwrap();
    store.write(|c| run(c, "CREATE TABLE t (n BIGINT NOT NULL)")).await.unwrap();
    // A reader on a snapshot from before the last write: no checkpoint can complete.
    let reader = Store::attach(database.config()).await.unwrap();
    let ((begun, begins), (enough, end)) = (mpsc::channel(), mpsc::channel::<()>());
    let end = std::sync::Mutex::new(end);
    let reading = tokio::spawn(async move {
        let read = move |c: &mut _| {
            begun.send(number(c, "SELECT count(*) AS n FROM t")?).unwrap();
            end.lock().unwrap().recv().unwrap();
            number(c, "SELECT count(*) AS n FROM t")
        };
        let seen: Result<i64, StoreError> = reader.read(read).await;
        reader.close().await;
        seen
    });
    assert_eq!(begins.recv().unwrap(), 0);
    insert(&store).await.unwrap();
    store.close().await;
    let refused = sqlite_lock_exclusively(path).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Busy(words) if words.contains("open elsewhere")), "{refused}");
    assert!(log.metadata().unwrap().len() > 0, "what is not in the file yet is still in its log");
    enough.send(()).unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), 0, "the reader was not disturbed");
    let alone = sqlite_lock_exclusively(path).await.unwrap();
    assert!(!log.exists());
    let mut another = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let locked = another.batch_execute("SELECT * FROM t").unwrap_err();
    assert!(locked.to_string().contains("locked"), "{locked}");
    drop((another, alone));
    // The file without its WAL is complete.
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    assert_eq!(rows(&copy), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_to_a_replaced_file_fails() {
    let database = TestDatabase::new(Engine::Sqlite);
    let path = database.config().sqlite_path().unwrap();
    let store = Store::open(database.config()).await.unwrap();
    store.write(|c| run(c, "CREATE TABLE t (n BIGINT NOT NULL)")).await.unwrap();
    store.close().await;
    let (copy, kept) = (path.with_extension("copy"), path.with_extension("kept"));
    drop(sqlite_lock_exclusively(path).await.unwrap());
    std::fs::copy(path, &copy).unwrap();
    let late = Store::attach(database.config()).await.unwrap();
    insert(&late).await.unwrap();
    std::fs::hard_link(path, &kept).unwrap();
    std::fs::rename(&copy, path).unwrap();
    assert!(insert(&late).await.is_err());
    late.close().await;
    assert_eq!((rows(&kept), rows(path)), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_writes_only_to_an_existing_empty_file() {
    let database = TestDatabase::new(Engine::Sqlite);
    let path = database.config().sqlite_path().unwrap();
    let store = Store::open(database.config()).await.unwrap();
    store.write(|c| run(c, "CREATE TABLE t (n BIGINT NOT NULL)")).await.unwrap();
    insert(&store).await.unwrap();
    // Characters with a meaning in a URI are escaped.
    let to = path.with_file_name("100% of it?mode=rwc#1");
    assert!(sqlite_backup(path, &to).await.is_err());
    assert!(!to.exists(), "it makes no file, for others could read that");
    std::fs::write(&to, "somebody else's").unwrap();
    assert!(sqlite_backup(path, &to).await.is_err());
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "somebody else's");
    std::fs::write(&to, "").unwrap();
    sqlite_backup(path, &to).await.unwrap();
    assert_eq!(rows(&to), 1);
    store.close().await;
}

fn rows(file: &Path) -> i64 {
    use diesel::prelude::*;
    let mut conn = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>("(SELECT count(*) FROM t)"))
        .get_result(&mut conn)
        .unwrap()
}

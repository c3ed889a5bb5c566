//! `kill -9` of a writing process loses no write that it got an answer for.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use ringnity_store::{Store, StoreConfig};

use crate::support::{number, on_each_engine, run};

const ROUNDS: u64 = 4;
const CHILD: &str = "RINGNITY_STORE_CRASH_CHILD";

/// Entry point of the killed process, not a test: writes numbers and prints each one after its write has returned.
#[test]
fn child() {
    let Ok(settings) = std::env::var(CHILD) else { return };
    let (first, url) = settings.split_once(' ').unwrap();
    let next = Arc::new(AtomicI64::new(first.parse().unwrap()));
    let config = StoreConfig::new(url).unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async move {
        let store = Store::open(&config).await.unwrap();
        for _ in 0..16 {
            let (store, next) = (store.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    store.write(move |c| run(c, &format!("INSERT INTO t VALUES ({n})"))).await.unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "done {n}").unwrap();
                    out.flush().unwrap();
                }
            });
        }
        std::future::pending::<()>().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_writes_survive_kill_9() {
    on_each_engine(async |store, database| {
        // No unique index, so that a duplicated write is visible.
        store.write(|c| run(c, "CREATE TABLE t (n BIGINT NOT NULL)")).await.unwrap();
        store.close().await;
        let mut answered = Vec::new();
        for round in 0..ROUNDS {
            let first = i64::try_from(round * 1_000_000).unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "engine::crash::child", "--nocapture", "--test-threads=1"])
                .env(CHILD, format!("{first} {}", database.url()))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let reader = std::thread::spawn(move || {
                let (mut done, mut line) = (Vec::new(), String::new());
                while lines.read_line(&mut line).unwrap_or(0) > 0 {
                    // Ignore a line that the kill truncated.
                    if let Some(n) = line.strip_suffix('\n').and_then(|line| line.rsplit_once("done ")) {
                        done.push(n.1.parse::<i64>().unwrap());
                    }
                    line.clear();
                }
                done
            });
            tokio::time::sleep(Duration::from_millis(400 + 97 * round)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            answered.extend(reader.join().unwrap());
        }
        // On PostgreSQL, transactions of the killed process may still be ending.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let store = Store::open(database.config()).await.unwrap();
        let rows = store.read(|c| number(c, "SELECT count(*) AS n FROM t")).await.unwrap();
        let different = store.read(|c| number(c, "SELECT count(DISTINCT n) AS n FROM t")).await.unwrap();
        let mut lost = 0;
        for part in answered.chunks(500) {
            let list = part.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            let sql = format!("SELECT count(DISTINCT n) AS n FROM t WHERE n IN ({list})");
            let found = store.read(move |c| number(c, &sql)).await.unwrap();
            lost += part.len() as i64 - found;
        }
        ringnity_store::print_always!(
            "{}: {} writes answered, {ROUNDS} kills, lost: {lost}, doubled: {}",
            database.engine(),
            answered.len(),
            rows - different,
        );
        assert!(answered.len() > 50, "too few writes to prove anything: {}", answered.len());
        assert_eq!((lost, rows - different), (0, 0));
        store.close().await;
    })
    .await;
}

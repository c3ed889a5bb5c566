//! Jobs: one lease holder at a time, takeover from dead workers, and no effect of a former holder.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ringnity_store::{
    Store, StoreError,
    jobs::{self, Job, Lease},
};

use crate::support::{noon, number, on_each_engine, run};

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

async fn put(store: &Store, subject: &str, run_at: DateTime<Utc>) -> bool {
    let subject = subject.to_owned();
    store.write(move |c| jobs::job_put(c, "mail", &subject, "{}", run_at, noon())).await.unwrap()
}

/// Claims with a lease of one minute.
async fn claim(store: &Store, limit: i64, now: DateTime<Utc>) -> Vec<(Job, Lease)> {
    store.write(move |c| jobs::job_claim(c, "mail", limit, now + minutes(1), now)).await.unwrap()
}

async fn claim_one(store: &Store, now: DateTime<Utc>) -> Option<(Job, Lease)> {
    claim(store, 1, now).await.pop()
}

async fn get(store: &Store, subject: &'static str) -> Job {
    store.read(move |c| jobs::job_get(c, "mail", subject)).await.unwrap().unwrap()
}

async fn next(store: &Store) -> Option<DateTime<Utc>> {
    store.read(|c| jobs::job_next_at(c, "mail")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_inserted_once_and_claimed_when_due() {
    on_each_engine(async |store, _| {
        assert_eq!(next(&store).await, None);
        assert!(put(&store, "b", noon() + minutes(2)).await);
        assert!(put(&store, "a", noon() + minutes(1)).await);
        assert!(put(&store, "c", noon() + minutes(9)).await);
        assert!(!put(&store, "a", noon()).await, "it is there already");
        assert_eq!(next(&store).await, Some(noon() + minutes(1)));
        assert!(claim(&store, 9, noon()).await.is_empty(), "nothing is due");
        let other = store.write(|c| jobs::job_claim(c, "fax", 9, noon(), noon() + minutes(9))).await;
        assert!(other.unwrap().is_empty(), "another kind's");

        let due = noon() + minutes(3);
        let first = claim_one(&store, due).await.unwrap().0;
        assert_eq!((first.subject.as_str(), first.attempts, first.run_at), ("a", 1, due + minutes(1)));
        let rest = claim(&store, 9, due).await;
        assert_eq!(rest.iter().map(|(job, _)| job.subject.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(next(&store).await, Some(due + minutes(1)), "when the first lease lapses");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_oldest_jobs_first_each_with_its_own_lease() {
    on_each_engine(async |store, _| {
        // Inserted neither in the order of their times nor in reverse.
        for (subject, minute) in [("c", 3), ("a", 1), ("d", 4), ("b", 2)] {
            put(&store, subject, noon() + minutes(minute)).await;
        }
        let taken = claim(&store, 3, noon() + minutes(9)).await;
        assert_eq!(taken.iter().map(|(job, _)| job.subject.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        for (job, lease) in taken {
            assert_eq!(
                (job.attempts, job.run_at, job.updated_at),
                (1, noon() + minutes(10), noon() + minutes(9))
            );
            store.write(move |c| jobs::job_finish(c, &lease)).await.unwrap();
            let subject = job.subject;
            let gone = store.read(move |c| jobs::job_get(c, "mail", &subject)).await.unwrap();
            assert_eq!(gone, None, "it was its own lease");
        }
        assert_eq!(get(&store, "d").await.attempts, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_is_rolled_back_with_its_transaction() {
    on_each_engine(async |store, _| {
        let refused: Result<(), StoreError> = store
            .write(|c| {
                jobs::job_put(c, "mail", "a", "{}", noon(), noon())?;
                Err(StoreError::InvalidText)
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(next(&store).await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r5_concurrent_claims_share_no_job() {
    on_each_engine(async |store, database| {
        const JOBS: usize = 60;
        for n in 0..JOBS {
            put(&store, &n.to_string(), noon()).await;
        }
        // As many nodes as the engine allows, each with several workers.
        let second = match database.engine() {
            ringnity_store::Engine::Postgres => Store::open(database.config()).await.unwrap(),
            ringnity_store::Engine::Sqlite => store.clone(),
        };
        let mut hands = Vec::new();
        for hand in 0..8 {
            let store = if hand % 2 == 0 { store.clone() } else { second.clone() };
            hands.push(tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let claimed = claim(&store, 3, noon()).await;
                    if claimed.is_empty() {
                        return done;
                    }
                    for (job, lease) in claimed {
                        store.write(move |c| jobs::job_finish(c, &lease)).await.unwrap();
                        done.push(job.subject);
                    }
                }
            }));
        }
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for hand in hands {
            for subject in hand.await.unwrap() {
                *times.entry(subject).or_default() += 1;
            }
        }
        let doubled = times.values().filter(|times| **times > 1).count();
        ringnity_store::print_always!("{}: jobs done {}, doubled {doubled}", database.engine(), times.len());
        assert_eq!((times.len(), doubled), (JOBS, 0));
        assert_eq!(next(&store).await, None);
        second.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_of_a_dead_node_is_claimed_after_its_lease() {
    on_each_engine(async |store, database| {
        put(&store, "a", noon()).await;
        let claimed = claim_one(&store, noon()).await;
        assert!(claimed.is_some());
        // The process is dead. Its successor has only the database.
        store.close().await;
        let store = Store::open(database.config()).await.unwrap();
        let almost = noon() + minutes(1) - TimeDelta::microseconds(1);
        assert_eq!(claim_one(&store, almost).await, None);
        let (job, _) = claim_one(&store, noon() + minutes(1)).await.unwrap();
        assert_eq!((job.subject.as_str(), job.attempts), ("a", 2));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_lease_does_not_expire() {
    on_each_engine(async |store, _| {
        put(&store, "a", noon()).await;
        let (_, lease) = claim_one(&store, noon()).await.unwrap();
        let half = noon() + TimeDelta::seconds(30);
        store.write(move |c| jobs::job_extend(c, &lease, half + minutes(1), half)).await.unwrap();
        assert_eq!(claim_one(&store, noon() + minutes(1)).await, None);
        assert!(claim_one(&store, half + minutes(1)).await.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_lease_is_valid_until_another_claim() {
    on_each_engine(async |store, _| {
        store.write(|c| run(c, "CREATE TABLE effects (n BIGINT NOT NULL)")).await.unwrap();
        put(&store, "a", noon()).await;
        let (_, slow) = claim_one(&store, noon()).await.unwrap();
        let late = noon() + minutes(5);
        // Expired, but no other worker has claimed the job.
        let lease = slow.clone();
        store.write(move |c| jobs::job_save_progress(c, &lease, r#"{"step":1}"#, late)).await.unwrap();

        let (job, quick) = claim_one(&store, late).await.unwrap();
        assert_eq!(job.payload, r#"{"step":1}"#);
        for what in 0..6 {
            let lease = slow.clone();
            let refused = store
                .write(move |c| {
                    run(c, "INSERT INTO effects VALUES (1)")?;
                    match what {
                        0 => jobs::job_extend(c, &lease, late + minutes(9), late),
                        1 => jobs::job_save_progress(c, &lease, "{}", late),
                        2 => jobs::job_finish(c, &lease),
                        3 => jobs::job_reschedule(c, &lease, late, Some("{}"), late),
                        4 => jobs::job_fail(c, &lease, late, "late", late),
                        _ => jobs::job_release(c, &lease, late),
                    }
                })
                .await;
            assert!(matches!(refused, Err(StoreError::LeaseLost)), "{what}: {refused:?}");
        }
        assert_eq!(get(&store, "a").await, job, "nothing of it shows");
        let effects = store.read(|c| number(c, "SELECT count(*) AS n FROM effects")).await.unwrap();
        assert_eq!(effects, 0, "what was done with it is taken back");
        store.write(move |c| jobs::job_finish(c, &quick)).await.unwrap();
        assert_eq!(next(&store).await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn success_resets_attempts_and_failure_stores_error() {
    on_each_engine(async |store, _| {
        put(&store, "a", noon()).await;
        let (_, lease) = claim_one(&store, noon()).await.unwrap();
        let error = format!("no\0 {}", "x".repeat(9000));
        store.write(move |c| jobs::job_fail(c, &lease, noon() + minutes(2), &error, noon())).await.unwrap();
        let failed = get(&store, "a").await;
        let kept = failed.last_error.unwrap();
        assert!(kept.starts_with("no x") && kept.len() == 500, "{kept}");
        assert_eq!((failed.attempts, failed.run_at), (1, noon() + minutes(2)));
        // `job_run_now` does not shorten the backoff of a failed job.
        store.write(|c| jobs::job_run_now(c, "mail", noon() + minutes(1))).await.unwrap();
        assert_eq!(claim_one(&store, noon() + minutes(1)).await, None);

        let (job, lease) = claim_one(&store, noon() + minutes(2)).await.unwrap();
        assert_eq!(job.attempts, 2);
        // Released without counting as an attempt.
        store.write(move |c| jobs::job_release(c, &lease, noon() + minutes(2))).await.unwrap();
        assert_eq!(get(&store, "a").await.attempts, 1);

        let (_, lease) = claim_one(&store, noon() + minutes(2)).await.unwrap();
        let tomorrow = noon() + TimeDelta::days(1);
        store
            .write(move |c| jobs::job_reschedule(c, &lease, tomorrow, Some(r#"{"n":1}"#), noon()))
            .await
            .unwrap();
        let job = get(&store, "a").await;
        assert_eq!((job.attempts, job.run_at, job.last_error), (0, tomorrow, None));
        assert_eq!(job.payload, r#"{"n":1}"#);
        // Now `job_run_now` applies, but not while it is leased.
        store.write(|c| jobs::job_run_now(c, "mail", noon() + minutes(3))).await.unwrap();
        assert!(claim_one(&store, noon() + minutes(3)).await.is_some());
        let hastened = store.write(|c| jobs::job_run_now(c, "mail", noon())).await.unwrap();
        assert_eq!(hastened, 0);
    })
    .await;
}

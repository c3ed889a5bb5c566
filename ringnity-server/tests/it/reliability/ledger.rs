//! What clients were answered, compared with what the database holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use ringnity_server::secrets;
use serde_json::Value;

/// The answers that clients got.
#[derive(Default)]
pub struct Ledger {
    /// Contacts by external id: the id, and the number of changes since.
    pub contacts: BTreeMap<String, (String, u64)>,
    /// Hashes of key secrets by the key's name.
    pub keys: BTreeMap<String, String>,
    /// Refresh tokens of sessions. The last one of each is valid.
    pub sessions: Vec<Vec<String>>,
    /// Unexpected answers.
    pub wrong: Vec<String>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Verdict {
    /// Answered writes.
    pub answered: u64,
    /// Refused connections.
    pub refused: u64,
    /// Requests on an accepted connection that got no answer or a partial one.
    pub cut: u64,
    /// Those of them that got a partial answer.
    pub broken: u64,
    /// Those of them that turned out to have taken effect.
    pub unanswered: u64,
    /// Answers with status 503.
    pub unavailable: u64,
    pub lost: usize,
    pub doubled: usize,
    /// Descriptions of lost and doubled writes and of unexpected answers.
    pub words: Vec<String>,
}

impl Verdict {
    /// Prints what was done, and asserts that nothing is lost or doubled.
    #[track_caller]
    pub fn report(&self, what: &str, started: Instant) {
        ringnity_store::print_always!(
            "{what}: {} writes answered, lost: {}, doubled: {} ({} requests cut off and sent again, {} of them had been carried out; {:.0?})",
            self.answered,
            self.lost,
            self.doubled,
            self.cut,
            self.unanswered,
            started.elapsed(),
        );
        assert_eq!((self.lost, self.doubled), (0, 0), "{:#?}", self.words);
    }

    /// Asserts that every request was answered at the first attempt.
    #[track_caller]
    pub fn assert_undisturbed(&self) {
        assert_eq!((self.cut, self.refused, self.unavailable), (0, 0, 0), "{self:?}");
    }
}

impl Ledger {
    /// Compares the answers with the database, in both directions.
    pub fn compare(&self, dump: &BTreeMap<String, Vec<Value>>, tenant: &str, verdict: &mut Verdict) {
        let table = |name: &str| dump.get(name).unwrap_or_else(|| panic!("no table {name}"));
        let text = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let mut lose = |words: String| {
            verdict.lost += 1;
            verdict.words.push(words);
        };
        let mut extra = Vec::new();

        let mut contacts: HashMap<String, Vec<&Value>> = HashMap::new();
        for row in table("contacts").iter().filter(|row| row["tenant_id"] == tenant) {
            contacts.entry(text(row, "external_id")).or_default().push(row);
        }
        let mut events: HashMap<(String, String), usize> = HashMap::new();
        for row in table("events") {
            let payload: Value = serde_json::from_str(&text(row, "payload")).unwrap_or_default();
            *events.entry((text(row, "name"), text(&payload["contact"], "id"))).or_default() += 1;
        }
        for (external, (id, changes)) in &self.contacts {
            let rows = contacts.get(external).map_or(&[][..], Vec::as_slice);
            if !rows.iter().any(|row| row["id"] == id.as_str() && text(row, "name") == changes.to_string()) {
                lose(format!("contact {external} of {changes} changes: {rows:?}"));
            }
            let written =
                events.get(&("contact.created".to_owned(), id.clone())).copied().unwrap_or_default();
            if written == 0 {
                lose(format!("the event of contact {external}"));
            }
            extra.extend((1..rows.len()).map(|_| format!("contact {external}")));
            extra.extend((1..written).map(|_| format!("the event of contact {external}")));
        }
        // Every request was answered in the end, so an unanswered write is a doubled one.
        extra.extend(
            contacts
                .keys()
                .filter(|external| external.starts_with('w') && !self.contacts.contains_key(*external))
                .map(|external| format!("contact {external}, which no answer contained")),
        );
        let total: i64 = table("contact_totals")
            .iter()
            .filter(|row| row["tenant_id"] == tenant)
            .filter_map(|row| row["total"].as_i64())
            .sum();
        let rows = contacts.values().map(Vec::len).sum::<usize>();
        if usize::try_from(total).ok() != Some(rows) {
            lose(format!("the total: {total} for {rows} contacts"));
        }

        let mut keys: HashMap<String, Vec<String>> = HashMap::new();
        for row in table("server_credentials") {
            keys.entry(text(row, "name")).or_default().push(text(row, "secret_hash"));
        }
        for (name, hash) in &self.keys {
            let rows = keys.get(name).map_or(&[][..], Vec::as_slice);
            if !rows.contains(hash) {
                lose(format!("key {name}"));
            }
            extra.extend((1..rows.len()).map(|_| format!("key {name}")));
        }
        extra.extend(
            keys.keys()
                .filter(|name| name.starts_with('w') && !self.keys.contains_key(*name))
                .map(|name| format!("key {name}, which no answer contained")),
        );

        let live: HashSet<String> = table("session_families")
            .iter()
            .filter(|row| row["revoked_at"].is_null())
            .map(|row| text(row, "id"))
            .collect();
        let mut tokens: HashMap<String, (&Value, bool)> = HashMap::new();
        let mut unused: HashMap<String, usize> = HashMap::new();
        for row in table("refresh_tokens") {
            let family = text(row, "family_id");
            let used = !row["used_at"].is_null();
            *unused.entry(family.clone()).or_default() += usize::from(!used);
            tokens.insert(text(row, "token_hash"), (row, used || !live.contains(&family)));
        }
        extra.extend(
            unused.iter().filter(|(_, count)| **count > 1).map(|(family, _)| format!("session {family}")),
        );
        for session in &self.sessions {
            for (n, token) in session.iter().enumerate() {
                let last = n + 1 == session.len();
                match tokens.get(&secrets::hash(token)) {
                    Some((_, used)) if *used != last => {}
                    found => lose(format!("token {n} of {} of a session: {found:?}", session.len())),
                }
            }
        }
        verdict.doubled += extra.len();
        verdict.words.extend(extra);
        verdict.words.extend(self.wrong.iter().cloned());
        assert!(self.wrong.is_empty(), "unexpected answers: {:#?}", verdict.words);
    }
}

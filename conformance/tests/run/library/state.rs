//! The data of a library, and its credentials.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::Seed;
use super::answer::Answer;

/// A row and the town that it belongs to.
#[derive(Debug)]
pub struct Row {
    pub town: usize,
    pub value: Value,
}

/// Everything that requests change.
#[derive(Debug)]
pub struct State {
    /// The seeded violation.
    pub seed: Option<Seed>,
    pub books: Vec<Row>,
    pub loans: Vec<Row>,
    /// The texts of books, by book id.
    pub texts: HashMap<String, String>,
    /// The first request and response by town and idempotency key.
    pub repeats: HashMap<(usize, String), (Value, Answer)>,
    /// The town of each owner token, and whether it is a clerk's.
    pub tokens: HashMap<String, (usize, bool)>,
    /// Remaining requests by credential, on the limited server.
    pub left: Option<HashMap<String, usize>>,
    now: DateTime<Utc>,
    count: u64,
}

impl State {
    pub fn new(seed: Option<Seed>) -> Self {
        Self {
            seed,
            books: Vec::new(),
            loans: Vec::new(),
            texts: HashMap::new(),
            repeats: HashMap::new(),
            tokens: HashMap::new(),
            left: None,
            now: Utc::now(),
            count: 0,
        }
    }

    /// The state of the limited server.
    pub fn limited(seed: Option<Seed>) -> Self {
        // Its ids differ from those of the other server.
        Self { left: Some(HashMap::new()), count: 1 << 32, ..Self::new(seed) }
    }

    pub fn has_seed(&self, seed: Seed) -> bool {
        self.seed == Some(seed)
    }

    /// The current time, which advances with every call.
    pub fn moment(&mut self) -> String {
        let tick = chrono::Duration::milliseconds(1);
        self.now = Utc::now().max(self.now + tick);
        self.now.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// A unique number that looks random.
    pub fn number(&mut self) -> u64 {
        self.count += 1;
        // Multiplication by an odd number is a bijection.
        self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high & 0xffff,
            low >> 52,
            low >> 40 & 0xfff,
            low & 0xff_ffff_ffff
        )
    }

    /// The index of a town's row with this id; `None` as town means any town.
    pub fn find(rows: &[Row], town: Option<usize>, id: &str) -> Option<usize> {
        rows.iter().position(|row| row.value["id"] == id && town.is_none_or(|town| row.town == town))
    }
}

/// A town with its keys and its owner.
#[derive(Debug)]
pub struct Town {
    pub name: &'static str,
    pub server_key: &'static str,
    pub reading_key: &'static str,
    pub writing_key: &'static str,
    pub revoked_key: &'static str,
    pub owner_id: &'static str,
    pub email: &'static str,
    /// The email address of the clerk, whose password is the owner's.
    pub clerk: &'static str,
    pub password: &'static str,
}

pub const TOWNS: [Town; 2] = [
    Town {
        name: "Northport",
        server_key: "lk_northport_6f1c2b7e90a84d35",
        reading_key: "lk_northport_read_b3a9d4e5f6071829",
        writing_key: "lk_northport_write_91c0d2e3f4a5b6c7",
        revoked_key: "lk_northport_old_0a1b2c3d4e5f6071",
        owner_id: "5b0c5f0e-64f5-4a52-9a53-0d1f5a3f7c01",
        email: "nora@northport.example.com",
        clerk: "carl@northport.example.com",
        password: "north-lamp-and-ladder",
    },
    Town {
        name: "Southgate",
        server_key: "lk_southgate_d25e7f8091a2b3c4",
        reading_key: "lk_southgate_read_5d6e7f8091a2b3c4",
        writing_key: "lk_southgate_write_e7f8091a2b3c4d5e",
        revoked_key: "lk_southgate_old_f8091a2b3c4d5e6f",
        owner_id: "8e2d1c3b-7a69-4f58-8b47-1c2d3e4f5a02",
        email: "sam@southgate.example.com",
        clerk: "cleo@southgate.example.com",
        password: "south-wall-and-window",
    },
];

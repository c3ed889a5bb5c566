//! The runtime behind generated server code, tried over a real socket with the server trait of a small
//! document (fixture/openapi.json; kept fresh by the tests of xtask). Ringnity's own operations are tried by
//! the server's tests.

#![allow(missing_docs, reason = "tests")]

extern crate self as notes_types;

mod app;
mod credentials;
mod paths;
mod principal;
mod requests;
mod responses;

#[rustfmt::skip]
#[path = "fixture/generated/mod.rs"]
#[allow(dead_code, unused_imports, clippy::all, reason = "generated, and not every part of it is used here")]
mod generated;

// Generated code looks for the runtime where it lives itself: the folder is copied beside it.
#[path = "../../src/runtime/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "not every part of it is used here")]
mod runtime;

pub use types::*;

/// The types crate of the document, by hand.
mod types {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Kind {
        Short,
        Long,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum ExportNotesFormat {
        Json,
        Csv,
    }

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    pub struct NoteInput {
        pub text: String,
        pub kind: Option<Kind>,
        pub rank: Option<i64>,
    }

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    pub struct NotePatch {
        pub text: Option<String>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Note {
        pub id: String,
        pub text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub kind: Option<Kind>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct NoteList {
        pub data: Vec<Note>,
    }

    #[derive(Debug, Default)]
    pub struct ConstTrue;

    impl Serialize for ConstTrue {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bool(true)
        }
    }

    #[derive(Debug, Serialize)]
    pub struct NoteEnvelope {
        pub ok: ConstTrue,
        pub data: Note,
    }

    #[derive(Debug, Clone, PartialEq, Serialize)]
    pub struct Text {
        pub text: String,
    }

    #[derive(Clone, PartialEq, Deserialize)]
    pub struct LoginForm {
        pub name: String,
        pub password: String,
        pub age: Option<i64>,
    }

    impl std::fmt::Debug for LoginForm {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("LoginForm").finish_non_exhaustive()
        }
    }
}

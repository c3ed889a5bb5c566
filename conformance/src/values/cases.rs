//! Values that each show one keyword of a schema, and the keywords for which none could be made.

use serde_json::Value;

/// A value that shows one keyword.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The whole value.
    pub value: Value,
    /// The keyword that it keeps to the limit, or breaks.
    pub keyword: String,
    /// JSON pointer of the keyword in the document: `#/components/schemas/Contact/properties/name/minLength`.
    pub schema: String,
    /// JSON pointer of the place in the value that the keyword judges: `/name`; empty for the value itself.
    pub instance_path: String,
    /// In words, what is shown: `too short: 0 of 1`.
    pub description: String,
}

/// A keyword for which nothing could be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Skipped {
    /// The keyword.
    pub keyword: String,
    /// JSON pointer of the keyword in the document.
    pub schema: String,
    /// JSON pointer of the place in the value.
    pub instance_path: String,
    /// Why.
    pub reason: String,
}

/// Cases, and what could not be made into one.
#[derive(Debug, Clone, Default)]
pub struct Cases {
    /// The cases, in the order of the schema.
    pub cases: Vec<Case>,
    /// The keywords that have none.
    pub skipped: Vec<Skipped>,
}

impl Cases {
    /// Adds a case.
    pub(super) fn add(
        &mut self,
        keyword: &str,
        schema: String,
        description: impl Into<String>,
        value: Value,
    ) {
        self.cases.push(Case {
            value,
            keyword: keyword.to_owned(),
            schema,
            instance_path: String::new(),
            description: description.into(),
        });
    }

    /// Records that there is no case.
    pub(super) fn skip(&mut self, keyword: &str, schema: String, reason: impl Into<String>) {
        self.skipped.push(Skipped {
            keyword: keyword.to_owned(),
            schema,
            instance_path: String::new(),
            reason: reason.into(),
        });
    }

    /// Takes over the cases of the part of `base` at `token`, each put into a copy of `base` by `put`.
    pub(super) fn nest(&mut self, inner: Self, token: &str, base: &Value, put: impl Fn(&mut Value, Value)) {
        for case in inner.cases {
            let mut value = base.clone();
            put(&mut value, case.value);
            self.cases.push(Case { value, instance_path: format!("/{token}{}", case.instance_path), ..case });
        }
        for skipped in inner.skipped {
            self.skipped
                .push(Skipped { instance_path: format!("/{token}{}", skipped.instance_path), ..skipped });
        }
    }
}

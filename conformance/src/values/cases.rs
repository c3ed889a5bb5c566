//! Test values, each for one keyword of a schema, and the keywords without one.

use serde_json::Value;

/// A value that tests one keyword.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The whole value.
    pub value: Value,
    /// The keyword that is tested.
    pub keyword: String,
    /// JSON pointer of the keyword in the document: `#/components/schemas/Contact/properties/name/minLength`.
    pub schema: String,
    /// JSON pointer into the value, where the keyword applies: `/name`; empty for the whole value.
    pub instance_path: String,
    /// What is tested: `too short: 0 where the limit is 1`.
    pub description: String,
}

/// A keyword without a test value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Skipped {
    /// The keyword.
    pub keyword: String,
    /// JSON pointer of the keyword in the document.
    pub schema: String,
    /// JSON pointer into the value.
    pub instance_path: String,
    /// Why there is no value.
    pub reason: String,
}

/// Test values and skipped keywords.
#[derive(Debug, Clone, Default)]
pub struct Cases {
    /// The cases, in the order of the schema.
    pub cases: Vec<Case>,
    /// The keywords without a case.
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

    /// Records a keyword without a case.
    pub(super) fn skip(&mut self, keyword: &str, schema: String, reason: impl Into<String>) {
        self.skipped.push(Skipped {
            keyword: keyword.to_owned(),
            schema,
            instance_path: String::new(),
            reason: reason.into(),
        });
    }

    /// Adds the cases of a part of `base`, the one at `token`. `put` places a value of the part into a copy of
    /// `base`.
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

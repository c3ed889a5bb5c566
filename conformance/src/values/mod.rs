//! Values from a JSON Schema 2020-12: valid ones, boundary cases, and mutants that break one keyword each.
//!
//! A [`Document`] is any JSON document that holds schemas, such as an OpenAPI document; a [`Schema`] is a place
//! in it. Everything here is decided by the schema and, where chance is involved, by a seed: the same document
//! and seed give the same values on every machine. Every value is checked before it is handed out, so a valid
//! one *is* valid and a mutant *is* refused; what could not be made is listed with a reason, never left out.
//!
//! ```
//! use conformance::values::Document;
//! use serde_json::json;
//!
//! let document = Document::new(json!({ "schemas": { "Person": {
//!     "type": "object",
//!     "required": ["name"],
//!     "properties": { "name": { "type": "string", "minLength": 1 }, "age": { "type": "integer", "minimum": 0 } },
//! } } }))?;
//! let person = document.schema("#/schemas/Person")?;
//! let validator = person.validator()?;
//! for value in person.samples(10, 42)? {
//!     assert!(validator.is_valid(&value));
//! }
//! let mutants = person.mutants(None)?;
//! assert!(mutants.cases.iter().any(|mutant| mutant.keyword == "minLength" && mutant.value == json!({ "name": "" })));
//! # Ok::<(), conformance::values::Error>(())
//! ```
//!
//! No HTTP here, and nothing of any particular contract.

use std::fmt;

use jsonschema::{Draft, Registry, Validator};
use proptest::strategy::{BoxedStrategy, Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

mod boundary;
mod cases;
mod mutant;
mod shape;
mod strategy;
mod text;
mod walk;

pub use cases::{Case, Cases, Skipped};
pub use shape::escape;
pub use text::{fragment as reference, unfragment as unreference};

/// The URI under which the validator finds the document.
const BASE: &str = "urn:document";

/// Why no value can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// JSON pointer of the schema, as a URI fragment: `#/components/schemas/Contact`.
    pub pointer: String,
    /// What is wrong with the schema.
    pub problem: String,
}

impl Error {
    fn new(pointer: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), problem: problem.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.pointer, self.problem)
    }
}

impl std::error::Error for Error {}

/// A JSON document that contains schemas.
#[derive(Debug)]
pub struct Document {
    root: Value,
    registry: Registry<'static>,
}

impl Document {
    /// Creates a document. References within it are resolved; nothing is fetched.
    pub fn new(root: Value) -> Result<Self, Error> {
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(BASE, root.clone())
            .and_then(|builder| builder.prepare())
            .map_err(|error| Error::new("#", error.to_string()))?;
        Ok(Self { root, registry })
    }

    /// The whole document.
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// The schema at a pointer such as `#/components/schemas/Contact`.
    pub fn schema(&self, pointer: &str) -> Result<Schema<'_>, Error> {
        self.at(pointer)?;
        Ok(Schema { document: self, pointer: pointer.to_owned() })
    }

    /// The value at a pointer.
    fn at(&self, pointer: &str) -> Result<&Value, Error> {
        pointer
            .strip_prefix('#')
            .and_then(|path| self.root.pointer(path))
            .ok_or_else(|| Error::new(pointer, "the document has nothing at this pointer"))
    }
}

/// A schema of a [`Document`].
#[derive(Debug, Clone)]
pub struct Schema<'d> {
    document: &'d Document,
    pointer: String,
}

impl<'d> Schema<'d> {
    /// JSON pointer of the schema.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The JSON of the schema.
    pub fn json(&self) -> Result<&'d Value, Error> {
        self.document.at(&self.pointer)
    }

    /// Compiles the schema: draft 2020-12, with format assertions, without fetching.
    pub fn validator(&self) -> Result<Validator, Error> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .offline()
            .with_registry(&self.document.registry)
            .build(&json!({ "$ref": format!("{BASE}{}", text::fragment(&self.pointer)) }))
            .map_err(|error| Error::new(&self.pointer, error.to_string()))
    }

    /// A proptest strategy of valid values.
    pub fn strategy(&self) -> Result<BoxedStrategy<Value>, Error> {
        let validator = self.validator()?;
        let raw = strategy::of(self.document, &self.pointer)?;
        Ok(raw
            .prop_filter("no value of this schema was found", move |value| validator.is_valid(value))
            .boxed())
    }

    /// Generates `count` valid values. The same seed gives the same values.
    pub fn samples(&self, count: usize, seed: u64) -> Result<Vec<Value>, Error> {
        let strategy = self.strategy()?;
        let mut runner = runner(seed);
        (0..count)
            .map(|_| {
                let tree = strategy
                    .new_tree(&mut runner)
                    .map_err(|reason| Error::new(&self.pointer, reason.to_string()))?;
                Ok(tree.current())
            })
            .collect()
    }

    /// The minimal valid value: required members only, shortest lists, ordinary texts and numbers.
    pub fn minimal(&self) -> Result<Value, Error> {
        let value = strategy::minimal::of(self.document, &self.pointer)?;
        if self.validator()?.is_valid(&value) {
            return Ok(value);
        }
        // A rule such as `not` forbids the minimal value, so the first random one is used.
        self.samples(1, 0)?.pop().ok_or_else(|| Error::new(&self.pointer, "no value was found"))
    }

    /// Valid values on the boundaries of the schema: shortest and longest, smallest and greatest, every enum value,
    /// null, each optional member absent and present. Each case changes `base`, a valid value, in one place; the
    /// default is the minimal value.
    pub fn boundaries(&self, base: Option<&Value>) -> Result<Cases, Error> {
        walk::cases(self, base, walk::CaseKind::Boundary)
    }

    /// All values of one keyword for the part of a value at `place`, a JSON pointer: every `format` of `/createdAt`,
    /// every `default` of `/items/0/kind`.
    pub fn keyword_values_at(&self, place: &str, keyword: &str) -> Result<Vec<&'d Value>, Error> {
        let mut here = vec![vec![self.pointer.clone()]];
        for token in place.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            let mut next = Vec::new();
            for pointers in &here {
                for shape in shape::Alternatives::new(self.document, pointers)?.shapes {
                    next.push(shape.member(&name));
                    if name.parse::<usize>().is_ok() {
                        next.push(shape.items());
                    }
                }
            }
            next.sort();
            next.dedup();
            here = next;
        }
        let mut out = Vec::new();
        for pointers in &here {
            for shape in shape::Alternatives::new(self.document, pointers)?.shapes {
                out.extend(shape.occurrences(keyword).map(|(_, value)| value));
            }
        }
        out.dedup();
        Ok(out)
    }

    /// Values that break exactly one keyword. Each changes `base`, a valid value, in one place; the default is the
    /// minimal value.
    pub fn mutants(&self, base: Option<&Value>) -> Result<Cases, Error> {
        walk::cases(self, base, walk::CaseKind::Mutant)
    }
}

/// A proptest runner with a fixed seed.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

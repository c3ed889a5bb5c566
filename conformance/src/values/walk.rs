//! Walks through a schema and a value, collects the cases of each place, and inserts each into the whole value.
//! `boundary` and `mutant` make the cases.

use std::collections::HashSet;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::cases::{Case, Cases, Skipped};
use super::shape::{AdditionalMembers, Alternatives, JsonType, Shape, escape};
use super::strategy::minimal;
use super::{BASE, Document, Error, Schema, boundary, mutant, text};

/// The kind of cases to collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseKind {
    /// Valid values on a boundary.
    Boundary,
    /// Values that break one keyword.
    Mutant,
}

/// Collects the cases of `schema` and keeps those that pass verification.
pub fn cases(schema: &Schema<'_>, base: Option<&Value>, case_kind: CaseKind) -> Result<Cases, Error> {
    let validator = schema.validator()?;
    if let Some(error) = base.and_then(|base| validator.iter_errors(base).next()) {
        let problem = format!("the base value is not valid: {}: {error}", error.instance_path());
        return Err(Error::new(&schema.pointer, problem));
    }
    let mut walker = Walker { document: schema.document, case_kind, path: Vec::new() };
    let drafts = walker.place(std::slice::from_ref(&schema.pointer), base)?;
    Ok(verified(drafts, &validator, case_kind))
}

/// Keeps the cases that show what they claim. Of several candidates for the same claim the first is kept.
fn verified(drafts: Cases, validator: &Validator, case_kind: CaseKind) -> Cases {
    let mut out = Cases::default();
    let mut shown = HashSet::new();
    let mut reached = HashSet::new();
    let mut skipped = drafts.skipped;
    for case in drafts.cases {
        let key = (case.schema.clone(), case.instance_path.clone(), case.description.clone());
        if shown.contains(&key) {
            continue;
        }
        match verify(&case, validator, case_kind) {
            Ok(()) => {
                reached.insert((case.schema.clone(), case.instance_path.clone()));
                shown.insert(key);
                out.cases.push(case);
            }
            Err(reason) => skipped.push(Skipped {
                keyword: case.keyword,
                schema: case.schema,
                instance_path: case.instance_path,
                reason: reason.to_owned(),
            }),
        }
    }
    let mut seen = HashSet::new();
    skipped.retain(|one| {
        let place = (one.schema.clone(), one.instance_path.clone());
        !reached.contains(&place) && seen.insert(place)
    });
    out.skipped = skipped;
    out
}

/// An error of these keywords stands for the error of a keyword below them.
const COMPOSITE_KEYWORDS: [&str; 6] = ["anyOf", "oneOf", "not", "if", "then", "else"];

fn verify(case: &Case, validator: &Validator, case_kind: CaseKind) -> Result<(), &'static str> {
    let errors: Vec<_> = validator.iter_errors(&case.value).collect();
    match case_kind {
        CaseKind::Boundary if errors.is_empty() => return Ok(()),
        CaseKind::Boundary => return Err("another rule of the schema forbids it"),
        CaseKind::Mutant if errors.is_empty() => return Err("the rest of the schema allows it"),
        CaseKind::Mutant => {}
    }
    let above = |path: &str| {
        case.instance_path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if errors.iter().any(|error| !above(error.instance_path().as_str())) {
        return Err("it cannot be broken without breaking a rule elsewhere");
    }
    let named = errors.iter().any(|error| {
        let path = error.instance_path().as_str();
        (path == case.instance_path && error.kind().keyword() == case.keyword)
            || COMPOSITE_KEYWORDS.contains(&error.kind().keyword())
    });
    if named { Ok(()) } else { Err("another keyword rejects it first") }
}

struct Walker<'d> {
    document: &'d Document,
    case_kind: CaseKind,
    /// Keys of the shapes above, to stop at recursive schemas.
    path: Vec<String>,
}

impl Walker<'_> {
    fn place(&mut self, pointers: &[String], given: Option<&Value>) -> Result<Cases, Error> {
        let place = Alternatives::new(self.document, pointers)?;
        let mut out = Cases::default();
        for shape in &place.shapes {
            let key = shape.key();
            if self.path.contains(&key) {
                continue;
            }
            self.path.push(key);
            for base in self.bases(&place, shape, given, &mut out) {
                match self.case_kind {
                    CaseKind::Boundary => boundary::cases(self.document, shape, &base, &mut out),
                    CaseKind::Mutant => mutant::cases(self.document, shape, &base, &mut out),
                }
                self.inside(shape, &base, &mut out)?;
            }
            self.path.pop();
        }
        if self.case_kind == CaseKind::Mutant {
            for choice in &place.choices {
                mutant::add_choice_mutants(self.document, &place, choice, &mut out);
            }
        }
        Ok(out)
    }

    /// The values to start from: the given one if it has this shape, else a minimal one of each type.
    fn bases(
        &self,
        place: &Alternatives<'_>,
        shape: &Shape<'_>,
        given: Option<&Value>,
        out: &mut Cases,
    ) -> Vec<Value> {
        if let Some(given) = given
            && !given.is_null()
            && (place.shapes.len() == 1 || self.has_shape(shape, given))
        {
            return vec![given.clone()];
        }
        let depth = self.path.len();
        if shape.listed_values().is_some() {
            return minimal::of_shape(self.document, shape, depth).into_iter().collect();
        }
        let types = shape.types();
        let solid: Vec<JsonType> = types.iter().copied().filter(|kind| *kind != JsonType::Null).collect();
        let types = match (solid.is_empty(), shape.is_unconstrained()) {
            (true, _) => types,
            // Without constraints any value will do.
            (false, true) => vec![JsonType::String],
            (false, false) => solid,
        };
        let mut bases = Vec::new();
        for kind in types {
            match minimal::of_kind(self.document, shape, kind, depth) {
                Ok(base) => bases.push(base),
                Err(error) => out.skip("type", error.pointer, error.problem),
            }
        }
        bases
    }

    fn has_shape(&self, shape: &Shape<'_>, value: &Value) -> bool {
        let parts: Vec<Value> = shape
            .parts
            .iter()
            .map(|part| json!({ "$ref": format!("{BASE}{}", text::fragment(&part.pointer)) }))
            .collect();
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .offline()
            .with_registry(&self.document.registry)
            .build(&json!({ "allOf": parts }))
            .is_ok_and(|validator| validator.is_valid(value))
    }

    /// Collects the cases of members and items.
    fn inside(&mut self, shape: &Shape<'_>, base: &Value, out: &mut Cases) -> Result<(), Error> {
        match base {
            Value::Object(object) => {
                let mut members: Vec<(String, Vec<String>)> =
                    shape.members().into_iter().map(|(name, pointers)| (name.to_owned(), pointers)).collect();
                if let AdditionalMembers::Allowed(pointers) = shape.additional_members() {
                    members.push(("x-extra".to_owned(), pointers));
                }
                for (name, pointers) in members {
                    let inner = self.place(&pointers, object.get(&name))?;
                    out.nest(inner, &escape(&name), base, |whole, value| {
                        if let Value::Object(object) = whole {
                            object.insert(name.clone(), value);
                        }
                    });
                }
            }
            Value::Array(items) => {
                let inner = self.place(&shape.items(), items.first())?;
                out.nest(inner, "0", base, |whole, value| {
                    if let Value::Array(items) = whole {
                        items.splice(..items.len().min(1), [value]);
                    }
                });
            }
            _ => {}
        }
        Ok(())
    }
}

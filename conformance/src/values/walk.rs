//! Visits every place of a schema together with a value for it, has cases made there, and puts each back into
//! the whole value. Which cases a place has is decided in `boundary` and `mutant`.

use std::collections::HashSet;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::cases::{Case, Cases, Skipped};
use super::shape::{Extra, Kind, Place, Shape, escape};
use super::strategy::plain;
use super::{BASE, Document, Error, Schema, boundary, mutant, text};

/// Which side of a limit the cases are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Valid, just so.
    Boundary,
    /// Invalid, just so.
    Mutant,
}

/// All cases of `schema`, each checked.
pub fn cases(schema: &Schema<'_>, base: Option<&Value>, aim: Aim) -> Result<Cases, Error> {
    let validator = schema.validator()?;
    if let Some(error) = base.and_then(|base| validator.iter_errors(base).next()) {
        let problem = format!("the value to start from is not valid: {}: {error}", error.instance_path());
        return Err(Error::new(&schema.pointer, problem));
    }
    let mut walker = Walker { document: schema.document, aim, path: Vec::new() };
    let drafts = walker.place(std::slice::from_ref(&schema.pointer), base)?;
    Ok(checked(drafts, &validator, aim))
}

/// Keeps the cases that show what they say; the first of several candidates for the same is enough.
fn checked(drafts: Cases, validator: &Validator, aim: Aim) -> Cases {
    let mut out = Cases::default();
    let mut shown = HashSet::new();
    let mut reached = HashSet::new();
    let mut skipped = drafts.skipped;
    for case in drafts.cases {
        let key = (case.schema.clone(), case.place.clone(), case.what.clone());
        if shown.contains(&key) {
            continue;
        }
        match judge(&case, validator, aim) {
            Ok(()) => {
                reached.insert((case.schema.clone(), case.place.clone()));
                shown.insert(key);
                out.cases.push(case);
            }
            Err(reason) => skipped.push(Skipped {
                keyword: case.keyword,
                schema: case.schema,
                place: case.place,
                reason: reason.to_owned(),
            }),
        }
    }
    let mut seen = HashSet::new();
    skipped.retain(|one| {
        let place = (one.schema.clone(), one.place.clone());
        !reached.contains(&place) && seen.insert(place)
    });
    out.skipped = skipped;
    out
}

/// Keywords whose failure stands for that of a keyword below them.
const UMBRELLAS: [&str; 6] = ["anyOf", "oneOf", "not", "if", "then", "else"];

fn judge(case: &Case, validator: &Validator, aim: Aim) -> Result<(), &'static str> {
    let errors: Vec<_> = validator.iter_errors(&case.value).collect();
    match aim {
        Aim::Boundary if errors.is_empty() => return Ok(()),
        Aim::Boundary => return Err("another rule of the schema forbids it"),
        Aim::Mutant if errors.is_empty() => return Err("the rest of the schema allows it"),
        Aim::Mutant => {}
    }
    let above = |path: &str| {
        case.place.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if errors.iter().any(|error| !above(error.instance_path().as_str())) {
        return Err("it cannot be broken without breaking a rule elsewhere");
    }
    let named = errors.iter().any(|error| {
        let path = error.instance_path().as_str();
        (path == case.place && error.kind().keyword() == case.keyword)
            || UMBRELLAS.contains(&error.kind().keyword())
    });
    if named { Ok(()) } else { Err("another keyword refuses it first") }
}

struct Walker<'d> {
    document: &'d Document,
    aim: Aim,
    /// The shapes on the way down, to end where a schema contains itself.
    path: Vec<String>,
}

impl Walker<'_> {
    fn place(&mut self, pointers: &[String], given: Option<&Value>) -> Result<Cases, Error> {
        let place = Place::new(self.document, pointers)?;
        let mut out = Cases::default();
        for shape in &place.shapes {
            let key = shape.key();
            if self.path.contains(&key) {
                continue;
            }
            self.path.push(key);
            for base in self.bases(&place, shape, given, &mut out) {
                match self.aim {
                    Aim::Boundary => boundary::cases(self.document, shape, &base, &mut out),
                    Aim::Mutant => mutant::cases(self.document, shape, &base, &mut out),
                }
                self.inside(shape, &base, &mut out)?;
            }
            self.path.pop();
        }
        if self.aim == Aim::Mutant {
            for choice in &place.choices {
                mutant::of_choice(self.document, &place, choice, &mut out);
            }
        }
        Ok(out)
    }

    /// The values to start from: the given one where it has this shape, or a plain one of each kind.
    fn bases(
        &self,
        place: &Place<'_>,
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
        if shape.choices().is_some() {
            return plain::of_shape(self.document, shape, depth).into_iter().collect();
        }
        let kinds = shape.kinds();
        let solid: Vec<Kind> = kinds.iter().copied().filter(|kind| *kind != Kind::Null).collect();
        let kinds = match (solid.is_empty(), shape.is_silent()) {
            (true, _) => kinds,
            // A value of which nothing is said is as good as any.
            (false, true) => vec![Kind::String],
            (false, false) => solid,
        };
        let mut bases = Vec::new();
        for kind in kinds {
            match plain::of_kind(self.document, shape, kind, depth) {
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

    /// The cases of members and items.
    fn inside(&mut self, shape: &Shape<'_>, base: &Value, out: &mut Cases) -> Result<(), Error> {
        match base {
            Value::Object(object) => {
                let mut members: Vec<(String, Vec<String>)> =
                    shape.members().into_iter().map(|(name, pointers)| (name.to_owned(), pointers)).collect();
                if let Extra::Welcome(pointers) = shape.extra() {
                    members.push(("x-extra".to_owned(), pointers));
                }
                for (name, pointers) in members {
                    let inner = self.place(&pointers, object.get(&name))?;
                    out.adopt(inner, &escape(&name), base, |whole, value| {
                        if let Value::Object(object) = whole {
                            object.insert(name.clone(), value);
                        }
                    });
                }
            }
            Value::Array(items) => {
                let inner = self.place(&shape.items(), items.first())?;
                out.adopt(inner, "0", base, |whole, value| {
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

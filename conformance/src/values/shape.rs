//! What a schema demands of one value, with references and compositions resolved: the form that everything
//! else here reads. No values are made here.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Document, Error};

/// More ways than this to satisfy one schema are not told apart.
const MAX_SHAPES: usize = 64;

/// References and compositions nested deeper than this, without a value between them, lead nowhere.
const MAX_COMPOSITION_DEPTH: usize = 64;

/// Numbers beyond this lose digits in readers that know only floats.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// JSON's types, integers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// A string.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
    /// Null.
    Null,
}

impl JsonType {
    const ALL: [Self; 6] = [Self::Object, Self::String, Self::Number, Self::Boolean, Self::Array, Self::Null];

    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "array" => Self::Array,
            "object" => Self::Object,
            "null" => Self::Null,
            _ => return None,
        })
    }

    /// Whether `value` is of this kind.
    pub fn holds(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::Null => value.is_null(),
        }
    }
}

/// One schema object that a value must satisfy.
#[derive(Debug, Clone)]
pub struct Part<'d> {
    /// Where it stands.
    pub pointer: String,
    /// Its keywords; the ones that lead to other schemas of the same value are followed already.
    pub keywords: &'d Map<String, Value>,
}

impl Part<'_> {
    /// The types that this part alone allows; `None` when it does not say.
    pub fn types(&self) -> Option<Vec<JsonType>> {
        match self.keywords.get("type")? {
            Value::String(name) => Some(JsonType::from_name(name).into_iter().collect()),
            Value::Array(names) => {
                Some(names.iter().filter_map(Value::as_str).filter_map(JsonType::from_name).collect())
            }
            _ => None,
        }
    }
}

/// What must hold of a value all at once: one way through all alternatives.
#[derive(Debug, Clone, Default)]
pub struct Shape<'d> {
    /// The schema objects, outermost first.
    pub parts: Vec<Part<'d>>,
}

/// An `anyOf` or `oneOf`.
#[derive(Debug, Clone)]
pub struct Choice<'d> {
    /// Which of the two.
    pub keyword: &'static str,
    /// Where it stands.
    pub pointer: String,
    /// Its branches.
    pub branches: &'d [Value],
}

/// All ways to satisfy a schema.
#[derive(Debug, Clone, Default)]
pub struct Alternatives<'d> {
    /// The ways; none when nothing satisfies it.
    pub shapes: Vec<Shape<'d>>,
    /// The choices between them.
    pub choices: Vec<Choice<'d>>,
}

impl<'d> Alternatives<'d> {
    /// Resolves the schemas at `pointers`, all of which hold of the value.
    pub fn new(document: &'d Document, pointers: &[String]) -> Result<Self, Error> {
        let mut place = Self { shapes: vec![Shape::default()], choices: Vec::new() };
        for pointer in pointers {
            let more = place.expand(document, pointer, 0)?;
            place.cross(more);
        }
        place.shapes.retain(|shape| !shape.types().is_empty());
        Ok(place)
    }

    fn expand(
        &mut self,
        document: &'d Document,
        pointer: &str,
        depth: usize,
    ) -> Result<Vec<Shape<'d>>, Error> {
        if depth > MAX_COMPOSITION_DEPTH {
            return Err(Error::new(pointer, "refers to itself without a value between"));
        }
        let keywords = match document.at(pointer)? {
            Value::Bool(true) => return Ok(vec![Shape::default()]),
            Value::Bool(false) => return Ok(Vec::new()),
            Value::Object(keywords) => keywords,
            _ => return Err(Error::new(pointer, "is no schema: neither an object nor true or false")),
        };
        let mut expanded = Self {
            shapes: vec![Shape { parts: vec![Part { pointer: pointer.to_owned(), keywords }] }],
            choices: Vec::new(),
        };
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            let target = super::text::unfragment(reference);
            let more =
                self.expand(document, &target, depth + 1).map_err(|error| match error.pointer == target {
                    true => Error::new(format!("{pointer}/$ref"), format!("{reference}: {}", error.problem)),
                    false => error,
                })?;
            expanded.cross(more);
        }
        for index in 0..keywords.get("allOf").and_then(Value::as_array).map_or(0, Vec::len) {
            let more = self.expand(document, &format!("{pointer}/allOf/{index}"), depth + 1)?;
            expanded.cross(more);
        }
        for keyword in ["anyOf", "oneOf"] {
            let Some(branches) = keywords.get(keyword).and_then(Value::as_array) else { continue };
            let pointer = format!("{pointer}/{keyword}");
            let mut more = Vec::new();
            for index in 0..branches.len() {
                more.extend(self.expand(document, &format!("{pointer}/{index}"), depth + 1)?);
            }
            expanded.cross(more);
            if !self.choices.iter().any(|choice| choice.pointer == pointer) {
                self.choices.push(Choice { keyword, pointer, branches });
            }
        }
        Ok(expanded.shapes)
    }

    fn cross(&mut self, more: Vec<Shape<'d>>) {
        let mut out = Vec::new();
        for one in &self.shapes {
            for other in more.iter().take(MAX_SHAPES / self.shapes.len().max(1) + 1) {
                let parts = one.parts.iter().chain(&other.parts).cloned().collect();
                out.push(Shape { parts });
            }
        }
        out.truncate(MAX_SHAPES);
        self.shapes = out;
    }
}

/// What an object says about members that it does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdditionalMembers {
    /// Nothing: they are allowed, nobody asks for them.
    Unspecified,
    /// They are welcome, and must satisfy the schemas at these pointers.
    Allowed(Vec<String>),
    /// They are refused.
    Forbidden,
}

/// A numeric limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The limit.
    pub value: f64,
    /// Whether the limit itself is outside.
    pub exclusive: bool,
}

impl<'d> Shape<'d> {
    /// Tells two shapes apart.
    pub fn key(&self) -> String {
        self.parts.iter().map(|part| part.pointer.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Every occurrence of a keyword, with its pointer.
    pub fn occurrences<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = (String, &'d Value)> + 'a {
        self.parts.iter().filter_map(move |part| {
            part.keywords.get(keyword).map(|value| (format!("{}/{keyword}", part.pointer), value))
        })
    }

    /// The types that all parts allow. A shape that names none is of the kind that its keywords speak of.
    pub fn types(&self) -> Vec<JsonType> {
        let said: Vec<Vec<JsonType>> = self.parts.iter().filter_map(Part::types).collect();
        let Some((first, rest)) = said.split_first() else {
            let hints: [(JsonType, &[&str]); 4] = [
                (
                    JsonType::Object,
                    &["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
                ),
                (
                    JsonType::Array,
                    &["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"],
                ),
                (JsonType::String, &["minLength", "maxLength", "pattern", "format"]),
                (
                    JsonType::Number,
                    &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
                ),
            ];
            let hinted: Vec<JsonType> = hints
                .iter()
                .filter(|(_, keywords)| {
                    keywords.iter().any(|keyword| self.occurrences(keyword).next().is_some())
                })
                .map(|(kind, _)| *kind)
                .collect();
            return if hinted.is_empty() { JsonType::ALL.to_vec() } else { hinted };
        };
        let mut out = first.clone();
        for types in rest {
            out = out
                .into_iter()
                .filter_map(|kind| match kind {
                    JsonType::Number
                        if !types.contains(&JsonType::Number) && types.contains(&JsonType::Integer) =>
                    {
                        Some(JsonType::Integer)
                    }
                    JsonType::Integer if types.contains(&JsonType::Number) => Some(JsonType::Integer),
                    kind => types.contains(&kind).then_some(kind),
                })
                .collect();
        }
        out
    }

    /// Whether nothing at all is said about the value.
    pub fn is_unconstrained(&self) -> bool {
        self.types() == JsonType::ALL && self.listed_values().is_none()
    }

    /// The values that `enum` and `const` leave; `None` when there is neither.
    pub fn listed_values(&self) -> Option<Vec<Value>> {
        let mut out: Option<Vec<Value>> = None;
        for part in &self.parts {
            let listed = part.keywords.get("enum").and_then(Value::as_array).cloned();
            for values in
                listed.into_iter().chain(part.keywords.get("const").map(|value| vec![value.clone()]))
            {
                out = Some(match out {
                    None => values,
                    Some(known) => known.into_iter().filter(|value| values.contains(value)).collect(),
                });
            }
        }
        let types = self.types();
        out.map(|values| {
            values.into_iter().filter(|value| types.iter().any(|kind| kind.holds(value))).collect()
        })
    }

    /// The greatest of a lower limit such as `minLength`.
    pub fn at_least(&self, keyword: &str) -> usize {
        self.occurrences(keyword).filter_map(|(_, value)| count(value)).max().unwrap_or(0)
    }

    /// The least of an upper limit such as `maxLength`.
    pub fn at_most(&self, keyword: &str) -> Option<usize> {
        self.occurrences(keyword).filter_map(|(_, value)| count(value)).min()
    }

    /// The text of a keyword such as `format`.
    pub fn text_of(&self, keyword: &str) -> Option<&'d str> {
        self.occurrences(keyword).find_map(|(_, value)| value.as_str())
    }

    /// The greatest lower bound of a number.
    pub fn lower(&self) -> Option<Bound> {
        let bounds = [("minimum", false), ("exclusiveMinimum", true)];
        let all = bounds.iter().flat_map(|(keyword, exclusive)| {
            self.occurrences(keyword)
                .filter_map(|(_, value)| Some(Bound { value: value.as_f64()?, exclusive: *exclusive }))
        });
        all.reduce(|one, other| {
            let tighter = other.value > one.value || (other.value == one.value && other.exclusive);
            if tighter { other } else { one }
        })
    }

    /// The least upper bound of a number.
    pub fn upper(&self) -> Option<Bound> {
        let bounds = [("maximum", false), ("exclusiveMaximum", true)];
        let all = bounds.iter().flat_map(|(keyword, exclusive)| {
            self.occurrences(keyword)
                .filter_map(|(_, value)| Some(Bound { value: value.as_f64()?, exclusive: *exclusive }))
        });
        all.reduce(|one, other| {
            let tighter = other.value < one.value || (other.value == one.value && other.exclusive);
            if tighter { other } else { one }
        })
    }

    /// The step of a number.
    pub fn step(&self) -> Option<f64> {
        self.occurrences("multipleOf").find_map(|(_, value)| value.as_f64())
    }

    /// The range of whole numbers of a self.
    pub fn integer_range(&self) -> (i64, i64) {
        let (low, high) = match self.text_of("format") {
            Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Some("int64") => (i64::MIN, i64::MAX),
            _ => (-MAX_SAFE_INTEGER as i64, MAX_SAFE_INTEGER as i64),
        };
        // Saturating casts keep a bound that is out of range at the end of it.
        let up = |bound: Bound| {
            if bound.exclusive { bound.value.floor() as i64 + 1 } else { bound.value.ceil() as i64 }
        };
        let down = |bound: Bound| {
            if bound.exclusive { bound.value.ceil() as i64 - 1 } else { bound.value.floor() as i64 }
        };
        (
            self.lower().map_or(low, |bound| up(bound).max(low)),
            self.upper().map_or(high, |bound| down(bound).min(high)),
        )
    }

    /// The range of numbers of a shape, both ends inside it.
    pub fn number_range(&self) -> (f64, f64) {
        let nudge = |bound: Bound| if bound.exclusive { (bound.value.abs() * 1e-9).max(1e-9) } else { 0.0 };
        let low = self.lower().map_or(-1e12, |bound| bound.value + nudge(bound));
        let high = self.upper().map_or(1e12_f64.max(low), |bound| bound.value - nudge(bound));
        (low.min(high), high)
    }

    /// Whether the items of a list must differ.
    pub fn unique(&self) -> bool {
        self.occurrences("uniqueItems").any(|(_, value)| *value == Value::Bool(true))
    }

    /// The schemas of the items of a list.
    pub fn items(&self) -> Vec<String> {
        self.occurrences("items").map(|(pointer, _)| pointer).collect()
    }

    /// The members that must be there.
    pub fn required(&self) -> Vec<&'d str> {
        let mut out = Vec::new();
        for (_, names) in self.occurrences("required") {
            for name in names.as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !out.contains(&name) {
                    out.push(name);
                }
            }
        }
        out
    }

    /// The members that are named, with the schemas of each.
    pub fn members(&self) -> IndexMap<&'d str, Vec<String>> {
        let named = self.parts.iter().filter_map(|part| part.keywords.get("properties")?.as_object());
        let names: Vec<&'d str> = named.flat_map(Map::keys).map(String::as_str).collect();
        let mut out = IndexMap::new();
        for name in names.into_iter().chain(self.required()) {
            out.entry(name).or_insert_with(|| self.member(name));
        }
        out
    }

    /// The schemas of the member called `name`.
    pub fn member(&self, name: &str) -> Vec<String> {
        let of_part = |part: &Part<'d>| {
            if part.keywords.get("properties").is_some_and(|all| all.get(name).is_some()) {
                return Some(format!("{}/properties/{}", part.pointer, escape(name)));
            }
            part.keywords
                .get("additionalProperties")
                .map(|_| format!("{}/additionalProperties", part.pointer))
        };
        self.parts.iter().filter_map(of_part).collect()
    }

    /// What is said about members that are not named.
    pub fn additional_members(&self) -> AdditionalMembers {
        let mut out = AdditionalMembers::Unspecified;
        for (pointer, value) in self.occurrences("additionalProperties") {
            match value {
                Value::Bool(false) => return AdditionalMembers::Forbidden,
                _ => match &mut out {
                    AdditionalMembers::Allowed(pointers) => pointers.push(pointer),
                    _ => out = AdditionalMembers::Allowed(vec![pointer]),
                },
            }
        }
        out
    }
}

fn count(value: &Value) -> Option<usize> {
    value
        .as_u64()
        .or_else(|| value.as_f64().map(|number| number as u64))
        .and_then(|n| usize::try_from(n).ok())
}

/// Escapes one JSON pointer token.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

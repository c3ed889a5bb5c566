//! The constraints of a schema on one value, with references and compositions resolved. All other modules here read
//! schemas in this form.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Document, Error};

/// Maximum number of alternatives per schema. Further ones are dropped.
const MAX_SHAPES: usize = 64;

/// Maximum depth of references and compositions that apply to the same value.
const MAX_COMPOSITION_DEPTH: usize = 64;

/// Larger integers lose digits in readers that use floating-point numbers.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The types of JSON Schema.
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
    /// An array.
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

    /// Whether `value` has this type.
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

/// A schema object that applies to a value.
#[derive(Debug, Clone)]
pub struct Part<'d> {
    /// JSON pointer of the schema object.
    pub pointer: String,
    /// Keywords. References and compositions have been followed.
    pub keywords: &'d Map<String, Value>,
}

impl Part<'_> {
    /// The types that this part allows; `None` when it has no `type`.
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

/// One way to satisfy a schema: schema objects that all apply to the value.
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
    /// JSON pointer of the keyword.
    pub pointer: String,
    /// The branches.
    pub branches: &'d [Value],
}

/// All ways to satisfy a schema.
#[derive(Debug, Clone, Default)]
pub struct Alternatives<'d> {
    /// The ways; empty when nothing satisfies the schema.
    pub shapes: Vec<Shape<'d>>,
    /// The `anyOf` and `oneOf` keywords between them.
    pub choices: Vec<Choice<'d>>,
}

impl<'d> Alternatives<'d> {
    /// Resolves the schemas at `pointers`, all of which apply to the value.
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
            return Err(Error::new(pointer, "refers to itself"));
        }
        let keywords = match document.at(pointer)? {
            Value::Bool(true) => return Ok(vec![Shape::default()]),
            Value::Bool(false) => return Ok(Vec::new()),
            Value::Object(keywords) => keywords,
            _ => return Err(Error::new(pointer, "is not a schema: neither an object nor a boolean")),
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

/// The constraint on members that `properties` does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdditionalMembers {
    /// No `additionalProperties`: they are allowed, and none are generated.
    Unspecified,
    /// They are allowed, and must satisfy the schemas at these pointers.
    Allowed(Vec<String>),
    /// They are forbidden.
    Forbidden,
}

/// A numeric bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The bound.
    pub value: f64,
    /// Whether the bound itself is excluded.
    pub exclusive: bool,
}

impl<'d> Shape<'d> {
    /// Identifies the shape.
    pub fn key(&self) -> String {
        self.parts.iter().map(|part| part.pointer.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Every occurrence of a keyword, with its pointer.
    pub fn occurrences<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = (String, &'d Value)> + 'a {
        self.parts.iter().filter_map(move |part| {
            part.keywords.get(keyword).map(|value| (format!("{}/{keyword}", part.pointer), value))
        })
    }

    /// The types that all parts allow. Without `type`, the types to which the keywords apply.
    pub fn types(&self) -> Vec<JsonType> {
        let by_part: Vec<Vec<JsonType>> = self.parts.iter().filter_map(Part::types).collect();
        let Some((first, rest)) = by_part.split_first() else {
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

    /// Whether any JSON value satisfies it.
    pub fn is_unconstrained(&self) -> bool {
        self.types() == JsonType::ALL && self.listed_values().is_none()
    }

    /// The values that `enum` and `const` allow; `None` without these keywords.
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

    /// The largest value of a lower limit such as `minLength`; 0 without one.
    pub fn at_least(&self, keyword: &str) -> usize {
        self.occurrences(keyword).filter_map(|(_, value)| count(value)).max().unwrap_or(0)
    }

    /// The smallest value of an upper limit such as `maxLength`.
    pub fn at_most(&self, keyword: &str) -> Option<usize> {
        self.occurrences(keyword).filter_map(|(_, value)| count(value)).min()
    }

    /// The first text value of a keyword such as `format`.
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

    /// The value of `multipleOf`.
    pub fn step(&self) -> Option<f64> {
        self.occurrences("multipleOf").find_map(|(_, value)| value.as_f64())
    }

    /// The inclusive range of integers.
    pub fn integer_range(&self) -> (i64, i64) {
        let (low, high) = match self.text_of("format") {
            Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
            Some("int64") => (i64::MIN, i64::MAX),
            _ => (-MAX_SAFE_INTEGER as i64, MAX_SAFE_INTEGER as i64),
        };
        // Saturating casts keep a bound that is out of range at the end of the range.
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

    /// The inclusive range of numbers.
    pub fn number_range(&self) -> (f64, f64) {
        let nudge = |bound: Bound| if bound.exclusive { (bound.value.abs() * 1e-9).max(1e-9) } else { 0.0 };
        let low = self.lower().map_or(-1e12, |bound| bound.value + nudge(bound));
        let high = self.upper().map_or(1e12_f64.max(low), |bound| bound.value - nudge(bound));
        (low.min(high), high)
    }

    /// Whether the items of an array must be unique.
    pub fn unique(&self) -> bool {
        self.occurrences("uniqueItems").any(|(_, value)| *value == Value::Bool(true))
    }

    /// Pointers of the schemas of array items.
    pub fn items(&self) -> Vec<String> {
        self.occurrences("items").map(|(pointer, _)| pointer).collect()
    }

    /// The names of required members.
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

    /// The names of known members, with the pointers of their schemas.
    pub fn members(&self) -> IndexMap<&'d str, Vec<String>> {
        let named = self.parts.iter().filter_map(|part| part.keywords.get("properties")?.as_object());
        let names: Vec<&'d str> = named.flat_map(Map::keys).map(String::as_str).collect();
        let mut out = IndexMap::new();
        for name in names.into_iter().chain(self.required()) {
            out.entry(name).or_insert_with(|| self.member(name));
        }
        out
    }

    /// Pointers of the schemas of the member `name`.
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

    /// The constraint on members that `properties` does not name.
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

/// Escapes a token of a JSON pointer.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

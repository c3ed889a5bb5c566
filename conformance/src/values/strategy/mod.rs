//! Proptest strategies of valid values, for every way to satisfy a schema. Constraints such as `not` and `oneOf` are
//! left to the filter in [`super::Schema::strategy`].

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Union};
use serde_json::{Map, Value, json};

use super::shape::{AdditionalMembers, Alternatives, JsonType, Shape};
use super::{Document, Error, text};

pub mod minimal;

/// Below this depth values are minimal.
const MAX_RANDOM_DEPTH: usize = 7;

/// Documents whose schemas contain each other many times are cut off after this number of schemas.
const MAX_SCHEMAS: usize = 20_000;

/// Maximum number of items beyond `minItems`.
const MAX_EXTRA_ITEMS: usize = 3;

/// The strategy of the schema at `pointer`.
pub fn of(document: &Document, pointer: &str) -> Result<BoxedStrategy<Value>, Error> {
    member(document, &[pointer.to_owned()], 0)
}

/// The strategy of values that satisfy the schemas at all `pointers`.
pub fn member(document: &Document, pointers: &[String], depth: usize) -> Result<BoxedStrategy<Value>, Error> {
    StrategyBuilder { document, schemas: Cell::new(0) }.member(pointers, depth)
}

struct StrategyBuilder<'d> {
    document: &'d Document,
    schemas: Cell<usize>,
}

impl StrategyBuilder<'_> {
    fn member(&self, pointers: &[String], depth: usize) -> Result<BoxedStrategy<Value>, Error> {
        self.schemas.set(self.schemas.get() + 1);
        if depth > MAX_RANDOM_DEPTH || self.schemas.get() > MAX_SCHEMAS {
            return Ok(Just(minimal::member(self.document, pointers, depth)?).boxed());
        }
        let place = Alternatives::new(self.document, pointers)?;
        let mut last = Error::new(
            pointers.first().map_or("#", String::as_str),
            "no value satisfies it: its types, or all its alternatives, exclude each other",
        );
        let mut ways = Vec::new();
        for shape in &place.shapes {
            match self.shape(shape, depth) {
                Ok(strategy) => ways.push(strategy),
                Err(error) => last = error,
            }
        }
        if ways.is_empty() { Err(last) } else { Ok(Union::new(ways).boxed()) }
    }

    fn shape(&self, shape: &Shape<'_>, depth: usize) -> Result<BoxedStrategy<Value>, Error> {
        if let Some(values) = shape.listed_values() {
            return match values.is_empty() {
                true => Err(Error::new(shape.key(), "no value satisfies its enum and const")),
                false => Ok(select(values).boxed()),
            };
        }
        if shape.is_unconstrained() {
            return Ok(anything().boxed());
        }
        let mut ways = Vec::new();
        let mut last = None;
        for kind in shape.types() {
            match self.kind(shape, kind, depth) {
                Ok(strategy) => ways.push((if kind == JsonType::Null { 1 } else { 3 }, strategy)),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) if ways.is_empty() => Err(error),
            _ => Ok(Union::new_weighted(ways).boxed()),
        }
    }

    fn kind(&self, shape: &Shape<'_>, kind: JsonType, depth: usize) -> Result<BoxedStrategy<Value>, Error> {
        Ok(match kind {
            JsonType::Null => Just(Value::Null).boxed(),
            JsonType::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
            JsonType::Integer => integers(shape)?,
            JsonType::Number => numbers(shape),
            JsonType::String => strings(shape)?,
            JsonType::Array => {
                let least = shape.at_least("minItems");
                let most = shape.at_most("maxItems").unwrap_or(usize::MAX).min(least + MAX_EXTRA_ITEMS);
                let items = if most == 0 {
                    Just(Value::Null).boxed()
                } else {
                    self.member(&shape.items(), depth + 1)?
                };
                let unique = shape.unique();
                vec(items, least.min(most)..=most)
                    .prop_map(move |items| match unique {
                        false => items,
                        true => items.into_iter().fold(Vec::new(), |mut kept, item| {
                            if !kept.contains(&item) {
                                kept.push(item);
                            }
                            kept
                        }),
                    })
                    .prop_filter("too few different items", move |items| items.len() >= least)
                    .prop_map(Value::Array)
                    .boxed()
            }
            JsonType::Object => self.object(shape, depth)?,
        })
    }

    fn object(&self, shape: &Shape<'_>, depth: usize) -> Result<BoxedStrategy<Value>, Error> {
        let required = shape.required();
        let mut names = Vec::new();
        let mut members = Vec::new();
        for (name, pointers) in shape.members() {
            let must = required.contains(&name);
            let strategy = match self.member(&pointers, depth + 1) {
                Ok(strategy) => strategy,
                // An optional member that nothing satisfies is left out.
                Err(_) if !must => continue,
                Err(error) => return Err(error),
            };
            names.push(name.to_owned());
            members.push(if must {
                strategy.prop_map(Some).boxed()
            } else {
                proptest::option::weighted(0.6, strategy).boxed()
            });
        }
        let named = members.prop_map(move |values| {
            let pairs = names.iter().cloned().zip(values);
            pairs.filter_map(|(name, value)| Some((name, value?))).collect::<Map<_, _>>()
        });
        let missing = shape.at_least("minProperties");
        let pointers = match shape.additional_members() {
            AdditionalMembers::Allowed(pointers) => pointers,
            AdditionalMembers::Unspecified if missing > shape.members().len() => Vec::new(),
            _ => return Ok(named.prop_map(Value::Object).boxed()),
        };
        let extra = vec(("x-[a-z]{3,8}", self.member(&pointers, depth + 1)?), missing..=missing + 2);
        Ok((named, extra)
            .prop_map(|(mut object, extra)| {
                for (name, value) in extra {
                    object.entry(name).or_insert(value);
                }
                Value::Object(object)
            })
            .boxed())
    }
}

fn integers(shape: &Shape<'_>) -> Result<BoxedStrategy<Value>, Error> {
    let (low, high) = shape.integer_range();
    if low > high {
        return Err(Error::new(shape.key(), "no whole number is within its limits"));
    }
    let step = shape.step().map_or(1, |step| (step as i64).max(1));
    let near = (low.max(-1000), high.min(1000));
    let near = if near.0 <= near.1 { near } else { (low, high) };
    let raw = prop_oneof![3 => near.0..=near.1, 1 => low..=high, 1 => select(vec![low, high])];
    Ok(raw
        .prop_map(move |number| number - number % step)
        .prop_filter("outside the limits", move |number| (low..=high).contains(number))
        .prop_map(|number| json!(number))
        .boxed())
}

fn numbers(shape: &Shape<'_>) -> BoxedStrategy<Value> {
    let (low, high) = shape.number_range();
    if let Some(step) = shape.step() {
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        return (first..=last.max(first)).prop_map(move |count| json!(count as f64 * step)).boxed();
    }
    let (near_low, near_high) = (low.max(-1000.0), high.min(1000.0));
    let (near_low, near_high) = if near_low <= near_high { (near_low, near_high) } else { (low, high) };
    let cents = move |number: f64| ((number * 100.0).round() / 100.0).clamp(low, high);
    prop_oneof![
        3 => (near_low..=near_high).prop_map(cents),
        1 => low..=high,
        1 => select(vec![low, high]),
    ]
    .prop_map(|number| json!(number))
    .boxed()
}

fn strings(shape: &Shape<'_>) -> Result<BoxedStrategy<Value>, Error> {
    let (least, most) = (shape.at_least("minLength"), shape.at_most("maxLength"));
    let texts = match shape.occurrences("pattern").next() {
        Some((pointer, pattern)) => {
            let pattern = pattern.as_str().unwrap_or_default();
            text::from_pattern(pattern).ok_or_else(|| {
                Error::new(pointer, format!("cannot generate text for the pattern {pattern}"))
            })?
        }
        None => text::strategy(shape.text_of("format"), least, most),
    };
    Ok(texts
        .prop_filter("too short or too long", move |text| {
            let length = text.chars().count();
            length >= least && most.is_none_or(|most| length <= most)
        })
        .prop_map(Value::String)
        .boxed())
}

/// Any small JSON value.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-1_000_000i64..1_000_000).prop_map(|number| json!(number)),
        (-1000i64..1000).prop_map(|number| json!(number as f64 / 4.0)),
        text::strategy(None, 0, Some(12)).prop_map(Value::String),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            vec(("[a-z]{1,6}", inner), 0..3).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

//! Messages for schema violations, one line each: `JSON pointer: what is wrong`. No line quotes a value that a client
//! sent: it might be a secret.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Wrong};
use serde_json::Value;

/// Maximum number of lines in a response.
pub const MAX_LINES: usize = 20;

/// Escapes one JSON pointer token.
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// Adds the lines for `error`, with pointers that begin with `root`.
pub fn describe(error: &ValidationError<'_>, root: &str, out: &mut Vec<String>) {
    if out.len() >= MAX_LINES {
        return;
    }
    let pointer = format!("{root}{}", error.instance_path().as_str());
    let line = match error.kind() {
        Wrong::Required { property } => {
            out.push(format!("{pointer}/{}: is required", escape(&plain(property))));
            return;
        }
        Wrong::AnyOf { context } | Wrong::OneOfNotValid { context } => {
            alternatives(context, &pointer, root, out);
            return;
        }
        Wrong::OneOfMultipleValid { .. } => "fits several of the forms it may have; it must fit one".into(),
        Wrong::Type { kind } => format!("must be {}", type_names(kind)),
        Wrong::Enum { options } => format!("must be one of {}", list(options)),
        Wrong::Constant { expected_value } => format!("must be {expected_value}"),
        Wrong::Minimum { limit } => format!("must be at least {limit}"),
        Wrong::Maximum { limit } => format!("must be at most {limit}"),
        Wrong::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Wrong::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Wrong::MinLength { limit } if *limit == 1 => "must not be empty".into(),
        Wrong::MinLength { limit } => format!("must have at least {limit} characters"),
        Wrong::MaxLength { limit } => format!("must have at most {limit} characters"),
        Wrong::MinItems { limit } => format!("must have at least {limit} items"),
        Wrong::MaxItems { limit } => format!("must have at most {limit} items"),
        Wrong::MinProperties { limit } => format!("must have at least {limit} members"),
        Wrong::MaxProperties { limit } => format!("must have at most {limit} members"),
        Wrong::UniqueItems => "must not hold the same item twice".into(),
        Wrong::Pattern { pattern } => format!("must match {pattern}"),
        Wrong::Format { format } => format!("is not a valid {format}"),
        Wrong::FalseSchema => "must not be there".into(),
        _ => error.masked_with("the value").to_string(),
    };
    out.push(format!("{pointer}: {line}"));
}

/// None of several alternatives matches. Where only one can be meant its violations are listed, else those of all.
fn alternatives(context: &[Vec<ValidationError<'static>>], pointer: &str, root: &str, out: &mut Vec<String>) {
    // A value that was sent is not meant to match the alternative `null`.
    let meant: Vec<&Vec<ValidationError<'static>>> =
        context.iter().filter(|branch| !branch.iter().all(|error| is_null_type(error))).collect();
    if let [only] = meant.as_slice() {
        only.iter().for_each(|error| describe(error, root, out));
        return;
    }
    let mut forms = Vec::new();
    for branch in meant {
        let mut lines = Vec::new();
        branch.iter().for_each(|error| describe(error, root, &mut lines));
        let words: Vec<String> = lines
            .iter()
            .map(|line| {
                line.strip_prefix(&format!("{pointer}: ")).map_or_else(|| line.clone(), str::to_owned)
            })
            .collect();
        let words = words.join(" and ");
        if !words.is_empty() && !forms.contains(&words) {
            forms.push(words);
        }
    }
    out.push(format!("{pointer}: fits none of the forms it may have ({})", forms.join("; or ")));
}

fn is_null_type(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), Wrong::Type { kind } if type_names(kind) == "null")
}

fn type_names(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => article(&kind.to_string()),
        TypeKind::Multiple(kinds) => {
            kinds.iter().map(|kind| article(&kind.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn article(kind: &str) -> String {
    match kind {
        "null" => "null".into(),
        "array" | "object" | "integer" => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

fn list(options: &Value) -> String {
    let names: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
    names.join(", ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

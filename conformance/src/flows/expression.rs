//! Arazzo runtime expressions: `$inputs.owner.email`, `$steps.create.outputs.id`, `$response.body#/data/id`, also
//! within text as `{$inputs.run}`, and conditions made of them.

use anyhow::{Result, anyhow, bail};
use indexmap::IndexMap;
use serde_json::Value;

use crate::wire::{Request, Response};

/// The values that expressions refer to.
#[derive(Debug, Clone, Default)]
pub struct ExpressionContext {
    /// The inputs of the tenant, with `run`: a text that is unique to this execution.
    pub inputs: Value,
    /// Outputs of the previous steps.
    pub steps: IndexMap<String, IndexMap<String, Value>>,
    /// Outputs of the previous flows.
    pub workflows: IndexMap<String, IndexMap<String, Value>>,
    /// The request and response of the current step.
    pub exchange: Option<(Request, Response)>,
}

/// Whether a value contains an expression that starts with one of `roots`, such as `$steps.`.
pub fn mentions(template: &Value, roots: &[&str]) -> bool {
    match template {
        Value::String(text) => roots.iter().any(|root| text.contains(root)),
        Value::Array(items) => items.iter().any(|item| mentions(item, roots)),
        Value::Object(members) => members.values().any(|member| mentions(member, roots)),
        _ => false,
    }
}

/// Replaces every expression in a template by its value.
///
/// Fails when an expression has no value.
pub fn resolve(template: &Value, context: &ExpressionContext) -> Result<Value> {
    Ok(match template {
        Value::String(text) if text.starts_with('$') => evaluate(text, context)?,
        Value::String(text) => Value::String(interpolate(text, context)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| resolve(item, context)).collect::<Result<_>>()?)
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| Ok((name.clone(), resolve(member, context)?)))
                .collect::<Result<_>>()?,
        ),
        other => other.clone(),
    })
}

fn interpolate(text: &str, context: &ExpressionContext) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{$") {
        let Some(length) = rest[start..].find('}') else { bail!("{text:?}: missing closing brace") };
        out.push_str(&rest[..start]);
        out.push_str(&to_text(&evaluate(&rest[start + 1..start + length], context)?));
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn to_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn evaluate(expression: &str, context: &ExpressionContext) -> Result<Value> {
    let missing = || anyhow!("{expression} has no value");
    let words: Vec<&str> = expression.split('.').collect();
    let output = |all: &IndexMap<String, IndexMap<String, Value>>| -> Result<Value> {
        let [_, owner, "outputs", name] = words.as_slice() else {
            bail!("{expression} does not name an output");
        };
        all.get(*owner).and_then(|outputs| outputs.get(*name)).cloned().ok_or_else(missing)
    };
    match words.first().copied().unwrap_or_default() {
        "$inputs" => {
            let mut here = &context.inputs;
            for word in &words[1..] {
                here = match word.parse::<usize>() {
                    Ok(index) if here.is_array() => here.get(index),
                    _ => here.get(*word),
                }
                .ok_or_else(missing)?;
            }
            Ok(here.clone())
        }
        "$steps" => output(&context.steps),
        "$workflows" => output(&context.workflows),
        _ => exchange_value(expression, context)?.ok_or_else(missing),
    }
}

fn exchange_value(expression: &str, context: &ExpressionContext) -> Result<Option<Value>> {
    let Some((request, response)) = &context.exchange else {
        bail!("{expression} needs a response, but there is none yet");
    };
    let text = |text: &str| Value::String(text.to_owned());
    if expression == "$statusCode" {
        return Ok(Some(Value::from(response.status)));
    }
    if expression == "$method" {
        return Ok(Some(text(&request.method)));
    }
    if expression == "$url" {
        return Ok(Some(text(&request.target)));
    }
    if let Some(name) = expression.strip_prefix("$response.header.") {
        return Ok(response.header(name).map(text));
    }
    if let Some(name) = expression.strip_prefix("$request.header.") {
        return Ok(request.header(name).map(text));
    }
    let body = |rest: &str, bytes: &[u8]| -> Option<Value> {
        match rest.strip_prefix('#') {
            None => Some(
                serde_json::from_slice(bytes)
                    .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned())),
            ),
            Some(pointer) => serde_json::from_slice::<Value>(bytes).ok()?.pointer(pointer).cloned(),
        }
    };
    if let Some(rest) = expression.strip_prefix("$response.body") {
        return Ok(body(rest, &response.body));
    }
    if let Some(rest) = expression.strip_prefix("$request.body") {
        return Ok(body(rest, request.body.as_deref().unwrap_or_default()));
    }
    bail!("{expression} is not a supported expression")
}

/// Evaluates a condition: comparisons joined by `&&` and `||`, where `&&` binds tighter. An expression without a
/// value equals `null`.
pub fn evaluate_condition(condition: &str, context: &ExpressionContext) -> Result<bool> {
    for alternative in condition.split("||") {
        let mut all = true;
        for comparison in alternative.split("&&") {
            all = all && compare(comparison.trim(), context)?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

fn compare(comparison: &str, context: &ExpressionContext) -> Result<bool> {
    for operator in ["==", "!=", "<=", ">=", "<", ">"] {
        let Some((left, right)) = comparison.split_once(operator) else { continue };
        let (left, right) = (operand(left.trim(), context)?, operand(right.trim(), context)?);
        let order = match (&left, &right) {
            (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            _ => None,
        };
        return Ok(match operator {
            "==" => order.map_or(left == right, |order| order.is_eq()),
            "!=" => order.map_or(left != right, |order| order.is_ne()),
            "<=" => order.is_some_and(|order| order.is_le()),
            ">=" => order.is_some_and(|order| order.is_ge()),
            "<" => order.is_some_and(|order| order.is_lt()),
            _ => order.is_some_and(|order| order.is_gt()),
        });
    }
    match operand(comparison, context)? {
        Value::Bool(truth) => Ok(truth),
        Value::Null => Ok(false),
        _ => bail!("{comparison:?} is not a condition"),
    }
}

fn operand(text: &str, context: &ExpressionContext) -> Result<Value> {
    if text.starts_with('$') {
        if text.starts_with("$response.") || text.starts_with("$request.") {
            return Ok(exchange_value(text, context)?.unwrap_or(Value::Null));
        }
        return evaluate(text, context);
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        return Ok(Value::String(interpolate(&inner.replace("''", "'"), context)?));
    }
    serde_json::from_str(text).map_err(|_| anyhow!("{text:?} is neither an expression nor a literal"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> ExpressionContext {
        let mut context = ExpressionContext {
            inputs: json!({ "run": "r1", "owner": { "email": "o@x" }, "list": ["a", "b"] }),
            ..ExpressionContext::default()
        };
        context.steps.insert("create".to_owned(), [("id".to_owned(), json!("c1"))].into_iter().collect());
        let request = Request { body: Some("{\"name\":\"Ada\"}".into()), ..Request::default() };
        let mut headers = http::HeaderMap::new();
        headers.insert("location", http::HeaderValue::from_static("/x"));
        let response = Response { status: 201, headers, body: "{\"data\":{\"id\":7,\"none\":null}}".into() };
        context.exchange = Some((request, response));
        context
    }

    #[test]
    fn resolves_expressions_at_every_depth() {
        let template =
            json!({ "id": "$steps.create.outputs.id", "text": ["run-{$inputs.run}-{$inputs.list.1}", 3] });
        assert_eq!(
            resolve(&template, &context()).expect("a value"),
            json!({ "id": "c1", "text": ["run-r1-b", 3] })
        );
        assert_eq!(resolve(&json!("$response.body#/data/id"), &context()).expect("a value"), json!(7));
        let problem = resolve(&json!("$steps.gone.outputs.id"), &context()).expect_err("there is none");
        assert!(problem.to_string().contains("$steps.gone.outputs.id"), "{problem}");
        assert!(mentions(&template, &["$steps."]) && !mentions(&template, &["$workflows."]));
    }

    #[test]
    fn evaluates_conditions() {
        for (condition, truth) in [
            ("$statusCode == 201", true),
            ("$statusCode >= 200 && $statusCode < 300", true),
            ("$statusCode == 200 || $statusCode == 201", true),
            ("$response.body#/data/id == 7", true),
            ("$response.body#/data/id > 7", false),
            ("$response.body#/data/gone == null", true),
            ("$response.body#/data/none != null", false),
            ("$request.body#/name == 'Ada'", true),
            ("$response.header.Location == '/x'", true),
            ("$inputs.owner.email != 'a@b'", true),
            ("$steps.create.outputs.id == 'c{$inputs.run}'", false),
        ] {
            assert_eq!(evaluate_condition(condition, &context()).expect(condition), truth, "{condition}");
        }
        assert!(evaluate_condition("nonsense", &context()).is_err());
    }
}

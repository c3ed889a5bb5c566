//! Documentation of generated calls: the contract's words, what credential it takes, an example that compiles.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

use super::Names;
use super::plan::{Body, Callers, Input, InputType, PayloadKind, Plan, Role};
use super::sample;
use crate::model::{Contract, Place, TypeRef};

/// Doc attributes for lines.
pub fn attributes(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

/// Text of the contract as lines in which nothing is a link by accident.
pub fn sentences(text: &str) -> Vec<String> {
    text.trim()
        .lines()
        .map(|line| {
            line.trim_end().replace('[', "\\[").replace(']', "\\]").replace('<', "\\<").replace('>', "\\>")
        })
        .collect()
}

/// Lines for the client's method.
pub fn of_method(contract: &Contract, plan: &Plan<'_>, names: &Names) -> Vec<String> {
    let operation = plan.operation;
    let mut lines = match operation.summary.as_str() {
        "" => vec![format!("`{} {}`.", operation.method, operation.path)],
        summary => sentences(summary),
    };
    if !operation.description.is_empty() && operation.description != operation.summary {
        lines.push(String::new());
        lines.extend(sentences(&operation.description));
    }
    lines.push(String::new());
    let mut facts = format!("`{} {}`", operation.method, operation.path);
    let scopes: Vec<String> = operation
        .principals
        .iter()
        .flat_map(|accepted| &accepted.scopes)
        .map(|any| format!("`{}`", any.join("` or `")))
        .collect();
    match scopes.as_slice() {
        [] => {}
        [one] => facts.push_str(&format!(", with the scope {one}")),
        several => facts.push_str(&format!(", with the scopes {}", several.join(", "))),
    }
    for accepted in operation.principals.iter().filter(|accepted| !accepted.roles.is_empty()) {
        facts.push_str(&format!(
            ", of kind {} in the role `{}`",
            accepted.kind,
            accepted.roles.join("` or `")
        ));
    }
    facts.push('.');
    lines.push(facts);
    if operation.addition {
        lines.push(String::new());
        lines.push("An extension: the published contract does not have it.".into());
    }
    lines.push(String::new());
    lines.push("```no_run".into());
    lines.extend(example(contract, plan, names));
    lines.push("```".into());
    lines
}

/// Lines for an input.
pub fn of_input(plan: &Plan<'_>, input: &Input) -> Vec<String> {
    let mut lines = sentences(&input.description);
    if let Role::Param(index, _) = &input.role {
        let param = &plan.operation.params[*index];
        let place = match param.place {
            Place::Path => "path variable",
            Place::Query => "query parameter",
            Place::Header => "header",
            Place::Cookie => "cookie",
        };
        if lines.is_empty() {
            lines.push(format!("The {place} `{}`.", param.name));
        }
        if let Some(default) = &param.default {
            lines.push(String::new());
            lines.push(format!("The server takes `{}` when it is unset.", plain(default)));
        }
    }
    lines
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An example call.
fn example(contract: &Contract, plan: &Plan<'_>, names: &Names) -> Vec<String> {
    let krate = &names.krate;
    let client = match plan.callers() {
        Callers::Any => "Client".to_owned(),
        Callers::Kinds(kinds) => match names.credential(&kinds[0]) {
            "Anonymous" => "Client".to_owned(),
            kind => format!("Client<{krate}::{kind}>"),
        },
    };
    let result = "Result<(), Box<dyn std::error::Error>>";
    let mut lines = vec![format!("# async fn example(client: {krate}::{client}) -> {result} {{")];
    let mut arguments = Vec::new();
    for input in plan.arguments() {
        arguments.push(argument(contract, plan, input, names, &mut lines));
    }
    let mut call = format!("client.{}({})", plan.method, arguments.join(", "));
    // One setter shows how they go; parameters are shorter than bodies.
    let setter = plan.setters().find(|input| {
        matches!(&input.role, Role::Param(index, _) if matches!(plan.operation.params[*index].place, Place::Query))
            && matches!(input.ty, InputType::Contract(TypeRef::String | TypeRef::I64 | TypeRef::Bool))
    });
    if let Some(input) = setter {
        let value = argument(contract, plan, input, names, &mut lines);
        call.push_str(&format!(".{}({value})", input.name));
    }
    lines.push(format!("let response = {call}.send().await?;"));
    lines.push("println!(\"{response:?}\");".into());
    lines.push("# Ok(())".into());
    lines.push("# }".into());
    lines
}

/// A Rust expression for an argument, with the lines that prepare it.
fn argument(
    contract: &Contract,
    plan: &Plan<'_>,
    input: &Input,
    names: &Names,
    lines: &mut Vec<String>,
) -> String {
    let krate = &names.krate;
    let schema = match &input.role {
        Role::Param(index, _) => Some(plan.operation.params[*index].schema.clone()),
        Role::Body => plan.operation.body.as_ref().map(|body| body.media[0].schema.clone()),
        _ => None,
    };
    let sampled =
        schema.as_ref().map_or_else(|| Value::from("text"), |schema| sample::value(contract, schema));
    match &input.ty {
        InputType::Upload => format!("{krate}::Upload::file(\"picture.png\")"),
        InputType::Contract(TypeRef::String) => match (&input.role, &sampled) {
            (Role::Param(index, _), Value::String(text)) if text == "text" => {
                format!("{:?}", plan.operation.params[*index].name)
            }
            (_, Value::String(text)) => format!("{text:?}"),
            _ => "\"text\"".into(),
        },
        InputType::Contract(TypeRef::I64 | TypeRef::I32 | TypeRef::Bool) if !sampled.is_object() => {
            plain(&sampled)
        }
        InputType::Contract(ty) => {
            let example = match (&input.role, plan.operation.body.as_ref()) {
                (Role::Body, Some(body)) => body.media[0].example.clone(),
                _ => None,
            };
            let chosen = example.unwrap_or(sampled);
            if let (Role::Body, TypeRef::Named(name)) = (&input.role, ty)
                && let Some(constructed) = construct(contract, name, &chosen)
            {
                lines.push(format!("let body = {}::{constructed};", names.types));
                return "body".into();
            }
            lines.push(format!("let {} = serde_json::from_value(serde_json::json!(", input.name));
            let text = serde_json::to_string_pretty(&chosen).unwrap_or_else(|_| "null".into());
            lines.extend(text.lines().map(|line| format!("    {}", hide(line))));
            lines.push("))?;".into());
            input.name.to_string()
        }
        InputType::Generated(name) => {
            let Body::Choice(variants) = &plan.body else { return "todo".into() };
            let (variant, payload) = &variants[0];
            let value = match payload.kind {
                PayloadKind::Bytes => format!("{krate}::Upload::bytes(vec![1])"),
                PayloadKind::Text => "\"text\".into()".to_owned(),
                _ => format!("serde_json::from_value(serde_json::json!({sampled}))?"),
            };
            format!("{krate}::{}::{name}::{variant}({value})", names.module(plan.operation))
        }
    }
}

/// A line that begins with `#` would be hidden from readers.
fn hide(line: &str) -> String {
    line.replace("```", "`")
}

/// `Type::new("…")` when the example holds nothing but texts that must be there.
fn construct(contract: &Contract, name: &str, example: &Value) -> Option<String> {
    let (_, schema) = contract.schemas.iter().find(|(schema, _)| crate::name::pascal(schema) == name)?;
    let properties = schema["properties"].as_object()?;
    let required: Vec<&str> = schema["required"].as_array()?.iter().filter_map(Value::as_str).collect();
    let mut arguments = Vec::new();
    for (name, property) in properties {
        let given = example.get(name);
        if !required.contains(&name.as_str()) {
            if given.is_some() {
                return None;
            }
            continue;
        }
        if TypeRef::of(property, "").ok()? != TypeRef::String || property.get("const").is_some() {
            return None;
        }
        arguments.push(format!("{:?}", given?.as_str()?));
    }
    (1..=4).contains(&arguments.len()).then(|| format!("{name}::new({})", arguments.join(", ")))
}

//! Documentation of generated methods: the contract's description, the credential, the response, an example that
//! compiles.

use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

use super::Names;
use super::plan::{Body, Callers, Input, InputType, PayloadKind, Plan, Role};
use super::sample;
use crate::emit::prose::{self, Presence};
use crate::model::{Contract, Media, ParamLocation, Status, TypeRef};

/// Doc attributes for lines.
pub fn attributes(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

/// Lines for the client's method.
pub fn of_method(contract: &Contract, plan: &Plan<'_>, names: &Names) -> Vec<String> {
    let operation = plan.operation;
    let mut lines = match operation.summary.as_str() {
        "" => vec![format!("`{} {}`.", operation.method, operation.path)],
        summary => prose::description(summary),
    };
    if !operation.description.is_empty() && operation.description != operation.summary {
        lines.push(String::new());
        lines.extend(prose::description(&operation.description));
    }
    lines.push(String::new());
    lines.push(format!("- Request: `{} {}`", operation.method, operation.path));
    lines.push(format!("- Credential: {}", credentials(plan, names)));
    if let Some(feature) = &operation.feature {
        lines.push(format!("- Plan feature: `{feature}`"));
    }
    for response in operation.successes() {
        let status = match response.status {
            Status::Code(code) => code.to_string(),
            Status::Class(class) => format!("{class}XX"),
            Status::Default => "default".into(),
        };
        let body: Vec<String> = response.media.iter().map(|media| body_type(media, names)).collect();
        let body = match body.as_slice() {
            [] => String::new(),
            all => format!(", {}", all.join(" or ")),
        };
        let description = one_line(&response.description);
        let description = if description.is_empty() { description } else { format!(": {description}") };
        lines.push(format!("- Response: {status}{body}{description}"));
    }
    if operation.addition {
        lines.push(String::new());
        lines.push(
            "The published contract does not have this operation; it is an addition of this server.".into(),
        );
    }
    lines.push(String::new());
    lines.push("```no_run".into());
    lines.extend(example(contract, plan, names));
    lines.push("```".into());
    lines
}

/// The type of a response body as a link.
fn body_type(media: &Media, names: &Names) -> String {
    match &media.ty {
        TypeRef::Named(name) => format!("[`{name}`]({}::{name})", names.types),
        _ => format!("`{}`", media.content_type),
    }
}

/// Credentials that an operation accepts, each with the scopes and roles that it needs.
pub fn credentials(plan: &Plan<'_>, names: &Names) -> String {
    let operation = plan.operation;
    let mut all: Vec<String> = Vec::new();
    for accepted in &operation.principals {
        let mut text = link(names.credential(&accepted.kind));
        let scopes: Vec<String> =
            accepted.scopes.iter().map(|any| format!("`{}`", any.join("` or `"))).collect();
        match scopes.as_slice() {
            [] => {}
            [one] => text.push_str(&format!(" with scope {one}")),
            several => text.push_str(&format!(" with scopes {}", several.join(", "))),
        }
        if !accepted.roles.is_empty() {
            text.push_str(&format!(" in the role `{}`", accepted.roles.join("` or `")));
        }
        all.push(text);
    }
    if operation.anonymous || operation.principals.is_empty() {
        all.push("none".into());
    }
    match all.as_slice() {
        [one] => one.clone(),
        [first, last] => format!("{first} or {last}"),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
        [] => String::new(),
    }
}

/// A link to a credential type of the crate.
pub fn link(credential: &str) -> String {
    format!("[`{credential}`](crate::{credential})")
}

/// Text of the contract in one line of Markdown.
pub fn one_line(text: &str) -> String {
    prose::description(&text.split_whitespace().collect::<Vec<_>>().join(" ")).concat()
}

/// Lines for an input.
pub fn of_input(plan: &Plan<'_>, input: &Input) -> Vec<String> {
    let Role::Param(index, _) = &input.role else { return prose::description(&input.description) };
    let param = &plan.operation.params[*index];
    let mut lines = match input.description.trim() {
        // The types of parameters are not in scope in the client's modules, so links to them would not resolve.
        "" => vec![prose::meaning(&param.name, &param.schema).replace("[`", "`").replace("`]", "`")],
        text => prose::description(text),
    };
    let place = match param.place {
        ParamLocation::Path => "path parameter",
        ParamLocation::Query => "query parameter",
        ParamLocation::Header => "header",
        ParamLocation::Cookie => "cookie",
    };
    let mut facts = vec![format!("Sent as the {place} `{}`.", param.name)];
    facts.extend(prose::constraints(&param.schema, Presence::Present));
    lines.push(String::new());
    lines.push(facts.join(" "));
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
        matches!(&input.role, Role::Param(index, _) if matches!(plan.operation.params[*index].place, ParamLocation::Query))
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

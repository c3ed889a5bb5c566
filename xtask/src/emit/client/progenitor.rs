//! Requests that progenitor writes: which operations it supports, the document it is given for each, and the
//! function that is kept of its code.

use anyhow::{Context as _, Result, anyhow};
use proc_macro2::TokenStream;
use progenitor_impl::{GenerationSettings, Generator, InterfaceStyle, TypeImpl};
use quote::{ToTokens as _, quote};
use serde_json::{Map, Value, json};

use super::plan::{Body, InputType, PayloadKind, Plan, ResponseBody, Role, Style};
use crate::lower::Loss;
use crate::model::{Contract, ParamLocation, Status, TypeRef};
use crate::name::SCHEMA_PREFIX;

/// A function that progenitor wrote.
pub struct ProgenitorCall {
    /// The function.
    pub function: TokenStream,
    /// Arguments in order: index of the input, and how it is passed.
    pub arguments: Vec<(usize, Passing)>,
}

/// How an argument is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// By value.
    Value,
    /// By reference.
    Reference,
    /// Optional text as `Option<&str>`.
    OptionalText,
    /// Anything else optional by reference.
    OptionalReference,
}

/// Progenitor's code for the operation, or the reason why there is none.
pub fn generate(contract: &Contract, plan: &Plan<'_>, types: &str) -> Result<Result<ProgenitorCall, Loss>> {
    let refused = |keyword: &str, reason: String| {
        Ok(Err(Loss { pointer: plan.operation.pointer.clone(), keyword: keyword.into(), reason }))
    };
    if let Some((keyword, reason)) = unsupported(contract, plan) {
        return refused(keyword, reason.to_owned());
    }
    let document = document(plan)?;
    let spec: openapiv3::OpenAPI = serde_json::from_value(document)
        .with_context(|| format!("{}: the lowered operation is not OpenAPI 3.0", plan.operation.pointer))?;
    let mut settings = GenerationSettings::new();
    settings.with_interface(InterfaceStyle::Positional).with_inner_type(quote!(RequestContext));
    let impls = [TypeImpl::Display, TypeImpl::FromStr];
    for name in names(plan) {
        settings.with_replacement(&name, format!("{types}::{name}"), impls.iter().cloned());
    }
    let tokens = match crate::catch_panic::catch_panic(|| Generator::new(&settings).generate_tokens(&spec)) {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(error)) => return refused("operation", format!("progenitor: {error}")),
        Err(panic) => return refused("operation", format!("progenitor panicked: {panic}")),
    };
    let file: syn::File = syn::parse2(tokens)
        .with_context(|| format!("{}: progenitor wrote code that does not parse", plan.operation.pointer))?;
    let function = file
        .items
        .into_iter()
        .filter_map(|item| if let syn::Item::Impl(item) = item { Some(item.items) } else { None })
        .flatten()
        .find_map(|item| match item {
            syn::ImplItem::Fn(function) if function.sig.asyncness.is_some() => Some(function),
            _ => None,
        });
    let Some(mut function) = function else {
        return refused("operation", "progenitor wrote no function".into());
    };
    let Some(arguments) = arguments(plan, &function.sig) else {
        return refused("parameters", "progenitor gives two of them the same name".into());
    };
    function.attrs.clear();
    function.vis = syn::parse_quote!(pub(crate));
    function.sig.ident = plan.method.clone();
    Ok(Ok(ProgenitorCall { function: function.to_token_stream(), arguments }))
}

/// The first reason why progenitor cannot write the request.
fn unsupported(contract: &Contract, plan: &Plan<'_>) -> Option<(&'static str, &'static str)> {
    let operation = plan.operation;
    for (index, param) in operation.params.iter().enumerate() {
        if operation.params[..index].iter().any(|other| bare(&other.name) == bare(&param.name)) {
            return Some(("parameters", "progenitor does not support two parameters of one name"));
        }
    }
    for input in &plan.inputs {
        let Role::Param(index, style) = &input.role else { continue };
        let param = &operation.params[*index];
        if *style != Style::Default {
            return Some(("style", "progenitor writes lists as repeated parameters only"));
        }
        let InputType::Contract(ty) = &input.ty else { continue };
        match param.place {
            ParamLocation::Cookie => return Some(("cookie", "progenitor has no cookie parameters")),
            ParamLocation::Header if param.name.eq_ignore_ascii_case("api-version") => {
                return Some(("header", "progenitor sends a header of this name itself"));
            }
            ParamLocation::Path | ParamLocation::Header if !is_plain(contract, ty) => {
                return Some(("parameter", "progenitor writes it with Display, which is not its JSON text"));
            }
            ParamLocation::Query if !is_plain(contract, ty) && !is_query(contract, ty) => {
                return Some((
                    "parameter",
                    "neither a plain value nor a list of such, which is all that progenitor writes in a query",
                ));
            }
            _ => {}
        }
    }
    match (&plan.body, &operation.body) {
        (Body::None, _) => {}
        (_, Some(body)) if !body.required => {
            return Some(("requestBody", "optional; progenitor makes every body required"));
        }
        (Body::One(payload), _) => match payload.kind {
            PayloadKind::Json if payload.media == "application/json" && is_value(&payload.ty) => {}
            PayloadKind::Form if is_flat(contract, &payload.ty) => {}
            PayloadKind::Json => {
                return Some(("requestBody", "progenitor does not support the type of the body"));
            }
            PayloadKind::Form => return Some(("requestBody", "progenitor writes flat forms only")),
            _ => return Some(("requestBody", "progenitor has no such media type")),
        },
        (Body::Multipart, _) => return Some(("multipart/form-data", "progenitor has no multipart forms")),
        _ => return Some(("requestBody", "several media types; progenitor takes one")),
    }
    let first = &plan.responses[0];
    if plan.responses.iter().any(|success| success.body != first.body || success.media.is_some()) {
        return Some(("responses", "success has several types; progenitor takes one"));
    }
    if plan
        .responses
        .iter()
        .any(|success| !matches!(success.status, Status::Code(200..=299) | Status::Class(2)))
    {
        return Some(("responses", "success outside 2XX; progenitor takes it for an error"));
    }
    match &first.body {
        ResponseBody::Json(ty) if is_value(ty) => {}
        ResponseBody::Empty => {}
        ResponseBody::Json(_) => {
            return Some(("responses", "progenitor does not support the type of the response"));
        }
        _ => return Some(("responses", "not JSON")),
    }
    let mut exact = operation.successes().flat_map(|response| &response.media);
    if exact.any(|media| media.content_type.split(';').next() != Some("application/json")) {
        return Some(("responses", "progenitor asks for application/json only"));
    }
    if plan.errors.iter().any(|(_, name)| *name != plan.errors[0].1) {
        return Some(("responses", "several error types; progenitor takes one"));
    }
    None
}

/// Whether `Display` writes what JSON would.
fn is_plain(contract: &Contract, ty: &TypeRef) -> bool {
    match ty {
        TypeRef::String | TypeRef::I64 | TypeRef::I32 | TypeRef::Bool | TypeRef::F64 => true,
        TypeRef::Named(name) => contract.schemas.iter().any(|(schema, value)| {
            crate::name::pascal(schema) == *name && value["type"] == "string" && value.get("enum").is_some()
        }),
        _ => false,
    }
}

fn is_query(contract: &Contract, ty: &TypeRef) -> bool {
    match ty {
        TypeRef::DateTime | TypeRef::Date => true,
        TypeRef::List(inner) => is_plain(contract, inner),
        _ => false,
    }
}

fn is_value(ty: &TypeRef) -> bool {
    match ty {
        TypeRef::Named(_) => true,
        TypeRef::List(inner) => is_value(inner),
        _ => false,
    }
}

fn is_flat(contract: &Contract, ty: &TypeRef) -> bool {
    let TypeRef::Named(name) = ty else { return false };
    contract
        .schemas
        .iter()
        .find(|(schema, _)| crate::name::pascal(schema) == *name)
        .and_then(|(_, schema)| schema["properties"].as_object())
        .is_some_and(|properties| {
            properties.values().all(|property| {
                TypeRef::of(property, "").is_ok_and(|ty| {
                    let ty = if let TypeRef::Nullable(inner) = ty { *inner } else { ty };
                    is_plain(contract, &ty)
                })
            })
        })
}

/// Component names that the operation's slice refers to.
fn names(plan: &Plan<'_>) -> Vec<String> {
    fn collect(ty: &TypeRef, out: &mut Vec<String>) {
        match ty {
            TypeRef::Named(name) => out.push(name.clone()),
            TypeRef::List(inner) | TypeRef::Map(inner) | TypeRef::Nullable(inner) => collect(inner, out),
            _ => {}
        }
    }
    let mut out = Vec::new();
    for input in &plan.inputs {
        if let InputType::Contract(ty) = &input.ty {
            collect(ty, &mut out);
        }
    }
    for success in &plan.responses {
        if let ResponseBody::Json(ty) = &success.body {
            collect(ty, &mut out);
        }
    }
    out.extend(plan.errors.iter().map(|(_, name)| name.clone()));
    out.sort();
    out.dedup();
    out
}

/// A 3.0 document with this operation only. Types are empty objects with the right names; constraints are left out.
fn document(plan: &Plan<'_>) -> Result<Value> {
    let operation = plan.operation;
    let mut parameters = Vec::new();
    let mut body = Value::Null;
    for input in &plan.inputs {
        let InputType::Contract(ty) = &input.ty else { continue };
        match (&input.role, &plan.body) {
            (Role::Param(index, _), _) => {
                let param = &operation.params[*index];
                let place = match param.place {
                    ParamLocation::Path => "path",
                    ParamLocation::Query => "query",
                    ParamLocation::Header => "header",
                    ParamLocation::Cookie => "cookie",
                };
                parameters.push(json!({ "name": param.name, "in": place, "required": param.required, "schema": schema(ty)? }));
            }
            (Role::Body, Body::One(payload)) => {
                let mut content = Map::new();
                content.insert(payload.media.clone(), json!({ "schema": schema(ty)? }));
                body = json!({ "required": true, "content": content });
            }
            _ => {
                return Err(anyhow!(
                    "{}: input {} cannot be written in OpenAPI 3.0",
                    operation.pointer,
                    input.name
                ));
            }
        }
    }
    let mut responses = Map::new();
    for success in &plan.responses {
        let response = match &success.body {
            ResponseBody::Json(ty) => {
                json!({ "description": "", "content": { "application/json": { "schema": schema(ty)? } } })
            }
            _ => json!({ "description": "" }),
        };
        responses.insert(status(success.status), response);
    }
    let classes: Vec<u16> = plan
        .errors
        .iter()
        .filter_map(|(status, _)| if let Status::Class(class) = status { Some(*class) } else { None })
        .collect();
    for (error, name) in &plan.errors {
        let schema = schema(&TypeRef::Named(name.clone()))?;
        let response = json!({ "description": "", "content": { "application/json": { "schema": schema } } });
        match error {
            // The class covers it.
            Status::Code(code) if classes.contains(&(code / 100)) => {}
            // Progenitor takes `default` for success as well.
            Status::Default => {
                let documented = |class: u16| {
                    operation.responses.iter().any(|response| response.status == Status::Class(class))
                };
                for class in [4, 5] {
                    let key = format!("{class}XX");
                    if !documented(class) && !responses.contains_key(&key) {
                        responses.retain(|status, _| !status.starts_with(&class.to_string()));
                        responses.insert(key, response.clone());
                    }
                }
            }
            other => {
                responses.insert(status(*other), response);
            }
        }
    }
    let mut slice =
        json!({ "operationId": operation.name, "parameters": parameters, "responses": responses });
    if !body.is_null() {
        slice["requestBody"] = body;
    }
    let schemas: Map<String, Value> =
        names(plan).into_iter().map(|name| (name, json!({ "type": "object" }))).collect();
    Ok(json!({
        "openapi": "3.0.3",
        "info": { "title": "slice", "version": "0" },
        "paths": { &operation.path: { operation.method.to_lowercase(): slice } },
        "components": { "schemas": schemas },
    }))
}

fn status(status: Status) -> String {
    match status {
        Status::Code(code) => code.to_string(),
        Status::Class(class) => format!("{class}XX"),
        Status::Default => "default".into(),
    }
}

fn schema(ty: &TypeRef) -> Result<Value> {
    Ok(match ty {
        TypeRef::Named(name) => json!({ "$ref": format!("{SCHEMA_PREFIX}{name}") }),
        TypeRef::String => json!({ "type": "string" }),
        TypeRef::I64 => json!({ "type": "integer", "format": "int64" }),
        TypeRef::I32 => json!({ "type": "integer", "format": "int32" }),
        TypeRef::F64 => json!({ "type": "number", "format": "double" }),
        TypeRef::Bool => json!({ "type": "boolean" }),
        TypeRef::DateTime => json!({ "type": "string", "format": "date-time" }),
        TypeRef::Date => json!({ "type": "string", "format": "date" }),
        TypeRef::List(inner) => json!({ "type": "array", "items": schema(inner)? }),
        other => return Err(anyhow!("{other:?} is not supported in a document for progenitor")),
    })
}

/// Letters and digits of a name in lower case, for comparison.
fn bare(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Matches the function's arguments with the plan's inputs by name.
fn arguments(plan: &Plan<'_>, signature: &syn::Signature) -> Option<Vec<(usize, Passing)>> {
    let bare = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let keys: Vec<String> = plan
        .inputs
        .iter()
        .map(|input| match &input.role {
            Role::Param(index, _) => bare(&plan.operation.params[*index].name),
            _ => "body".into(),
        })
        .collect();
    let mut out: Vec<(usize, Passing)> = Vec::new();
    for argument in &signature.inputs {
        let syn::FnArg::Typed(argument) = argument else { continue };
        let syn::Pat::Ident(name) = &*argument.pat else { return None };
        let key = bare(&name.ident.to_string());
        let mut found = keys.iter().enumerate().filter(|(_, other)| **other == key).map(|(index, _)| index);
        let (index, None) = (found.next()?, found.next()) else { return None };
        let ty = argument.ty.to_token_stream().to_string();
        let passing = if plan.inputs[index].required {
            if ty.starts_with('&') { Passing::Reference } else { Passing::Value }
        } else if ty.contains("'a str") {
            Passing::OptionalText
        } else if ty.contains('&') {
            Passing::OptionalReference
        } else {
            Passing::Value
        };
        out.push((index, passing));
    }
    (out.len() == plan.inputs.len()).then_some(out)
}

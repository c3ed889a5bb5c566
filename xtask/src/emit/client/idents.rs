//! Identifiers and types in the client's code.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::plan::Input;
use crate::model::TypeRef;

/// Tokens of a type.
pub fn rust(ty: &TypeRef, types: &Ident) -> TokenStream {
    match ty {
        TypeRef::Named(name) => {
            let name = format_ident!("{name}");
            quote!(#types::#name)
        }
        TypeRef::String => quote!(String),
        TypeRef::Bytes => quote!(bytes::Bytes),
        TypeRef::I64 => quote!(i64),
        TypeRef::I32 => quote!(i32),
        TypeRef::F64 => quote!(f64),
        TypeRef::Bool => quote!(bool),
        TypeRef::DateTime => quote!(chrono::DateTime<chrono::Utc>),
        TypeRef::Date => quote!(chrono::NaiveDate),
        TypeRef::List(inner) => {
            let inner = rust(inner, types);
            quote!(Vec<#inner>)
        }
        TypeRef::Map(inner) => {
            let inner = rust(inner, types);
            quote!(std::collections::BTreeMap<String, #inner>)
        }
        TypeRef::Nullable(inner) => {
            let inner = rust(inner, types);
            quote!(Option<#inner>)
        }
        TypeRef::Any => quote!(serde_json::Value),
    }
}

/// The type without null: an absent parameter is not sent.
pub(super) fn non_null(ty: &TypeRef) -> &TypeRef {
    if let TypeRef::Nullable(inner) = ty { non_null(inner) } else { ty }
}

/// An identifier, raw where it is a keyword.
pub fn ident(name: &str) -> Ident {
    if name.is_empty() {
        return format_ident!("value");
    }
    if matches!(name, "self" | "Self" | "super" | "crate" | "_") {
        return format_ident!("{name}_");
    }
    syn::parse_str::<Ident>(name).unwrap_or_else(|_| format_ident!("r#{name}"))
}

/// Name of a request builder. A suffix avoids the names that its file imports.
pub(super) fn builder_name(name: &str) -> Ident {
    const TAKEN: [&str; 27] = [
        "Box",
        "ByteStream",
        "C",
        "Client",
        "OperationRequest",
        "ProgenitorClient",
        "Transport",
        "Default",
        "Err",
        "Error",
        "Into",
        "None",
        "Ok",
        "Operation",
        "Option",
        "Parameter",
        "ParameterLocation",
        "Redirect",
        "Response",
        "Result",
        "Self",
        "Some",
        "String",
        "Style",
        "Text",
        "Upload",
        "Vec",
    ];
    if TAKEN.contains(&name) { format_ident!("{name}Call") } else { ident(name) }
}

pub(super) fn method_name(name: &str) -> Ident {
    if matches!(
        name,
        "new"
            | "builder"
            | "with_credential"
            | "base_url"
            | "transport"
            | "clone"
            | "fmt"
            | "into"
            | "try_into"
    ) {
        return format_ident!("{name}_");
    }
    ident(name)
}

pub(super) fn setter_name(name: &str) -> String {
    if matches!(name, "send" | "transport") { format!("{name}_") } else { name.to_owned() }
}

pub(super) fn unique_name(name: &str, inputs: &[Input]) -> String {
    let mut name = name.to_owned();
    while inputs.iter().any(|input| input.name == name) {
        name.push('_');
    }
    name
}

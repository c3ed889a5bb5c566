//! A table of all generated types for tests: name, JSON pointer, and a function that round-trips a value.

use anyhow::Result;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::model::Contract;
use crate::name::{SCHEMA_PREFIX, is_nullable, pascal, snake};
use crate::output::File;

/// Folder of the generated test files, below the output root.
pub fn folder(contract: &Contract) -> String {
    format!("{}-types/tests/generated", contract.prefix())
}

/// The table.
pub fn emit(contract: &Contract) -> Result<File> {
    let library: Ident = format_ident!("{}_types", snake(&contract.prefix()));
    let (sent, _) = contract.directions();
    let rows: Vec<TokenStream> = contract
        .schemas
        .keys()
        .map(|name| {
            let ident = format_ident!("{}", pascal(name));
            let text = ident.to_string();
            let inline = contract.hoisted.get(name);
            let pointer = inline.cloned().unwrap_or_else(|| format!("{SCHEMA_PREFIX}{name}"));
            let sent = sent.contains(name);
            // An inline schema may allow null beside the type that it became.
            let nullable = inline
                .and_then(|pointer| contract.effective.pointer(pointer.trim_start_matches('#')))
                .is_some_and(|schema| {
                    is_nullable(schema) || schema.get("nullable").is_some_and(|value| value == true)
                });
            let ty = if nullable { quote!(Option<#library::#ident>) } else { quote!(#library::#ident) };
            quote!(Schema { name: #text, pointer: #pointer, sent: #sent, round_trip: round_trip::<#ty> })
        })
        .collect();
    let tokens = quote! {
        use serde_json::{Error, Value};

        /// A type and its schema.
        #[derive(Debug, Clone, Copy)]
        pub struct Schema {
            /// Name of the type.
            pub name: &'static str,
            /// JSON pointer of its schema in the effective contract.
            pub pointer: &'static str,
            /// Whether servers send it. Its enums are open then.
            pub sent: bool,
            /// Deserializes a value and serializes the result.
            pub round_trip: fn(Value) -> Result<Value, Error>,
        }

        fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(value: Value) -> Result<Value, Error> {
            serde_json::to_value(serde_json::from_value::<T>(value)?)
        }

        /// Every type, in the order of the contract.
        pub const SCHEMAS: &[Schema] = &[#(#rows),*];
    };
    File::rust(
        format!("{}/schemas.rs", folder(contract)),
        &contract.mark(),
        "Every type with its schema, for tests of all types.",
        tokens,
    )
}

//! Names on the wire of what operations share: a constant for each parameter and header that is a component of the
//! contract, so that a server which looks at one outside a handler has no name to type.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;

use super::{docs, is_keyword};
use crate::model::Contract;
use crate::name::snake;
use crate::walk::{elements, members};

/// Where components that are headers stand.
const HEADERS: &str = "#/components/headers/";

/// The constants.
pub fn emit(contract: &Contract) -> TokenStream {
    let components = &contract.effective["components"];
    let mut parameters: BTreeMap<String, TokenStream> = BTreeMap::new();
    for (key, parameter) in members(&components["parameters"]) {
        let (Some(name), Some(place)) = (parameter["name"].as_str(), parameter["in"].as_str()) else {
            continue;
        };
        let place = match place {
            "path" | "query" => format!("the {place}"),
            _ => format!("a {place}"),
        };
        let told = docs(&told(&format!("`{name}`, in {place}."), parameter));
        if let Some(constant) = constant(key) {
            let constant = format_ident!("{constant}");
            let line = quote!(#told pub const #constant: &str = #name;);
            parameters.entry(constant.to_string()).or_insert(line);
        }
    }
    let mut wire = BTreeMap::new();
    names_of_headers(&contract.effective, &mut wire);
    let mut headers: BTreeMap<String, TokenStream> = BTreeMap::new();
    for (key, header) in members(&components["headers"]) {
        // A component has no name by itself: it is called as the answers call it that have it.
        let Some(name) = wire.get(key.as_str()).filter(|name| is_header(name)) else { continue };
        let told = docs(&told(&format!("`{name}`."), header));
        let lower = name.to_ascii_lowercase();
        if let Some(constant) = constant(key) {
            let constant = format_ident!("{constant}");
            let line = quote!(#told pub const #constant: HeaderName = HeaderName::from_static(#lower););
            headers.entry(constant.to_string()).or_insert(line);
        }
    }
    let uses = (!headers.is_empty()).then(|| {
        quote!(
            use http::HeaderName;
        )
    });
    let (parameters, headers) = (parameters.into_values(), headers.into_values());
    quote! {
        /// Parameters.
        pub mod parameters {
            #(#parameters)*
        }

        /// Headers of answers.
        pub mod headers {
            #uses

            #(#headers)*
        }
    }
}

/// `IDEMPOTENCY_KEY_HEADER`; none where the key has nothing that a Rust name could be made of.
fn constant(key: &str) -> Option<String> {
    let name = snake(key).to_uppercase();
    (!name.is_empty() && name != "_" && !is_keyword(&name)).then_some(name)
}

fn told(first: &str, component: &Value) -> String {
    let said = component["description"].as_str().unwrap_or_default().trim();
    if said.is_empty() { first.to_owned() } else { format!("{first}\n\n{said}") }
}

/// What answers call the headers that are components, by their keys there.
fn names_of_headers<'a>(value: &'a Value, found: &mut BTreeMap<&'a str, &'a str>) {
    for (key, child) in members(value) {
        if key == "headers" {
            for (name, header) in members(child) {
                let target = header["$ref"].as_str().and_then(|reference| reference.strip_prefix(HEADERS));
                if let Some(target) = target {
                    found.entry(target).or_insert(name);
                }
            }
        }
        names_of_headers(child, found);
    }
    for child in elements(value) {
        names_of_headers(child, found);
    }
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

//! Fields of the structs that typify wrote: their serde attributes, and the three-state form.

use quote::ToTokens as _;

/// Turns an optional nullable field into a three-state field: absent, null or a value.
pub(super) fn three_state(field: &mut syn::Field, wire: &str, ident: &syn::Ident) {
    let inner = option_inner(&field.ty).unwrap_or_else(|| field.ty.clone());
    field.ty = syn::parse_quote!(crate::support::Field<#inner>);
    field.attrs.retain(|attr| !attr.path().is_ident("serde"));
    let plain = ident.to_string();
    let plain = plain.strip_prefix("r#").unwrap_or(&plain);
    field.attrs.push(if plain == wire {
        syn::parse_quote!(#[serde(default, skip_serializing_if = "crate::support::Field::is_absent")])
    } else {
        syn::parse_quote!(#[serde(rename = #wire, default, skip_serializing_if = "crate::support::Field::is_absent")])
    });
}

fn option_inner(ty: &syn::Type) -> Option<syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match (last.ident == "Option", arguments.args.first()) {
        (true, Some(syn::GenericArgument::Type(inner))) => Some(inner.clone()),
        _ => None,
    }
}

pub(super) fn owned_text(ty: &syn::Type) -> bool {
    ty.to_token_stream().to_string() == "String"
}

pub(super) fn derives(attrs: &[syn::Attribute], name: &str) -> bool {
    attrs
        .iter()
        .any(|attr| attr.path().is_ident("derive") && attr.meta.to_token_stream().to_string().contains(name))
}

/// One `key = "value"` of a serde attribute.
fn serde_value(attrs: &[syn::Attribute], key: &str) -> Option<String> {
    let mut found = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // Entries without a value, such as a bare `default`, are skipped.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.input.peek(syn::Token![=]) {
                let value: syn::LitStr = meta.value()?.parse()?;
                if meta.path.is_ident(key) {
                    found = Some(value.value());
                }
            }
            Ok(())
        });
    }
    found
}

pub(super) fn renamed(attrs: &[syn::Attribute]) -> Option<String> {
    serde_value(attrs, "rename")
}

pub(super) fn serde_default(field: &syn::Field) -> Option<String> {
    serde_value(&field.attrs, "default")
}

pub(super) fn wire_name(field: &syn::Field, ident: &syn::Ident) -> String {
    renamed(&field.attrs).unwrap_or_else(|| ident.to_string().trim_start_matches("r#").to_owned())
}

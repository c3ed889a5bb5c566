//! Rewrites of typify's code: shorter paths, variant names from titles, date-times in RFC 3339.

use std::collections::BTreeSet;

use quote::ToTokens as _;
use syn::visit_mut::VisitMut;

/// Renames variants.
pub struct Rename(pub Vec<(syn::Ident, syn::Ident)>);

impl VisitMut for Rename {
    fn visit_ident_mut(&mut self, ident: &mut syn::Ident) {
        if let Some((_, new)) = self.0.iter().find(|(old, _)| old == ident) {
            *ident = new.clone();
        }
    }
}

/// Makes `Display` print date-times in RFC 3339. The `Display` of chrono uses another format.
pub struct Rfc3339(pub Vec<syn::Ident>);

impl VisitMut for Rfc3339 {
    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        let syn::Pat::TupleStruct(pattern) = &arm.pat else { return };
        let variant = pattern.path.segments.last().map(|segment| &segment.ident);
        let printed = arm.body.to_token_stream().to_string() == "x . fmt (f)";
        if printed && variant.is_some_and(|variant| self.0.contains(variant)) {
            *arm.body =
                syn::parse_quote!(f.write_str(&x.to_rfc3339_opts(::chrono::SecondsFormat::AutoSi, true)));
        }
    }
}

/// Whether a variant holds one date-time.
pub fn holds_date_time(variant: &syn::Variant) -> bool {
    variant.fields.len() == 1 && variant.fields.to_token_stream().to_string().contains("chrono :: DateTime")
}

/// Shortens paths such as `::std::option::Option` to names of the prelude.
pub struct Prelude {
    /// Prelude names that schemas shadow.
    pub shadowed: BTreeSet<String>,
}

impl VisitMut for Prelude {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        syn::visit_mut::visit_path_mut(self, path);
        if path.leading_colon.is_none() || path.segments.first().is_none_or(|first| first.ident != "std") {
            return;
        }
        let Some(last) = path.segments.last().cloned() else { return };
        let name = last.ident.to_string();
        let module = path.segments.iter().nth(1).map(|segment| segment.ident.to_string()).unwrap_or_default();
        let known = [
            ("option", "Option"),
            ("string", "String"),
            ("string", "ToString"),
            ("vec", "Vec"),
            ("result", "Result"),
            ("convert", "From"),
            ("convert", "TryFrom"),
            ("default", "Default"),
            ("boxed", "Box"),
        ];
        if known.contains(&(module.as_str(), name.as_str()))
            && !self.shadowed.contains(&name)
            && path.segments.len() == 3
        {
            path.leading_colon = None;
            path.segments = std::iter::once(last).collect();
        }
    }

    fn visit_attribute_mut(&mut self, attribute: &mut syn::Attribute) {
        if attribute.path().is_ident("serde")
            && let syn::Meta::List(list) = &mut attribute.meta
        {
            let text = list.tokens.to_string();
            if text.contains("::std::option::Option::is_none") && !self.shadowed.contains("Option") {
                list.tokens = text
                    .replace("::std::option::Option::is_none", "Option::is_none")
                    .parse()
                    .unwrap_or_default();
            }
        }
    }
}

//! Documentation of generated types: the contract's description, or what is known of a type without one, then
//! the operations and types that use it.

use std::collections::BTreeMap;

use crate::emit::prose;
use crate::model::{Contract, Status, TypeRef};
use crate::name::pascal;

/// Knows where every type is used.
pub struct Docs<'a> {
    contract: &'a Contract,
    uses: BTreeMap<String, Uses>,
    descriptions: BTreeMap<String, &'a str>,
}

/// Where a type is used, as Markdown.
#[derive(Default)]
struct Uses {
    requests: Vec<String>,
    responses: Vec<String>,
    parameters: Vec<String>,
    types: Vec<String>,
}

impl<'a> Docs<'a> {
    /// Collects the uses of every schema.
    pub fn new(contract: &'a Contract) -> Self {
        let mut uses: BTreeMap<String, Uses> = BTreeMap::new();
        fn add(
            uses: &mut BTreeMap<String, Uses>,
            ty: &TypeRef,
            list: fn(&mut Uses) -> &mut Vec<String>,
            text: String,
        ) {
            if let TypeRef::Named(name) = ty {
                let all = list(uses.entry(name.clone()).or_default());
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        }
        for operation in &contract.operations {
            let id = &operation.id;
            for media in operation.body.iter().flat_map(|body| &body.media) {
                add(&mut uses, &media.ty, |uses| &mut uses.requests, format!("`{id}`"));
            }
            for response in &operation.responses {
                let status = match response.status {
                    Status::Code(code) => code.to_string(),
                    Status::Class(class) => format!("{class}XX"),
                    Status::Default => "default".into(),
                };
                for media in &response.media {
                    add(&mut uses, &media.ty, |uses| &mut uses.responses, format!("`{id}` ({status})"));
                }
            }
            for param in &operation.params {
                let text = format!("`{}` of `{id}`", param.name);
                add(&mut uses, &param.ty, |uses| &mut uses.parameters, text);
            }
        }
        for (name, schema) in &contract.schemas {
            for reference in crate::model::references(schema) {
                let ty = TypeRef::Named(pascal(&reference));
                add(&mut uses, &ty, |uses| &mut uses.types, format!("[`{}`]", pascal(name)));
            }
        }
        let descriptions = contract
            .schemas
            .iter()
            .filter_map(|(name, schema)| Some((pascal(name), schema.get("description")?.as_str()?)))
            .collect();
        Self { contract, uses, descriptions }
    }

    /// Lines for a type.
    pub fn of_type(&self, name: &str) -> Vec<String> {
        let pointer = self.contract.hoisted.get(name);
        let mut uses = self.uses.get(name).map(Uses::sentences).unwrap_or_default();
        let mut lines = match self.descriptions.get(name) {
            Some(description) => prose::description(description),
            None => match pointer.and_then(|pointer| property_of(pointer)) {
                Some(sentence) => {
                    // The sentence names the only type that uses it.
                    uses.retain(|sentence| !sentence.starts_with("Used in"));
                    vec![sentence]
                }
                None if uses.is_empty() => vec![format!("{}.", prose::label(name))],
                None if uses[0].starts_with("Used in") => vec![format!("{}.", prose::label(name))],
                None => vec![uses.remove(0)],
            },
        };
        if !uses.is_empty() {
            lines.push(String::new());
            lines.push(uses.join(" "));
        }
        if let Some(pointer) = pointer {
            lines.push(String::new());
            lines.push(format!("Inline schema in the contract: `{pointer}`."));
        }
        lines
    }
}

impl Uses {
    fn sentences(&self) -> Vec<String> {
        [
            ("Request body of", &self.requests, "operations"),
            ("Response body of", &self.responses, "operations"),
            ("Parameter", &self.parameters, "parameters"),
            ("Used in", &self.types, "types"),
        ]
        .into_iter()
        .filter(|(_, all, _)| !all.is_empty())
        .map(|(verb, all, noun)| format!("{verb} {}.", prose::list(all, noun)))
        .collect()
    }
}

/// Which property of which type an inline schema stands for, from its JSON pointer.
fn property_of(pointer: &str) -> Option<String> {
    let rest = pointer.strip_prefix(crate::name::SCHEMA_PREFIX)?;
    let mut parts = rest.split('/');
    let owner = pascal(parts.next()?);
    match parts.collect::<Vec<_>>().as_slice() {
        ["properties", property] => Some(format!("Value of `{property}` in [`{owner}`].")),
        ["properties", property, "items"] => Some(format!("Item of `{property}` in [`{owner}`].")),
        ["items"] => Some(format!("Item of [`{owner}`].")),
        _ => None,
    }
}

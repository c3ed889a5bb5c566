//! The client crate: one method and one request builder per operation. Progenitor writes the requests that it
//! can, the hand-written runtime sends the others; the fidelity ledger records why.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use indexmap::IndexMap;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use crate::emit::prose;
use crate::lower::{Loss, origin};
use crate::model::{Contract, Operation};
use crate::name::{pascal, snake};
use crate::output::File;
use crate::source::PrincipalSettings;

mod builders;
mod docs;
mod idents;
mod plan;
mod progenitor;
mod sample;
mod test_cases;

use builders::Entry;
use plan::{Callers, Plan};

/// Where the generated files go, below the output root.
pub fn folder(contract: &Contract) -> String {
    format!("{}-client/src/generated", contract.prefix())
}

/// Where the generated test goes, below the output root.
pub fn test_folder(contract: &Contract) -> String {
    format!("{}-client/tests/it/generated", contract.prefix())
}

/// The generated files of the client crate, and what progenitor cannot write, with the reason.
pub fn emit(contract: &Contract) -> Result<(Vec<File>, Vec<Loss>)> {
    let (entries, losses) = entries(contract)?;
    let names = Names::new(contract, &entries)?;
    let folder = folder(contract);
    let mark = contract.mark();
    let mut files = Vec::new();
    let mut modules: BTreeMap<String, Vec<&Entry<'_>>> = BTreeMap::new();
    let mut tags: IndexMap<String, String> = IndexMap::new();
    for entry in &entries {
        let module = names.module(entry.plan.operation);
        tags.entry(module.clone()).or_insert_with(|| entry.plan.operation.tag.clone());
        modules.entry(module).or_default().push(entry);
    }
    for (module, entries) in &modules {
        let tag = &tags[module];
        let doc = module_doc(contract, tag, entries, &names);
        let tokens = builders::file(contract, entries, &names);
        files.push(File::rust(format!("{folder}/{module}.rs"), &mark, &doc, tokens)?);
        let functions: Vec<&TokenStream> =
            entries.iter().filter_map(|entry| Some(&entry.call.as_ref()?.function)).collect();
        if !functions.is_empty() {
            let doc = format!("Requests of operations tagged `{tag}`, written by progenitor.");
            let tokens = quote! {
                #![allow(unused_imports, unreachable_patterns, clippy::all)]
                use progenitor_client::{
                    ClientHooks, ClientInfo, Error, OperationInfo, RequestBuilderExt, ResponseValue, encode_path,
                };

                use crate::runtime::progenitor::ProgenitorClient;

                impl ProgenitorClient { #(#functions)* }
            };
            files.push(File::rust(format!("{folder}/progenitor/{module}.rs"), &mark, &doc, tokens)?);
        }
    }
    let with_progenitor: Vec<Ident> = modules
        .iter()
        .filter(|(_, entries)| entries.iter().any(|entry| entry.call.is_some()))
        .map(|(module, _)| idents::ident(module))
        .collect();
    if !with_progenitor.is_empty() {
        let tokens = quote!(#(mod #with_progenitor;)*);
        files.push(File::rust(
            format!("{folder}/progenitor/mod.rs"),
            &mark,
            "Requests that progenitor wrote, one module per tag.",
            tokens,
        )?);
    }
    files.push(root(&names, &modules, &entries, &folder, contract, !with_progenitor.is_empty())?);
    if !names.kinds.is_empty() {
        files.push(File::plain(format!("{folder}/credentials.rs"), names.credentials(contract, &mark)));
    }
    files.push(File::plain(format!("{folder}/error.rs"), errors(contract, &mark, &names)));
    files.extend(test_cases::emit(contract, &entries, &names, &mark)?);
    Ok((files, losses))
}

/// What progenitor cannot write, with the reason.
pub fn losses(contract: &Contract) -> Result<Vec<Loss>> {
    Ok(entries(contract)?.1)
}

fn entries(contract: &Contract) -> Result<(Vec<Entry<'_>>, Vec<Loss>)> {
    let types = types_crate(contract);
    let (mut entries, mut losses) = (Vec::new(), Vec::new());
    for operation in &contract.operations {
        let plan = Plan::new(contract, operation)?;
        let call = match progenitor::generate(contract, &plan, &types)? {
            Ok(call) => Some(call),
            Err(loss) => {
                losses.push(loss);
                None
            }
        };
        entries.push(Entry { plan, call });
    }
    Ok((entries, losses))
}

fn types_crate(contract: &Contract) -> String {
    snake(&format!("{}_types", contract.prefix()))
}

fn root(
    names: &Names,
    modules: &BTreeMap<String, Vec<&Entry<'_>>>,
    entries: &[Entry<'_>],
    folder: &str,
    contract: &Contract,
    with_progenitor: bool,
) -> Result<File> {
    let tags = modules.keys().map(|module| idents::ident(module));
    let operations = entries.iter().map(|entry| {
        let module = idents::ident(&names.module(entry.plan.operation));
        let name = builders::constant(&entry.plan);
        quote!(#module::#name)
    });
    let progenitor = with_progenitor.then(|| {
        quote!(
            mod progenitor;
        )
    });
    let credentials = !names.kinds.is_empty();
    let credentials = (
        credentials.then(|| {
            quote!(
                mod credentials;
            )
        }),
        credentials.then(|| {
            quote!(
                pub use credentials::*;
            )
        }),
    );
    let (declared, exported) = credentials;
    let (title, version) = (&contract.title, &contract.version);
    let base = origin(&contract.named).map(|origin| {
        quote! {
            /// Origin of the first server in the contract (`servers[0].url`).
            pub const DEFAULT_BASE_URL: &str = #origin;
        }
    });
    let tokens = quote! {
        #(pub mod #tags;)*
        #declared
        mod error;
        #progenitor

        #exported
        pub use error::Error;

        /// Title of the contract (`info.title`).
        pub const CONTRACT_TITLE: &str = #title;
        /// Version of the contract (`info.version`).
        pub const CONTRACT_VERSION: &str = #version;
        #base

        /// Metadata of every operation, in the order of the contract.
        pub static OPERATIONS: &[crate::runtime::Operation] = &[#(#operations),*];
    };
    let doc = "Operations of the contract, one module per tag.";
    File::rust(format!("{folder}/mod.rs"), &contract.mark(), doc, tokens)
}

/// The module of a tag: its name in snake case, unless that is a keyword or the name of another module.
fn module(operation: &Operation) -> String {
    const TAKEN: [&str; 12] = [
        "credentials",
        "error",
        "progenitor",
        "mod",
        "runtime",
        "generated",
        "types",
        "lib",
        "main",
        "self",
        "super",
        "crate",
    ];
    match operation.module() {
        name if name.is_empty() => "default".into(),
        name if TAKEN.contains(&name.as_str()) => format!("{name}_calls"),
        name => name,
    }
}

/// The error enum: a variant per error schema.
fn errors(contract: &Contract, mark: &str, names: &Names) -> String {
    let mut out = format!("// {mark}\n//! The error type of the client.\n\n");
    out.push_str("crate::runtime::error::errors! {\n");
    for (schema, value) in &contract.schemas {
        let name = pascal(schema);
        let Some(variant) = names.error_variant(&name) else { continue };
        let settings =
            contract.settings.errors.iter().find(|(key, _)| pascal(key) == name).map(|(_, value)| value);
        let member = |set: Option<&String>, usual: &[&str]| -> String {
            match (settings, set) {
                (Some(_), set) => set.cloned().unwrap_or_default(),
                (None, _) => usual
                    .iter()
                    .find(|name| value["properties"].get(**name).is_some())
                    .map_or_else(String::new, |name| (*name).to_owned()),
            }
        };
        let code = member(settings.and_then(|s| s.code.as_ref()), &["code", "error_code", "error", "type"]);
        let message = member(
            settings.and_then(|s| s.message.as_ref()),
            &["message", "error_description", "detail", "title", "description"],
        );
        let details = member(settings.and_then(|s| s.details.as_ref()), &["details", "errors"]);
        out.push_str(&format!(
            "    /// The server rejected the request with an error of the contract. The body is\n    /// [`{name}`]({types}::{name}).\n",
            types = names.types
        ));
        out.push_str(&format!(
            "    {variant}({}::{name}) = {code:?}, {message:?}, {details:?};\n",
            names.types
        ));
    }
    out.push_str("}\n");
    out
}

/// The variant of the client's error for each schema that operations document as an error.
fn error_variants(contract: &Contract, entries: &[Entry<'_>]) -> BTreeMap<String, String> {
    let used: BTreeSet<&String> =
        entries.iter().flat_map(|entry| &entry.plan.errors).map(|(_, name)| name).collect();
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for name in contract.schemas.keys().map(|schema| pascal(schema)).filter(|name| used.contains(name)) {
        let mut variant = variant(&name);
        while out.values().any(|other| *other == variant)
            || matches!(variant.as_str(), "Transport" | "Unexpected" | "Decode" | "InvalidRequest")
        {
            variant.push_str("Error");
        }
        out.insert(name, variant);
    }
    out
}

/// Documentation of a tag's module: its description and a table of its operations.
fn module_doc(contract: &Contract, tag: &str, entries: &[&Entry<'_>], names: &Names) -> String {
    let description = contract.tags.get(tag).map(String::as_str).unwrap_or_default();
    let mut doc = match docs::one_line(description).as_str() {
        "" => format!("Operations tagged `{tag}`."),
        text => text.to_owned(),
    };
    doc.push_str("\n\n| Method | Request | Credential |\n| --- | --- | --- |\n");
    for entry in entries {
        let operation = entry.plan.operation;
        let method = entry.plan.method.to_string();
        let method = method.trim_start_matches("r#");
        doc.push_str(&format!(
            "| [`{method}`](crate::Client::{method}) | `{} {}` | {} |\n",
            operation.method,
            operation.path,
            docs::credentials(&entry.plan, names)
        ));
    }
    doc
}

/// `OAuthError` → `OAuth`; `ErrorEnvelope` → `Api`.
fn variant(schema: &str) -> String {
    let mut name = schema;
    while let Some(rest) = ["Error", "Errors", "Response", "Envelope", "Body", "Model", "Object"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
    {
        name = rest;
    }
    if name.is_empty() { "Api".into() } else { name.to_owned() }
}

/// Names that several files share.
pub struct Names {
    /// The client crate in code.
    pub krate: String,
    /// The types crate in code.
    pub types: String,
    kinds: Vec<(PrincipalSettings, String)>,
    markers: BTreeMap<Vec<String>, String>,
    error_variants: BTreeMap<String, String>,
    modules: BTreeMap<String, String>,
}

impl Names {
    fn new(contract: &Contract, entries: &[Entry<'_>]) -> Result<Self> {
        let mut kinds = Vec::new();
        for kind in contract.kinds() {
            let name = credential_name(contract, &kind);
            if kinds.iter().any(|(_, other)| *other == name) {
                bail!(
                    "{}: two kinds of credential are called {name}; name one in the settings",
                    contract.file_name
                );
            }
            kinds.push((kind, name));
        }
        let modules =
            contract.operations.iter().map(|operation| (operation.tag.clone(), module(operation))).collect();
        let mut names = Self {
            krate: snake(&format!("{}_client", contract.prefix())),
            types: types_crate(contract),
            kinds,
            markers: BTreeMap::new(),
            error_variants: error_variants(contract, entries),
            modules,
        };
        for entry in entries {
            if let Callers::Kinds(kinds) = entry.plan.callers()
                && kinds.len() > 1
            {
                let marker = kinds.iter().map(|kind| names.marker_part(kind)).collect::<Vec<_>>().join("Or");
                names.markers.insert(kinds, marker);
            }
        }
        Ok(names)
    }

    fn marker_part(&self, kind: &str) -> String {
        if kind.is_empty() { "Anonymous".into() } else { pascal(kind) }
    }

    /// The credential type of a kind.
    pub fn credential(&self, kind: &str) -> &str {
        self.kinds.iter().find(|(settings, _)| settings.kind == kind).map_or("Anonymous", |(_, name)| name)
    }

    /// The trait of the clients that hold one of several kinds.
    pub fn marker(&self, kinds: &[String]) -> Option<&str> {
        self.markers.get(kinds).map(String::as_str)
    }

    /// The variant of the client's error for an error schema.
    pub fn error_variant(&self, schema: &str) -> Option<&str> {
        self.error_variants.get(schema).map(String::as_str)
    }

    /// The module of an operation's builder.
    pub fn module(&self, operation: &Operation) -> String {
        self.modules.get(&operation.tag).cloned().unwrap_or_else(|| operation.module())
    }

    /// The types crate as an identifier.
    pub fn types_ident(&self) -> Ident {
        format_ident!("{}", self.types)
    }

    /// The file of credentials. Written as text: its content is one macro call.
    fn credentials(&self, contract: &Contract, mark: &str) -> String {
        let mut out = format!(
            "// {mark}\n//! Kinds of credential, and traits for operations that accept several of them.\n\n"
        );
        out.push_str("use crate::runtime::{Anonymous, Credential};\n\n");
        if self.kinds.is_empty() {
            return format!("// {mark}\n//! The contract has no credentials.\n");
        }
        if self.markers.is_empty() {
            out = format!("// {mark}\n//! Kinds of credential.\n\n");
        }
        out.push_str("crate::runtime::credential::credentials! {\n");
        for (kind, name) in &self.kinds {
            let scheme = &contract.named["components"]["securitySchemes"][&kind.scheme];
            let words = scheme["description"].as_str().unwrap_or_default();
            out.push_str(&format!(
                "    /// Credential of kind `{}`, sent as {}.\n",
                kind.kind,
                sent_as(scheme)
            ));
            if !words.is_empty() {
                out.push_str("    ///\n");
                for line in prose::description(words) {
                    out.push_str(format!("    /// {line}").trim_end());
                    out.push('\n');
                }
            }
            out.push_str(&format!("    {name} = {:?}, {};\n", kind.kind, placement(scheme)));
        }
        out.push_str("}\n");
        for (kinds, marker) in &self.markers {
            let credentials: Vec<&str> = kinds.iter().map(|kind| self.credential(kind)).collect();
            let links: Vec<String> = credentials.iter().map(|name| format!("[`{name}`]")).collect();
            out.push_str(&format!(
                "\n/// Credentials of operations that accept any of {}.\npub trait {marker}: Credential {{}}\n",
                links.join(", ")
            ));
            for name in credentials {
                out.push_str(&format!("impl {marker} for {name} {{}}\n"));
            }
        }
        if !self.markers.is_empty() && !self.markers.keys().any(|kinds| kinds.iter().any(String::is_empty)) {
            out = out
                .replace("use crate::runtime::{Anonymous, Credential};", "use crate::runtime::Credential;");
        }
        out
    }
}

fn credential_name(contract: &Contract, kind: &PrincipalSettings) -> String {
    if let Some(name) = &kind.credential {
        return name.clone();
    }
    let base = pascal(&kind.kind);
    let scheme = &contract.named["components"]["securitySchemes"][&kind.scheme];
    let suffix = if scheme["type"] == "apiKey" { "Key" } else { "Token" };
    let suffixes = ["Key", "Token", "Bearer", "Auth", "Session", "Basic", "Cookie", "Oauth2"];
    if suffixes.iter().any(|suffix| base.ends_with(suffix) && base != "Auth") {
        base
    } else {
        format!("{base}{suffix}")
    }
}

/// Where the scheme sends a credential, for its documentation.
fn sent_as(scheme: &Value) -> String {
    let name = scheme["name"].as_str().unwrap_or("Authorization");
    match (scheme["type"].as_str(), scheme["in"].as_str(), scheme["scheme"].as_str()) {
        (Some("apiKey"), Some("query"), _) => format!("the query parameter `{name}`"),
        (Some("apiKey"), Some("cookie"), _) => format!("the cookie `{name}`"),
        (Some("apiKey"), _, _) => format!("the header `{name}`"),
        (Some("http"), _, Some(scheme)) if scheme.eq_ignore_ascii_case("basic") => {
            "`Authorization: Basic`; the secret has the form `user:password`".into()
        }
        _ => "`Authorization: Bearer`".into(),
    }
}

/// The function of `CredentialPlacement` that sends a credential as the scheme says.
fn placement(scheme: &Value) -> String {
    let name = scheme["name"].as_str().unwrap_or("Authorization");
    match (scheme["type"].as_str(), scheme["in"].as_str(), scheme["scheme"].as_str()) {
        (Some("apiKey"), Some("query"), _) => format!("query({name:?})"),
        (Some("apiKey"), Some("cookie"), _) => format!("cookie({name:?})"),
        (Some("apiKey"), _, _) => format!("header({name:?})"),
        (Some("http"), _, Some(scheme)) if scheme.eq_ignore_ascii_case("basic") => "basic".into(),
        _ => "bearer".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Inputs, load};

    fn contract(path: Option<&str>) -> Contract {
        let contract = path.map(|path| crate::source::root().join(path));
        let source = load(&Inputs { contract, overlay: None, settings: None }).expect("loads");
        Contract::build(source).expect("builds")
    }

    /// The generated text of a file, by the end of its path.
    fn text(files: &[File], end: &str) -> String {
        let file = files.iter().find(|file| file.path.ends_with(end));
        file.unwrap_or_else(|| panic!("no {end}")).text.clone()
    }

    #[test]
    fn every_operation_of_the_contract_is_called_and_counted() {
        let contract = contract(None);
        let (files, losses) = emit(&contract).expect("emits");
        let all: String = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(all.matches(": Operation = Operation {").count(), contract.operations.len());
        let with_progenitor = all.matches("pub(crate) async fn ").count();
        assert_eq!(with_progenitor + losses.len(), contract.operations.len());
        assert!(with_progenitor > losses.len(), "progenitor writes most calls");
    }

    #[test]
    fn two_runs_give_the_same_files() {
        let contract = contract(Some("xtask/tests/documents/shapes.json"));
        assert_eq!(emit(&contract).expect("emits").0, emit(&contract).expect("emits").0);
    }

    #[test]
    fn what_progenitor_cannot_write_is_written_and_recorded() {
        let contract = contract(Some("xtask/tests/documents/shapes.json"));
        let (files, losses) = emit(&contract).expect("emits");
        let lost: Vec<(&str, &str)> =
            losses.iter().map(|loss| (loss.pointer.as_str(), loss.keyword.as_str())).collect();
        for expected in [
            ("#/paths/~1styles~1{kind}~1{day}/get", "parameter"),
            ("#/paths/~1names~1{type}/get", "parameters"),
            ("#/paths/~1several/post", "requestBody"),
            ("#/paths/~1form/post", "multipart/form-data"),
        ] {
            assert!(lost.contains(&expected), "{expected:?} is not among {lost:?}");
        }
        let styles = text(&files, "type.rs");
        for call in
            [".styled(\"comma\", Style::Comma", ".styled(\"deep\", Style::Deep", ".cookie(\"session\""]
        {
            assert!(styles.contains(call), "{call} is not in\n{styles}");
        }
        let several = text(&files, "error_calls.rs");
        assert!(several.contains("pub enum UploadCallOutput"), "{several}");
        let errors = text(&files, "error.rs");
        assert!(errors.contains("Problem(shapes_types::Problem) = \"type\", \"detail\", \"\";"), "{errors}");
    }

    #[test]
    fn an_unsupported_construct_is_an_error_that_names_its_place() {
        let mut source = load(&Inputs {
            contract: Some(crate::source::root().join("xtask/tests/documents/shapes.json")),
            overlay: None,
            settings: None,
        })
        .expect("loads");
        source.effective["paths"]["/names/{type}"]["get"]["parameters"][0]["style"] = "matrix".into();
        let contract = Contract::build(source).expect("builds");
        let error = emit(&contract).expect_err("is refused").to_string();
        assert!(error.contains("shapes.json: #/paths/~1names~1{type}/get/parameters/0"), "{error}");
    }
}

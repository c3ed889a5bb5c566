//! `cargo xtask status`: counts the operations that the server implements, by tag.
//!
//! An operation that answers 501 is listed in a `not_implemented! { … }` block of the route files. All others are implemented:
//! the server does not compile with an operation missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::model::Contract;
use crate::source;

/// The folder of the route files, below the root of the repository.
const ROUTES: &str = "ringnity-server/src/http/routes";

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// List the operations that are not implemented
    #[arg(long)]
    missing: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the counts.
///
/// # Errors
///
/// When the contract or a route file cannot be read, or `not_implemented!` names an unknown operation.
pub fn run(args: &Args) -> Result<ExitCode> {
    let inputs = source::Inputs { contract: None, overlay: None, settings: None };
    let contract = Contract::build(source::load(&inputs)?)?;
    let missing_names = not_implemented(&source::root().join(ROUTES))?;
    for name in &missing_names {
        if !contract.operations.iter().any(|operation| operation.name == *name) {
            bail!(
                "{ROUTES}: `not_implemented!` names {name}, which is not an operation of the contract; remove it"
            );
        }
    }
    let mut rows = Vec::new();
    for tag in contract.tags.keys() {
        let operations: Vec<_> =
            contract.operations.iter().filter(|operation| operation.tag == *tag).collect();
        let missing: Vec<&str> = operations
            .iter()
            .filter(|operation| missing_names.contains(&operation.name))
            .map(|operation| operation.id.as_str())
            .collect();
        rows.push((tag.as_str(), operations.len() - missing.len(), missing));
    }
    let done: usize = rows.iter().map(|(_, done, _)| done).sum();
    let missing: usize = rows.iter().map(|(_, _, missing)| missing.len()).sum();
    if args.json {
        let tags: Vec<_> = rows
            .iter()
            .map(|(tag, done, missing)| serde_json::json!({ "tag": tag, "implemented": done, "missing": missing }))
            .collect();
        let all = serde_json::json!({ "implemented": done, "missing": missing, "tags": tags });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:<28} {:>12} {:>8}", "tag", "implemented", "missing");
    for (tag, done, missing) in &rows {
        println!("{tag:<28} {done:>12} {:>8}", missing.len());
        if args.missing && !missing.is_empty() {
            println!("    {}", missing.join(", "));
        }
    }
    println!("{:<28} {done:>12} {missing:>8}", "total");
    Ok(ExitCode::SUCCESS)
}

/// Names in the `not_implemented!` blocks of all route files.
fn not_implemented(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let tokens: TokenStream =
                text.parse().map_err(|error| anyhow::anyhow!("{} is not Rust: {error}", path.display()))?;
            blocks(tokens, &mut names);
        }
    }
    Ok(names)
}

fn blocks(tokens: TokenStream, names: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let called = index >= 2
            && matches!(&tokens[index - 1], TokenTree::Punct(punct) if punct.as_char() == '!')
            && matches!(&tokens[index - 2], TokenTree::Ident(ident) if ident == "not_implemented");
        if called {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            for pair in inner.windows(2) {
                if let [TokenTree::Ident(name), TokenTree::Group(arguments)] = pair
                    && arguments.delimiter() == Delimiter::Parenthesis
                {
                    names.insert(name.to_string());
                }
            }
        } else {
            blocks(group.stream(), names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_not_implemented_blocks_as_missing() {
        let code = "impl Ops for Routes { async fn here(a: A) -> B { not_implemented(1) } not_implemented! { list_a(P, I) -> Vec<O>; get_b(Option<P>) -> O; } }";
        let mut names = BTreeSet::new();
        blocks(code.parse().expect("is Rust"), &mut names);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["get_b", "list_a"]);
    }
}

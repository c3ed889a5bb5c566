//! Rules about the modules of the server's crate: which modules and crates the code of a folder may name, and that
//! ARCHITECTURE.md says the same.

use std::collections::BTreeSet;

use super::crate_imports::named_crates;
use super::cycles::module_of;
use super::rules::{self, RULES};
use super::syntax::Syntax;
use super::{SourceFile, Violation};

/// Where the modules are.
const SERVER: &str = "ringnity-server/src/";

/// The document whose table has a row for each folder.
const DOCUMENT: &str = "ARCHITECTURE.md";

/// Crates of this workspace, as code and as the tables call them.
const CRATES: [(&str, &str); 4] = [
    ("ringnity_api", "api"),
    ("ringnity_client", "client"),
    ("ringnity_store", "store"),
    ("ringnity_types", "types"),
];

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    let mut unlisted = BTreeSet::new();
    for file in files {
        let Some(syntax) = &file.syntax else { continue };
        let Some(inside) = file.path.strip_prefix(SERVER) else { continue };
        let Some((top, _)) = inside.split_once('/') else { continue };
        let Some((folder, allowed)) = listed_folder(inside) else {
            if unlisted.insert(top) {
                violations.push(Violation::new(
                    file,
                    1,
                    "module-unlisted",
                    format!("{top}/ is not listed"),
                    format!(
                        "add it with what it may name to [server_modules] in {} and to the table in {DOCUMENT}",
                        rules::FILE
                    ),
                ));
            }
            continue;
        };
        let own = folder.replace('/', "::");
        let modules = modules(syntax, inside, folder).into_iter().map(|(line, name)| (line, name, "crate::"));
        let crates = crates(syntax).into_iter().map(|(line, name)| (line, name.to_owned(), "the crate "));
        for (line, name, kind) in modules.chain(crates) {
            if name != own && !allowed.contains(&name) {
                violations.push(Violation::new(
                    file,
                    line,
                    "module-dependency",
                    format!("{folder}/ uses {kind}{name}"),
                    format!(
                        "{folder}/ may use {}; move the shared code, or pass it as an argument",
                        list(allowed)
                    ),
                ));
            }
        }
    }
    if let Some(document) = files.iter().find(|file| file.path == DOCUMENT) {
        compare(document, violations);
    }
}

/// Compares the rows about the server's folders with the table that is checked.
fn compare(document: &SourceFile, violations: &mut Vec<Violation>) {
    let mut documented = BTreeSet::new();
    for (index, row) in document.text.lines().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let &["", path, _, uses, ""] = cells.as_slice() else { continue };
        let Some(folder) =
            path.trim_matches('`').strip_prefix(SERVER).and_then(|rest| rest.strip_suffix('/'))
        else {
            continue;
        };
        documented.insert(folder);
        let allowed = RULES.server_modules.get(folder);
        let mut uses: Vec<&str> = uses.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        uses.sort_unstable();
        if !allowed.is_some_and(|allowed| allowed.iter().eq(&uses)) {
            let checked = allowed.map_or_else(|| "not listed".to_owned(), |allowed| list(allowed));
            violations.push(Violation::new(
                document,
                index + 1,
                "module-documentation",
                format!("{folder}/ may use {} here, but {checked} in {}", list(&uses), rules::FILE),
                "make the two tables agree",
            ));
        }
    }
    let undocumented = |folder: &str| !folder.contains('/') && !documented.contains(folder);
    for (folder, allowed) in RULES.server_modules.iter().filter(|(folder, _)| undocumented(folder)) {
        violations.push(Violation::new(
            document,
            1,
            "module-documentation",
            format!("the table has no row for {SERVER}{folder}/"),
            format!("add one whose last column is: {}", allowed.join(", ")),
        ));
    }
}

/// The crates of this workspace that the code names, as the tables call them.
fn crates(syntax: &Syntax) -> Vec<(usize, &'static str)> {
    let short =
        |name: &str| CRATES.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, short)| *short);
    named_crates(syntax).into_iter().filter_map(|(line, name)| Some((line, short(name)?))).collect()
}

/// The listed folder that contains a file, given its path in the source folder; the innermost if several do.
fn listed_folder(inside: &str) -> Option<(&'static str, &'static [String])> {
    let contains = |folder: &str| inside.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let folders = RULES.server_modules.iter().filter(|(folder, _)| contains(folder));
    folders
        .max_by_key(|(folder, _)| folder.len())
        .map(|(folder, allowed)| (folder.as_str(), allowed.as_slice()))
}

/// The modules that the code of a file names: those directly below the crate and, for a nested folder, its siblings as
/// `parent::sibling`.
fn modules(syntax: &Syntax, inside: &str, folder: &str) -> Vec<(usize, String)> {
    let parent = folder.split_once('/').map(|(parent, _)| parent);
    let module = module_of(inside).unwrap_or_default();
    let mut found: Vec<_> = syntax
        .paths
        .iter()
        .filter_map(|path| {
            let absolute = path.absolute(&module)?;
            let top = absolute.first()?;
            let name = match absolute.get(1) {
                Some(second) if parent == Some(top) => format!("{top}::{second}"),
                _ => top.clone(),
            };
            Some((path.line, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "nothing else".to_owned() } else { format!("only {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let mut violations = Vec::new();
        check(&[file(path, text)], &mut violations);
        violations.into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn rejects_modules_that_are_not_allowed() {
        let app = "ringnity-server/src/app/contacts.rs";
        for line in [
            "use crate::http::auth::Caller;",
            "use crate::{clock::Clock, state::State};",
            "fn f(state: &crate::state::State) {}",
        ] {
            assert_eq!(lines(app, &format!("//! Rules.\n{line}\n")), [2], "{line}");
        }
        for line in [
            "use crate::app::plans;",
            "use crate::{clock::Clock, secrets::{self, password}};",
            "// use crate::http::auth::Caller;",
            "use my_crate::auth;",
        ] {
            assert_eq!(lines(app, &format!("//! Rules.\n{line}\n")), NONE, "{line}");
        }
        assert_eq!(lines("ringnity-server/src/secrets/tokens.rs", "use crate::app::App;\n"), [1]);
        assert_eq!(lines("ringnity-server/src/serve.rs", "use crate::http::auth::Caller;\n"), NONE);
        assert_eq!(lines("ringnity-server/store/src/app/a.rs", "use crate::auth::b;\n"), NONE);
    }

    #[test]
    fn checks_nested_folders_and_relative_paths() {
        let routes = "ringnity-server/src/http/routes/chat.rs";
        for line in
            ["use crate::http::auth::Auth;", "use super::super::auth::Auth;", "use crate::clock::Clock;"]
        {
            assert_eq!(lines(routes, line), [1], "{line}");
        }
        for line in
            ["use crate::http::state::State;", "use super::support;", "use crate::http::routes::support;"]
        {
            assert_eq!(lines(routes, line), NONE, "{line}");
        }
        assert_eq!(lines("ringnity-server/src/http/limits.rs", "use super::auth::Auth;"), NONE);
        assert_eq!(lines("ringnity-server/src/app/calls.rs", "use super::super::http::state::State;"), [1]);
    }

    #[test]
    fn rejects_crates_that_are_not_allowed() {
        let routes = "ringnity-server/src/http/routes/chat.rs";
        assert_eq!(lines(routes, "use ringnity_types::Chat;\nuse ringnity_store::Store;\n"), [2]);
        assert_eq!(lines("ringnity-server/src/providers/jwks.rs", "fn f(a: ringnity_api::Call) {}\n"), [1]);
        assert_eq!(lines("ringnity-server/src/demo/mod.rs", "use ringnity_client::Client;\n"), [1]);
    }

    #[test]
    fn rejects_unlisted_folders() {
        let mut violations = Vec::new();
        let files = ["a.rs", "b/c.rs"].map(|path| file(&format!("ringnity-server/src/attic/{path}"), ""));
        check(&files, &mut violations);
        let messages: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "ringnity-server/src/attic/a.rs:1: error module-unlisted: attic/ is not listed; add it with what it may \
                name to [server_modules] in xtask/tidy.toml and to the table in ARCHITECTURE.md"
            ]
        );
    }

    #[test]
    fn rejects_a_document_that_disagrees() {
        let rows = |change: fn(&str, &str) -> Option<String>| {
            let row = |(folder, allowed): (&String, &Vec<String>)| {
                let uses = change(folder, &allowed.join(", "))?;
                Some(format!("| `ringnity-server/src/{folder}/` | contents | {uses} |\n"))
            };
            let mut violations = Vec::new();
            let table: String = RULES.server_modules.iter().filter_map(row).collect();
            check(&[file(DOCUMENT, &table)], &mut violations);
            violations.into_iter().map(|violation| violation.message).collect::<Vec<_>>()
        };
        assert_eq!(rows(|_, uses| Some(uses.to_owned())), Vec::<String>::new());
        assert_eq!(
            rows(|folder, uses| Some(if folder == "secrets" { "app".to_owned() } else { uses.to_owned() })),
            ["secrets/ may use only app here, but only store in xtask/tidy.toml"]
        );
        assert_eq!(
            rows(|folder, uses| (folder != "demo").then(|| uses.to_owned())),
            ["the table has no row for ringnity-server/src/demo/"]
        );
        let mut violations = Vec::new();
        compare(&file(DOCUMENT, "| `ringnity-server/src/attic/` | old things | |\n"), &mut violations);
        assert_eq!(
            violations[0].message,
            "attic/ may use nothing else here, but not listed in xtask/tidy.toml"
        );
    }

    #[test]
    fn reads_groups_over_several_lines() {
        let text = "use crate::{\n    app::{self, App},\n    auth,\n};\n";
        let syntax = Syntax::parse(text).expect("is Rust");
        let expected = [(2, "app".to_owned()), (3, "auth".to_owned())];
        assert_eq!(modules(&syntax, "jobs/mail.rs", "jobs"), expected);
    }
}

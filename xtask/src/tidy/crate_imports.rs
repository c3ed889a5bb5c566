//! Rules about the crates that the code of a folder may name, and about where SQL is.

use std::collections::HashSet;

use super::rules::{ForbiddenImport, RULES};
use super::syntax::Syntax;
use super::{SourceFile, Violation};

/// The only folder with SQL.
const STORE: &str = "ringnity-server/store/";
const MOVE_TO_STORE: &str = "move the query to ringnity-server/store, behind a method of Store";

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    for file in files {
        let in_store = file.path.starts_with(STORE);
        if file.path.ends_with(".sql") && !in_store {
            let message = "SQL file outside the store";
            violations.push(Violation::new(
                file,
                1,
                "sql-outside-store",
                message,
                "move it to ringnity-server/store",
            ));
        }
        let Some(syntax) = &file.syntax else { continue };
        let named = named_crates(syntax);
        let mut reported = Vec::new();
        for rule in &RULES.forbidden_imports {
            let excepted = rule.except.iter().any(|except| file.path.starts_with(except.as_str()));
            if !file.path.starts_with(&rule.folder) || excepted {
                continue;
            }
            for (line, name) in &named {
                if rule.crates.iter().any(|forbidden| forbidden == name) && !reported.contains(line) {
                    reported.push(*line);
                    violations.push(forbidden_import(file, *line, name, rule));
                }
            }
        }
        for (line, string) in syntax.strings.iter().filter(|(_, string)| !in_store && is_sql(string)) {
            violations.push(Violation::new(
                file,
                *line,
                "sql-outside-store",
                format!(
                    "SQL in a string: {}",
                    string.split_whitespace().take(4).collect::<Vec<_>>().join(" ")
                ),
                MOVE_TO_STORE,
            ));
        }
    }
}

fn forbidden_import(file: &SourceFile, line: usize, name: &str, rule: &ForbiddenImport) -> Violation {
    let folder = if rule.folder.is_empty() { "code outside the store" } else { &rule.folder };
    Violation::new(file, line, "forbidden-import", format!("{folder} uses {name}"), rule.remedy.as_str())
}

/// The names that may be crates, with their lines: first segments of paths, and attributes such as `#[diesel(…)]`.
/// A name that the file imports from somewhere else is not a crate.
pub(super) fn named_crates(syntax: &Syntax) -> Vec<(usize, &str)> {
    let imported: HashSet<&str> = syntax
        .paths
        .iter()
        .filter_map(|path| {
            path.binds.as_deref().filter(|name| path.segments.len() > 1 && path.segments[0] != *name)
        })
        .collect();
    let paths =
        syntax.paths.iter().filter_map(|path| Some((path.line, path.segments.first()?.as_str()))).filter(
            |(_, name)| !["crate", "self", "super", "Self", "std"].contains(name) && !imported.contains(name),
        );
    let attributes = syntax.attributes.iter().map(|(line, name)| (*line, name.as_str()));
    let mut named: Vec<_> = paths.chain(attributes).collect();
    named.sort_unstable();
    named.dedup();
    named
}

/// Whether a string is an SQL statement: a verb in capitals with the keyword that has to follow it.
fn is_sql(string: &str) -> bool {
    let words: Vec<&str> = string.split_whitespace().take(400).collect();
    let follows = |word: &str| words.contains(&word) && words.len() > 2;
    match words.first() {
        Some(&"SELECT") => follows("FROM"),
        Some(&"INSERT" | &"REPLACE") => follows("INTO"),
        Some(&"DELETE") => follows("FROM"),
        Some(&"UPDATE") => follows("SET"),
        Some(&"CREATE" | &"ALTER" | &"DROP") => {
            ["TABLE", "INDEX", "VIEW", "DATABASE", "SCHEMA", "TRIGGER"].into_iter().any(follows)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let mut violations = Vec::new();
        check(&[file(path, text)], &mut violations);
        violations.into_iter().map(|violation| (violation.line, violation.rule)).collect()
    }

    /// A file with `line` as its second line, where items, statements and attributes are allowed.
    fn within(line: &str) -> String {
        format!("fn outer() {{\n{line}\nstruct S;\n}}\n")
    }

    #[test]
    fn rejects_http_and_diesel_in_app() {
        let app = "ringnity-server/src/app/contacts.rs";
        for line in [
            "use dropshot::RequestContext;",
            "use http;",
            "fn f(r: http::Request<()>) {}",
            "use hyper::body::Body;",
            "use ::diesel::prelude::*;",
            "#[diesel(table_name = contacts)]",
        ] {
            assert_eq!(rules(app, &within(line)), [(2, "forbidden-import")], "{line}");
        }
        for line in [
            "// use dropshot::RequestContext;",
            "use crate::http::Thing;",
            "const S: &str = \"use http::x\";",
            "self.http.send();",
            "use my_http::Request;",
            "let http = 3;",
            "use crate::http; http::serve();",
        ] {
            assert_eq!(rules(app, &within(line)), [], "{line}");
        }
    }

    #[test]
    fn rejects_http_in_jobs() {
        let jobs = "ringnity-server/src/jobs/mail.rs";
        for line in ["use dropshot::HttpError;", "fn f(r: http::Request<()>) {}", "use ringnity_api::Call;"] {
            assert_eq!(rules(jobs, line), [(1, "forbidden-import")], "{line}");
        }
        assert_eq!(rules(jobs, "use ringnity_store::Store;\nuse crate::app::App;\n"), []);
    }

    #[test]
    fn rejects_the_store_in_routes() {
        let routes = "ringnity-server/src/http/routes/contacts.rs";
        assert_eq!(rules(routes, "use ringnity_store::Store;\n"), [(1, "forbidden-import")]);
        assert_eq!(rules(routes, "use diesel::prelude::*;\n"), [(1, "forbidden-import")]);
        assert_eq!(rules(routes, "use dropshot::HttpError;\nuse crate::app;\n"), []);
    }

    #[test]
    fn rejects_sql_outside_the_store() {
        let statement = format!("{} id FROM contacts", "SELECT");
        let text = format!("//! A file.\nconst Q: &str = \"{statement}\";\n");
        assert_eq!(rules("ringnity-server/src/jobs/mail.rs", &text), [(2, "sql-outside-store")]);
        assert_eq!(rules("ringnity-server/store/src/contacts.rs", &text), []);
        assert_eq!(rules("conformance/src/lib.rs", "use diesel::Connection;\n"), [(1, "forbidden-import")]);
        assert_eq!(rules("ringnity-server/store/src/lib.rs", "use diesel::Connection;\n"), []);
        assert_eq!(rules("docs/up.sql", ""), [(1, "sql-outside-store")]);
        assert_eq!(rules("ringnity-server/store/migrations/up.sql", ""), []);
        assert_eq!(
            rules("a.rs", "const S: &str = \"SELECT one FROM the list\";\n"),
            [(1, "sql-outside-store")]
        );
        assert_eq!(rules("a.rs", "const S: &str = \"Select one from the list; UPDATE it\";\n"), []);
    }

    #[test]
    fn rejects_project_crates_in_store_and_xtask() {
        assert_eq!(
            rules("ringnity-server/store/src/lib.rs", "use ringnity_types::Contact;\n"),
            [(1, "forbidden-import")]
        );
        assert_eq!(rules("ringnity-server/store/src/lib.rs", "use serde_json::Value;\n"), []);
        assert_eq!(rules("xtask/src/main.rs", "use ringnity_types::Contact;\n"), [(1, "forbidden-import")]);
        assert_eq!(rules("xtask/src/main.rs", "use xtask::source;\n"), []);
    }
}

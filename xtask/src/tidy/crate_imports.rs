//! Tidy rules about rooms: which crates the code of a folder does not name, and where SQL lives.

use super::code::Code;
use super::{SourceFile, Violation};

/// A folder, the crates its code does not name, and what to do instead.
struct Room {
    folder: &'static str,
    except: Option<&'static str>,
    forbidden: &'static [&'static str],
    remedy: &'static str,
}

const STORE: &str = "ringnity-server/store/";

const ROOMS: [Room; 7] = [
    Room {
        folder: "ringnity-server/src/app/",
        except: None,
        forbidden: &["dropshot", "http", "hyper", "diesel", "ringnity_api"],
        remedy: "app/ holds rules; HTTP belongs into routes/ and the API crate, SQL into the store",
    },
    Room {
        folder: "ringnity-server/src/jobs/",
        except: None,
        forbidden: &["dropshot", "http", "hyper", "diesel", "ringnity_api"],
        remedy: "jobs/ works through app/, providers/ and the store, and answers nobody",
    },
    Room {
        folder: "ringnity-server/src/http/routes/",
        except: None,
        forbidden: &["diesel", "ringnity_store"],
        remedy: "routes/ only delegates: call app/, which calls the store",
    },
    Room {
        folder: "ringnity-server/src/cli/",
        except: None,
        forbidden: &["dropshot", "http", "hyper", "diesel"],
        remedy: "commands/ calls app/ and the store; what requests need belongs into routes/",
    },
    Room {
        folder: "",
        except: Some(STORE),
        forbidden: &["diesel", "diesel_migrations"],
        remedy: "put the query into ringnity-server/store, behind a method of Store",
    },
    Room {
        folder: STORE,
        except: None,
        forbidden: &["dropshot", "http", "hyper", "ringnity_types", "ringnity_api"],
        remedy: "the store knows rows only; translate in app/",
    },
    Room {
        folder: "xtask/",
        except: None,
        forbidden: &[
            "ringnity_types",
            "ringnity_client",
            "ringnity_api",
            "ringnity_server",
            "ringnity_store",
        ],
        remedy: "xtask generates them and so cannot need them",
    },
];

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    for file in files {
        if file.path.ends_with(".sql") && !file.path.starts_with(STORE) {
            violations.push(Violation::new(
                file,
                1,
                "sql-outside-store",
                "an SQL file outside the store",
                "move it to ringnity-server/store",
            ));
        }
        if !file.is_rust() {
            continue;
        }
        let code = Code::of(&file.text);
        for room in &ROOMS {
            let outside = room.except.is_some_and(|except| file.path.starts_with(except));
            if file.path.starts_with(room.folder) && !outside {
                names(file, &code, room, violations);
            }
        }
        if !file.path.starts_with(STORE) {
            for (line, string) in &code.strings {
                if is_sql(string) {
                    violations.push(Violation::new(
                        file,
                        *line,
                        "sql-outside-store",
                        "a string that is SQL",
                        "put the query into ringnity-server/store, behind a method of Store",
                    ));
                }
            }
        }
    }
}

fn names(file: &SourceFile, code: &Code, room: &Room, violations: &mut Vec<Violation>) {
    for (number, line) in code.lines() {
        for name in room.forbidden {
            let told = violations.iter().any(|told| told.file == file.path && told.line == number);
            if !told && names_crate(line, name) {
                let place = if room.folder.is_empty() { "code outside the store" } else { room.folder };
                violations.push(Violation::new(
                    file,
                    number,
                    "room",
                    format!("{place} names {name}"),
                    room.remedy,
                ));
            }
        }
    }
}

/// Whether a line of code names the crate: `name::…`, `use name`, or an attribute of that name.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            || after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        // `crate::http::…` and `self.http` are something of our own.
        let leading = before.trim_end();
        let qualified = (leading.ends_with("::")
            && !leading.trim_end_matches("::").trim_end().is_empty()
            && leading.trim_end_matches(':').ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            || leading.ends_with('.');
        let is_path = after.trim_start().starts_with("::");
        let is_use = leading.ends_with("use") || leading.ends_with("extern crate");
        let is_attribute = leading.ends_with("#[") || leading.ends_with("#![");
        !in_word && !qualified && (is_path || is_use || is_attribute)
    })
}

/// Whether a string is a statement of SQL: a verb in capitals with what has to follow it.
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

    #[test]
    fn app_knows_neither_http_nor_sql() {
        let app = "ringnity-server/src/app/contacts.rs";
        for line in [
            "use dropshot::RequestContext;",
            "use http;",
            "fn f(r: http::Request<()>) {}",
            "use hyper::body::Body;",
            "use ::diesel::prelude::*;",
            "#[diesel(table_name = contacts)]",
        ] {
            assert_eq!(rules(app, &format!("//! Rules.\n{line}\n")), [(2, "room")], "{line}");
        }
        for line in [
            "// use dropshot::RequestContext;",
            "use crate::http::Thing;",
            "let s = \"use http::x\";",
            "self.http.send();",
            "use my_http::Request;",
            "let http = 3;",
        ] {
            assert_eq!(rules(app, &format!("//! Rules.\n{line}\n")), [], "{line}");
        }
    }

    #[test]
    fn jobs_answer_nobody() {
        let jobs = "ringnity-server/src/jobs/mail.rs";
        for line in ["use dropshot::HttpError;", "fn f(r: http::Request<()>) {}", "use ringnity_api::Call;"] {
            assert_eq!(rules(jobs, line), [(1, "room")], "{line}");
        }
        assert_eq!(rules(jobs, "use ringnity_store::Store;\nuse crate::app::App;\n"), []);
    }

    #[test]
    fn routes_delegate() {
        let routes = "ringnity-server/src/http/routes/contacts.rs";
        assert_eq!(rules(routes, "use ringnity_store::Store;\n"), [(1, "room")]);
        assert_eq!(rules(routes, "use diesel::prelude::*;\n"), [(1, "room")]);
        assert_eq!(rules(routes, "use dropshot::HttpError;\nuse crate::app;\n"), []);
    }

    #[test]
    fn sql_lives_in_the_store() {
        let statement = format!("{} id FROM contacts", "SELECT");
        let text = format!("//! A file.\nconst Q: &str = \"{statement}\";\n");
        assert_eq!(rules("ringnity-server/src/jobs/mail.rs", &text), [(2, "sql-outside-store")]);
        assert_eq!(rules("ringnity-server/store/src/contacts.rs", &text), []);
        assert_eq!(rules("conformance/src/lib.rs", "use diesel::Connection;\n"), [(1, "room")]);
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
    fn the_store_knows_no_types_and_xtask_no_crate_of_the_project() {
        assert_eq!(
            rules("ringnity-server/store/src/lib.rs", "use ringnity_types::Contact;\n"),
            [(1, "room")]
        );
        assert_eq!(rules("ringnity-server/store/src/lib.rs", "use serde_json::Value;\n"), []);
        assert_eq!(rules("xtask/src/main.rs", "use ringnity_types::Contact;\n"), [(1, "room")]);
        assert_eq!(rules("xtask/src/main.rs", "use xtask::source;\n"), []);
    }
}

//! Tidy rules about the rooms of the server's crate: which of its modules the code of a room may name. A crate's
//! modules may use each other in circles as far as the compiler cares.

use std::collections::BTreeSet;

use super::code::Code;
use super::{SourceFile, Violation};

/// Where the rooms are.
const HOUSE: &str = "ringnity-server/src/";

/// The document whose Map says the same as [`DOORS`].
const MAP: &str = "ARCHITECTURE.md";

/// The other crates that rooms may name: in code, and in the Map.
const CRATES: [(&str, &str); 4] = [
    ("ringnity_api", "api"),
    ("ringnity_client", "client"),
    ("ringnity_store", "store"),
    ("ringnity_types", "types"),
];

/// Every folder of the house, and what its code may name beside itself: modules of the server's crate, and crates. Only
/// the files right in `src/`, which put everything together, may name all.
const DOORS: [(&str, &[&str]); 9] = [
    ("http", &["api", "app", "clock", "secrets", "store", "telemetry", "types"]),
    ("app", &["clock", "config", "providers", "secrets", "store", "types"]),
    ("secrets", &["store"]),
    ("jobs", &["app", "clock", "providers", "secrets", "store"]),
    ("providers", &[]),
    ("cli", &["api", "app", "claim", "clock", "config", "secrets", "serve", "store", "telemetry", "types"]),
    ("config", &["providers", "store", "telemetry", "tls"]),
    ("demo", &["app", "clock", "config", "secrets", "store", "types"]),
    ("telemetry", &["api", "app", "store"]),
];

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    let mut closed = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some((folder, _)) = file.path.strip_prefix(HOUSE).and_then(|inside| inside.split_once('/'))
        else {
            continue;
        };
        let Some((room, open)) = DOORS.iter().find(|(room, _)| *room == folder) else {
            if closed.insert(folder) {
                violations.push(Violation::new(
                    file,
                    1,
                    "door-missing",
                    format!("{folder}/ is a room that nothing is said about"),
                    format!("say what it may name, in xtask/src/tidy/module_deps.rs and in the Map of {MAP}"),
                ));
            }
            continue;
        };
        let code = Code::of(&file.text);
        let inside = modules(&code.text).into_iter().map(|(line, module)| (line, module, "crate::"));
        let outside = crates(&code).into_iter().map(|(line, name)| (line, name, "the crate "));
        for (line, name, kind) in inside.chain(outside) {
            if name != *room && !open.contains(&name) {
                violations.push(Violation::new(
                    file,
                    line,
                    "door",
                    format!("{room}/ names {kind}{name}"),
                    format!("{room}/ knows {}: move what it needs there, or hand it in", list(open)),
                ));
            }
        }
    }
    if let Some(map) = files.iter().find(|file| file.path == MAP) {
        compare(map, violations);
    }
}

/// Compares the Map's rows about folders of the house with [`DOORS`].
fn compare(map: &SourceFile, violations: &mut Vec<Violation>) {
    let mut told = BTreeSet::new();
    for (index, row) in map.text.lines().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let &["", place, _, said, ""] = cells.as_slice() else { continue };
        let Some(room) = place.trim_matches('`').strip_prefix(HOUSE).and_then(|rest| rest.strip_suffix('/'))
        else {
            continue;
        };
        told.insert(room);
        let open = DOORS.iter().find(|(name, _)| *name == room).map(|(_, open)| *open);
        let mut said: Vec<&str> = said.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        said.sort_unstable();
        if open != Some(said.as_slice()) {
            let checked = open.map_or_else(|| "nothing at all".to_owned(), list);
            violations.push(Violation::new(
                map,
                index + 1,
                "door-map",
                format!("the Map says that {room}/ may use {}; checked is: {checked}", list(&said)),
                "let the row and xtask/src/tidy/module_deps.rs say the same",
            ));
        }
    }
    for (room, open) in DOORS.iter().filter(|(room, _)| !told.contains(room)) {
        violations.push(Violation::new(
            map,
            1,
            "door-map",
            format!("the Map has no row for {HOUSE}{room}/"),
            format!("add one whose last column says: {}", open.join(", ")),
        ));
    }
}

/// The crates of this workspace that `code` names, as the Map calls them, with the lines on which it does.
fn crates(code: &Code) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in code.lines() {
        let words: Vec<&str> =
            line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        found.extend(
            CRATES.iter().filter(|(name, _)| words.contains(name)).map(|(_, short)| (number, *short)),
        );
    }
    found
}

fn list(open: &[&str]) -> String {
    if open.is_empty() { "nothing else".to_owned() } else { format!("only {}", open.join(", ")) }
}

/// The modules right below the crate that `code` names, with the lines on which it does.
fn modules(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((line, word(rest)));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (offset, character) in group.char_indices() {
            match character {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ if begins && !character.is_whitespace() => {
                    found.push((line + group[..offset].matches('\n').count(), word(&group[offset..])));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
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
    fn a_room_names_what_lies_below_it() {
        let app = "ringnity-server/src/app/contacts.rs";
        for line in [
            "use crate::auth::caller::Caller;",
            "use crate::{clock::Clock, state::State};",
            "fn f(state: &crate::state::State) {}",
        ] {
            assert_eq!(lines(app, &format!("//! Rules.\n{line}\n")), [2], "{line}");
        }
        for line in [
            "use crate::app::plans;",
            "use crate::{clock::Clock, secrets::{self, password}};",
            "// use crate::auth::caller::Caller;",
            "use my_crate::auth;",
        ] {
            assert_eq!(lines(app, &format!("//! Rules.\n{line}\n")), NONE, "{line}");
        }
        assert_eq!(lines("ringnity-server/src/secrets/tokens.rs", "use crate::app::App;\n"), [1]);
        assert_eq!(lines("ringnity-server/src/serve.rs", "use crate::auth::caller::Caller;\n"), NONE);
        assert_eq!(lines("ringnity-server/store/src/app/a.rs", "use crate::auth::b;\n"), NONE);
    }

    #[test]
    fn a_room_names_the_crates_that_are_its_own() {
        let routes = "ringnity-server/src/http/routes/chat.rs";
        assert_eq!(lines(routes, "use ringnity_types::Chat;\nuse ringnity_store::Store;\n"), [2]);
        assert_eq!(lines("ringnity-server/src/providers/jwks.rs", "fn f(a: ringnity_api::Call) {}\n"), [1]);
        assert_eq!(lines("ringnity-server/src/demo/mod.rs", "use ringnity_client::Client;\n"), [1]);
    }

    #[test]
    fn a_room_that_nothing_is_said_about_is_a_violation() {
        let mut violations = Vec::new();
        let files = ["a.rs", "b/c.rs"].map(|path| file(&format!("ringnity-server/src/realtime/{path}"), ""));
        check(&files, &mut violations);
        let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "ringnity-server/src/realtime/a.rs:1: error door-missing: realtime/ is a room that nothing is said \
              about; say what it may name, in xtask/src/tidy/module_deps.rs and in the Map of ARCHITECTURE.md"
            ]
        );
    }

    #[test]
    fn the_map_says_what_is_checked() {
        let rows = |change: fn(&str, &str) -> Option<String>| {
            let row = |(room, open): &(&str, &[&str])| {
                let said = change(room, &open.join(", "))?;
                Some(format!("| `ringnity-server/src/{room}/` | what lives there | {said} |\n"))
            };
            let mut violations = Vec::new();
            check(&[file(MAP, &DOORS.iter().filter_map(row).collect::<String>())], &mut violations);
            violations.into_iter().map(|violation| (violation.line, violation.message)).collect::<Vec<_>>()
        };
        assert_eq!(rows(|_, said| Some(said.to_owned())), []);
        assert_eq!(
            rows(|room, said| Some(if room == "secrets" { "app".to_owned() } else { said.to_owned() })),
            [(4, "the Map says that secrets/ may use only app; checked is: only store".to_owned())]
        );
        assert_eq!(
            rows(|room, said| (room != "demo").then(|| said.to_owned())),
            [(1, "the Map has no row for ringnity-server/src/demo/".to_owned())]
        );
        let mut violations = Vec::new();
        compare(&file(MAP, "| `ringnity-server/src/attic/` | old things | |\n"), &mut violations);
        assert_eq!(
            violations[0].message,
            "the Map says that attic/ may use nothing else; checked is: nothing at all"
        );
    }

    #[test]
    fn groups_are_read_over_lines() {
        let text = "use crate::{\n    app::{self, App},\n    auth,\n};\n";
        assert_eq!(modules(text), [(2, "app"), (3, "auth")]);
    }
}

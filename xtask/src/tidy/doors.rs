//! Tidy rules about the rooms of the server's crate: which of its modules the code of a room may name. A crate's
//! modules may use each other in circles as far as the compiler cares.

use super::code::Code;
use super::{SourceFile, Violation};

/// Where the rooms are.
const HOUSE: &str = "ringnity-server/src/";

/// Rooms, and the modules whose code that of the room may name beside its own. What lies on top (`commands`, and the
/// files of `src/` that put everything together) may name all.
const DOORS: [(&str, &[&str]); 7] = [
    ("secrets", &[]),
    ("outbound", &[]),
    ("config", &["logs", "outbound", "tls"]),
    ("app", &["clock", "config", "outbound", "secrets"]),
    ("auth", &["app", "fault", "secrets", "state"]),
    ("jobs", &["app", "clock", "outbound", "secrets"]),
    ("routes", &["app", "fault", "secrets", "state"]),
];

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some(inside) = file.path.strip_prefix(HOUSE) else { continue };
        let door = DOORS
            .iter()
            .find(|(room, _)| inside.strip_prefix(room).is_some_and(|rest| rest.starts_with('/')));
        let Some((room, open)) = door else { continue };
        for (line, module) in modules(&Code::of(&file.text).text) {
            if module != *room && !open.contains(&module) {
                violations.push(Violation::new(
                    file,
                    line,
                    "door",
                    format!("{room}/ names crate::{module}"),
                    format!("{room}/ knows {}: move what it needs there, or hand it in", list(open)),
                ));
            }
        }
    }
}

fn list(open: &[&str]) -> String {
    if open.is_empty() { "no other module".to_owned() } else { format!("only {}", open.join(", ")) }
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
    fn groups_are_read_over_lines() {
        let text = "use crate::{\n    app::{self, App},\n    auth,\n};\n";
        assert_eq!(modules(text), [(2, "app"), (3, "auth")]);
    }
}

//! The rule about retired names: words that hand-written code and documents no longer use, each with its replacement.

use std::collections::BTreeMap;

use super::rules::{self, RULES};
use super::{SourceFile, Violation};

/// Files in which a retired name may be: the list itself, and what is published or written by tools.
const EXCEPTIONS: [&str; 4] = [rules::FILE, "Cargo.lock", "openapi.json", "CHANGELOG.md"];

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    check_names(files, &RULES.retired_names, violations);
}

fn check_names(files: &[SourceFile], names: &BTreeMap<String, String>, violations: &mut Vec<Violation>) {
    for file in files.iter().filter(|file| !file.is_generated() && !EXCEPTIONS.contains(&file.path.as_str()))
    {
        for (index, line) in file.text.lines().enumerate() {
            let words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
            for (name, replacement) in words.filter_map(|word| names.get_key_value(word)) {
                violations.push(Violation::new(
                    file,
                    index + 1,
                    "retired-name",
                    format!("{name} is a retired name"),
                    format!("use {replacement}"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn rejects_retired_names_as_whole_words() {
        let names = BTreeMap::from([("old_name".to_owned(), "new_name".to_owned())]);
        let check = |path: &str, text: &str| {
            let mut violations = Vec::new();
            check_names(&[file(path, text)], &names, &mut violations);
            violations.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let found = ["a.rs:2: error retired-name: old_name is a retired name; use new_name"];
        assert_eq!(check("a.rs", "//! A file.\nfn f() { store.old_name(); }\n"), found);
        assert_eq!(check("a.rs", "//! A file.\n// Calls `old_name`.\n"), found);
        assert_eq!(check("README.md", "old_name\n").len(), 1);
        assert!(check("a.rs", "//! A file.\nfn old_name_too() {}\n").is_empty());
        assert!(check("a/generated/a.rs", "fn old_name() {}\n").is_empty());
        assert!(check("openapi.json", "old_name\n").is_empty());
    }

    #[test]
    fn no_replacement_is_retired_itself() {
        for (name, replacement) in &RULES.retired_names {
            let words = replacement.split(|character: char| !character.is_alphanumeric() && character != '_');
            for word in words {
                assert!(!RULES.retired_names.contains_key(word), "{name} -> {replacement}");
            }
        }
    }
}

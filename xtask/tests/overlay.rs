//! The overlay of this repository's contract: every action on an operation is in the file of the operation's tag.

use std::collections::BTreeMap;

use heck::ToSnakeCase as _;
use xtask::lock;
use xtask::source::{self, Inputs};

/// The path that an action changes: `/chat` of `$.paths['/chat'].get`.
fn path_of(target: &str) -> Option<&str> {
    target.strip_prefix("$.paths['")?.split_once("']").map(|(path, _)| path)
}

#[test]
fn actions_are_in_the_file_of_their_tag() {
    let root = source::root();
    let inputs = Inputs { contract: None, overlay: None, settings: None };
    let effective = source::load(&inputs).expect("loads").effective;
    // By path, the names of the files for the tags of its operations.
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, item) in effective["paths"].as_object().expect("paths") {
        let tags =
            item.as_object().expect("operations").values().filter_map(|value| value["tags"][0].as_str());
        files.insert(path, tags.map(|tag| format!("{}.json", tag.to_snake_case())).collect());
    }
    let folder = root.join(lock::OVERLAY);
    let mut misplaced = Vec::new();
    for name in lock::overlay_files(&folder).expect("lists") {
        let overlay = source::read_document(&folder.join(&name)).expect("reads");
        for (index, action) in overlay["actions"].as_array().expect("actions").iter().enumerate() {
            let target = action["target"].as_str().expect("a target");
            let paths: Vec<&str> = match (path_of(target), target) {
                (Some(path), _) => vec![path],
                (None, "$.paths") => action["update"]
                    .as_object()
                    .into_iter()
                    .flat_map(|update| update.keys())
                    .map(String::as_str)
                    .collect(),
                _ => Vec::new(),
            };
            for path in paths {
                if !files.get(path).is_some_and(|files| files.contains(&name)) {
                    misplaced.push(format!(
                        "{name}: actions[{index}] ({target}) belongs in {:?}",
                        files.get(path)
                    ));
                }
            }
        }
    }
    assert!(misplaced.is_empty(), "{}", misplaced.join("\n"));
}

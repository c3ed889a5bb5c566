//! The rule about import cycles: sibling modules of a crate must not import each other, directly or through other
//! siblings. A module and its own submodules may. Code that is compiled for tests only does not count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::rules::{self, AllowedCycle, RULES};
use super::syntax::NamedPath;
use super::{SourceFile, Violation};

/// The path of a module below its crate; empty for the crate's root.
type ModulePath = Vec<String>;

/// The sibling modules that each module uses, with the first place where it does: index of the file, and line.
type Uses = BTreeMap<ModulePath, BTreeMap<ModulePath, (usize, usize)>>;

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    check_with(files, &RULES.allowed_cycles, violations);
}

fn check_with(files: &[SourceFile], allowed: &[AllowedCycle], violations: &mut Vec<Violation>) {
    let mut still_needed: HashSet<(usize, &String)> = HashSet::new();
    for (package, source_folder) in packages(files) {
        let krate = Crate::read(files, &source_folder);
        for cycle in cycles(&krate.uses()) {
            let names: Vec<String> = cycle.modules.iter().map(|module| module.join("::")).collect();
            let covering = allowed.iter().enumerate().find(|(_, entry)| {
                entry.package == package && names.iter().all(|name| entry.modules.contains(name))
            });
            if let Some((index, entry)) = covering {
                still_needed.extend(
                    entry.modules.iter().filter(|name| names.contains(name)).map(|name| (index, name)),
                );
                continue;
            }
            let steps: Vec<String> = cycle
                .steps
                .iter()
                .map(|(from, to, (file, line))| {
                    format!("{} uses {} ({}:{line})", from.join("::"), to.join("::"), files[*file].path)
                })
                .collect();
            let (_, _, (file, line)) = cycle.steps[0];
            violations.push(Violation::new(
                &files[file],
                line,
                "import-cycle",
                format!("{package}: {} import each other: {}", names.join(", "), steps.join(", ")),
                "move what both need to a module that uses neither, or pass it as an argument",
            ));
        }
    }
    let Some(list) = files.iter().find(|file| file.path == rules::FILE) else { return };
    for (index, entry) in allowed.iter().enumerate() {
        let stale: Vec<&str> = entry
            .modules
            .iter()
            .filter(|module| !still_needed.contains(&(index, module)))
            .map(String::as_str)
            .collect();
        let Some(first) = stale.first() else { continue };
        let line = list.text.lines().position(|line| line.contains(&format!("\"{first}\""))).unwrap_or(0);
        violations.push(Violation::new(
            list,
            line + 1,
            "import-cycle",
            format!("{} of {} no longer in an import cycle", stale.join(", "), entry.package),
            "remove from the allowed cycles",
        ));
    }
}

/// Name and source folder of every package: the name of its folder, or of the package in its manifest.
fn packages(files: &[SourceFile]) -> Vec<(String, String)> {
    let manifests = files.iter().filter_map(|file| Some((file, file.path.strip_suffix("Cargo.toml")?)));
    manifests
        .filter_map(|(file, folder)| {
            let manifest = file.text.parse::<toml::Table>().ok()?;
            let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
            Some((name, format!("{folder}src/")))
        })
        .collect()
}

/// The modules of a crate.
struct Crate<'f> {
    files: Vec<(usize, ModulePath, &'f SourceFile)>,
    modules: HashSet<ModulePath>,
    /// Modules that are compiled for tests only; those below them are, too.
    for_tests: HashSet<ModulePath>,
    /// What a module imports by name: where a path leads that goes through it.
    imports: HashMap<(ModulePath, String), ModulePath>,
}

impl<'f> Crate<'f> {
    fn read(files: &'f [SourceFile], source_folder: &str) -> Self {
        let mut krate = Self {
            files: Vec::new(),
            modules: HashSet::from([Vec::new()]),
            for_tests: HashSet::new(),
            imports: HashMap::new(),
        };
        for (index, file) in files.iter().enumerate() {
            let Some(syntax) = &file.syntax else { continue };
            let Some(module) = file.path.strip_prefix(source_folder).and_then(module_of) else { continue };
            for inner in &syntax.modules {
                let path = [module.as_slice(), &inner.path].concat();
                if inner.for_tests {
                    krate.for_tests.insert(path.clone());
                }
                krate.modules.insert(path);
            }
            krate.modules.insert(module.clone());
            krate.files.push((index, module, file));
        }
        let mut imports = HashMap::new();
        for (_, module, file) in &krate.files {
            for path in file.syntax.iter().flat_map(|syntax| &syntax.paths) {
                if let Some(name) = &path.binds
                    && !path.in_tests
                    && let Some(target) = krate.resolve(module, path)
                {
                    let holder = [module.as_slice(), &path.scope].concat();
                    imports.insert((holder, name.clone()), target);
                }
            }
        }
        krate.imports = imports;
        krate
    }

    /// The module that a path leads to; `None` when it leads out of the crate.
    fn resolve(&self, module: &[String], path: &NamedPath) -> Option<ModulePath> {
        let absolute = path.absolute(module).or_else(|| {
            let child = [module, &path.scope, &path.segments[..1]].concat();
            self.modules.contains(&child).then(|| [module, &path.scope, &path.segments].concat())
        })?;
        let known = (0..=absolute.len()).rev().find(|&length| self.modules.contains(&absolute[..length]))?;
        let (target, rest) = absolute.split_at(known);
        // A re-exported item belongs to the module that it comes from.
        let re_exported = rest.first().and_then(|name| self.imports.get(&(target.to_vec(), name.clone())));
        Some(re_exported.cloned().unwrap_or_else(|| target.to_vec()))
    }

    fn is_for_tests(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|length| self.for_tests.contains(&module[..length]))
    }

    /// Which module uses which of its siblings.
    fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (index, module, file) in &self.files {
            if self.is_for_tests(module) {
                continue;
            }
            for path in file.syntax.iter().flat_map(|syntax| &syntax.paths).filter(|path| !path.in_tests) {
                let Some(target) = self.resolve(module, path) else { continue };
                let user = [module.as_slice(), &path.scope].concat();
                let common = user.iter().zip(&target).take_while(|(one, other)| one == other).count();
                if common < user.len() && common < target.len() {
                    let (user, used) = (user[..=common].to_vec(), target[..=common].to_vec());
                    uses.entry(user).or_default().entry(used).or_insert((*index, path.line));
                }
            }
        }
        uses
    }
}

/// The module of a source file, given its path below the source folder. Programs in `bin/` are crates of their own.
pub(super) fn module_of(path: &str) -> Option<ModulePath> {
    let path = path.strip_suffix(".rs")?;
    if path.starts_with("bin/") {
        return None;
    }
    let mut module: ModulePath = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || path == "lib" || path == "main" {
        module.pop();
    }
    Some(module)
}

/// Modules that use each other, and the shortest way around.
#[derive(Debug)]
struct Cycle {
    modules: BTreeSet<ModulePath>,
    /// User, used, and where.
    steps: Vec<(ModulePath, ModulePath, (usize, usize))>,
}

/// The groups of modules of which each reaches every other.
fn cycles(uses: &Uses) -> Vec<Cycle> {
    let reachable: BTreeMap<&ModulePath, BTreeMap<&ModulePath, &ModulePath>> =
        uses.keys().map(|start| (start, reach(uses, start))).collect();
    let mut found: Vec<Cycle> = Vec::new();
    for start in uses.keys() {
        if found.iter().any(|cycle| cycle.modules.contains(start)) || !reachable[start].contains_key(start) {
            continue;
        }
        let modules: BTreeSet<ModulePath> = reachable[start]
            .keys()
            .filter(|other| reachable.get(*other).is_some_and(|back| back.contains_key(start)))
            .map(|other| (*other).clone())
            .collect();
        // Follow the predecessors back from the start to the start.
        let mut steps = Vec::new();
        let mut at = start;
        loop {
            let before = reachable[start][at];
            steps.push((before.clone(), at.clone(), uses[before][at]));
            at = before;
            if at == start {
                break;
            }
        }
        steps.reverse();
        found.push(Cycle { modules, steps });
    }
    found
}

/// Every module that `start` reaches, with the one before it on a shortest way. Contains `start` only on a cycle.
fn reach<'u>(uses: &'u Uses, start: &'u ModulePath) -> BTreeMap<&'u ModulePath, &'u ModulePath> {
    let mut before = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for next in uses.get(module).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(next) {
                before.insert(next, module);
                queue.push_back(next);
            }
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn violations(sources: &[(&str, &str)], allowed: &[AllowedCycle]) -> Vec<String> {
        let mut files = vec![file("a/Cargo.toml", "[package]\nname = \"a\"\n"), file(rules::FILE, "")];
        files.extend(sources.iter().map(|(path, text)| file(&format!("a/src/{path}"), text)));
        let mut violations = Vec::new();
        check_with(&files, allowed, &mut violations);
        violations
            .iter()
            .map(|violation| format!("{}:{}: {}", violation.file, violation.line, violation.message))
            .collect()
    }

    fn entry(modules: &[&str]) -> AllowedCycle {
        let modules = modules.iter().map(|&module| module.to_owned()).collect();
        AllowedCycle { package: "a".to_owned(), modules, reason: String::new() }
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod one; mod two; mod three;");

    #[test]
    fn rejects_siblings_that_import_each_other() {
        let two = ("two.rs", "fn g() {\n    crate::one::f();\n}\n");
        for one in ["use crate::two::g;", "use super::two;", "fn f() { assert!(crate::two::g()) }"] {
            assert_eq!(
                violations(&[ROOT, ("one.rs", one), two], &[]),
                [
                    "a/src/one.rs:1: a: one, two import each other: one uses two (a/src/one.rs:1), two uses one (a/src/two.rs:2)"
                ],
                "{one}"
            );
        }
        assert!(
            violations(&[ROOT, ("one.rs", "use crate::two::g;"), ("two.rs", "fn g() {}")], &[]).is_empty()
        );
    }

    #[test]
    fn finds_the_way_around_several_modules() {
        let sources = [
            ROOT,
            ("one.rs", "use crate::two::a;"),
            ("two.rs", "use crate::three::b;"),
            ("three/mod.rs", "mod inner;"),
            ("three/inner.rs", "use crate::one::c;"),
        ];
        let found = violations(&sources, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("one, three, two import each other"), "{found:?}");
        assert!(found[0].contains("three uses one (a/src/three/inner.rs:1)"), "{found:?}");
    }

    #[test]
    fn follows_re_exports() {
        let root = ("lib.rs", "mod one;\nmod two;\npub use one::f;\n");
        let found = violations(&[root, ("one.rs", "use crate::two::g;"), ("two.rs", "use crate::f;")], &[]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn accepts_parents_children_and_tests() {
        let parent = ("one.rs", "mod inner;\npub use inner::f;\nfn g() {}\n");
        assert!(
            violations(&[ROOT, parent, ("one/inner.rs", "use super::g;\nuse crate::one;\n")], &[]).is_empty()
        );
        let tested = "use crate::two::g;\n";
        let tests = "#[cfg(test)]\nmod tests { use crate::one::f; }\n";
        assert!(violations(&[ROOT, ("one.rs", tested), ("two.rs", tests)], &[]).is_empty());
        let root = ("lib.rs", "mod one;\n#[cfg(test)]\nmod two;\n");
        assert!(violations(&[root, ("one.rs", tested), ("two.rs", "use crate::one::f;")], &[]).is_empty());
    }

    #[test]
    fn accepts_listed_cycles_and_rejects_stale_entries() {
        let sources = [ROOT, ("one.rs", "use crate::two::g;"), ("two.rs", "use crate::one::f;")];
        assert!(violations(&sources, &[entry(&["one", "two"])]).is_empty());
        assert_eq!(
            violations(&sources, &[entry(&["one", "two", "three"])]),
            ["xtask/tidy.toml:1: three of a no longer in an import cycle"]
        );
        assert_eq!(violations(&sources, &[entry(&["one", "three"])]).len(), 2);
    }
}

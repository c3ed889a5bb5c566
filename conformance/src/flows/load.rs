//! Flow documents from files: which files, in which order, and how several become one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Extension, Flows, Workflow};
use crate::inputs;

/// A flow document and the name by which errors call it.
pub type Document = (String, Value);

/// Reads flow documents in the order given: a file by itself, a folder as its `.json` files in the order of their
/// names.
///
/// # Errors
///
/// When a path cannot be read, a file is not JSON, or a folder has no `.json` files.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for path in paths {
        for file in files(path)? {
            documents.push((file.display().to_string(), inputs::read_file(&file)?));
        }
    }
    Ok(documents)
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let cannot_list = || format!("cannot list {}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(cannot_list)? {
        let file = entry.with_context(cannot_list)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("{} has no .json files; name a folder with Arazzo documents", path.display());
    }
    files.sort();
    Ok(files)
}

/// Makes one document of several: flows, credentials and unreachable statuses one after the other. A name that two
/// documents give is an error.
pub(super) fn merge(documents: Vec<Document>) -> Result<Flows> {
    let mut merged = Flows::default();
    let mut order: Vec<(String, String)> = Vec::new();
    for (name, document) in documents {
        let flows: Flows = serde_json::from_value(document).with_context(|| name.clone())?;
        if !flows.arazzo.starts_with("1.") {
            bail!("{name} is of Arazzo {:?}; only 1.x is supported", flows.arazzo);
        }
        merged.arazzo = flows.arazzo;
        for workflow in flows.workflows {
            if let Some((_, other)) = order.iter().find(|(id, _)| *id == workflow.workflow_id) {
                bail!("{name}: the flow {} is already in {other}; rename one", workflow.workflow_id);
            }
            order.push((workflow.workflow_id.clone(), name.clone()));
            merged.workflows.push(workflow);
        }
        merged.extension.add(flows.extension).with_context(|| format!("{name}: x-conformance"))?;
    }
    merged.workflows = sort_by_dependencies(merged.workflows)?;
    Ok(merged)
}

impl Extension {
    /// Adds what another document has; a conflict is an error.
    fn add(&mut self, other: Self) -> Result<()> {
        for (name, mine, theirs) in [
            ("otherTenant", &mut self.other_tenant, other.other_tenant),
            ("limited", &mut self.limited, other.limited),
        ] {
            if mine.is_some() && theirs.is_some() {
                bail!("{name} is already in another document; keep one");
            }
            *mine = mine.take().or(theirs);
        }
        for source in other.credentials {
            if self.credentials.iter().any(|known| known.name == source.name) {
                bail!("the credential {:?} is already there; rename one", source.name);
            }
            self.credentials.push(source);
        }
        for one in other.unreachable {
            let same = |known: &super::Unreachable| {
                known.operation_id == one.operation_id && known.status == one.status
            };
            if self.unreachable.iter().any(same) {
                bail!("{} of {} is already unreachable; keep one reason", one.status, one.operation_id);
            }
            self.unreachable.push(one);
        }
        Ok(())
    }
}

/// Orders flows so that each follows those it depends on, and otherwise as they were.
fn sort_by_dependencies(mut workflows: Vec<Workflow>) -> Result<Vec<Workflow>> {
    for workflow in &workflows {
        for needed in &workflow.depends_on {
            if !workflows.iter().any(|other| other.workflow_id == *needed) {
                bail!("{}: depends on {needed}, which no flow document has", workflow.workflow_id);
            }
        }
    }
    let mut sorted: Vec<Workflow> = Vec::new();
    while !workflows.is_empty() {
        let is_next = |workflow: &Workflow| {
            let is_sorted = |id: &String| sorted.iter().any(|other| other.workflow_id == *id);
            workflow.depends_on.iter().all(is_sorted)
        };
        let Some(next) = workflows.iter().position(is_next) else {
            let ids: Vec<&str> = workflows.iter().map(|workflow| workflow.workflow_id.as_str()).collect();
            bail!("these flows depend on each other: {}", ids.join(", "));
        };
        sorted.push(workflows.remove(next));
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(name: &str, workflows: &[(&str, &[&str])], extra: Value) -> Document {
        let workflows: Vec<Value> = workflows
            .iter()
            .map(|(id, needs)| json!({ "workflowId": id, "dependsOn": needs, "steps": [] }))
            .collect();
        let document = json!({ "arazzo": "1.0.1", "workflows": workflows, "x-conformance": extra });
        (name.to_owned(), document)
    }

    fn error(documents: Vec<Document>) -> String {
        format!("{:#}", merge(documents).unwrap_err())
    }

    #[test]
    fn reads_files_and_the_files_of_folders_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "{}").unwrap();
            path
        };
        let single = write("single.json");
        write("many/b.json");
        write("many/a.json");
        write("many/README.md");
        let names: Vec<String> = read(&[single, folder.path().join("many")])
            .unwrap()
            .into_iter()
            .map(|(name, _)| name.rsplit('/').next().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["single.json", "a.json", "b.json"]);
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        assert!(
            format!("{:#}", read(&[folder.path().join("empty")]).unwrap_err()).contains("no .json files")
        );
    }

    #[test]
    fn flows_follow_those_they_depend_on() {
        let one = document("one", &[("a", &["c"]), ("b", &[])], json!({}));
        let other = document("other", &[("c", &["d"]), ("d", &[])], json!({}));
        let merged = merge(vec![one, other]).unwrap();
        let ids: Vec<&str> = merged.workflows.iter().map(|flow| flow.workflow_id.as_str()).collect();
        assert_eq!(ids, ["b", "d", "c", "a"]);
    }

    #[test]
    fn rejects_unknown_and_circular_dependencies() {
        let unknown = error(vec![document("one", &[("a", &["b"])], json!({}))]);
        assert!(unknown.contains("a: depends on b, which no flow document has"), "{unknown}");
        let circular = error(vec![
            document("one", &[("a", &["b"]), ("c", &[])], json!({})),
            document("other", &[("b", &["a"])], json!({})),
        ]);
        assert!(circular.contains("depend on each other: a, b"), "{circular}");
    }

    #[test]
    fn rejects_what_two_documents_define() {
        let same = error(vec![
            document("one", &[("a", &[])], json!({})),
            document("other", &[("a", &[])], json!({})),
        ]);
        assert!(same.contains("other: the flow a is already in one"), "{same}");
        for (extra, problem) in [
            (json!({ "otherTenant": "$inputs.otherTenant" }), "otherTenant is already in another document"),
            (json!({ "limited": "$inputs.limited" }), "limited is already in another document"),
            (
                json!({ "credentials": [{ "name": "key", "kind": "server", "value": "$inputs.key" }] }),
                "the credential \"key\" is already there",
            ),
            (
                json!({ "unreachable": [{ "operationId": "getNote", "status": "409", "reason": "none" }] }),
                "409 of getNote is already unreachable",
            ),
        ] {
            let error = error(vec![document("one", &[], extra.clone()), document("other", &[], extra)]);
            assert!(error.starts_with("other: x-conformance: ") && error.contains(problem), "{error}");
        }
    }
}

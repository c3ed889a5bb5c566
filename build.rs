//! Build script of ringnity-server and conformance: refuses to build when an input of the generator has changed
//! since the code was generated. It generates nothing; `cargo xtask generate` does.

use std::path::Path;

#[path = "xtask/src/lock.rs"]
#[allow(dead_code, reason = "only the generator writes a lock")]
mod lock;

fn main() {
    if let Err(problem) = check() {
        println!("cargo::error={problem}");
    }
}

fn check() -> Result<(), String> {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let root = Path::new(&manifest).ancestors().find(|folder| folder.join(lock::FILE).exists()).ok_or_else(
        || format!("no folder above {manifest} has a {}; run: cargo xtask generate", lock::FILE),
    )?;
    let read = |name: &str| {
        let path = root.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    println!("cargo::rerun-if-changed={}", root.join(lock::OVERLAY).display());
    let mut inputs = Vec::new();
    for name in lock::inputs(root).map_err(|error| format!("cannot list the inputs: {error}"))? {
        inputs.push(lock::Input::new(&*name, &read(&name)?));
    }
    let differences = lock::differences(&String::from_utf8_lossy(&read(lock::FILE)?), &inputs);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("the generated code is out of date ({}); run: cargo xtask generate", differences.join("; ")))
}

//! Build script of ringnity-server and conformance: refuses to build on generated code that is older than
//! the contract. Nothing is generated here; that is `cargo xtask generate`.

use std::path::Path;

use sha2::{Digest as _, Sha256};

/// The inputs of the generator, in the order in which it hashes them.
const INPUTS: [&str; 3] = ["openapi.json", "openapi.overlay.json", "openapi.settings.toml"];

/// A generated file; its first line ends in the hash of the inputs it was made from.
const GENERATED: &str = "ringnity-types/src/generated/mod.rs";

fn main() {
    if let Err(problem) = check() {
        println!("cargo::error={problem}");
    }
}

fn check() -> Result<(), String> {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let root = Path::new(&manifest)
        .ancestors()
        .find(|folder| folder.join(INPUTS[0]).exists())
        .ok_or_else(|| format!("{} is in no folder above {manifest}", INPUTS[0]))?;
    let mut hasher = Sha256::new();
    for input in INPUTS {
        let path = root.join(input);
        println!("cargo::rerun-if-changed={}", path.display());
        hasher.update(
            std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?,
        );
    }
    let generated = root.join(GENERATED);
    println!("cargo::rerun-if-changed={}", generated.display());
    let text = std::fs::read_to_string(&generated).unwrap_or_default();
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if text.lines().next().is_some_and(|mark| mark.contains(&digest)) {
        return Ok(());
    }
    Err("the contract (openapi.json, its overlay or settings) changed after the code was generated from it; run: cargo xtask generate".to_owned())
}

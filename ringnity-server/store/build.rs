//! Says what the embedded migrations depend on (without this, a new migration would not be seen until some Rust
//! file changes too), and gives this set of them a fingerprint, by which tests know a migrated template.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::PathBuf,
};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    let mut hasher = DefaultHasher::new();
    for engine in ["migrations/postgres", "migrations/sqlite"] {
        let mut folders = fs::read_dir(engine)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<PathBuf>>>()?;
        folders.sort();
        for folder in folders {
            folder.file_name().hash(&mut hasher);
            fs::read(folder.join("up.sql"))?.hash(&mut hasher);
        }
    }
    println!("cargo:rustc-env=RINGNITY_MIGRATIONS={:016x}", hasher.finish());
    Ok(())
}

//! Rebuilds the crate when a migration changes (without this, cargo would not notice a new one), and hashes the migrations
//! for the name of the template database of tests.

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

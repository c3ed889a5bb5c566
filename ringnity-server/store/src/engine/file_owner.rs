//! Whose files are that are made beside a database. Root may run any command, and the service that the database is for
//! has to open what that made.

use std::{fs::File, path::Path};

/// What a file that is made for this database takes its owner from: the database, or the folder where there is none yet.
pub fn owner_reference(database: &Path) -> &Path {
    if database.exists() { database } else { parent_folder(database) }
}

/// The folder that a file is in.
pub fn parent_folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a new file that root has made to whom `like` belongs. Where that fails, a warning says so.
pub fn chown_like(file: &File, name: &Path, like: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let given = file.metadata().and_then(|ours| {
            let theirs = std::fs::metadata(like)?;
            // A new file is whoever's who made it; nobody but root can give files away.
            if ours.uid() == 0 && theirs.uid() != 0 {
                fchown(file, Some(theirs.uid()), Some(theirs.gid()))?;
            }
            Ok(())
        });
        if let Err(error) = given {
            let (name, like) = (name.display(), like.display());
            tracing::warn!(
                "cannot give {name} to the owner of {like}, who may not be able to open it: {error}"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = (file, name, like);
}

//! Ownership of files. Files created as root are chowned to the owner of the database (or its folder), so that the
//! service can open them.

use std::{fs::File, path::Path};

/// The path whose owner a new file for this database gets: the database, or its folder if there is no database yet.
pub fn owner_reference(database: &Path) -> &Path {
    if database.exists() { database } else { parent_folder(database) }
}

/// The folder of a file; `.` for a bare file name.
pub fn parent_folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Changes the owner of a new file created as root to the owner of `like`. Logs a warning if that fails.
pub fn chown_like(file: &File, name: &Path, like: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let result = file.metadata().and_then(|ours| {
            let theirs = std::fs::metadata(like)?;
            // Only root can change the owner of a file.
            if ours.uid() == 0 && theirs.uid() != 0 {
                fchown(file, Some(theirs.uid()), Some(theirs.gid()))?;
            }
            Ok(())
        });
        if let Err(error) = result {
            let (name, like) = (name.display(), like.display());
            tracing::warn!(
                "cannot change the owner of {name} to that of {like}, which may not be able to open it: {error}"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = (file, name, like);
}

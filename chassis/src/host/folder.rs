//! The data folder belongs to one process at a time.
use std::{
    fs::{DirBuilder, File, TryLockError},
    path::Path,
};

use crate::Error;

/// Makes a folder that only its owner can look into: what a shop keeps is nobody else's business.
pub(super) fn make(folder: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(Error::io(format!("making {}", folder.display())))
}

/// Makes the folder this process's own for as long as the file is open.
pub(super) fn claim(folder: &Path) -> Result<File, Error> {
    let place = folder.display();
    make(folder)?;
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(Error::io(format!("opening {}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Settings(format!(
            "another shop runs on {place}: stop it first, or name another --data-dir"
        ))),
        Err(TryLockError::Error(error)) => Err(Error::io(format!("locking {}", path.display()))(error)),
    }
}

//! The data folder belongs to one process at a time.
use std::{
    fs::{File, TryLockError},
    path::Path,
};

use crate::Error;

/// Makes the folder this process's own for as long as the file is open.
pub(super) fn claim(folder: &Path) -> Result<File, Error> {
    let place = folder.display();
    std::fs::create_dir_all(folder).map_err(Error::io(format!("making {place}")))?;
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

//! The data directory: who may read it, and who owns it at the moment.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";
const TABLES_FILE: &str = "tables.sqlite";

/// A data directory that this process owns until the value is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Holds the lock; the operating system lets it go when the file is closed.
    _lock: File,
}

/// A data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error(
        "the data directory {} is in use by {holder}: stop that process, or name another directory",
        directory.display()
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Which process uses it, as far as it said so.
        holder: String,
    },
    /// The operating system refuses access to it.
    #[error("the data directory {} cannot be used: {cause}", directory.display())]
    Inaccessible {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Its tables are of another version of this program, or are not tables.
    #[error("{} cannot be read ({found}): move it away, or name another directory", file.display())]
    OtherFormat {
        /// The file.
        file: PathBuf,
        /// What it is.
        found: String,
    },
    /// Its tables cannot be opened.
    #[error("{message}")]
    Failed {
        /// What went wrong, and where.
        message: String,
    },
}

impl Directory {
    /// Creates the directory if it is missing, and takes its lock.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let inaccessible = |cause| OpenError::Inaccessible { directory: path.to_owned(), cause };
        create_for_owner(path).map_err(inaccessible)?;
        let mut lock = open_for_owner(&path.join(LOCK_FILE)).map_err(inaccessible)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: path.to_owned(), holder: holder(&mut lock) });
            }
            Err(TryLockError::Error(cause)) => return Err(inaccessible(cause)),
        }
        // On a full disk the number is missing, and the lock holds all the same.
        let _ = lock.set_len(0).and_then(|()| lock.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Returns the file of the tables, which only its owner may read.
    pub(crate) fn tables_file(&self) -> Result<PathBuf, OpenError> {
        let file = self.path.join(TABLES_FILE);
        // SQLite gives its other files the permissions of this one.
        open_for_owner(&file)
            .map_err(|cause| OpenError::Inaccessible { directory: self.path.clone(), cause })?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many bytes the directory's files have together.
    pub(crate) fn bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.path) else { return 0 };
        entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|file| file.len()).sum()
    }
}

fn holder(lock: &mut File) -> String {
    let mut id = String::new();
    match lock.read_to_string(&mut id) {
        Ok(_) if !id.is_empty() => format!("process {id}"),
        _ => "another process".to_owned(),
    }
}

fn create_for_owner(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn open_for_owner(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

//! What commands do to a kept ledger, for the operators' log.
//!
//! A command that owns the ledger's directory asks the decider itself. One that does not, because a running stack
//! owns it, leaves a file there, and whichever process owns the directory next or already takes it in. So does one
//! whose entry is the close at its end: if it is interrupted before, the file says what it had begun.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::log::Command;
use store::inbox::{self, StoredCommand};

use crate::language::say;
use crate::stack::Stack;
use crate::token::DevelopmentKey;

/// The reason of what a command of this machine does without being given one.
pub const ON_THE_COMMAND_LINE: &str = "asked for on the command line";

const DIRECTORY: &str = "asked";

/// Returns who runs this process, as far as the environment says.
#[must_use]
pub fn operator() -> String {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    match user.filter(|user| !user.is_empty()) {
        Some(user) => format!("contribution, run by {user}"),
        None => "contribution".to_owned(),
    }
}

/// Something that a command does outside the log, in words.
#[derive(Debug)]
pub struct Deed {
    /// What was done.
    pub text: String,
    /// What it is about as that stood before.
    pub before: String,
    /// The same as it stands afterwards.
    pub after: String,
}

impl Deed {
    /// Returns that a token was issued, which names whose it is.
    #[must_use]
    pub fn of_token(whose: &str, issued: DateTime<Utc>) -> Self {
        let until = DevelopmentKey::good_until(issued).to_rfc3339_opts(SecondsFormat::Secs, true);
        Self {
            text: format!("issued {whose}"),
            before: "this token was not there".to_owned(),
            after: format!("it is good until {until}"),
        }
    }

    /// Returns that records are read into a ledger as it stands.
    ///
    /// # Errors
    ///
    /// The ledger cannot be read.
    pub async fn of_reading(stack: &Stack, text: String) -> Result<Self> {
        let network = store::network::read(stack.engine()).await?;
        let (page, posted) = network.map_or((0, 0), |network| (network.position, network.counts.posted));
        Ok(Self {
            text,
            before: format!("the ledger stands at page {page}, with {posted} adoptions posted"),
            after: format!("the pages after page {page} say what followed"),
        })
    }
}

/// Has the operators' log say what a command of this process does, in one entry.
pub async fn note(stack: &Stack, reason: &str, deed: Deed) -> Result<()> {
    let key = format!("note-{}", stack.shared.next_id());
    inbox::ask(stack.engine(), &key, &noted(reason, deed)).await?;
    Ok(())
}

/// What a command left in the ledger's directory.
#[derive(Debug)]
pub struct Left {
    file: PathBuf,
}

impl Left {
    /// Returns the key under which it is taken in. A command that was asked for under this key before is its entry.
    #[must_use]
    pub fn key(&self) -> String {
        format!("asked-{}", self.file.file_stem().unwrap_or_default().to_string_lossy())
    }

    /// Removes it, once the ledger has a command under its key.
    ///
    /// # Errors
    ///
    /// It cannot be deleted.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.file).with_context(|| {
            let file = self.file.display();
            say(format!("cannot delete {file}"), format!("无法删除 {file}"))
        })
    }
}

/// Leaves in a ledger's directory what a command did that does not own it, or what it begins to do.
pub fn leave(directory: &Path, reason: &str, deed: Deed) -> Result<Left> {
    let asked = directory.join(DIRECTORY);
    let written = || {
        fs::create_dir_all(&asked)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{:020}-{}", since.as_nanos(), std::process::id());
        // Renamed when it is whole, so that no reader takes in half of it.
        let part = asked.join(format!("{name}.part"));
        fs::write(&part, serde_json::to_vec(&noted(reason, deed))?)?;
        let file = asked.join(format!("{name}.json"));
        fs::rename(&part, &file)?;
        anyhow::Ok(Left { file })
    };
    written().with_context(|| {
        let asked = asked.display();
        say(format!("cannot write what was asked for to {asked}"), format!("无法将所请求的操作写入 {asked}"))
    })
}

/// Has the operators' log say what was left in the ledger's directory. Returns whether there was anything.
pub async fn take_in(stack: &Stack, directory: &Path) -> Result<bool> {
    let files = left(&directory.join(DIRECTORY))?;
    let is_any = !files.is_empty();
    for file in files {
        let cannot_read = || cannot_read(&file);
        let command: StoredCommand =
            serde_json::from_slice(&fs::read(&file).with_context(cannot_read)?).with_context(cannot_read)?;
        let left = Left { file };
        // The same file taken in twice, because the process was killed in between, is one entry.
        inbox::ask(stack.engine(), &left.key(), &command).await?;
        left.remove()?;
    }
    Ok(is_any)
}

fn cannot_read(path: &Path) -> String {
    let path = path.display();
    say(format!("cannot read {path}"), format!("无法读取 {path}"))
}

fn left(asked: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(asked) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| cannot_read(asked)),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("json")))
        .collect();
    files.sort();
    Ok(files)
}

fn noted(reason: &str, deed: Deed) -> StoredCommand {
    StoredCommand::new(operator(), reason, Command::Note { text: deed.text })
        .changing(deed.before, deed.after)
}

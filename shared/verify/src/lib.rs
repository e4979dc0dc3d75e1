//! Checks an export of the log.
//!
//! The check reads the pages and nothing else. It works out by itself what every posting shares out, what follows for
//! every account, and the digest of that; it uses no code that decided, stored or projected the ledger, so that it does
//! not share its mistakes. It refuses an export whose
//!
//! - lines are not exactly as an export writes them,
//! - pages do not follow each other, by number, hash and time,
//! - entries contradict those before them,
//! - state has another digest than the export says.
//!
//! A head that was kept from an earlier day, a position and a hash, can be compared as well: then nothing up to
//! there was rewritten.

pub mod format;
mod legs;
mod numbers;
mod replay;
mod state;
mod talent;

use std::io::{BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::BusinessDate;
use domain::log::{Entry, Page, PageHash, Position};
use serde::Serialize;
use serde::de::DeserializeOwned;

use format::{Footer, Header, Line};
use replay::Replay;

pub use replay::Contradiction;

/// A page that was the last one at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its position.
    pub position: Position,
    /// Its hash.
    pub hash: PageHash,
}

/// An export that is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The last page.
    pub head: Head,
    /// How many entries there are.
    pub entries: u64,
    /// How many adoptions are posted.
    pub posted: u64,
    /// The digest of the state.
    pub digest: String,
}

/// Why an export is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file cannot be read.
    #[error("the export cannot be read: {0}")]
    Io(std::io::Error),
    /// A line is not exactly what an export writes.
    #[error("line {line} is not what an export writes: {message}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A page does not follow the one before.
    #[error("page {position} does not follow the one before: {message}")]
    Chain {
        /// Its position.
        position: Position,
        /// What is wrong.
        message: String,
    },
    /// An entry contradicts those before.
    #[error("page {position}, entry {entry}: {contradiction}")]
    Entry {
        /// The page.
        position: Position,
        /// The entry's place in the page, from 0.
        entry: usize,
        /// What it contradicts.
        contradiction: Contradiction,
    },
    /// The head that was kept is not in the log.
    #[error("page {position} has another hash than the head that was kept: the log was rewritten")]
    Head {
        /// Its position.
        position: Position,
    },
    /// The state has another digest than the export says.
    #[error("the state that the pages lead to has another digest than the export says: {section}")]
    Digest {
        /// The first section that differs.
        section: String,
    },
}

/// Checks an export, and that `kept` is in it.
///
/// # Errors
///
/// [`Refusal`] says what is wrong first.
pub fn verify(reader: impl BufRead, kept: Option<Head>) -> Result<Verified, Refusal> {
    let (log, footer) = read(reader, kept)?;
    log.check(&footer)
}

/// Checks an export, and writes the lines of the state that it leads to: on `date`, or on that of its digest.
///
/// # Errors
///
/// [`Refusal`] says what is wrong first. Nothing is written then, unless it is the writer that fails.
pub fn write_state(
    reader: impl BufRead,
    date: Option<BusinessDate>,
    writer: &mut impl Write,
) -> Result<Verified, Refusal> {
    let (log, footer) = read(reader, None)?;
    let verified = log.check(&footer)?;
    log.replay.write(date.unwrap_or(footer.digest.date), writer).map_err(Refusal::Io)?;
    Ok(verified)
}

/// Reads an export to its end, and checks everything but the digest.
fn read(mut reader: impl BufRead, kept: Option<Head>) -> Result<(Log, Footer), Refusal> {
    let mut lines = Lines { reader: &mut reader, number: 0 };
    let Some(header) = lines.next::<Header>()? else { return Err(lines.wrong("the file is empty")) };
    header.check().map_err(|message| lines.wrong(message))?;
    let replay = Replay::starting(&header.first_policy).map_err(|message| lines.wrong(message))?;
    let head = Head { position: 0, hash: PageHash::before_first(&header.first_policy) };
    let mut log = Log { replay, head, time_ms: i64::MIN, entries: 0 };
    let mut has_kept = kept.is_none_or(|kept| kept == log.head);
    loop {
        match lines.next::<Line>()? {
            None => return Err(lines.wrong("the export ends without a footer")),
            Some(Line::Page { position, hash, page }) => {
                let bytes = STANDARD.decode(&page).map_err(|error| lines.wrong(error.to_string()))?;
                log.take(position, &hash, &bytes)?;
                if let Some(kept) = kept.filter(|kept| kept.position == log.head.position) {
                    if kept != log.head {
                        return Err(Refusal::Head { position: kept.position });
                    }
                    has_kept = true;
                }
            }
            Some(Line::Footer(footer)) => {
                if !lines.is_at_end()? {
                    return Err(lines.wrong("something follows the footer"));
                }
                if let Some(kept) = kept.filter(|_| !has_kept) {
                    return Err(Refusal::Head { position: kept.position });
                }
                return Ok((log, footer));
            }
        }
    }
}

/// The log as far as it was read.
struct Log {
    replay: Replay,
    head: Head,
    time_ms: i64,
    entries: u64,
}

impl Log {
    fn take(&mut self, position: Position, hash: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let broken = |message: String| Refusal::Chain { position, message };
        let page = Page::decode(bytes).map_err(|error| broken(error.to_string()))?;
        if page.encode() != bytes {
            return Err(broken("its bytes are not those that its content has".to_owned()));
        }
        let own_hash = PageHash::of(bytes);
        if own_hash.to_string() != hash {
            return Err(broken("its bytes have another hash than the export says".to_owned()));
        }
        if page.position != position || position != self.head.position + 1 {
            return Err(broken(format!("it has number {} after {}", page.position, self.head.position)));
        }
        if page.previous != self.head.hash {
            let before = if position == 1 { "the header's policy" } else { "the page before" };
            return Err(broken(format!("it carries another hash of {before}")));
        }
        if page.time_ms < self.time_ms {
            return Err(broken("it is earlier than the page before".to_owned()));
        }
        let close = page.entries.iter().position(|entry| matches!(entry, Entry::Close(_)));
        if close.is_some_and(|place| place + 1 < page.entries.len()) {
            return Err(broken("something follows the close in it".to_owned()));
        }
        for (entry, content) in page.entries.iter().enumerate() {
            self.replay.take(content).map_err(|contradiction| Refusal::Entry {
                position,
                entry,
                contradiction,
            })?;
            self.entries += 1;
        }
        self.head = Head { position, hash: own_hash };
        self.time_ms = page.time_ms;
        Ok(())
    }

    fn check(&self, footer: &Footer) -> Result<Verified, Refusal> {
        if footer.position != self.head.position || footer.hash != self.head.hash.to_string() {
            let message = "the footer names another last page".to_owned();
            return Err(Refusal::Chain { position: footer.position, message });
        }
        let digest = self.replay.digest(footer.digest.date);
        if let Some(section) = digest.first_difference(&footer.digest) {
            return Err(Refusal::Digest { section });
        }
        Ok(Verified {
            head: self.head,
            entries: self.entries,
            posted: self.replay.posted(),
            digest: digest.hash,
        })
    }
}

/// The lines of an export, each of which must be exactly what an export writes.
struct Lines<'a, R> {
    reader: &'a mut R,
    number: u64,
}

impl<R: BufRead> Lines<'_, R> {
    fn next<T: DeserializeOwned + Serialize>(&mut self) -> Result<Option<T>, Refusal> {
        self.number += 1;
        let mut line: Vec<u8> = Vec::new();
        if self.reader.read_until(b'\n', &mut line).map_err(Refusal::Io)? == 0 {
            return Ok(None);
        }
        let text = line.strip_suffix(b"\n").ok_or_else(|| self.wrong("it does not end with a line feed"))?;
        let value: T = serde_json::from_slice(text).map_err(|error| self.wrong(error.to_string()))?;
        let written = serde_json::to_vec(&value).map_err(|error| self.wrong(error.to_string()))?;
        if written == text { Ok(Some(value)) } else { Err(self.wrong("it is written in another way")) }
    }

    fn is_at_end(&mut self) -> Result<bool, Refusal> {
        Ok(self.reader.fill_buf().map_err(Refusal::Io)?.is_empty())
    }

    fn wrong(&self, message: impl Into<String>) -> Refusal {
        Refusal::Line { line: self.number, message: message.into() }
    }
}

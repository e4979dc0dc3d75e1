//! The lines of a state as a file, and what two such files differ in.

use std::cmp::Ordering;
use std::io::{self, BufRead, Write};

use super::{Section, State};

/// The first line of a dump.
const HEADER: &str = "contribution state 1";

/// Writes the lines of a state: a header, then each section under its name in brackets.
///
/// # Errors
///
/// What the writer says.
pub fn write_dump(state: &State, writer: &mut impl Write) -> io::Result<()> {
    writeln!(writer, "{HEADER}")?;
    for section in Section::ALL {
        writeln!(writer, "[{}]", section.name())?;
        let mut outcome = Ok(());
        state.each_line(section, &mut |key, value| {
            if outcome.is_ok() {
                outcome = writeln!(writer, "{key}\t{value}");
            }
        });
        outcome?;
    }
    Ok(())
}

/// A key that two states do not have in common, or under which they have different values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDifference {
    /// The section.
    pub section: Section,
    /// The key.
    pub key: String,
    /// What the first state has.
    pub first: Option<String>,
    /// What the second state has.
    pub second: Option<String>,
}

/// Returns the first keys in which two dumps differ, at most `limit`.
///
/// # Errors
///
/// [`InvalidDump`] where a file is not a dump, or cannot be read.
pub fn diff(
    first: impl BufRead,
    second: impl BufRead,
    limit: usize,
) -> Result<Vec<KeyDifference>, InvalidDump> {
    let (mut first, mut second) = (Dump::open(first)?, Dump::open(second)?);
    let (mut one, mut other) = (first.next_line()?, second.next_line()?);
    let mut found = Vec::new();
    while found.len() < limit {
        let order = match (&one, &other) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => (one.section, &one.key).cmp(&(other.section, &other.key)),
        };
        let from_first = if order == Ordering::Greater { None } else { one.take() };
        let from_second = if order == Ordering::Less { None } else { other.take() };
        if from_first.is_some() {
            one = first.next_line()?;
        }
        if from_second.is_some() {
            other = second.next_line()?;
        }
        if from_first != from_second {
            let named = from_first.as_ref().or(from_second.as_ref()).expect("one of them has a line");
            found.push(KeyDifference {
                section: named.section,
                key: named.key.clone(),
                first: from_first.map(|line| line.value),
                second: from_second.map(|line| line.value),
            });
        }
    }
    Ok(found)
}

/// A file that is not a dump of a state.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDump {
    /// It cannot be read.
    #[error("the state cannot be read: {0}")]
    Io(io::Error),
    /// It does not begin like one, or a line is not one of a dump.
    #[error("line {number} is not one of a dumped state")]
    Line {
        /// Its number, from 1.
        number: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct DumpLine {
    section: Section,
    key: String,
    value: String,
}

struct Dump<R> {
    reader: R,
    number: u64,
    section: Section,
}

impl<R: BufRead> Dump<R> {
    fn open(reader: R) -> Result<Self, InvalidDump> {
        let mut dump = Self { reader, number: 0, section: Section::Legs };
        match dump.read()? {
            Some(line) if line == HEADER => Ok(dump),
            _ => Err(InvalidDump::Line { number: 1 }),
        }
    }

    fn read(&mut self) -> Result<Option<String>, InvalidDump> {
        let mut line = String::new();
        self.number += 1;
        if self.reader.read_line(&mut line).map_err(InvalidDump::Io)? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches('\n').to_owned()))
    }

    fn next_line(&mut self) -> Result<Option<DumpLine>, InvalidDump> {
        loop {
            let Some(line) = self.read()? else { return Ok(None) };
            let wrong = InvalidDump::Line { number: self.number };
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'))
                && !line.contains('\t')
            {
                self.section =
                    Section::ALL.into_iter().find(|section| section.name() == name).ok_or(wrong)?;
                continue;
            }
            let (key, value) = line.split_once('\t').ok_or(wrong)?;
            return Ok(Some(DumpLine {
                section: self.section,
                key: key.to_owned(),
                value: value.to_owned(),
            }));
        }
    }
}

//! Writes an export of the log that `verify` checks.
//!
//! Touches: `Log` (reads).

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::digest::StateDigest;
use domain::log::{PageHash, Position};
use store::{Engine, StoreError};
use verify::format::{Digest, Footer, Header, Line, SectionDigest};

/// Why an export could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer failed.
    #[error("the export cannot be written: {0}")]
    Io(io::Error),
}

/// Writes every page of the log, with the digest of the state that they lead to. Returns the last page's position.
///
/// `first_policy` is the deployment's policy as it is set. The digest must be that of the end of the log, so that
/// nothing may be decided meanwhile.
///
/// # Errors
///
/// What storage or the writer says.
pub async fn export_log(
    engine: &dyn Engine,
    first_policy: &str,
    digest: &StateDigest,
    writer: &mut (impl Write + Send),
) -> Result<u64, ExportError> {
    write_line(writer, &Header::new(first_policy))?;
    let (mut position, mut hash) = (0, PageHash::before_first(first_policy));
    store::log::each_page(engine, 0, Position::MAX, |page| {
        let bytes = page.encode();
        (position, hash) = (page.position, PageHash::of(&bytes));
        let line = Line::Page { position, hash: hash.to_string(), page: STANDARD.encode(&bytes) };
        write_line(writer, &line)
    })
    .await?;
    let footer = Footer { position, hash: hash.to_string(), digest: exported(digest) };
    write_line(writer, &Line::Footer(footer))?;
    writer.flush().map_err(ExportError::Io)?;
    Ok(position)
}

fn write_line(writer: &mut impl Write, line: &impl serde::Serialize) -> Result<(), ExportError> {
    let written = serde_json::to_writer(&mut *writer, line).map_err(io::Error::from);
    written.and_then(|()| writer.write_all(b"\n")).map_err(ExportError::Io)
}

fn exported(digest: &StateDigest) -> Digest {
    let section = |section: &domain::digest::SectionDigest| SectionDigest {
        section: section.section.name().to_owned(),
        lines: section.lines,
        hash: section.hash.clone(),
    };
    Digest {
        date: digest.date,
        hash: digest.hash.clone(),
        waiting: digest.waiting,
        sections: digest.sections.iter().map(section).collect(),
    }
}

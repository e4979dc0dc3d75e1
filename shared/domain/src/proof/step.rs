//! One step on the way from a row up to the root.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Amount;
use crate::account::text_form;
use crate::log::PageHash;

/// A step from a node to the one above it.
///
/// Written as the hash of the node on the other side, in base64, then ` +` and the sum of that node where it carries
/// one, then ` =` and the sum of the node above where it carries one that does not follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Step {
    /// The hash of the node on the other side, without its sum.
    pub(super) sibling: PageHash,
    /// The sum of the node on the other side.
    pub(super) sibling_sum: Option<Amount>,
    /// The sum of the node above.
    pub(super) sum: Option<Amount>,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&URL_SAFE_NO_PAD.encode(self.sibling.bytes()))?;
        if let Some(sum) = self.sibling_sum {
            write!(formatter, " +{sum}")?;
        }
        if let Some(sum) = self.sum {
            write!(formatter, " ={sum}")?;
        }
        Ok(())
    }
}

impl FromStr for Step {
    type Err = InvalidStep;

    fn from_str(text: &str) -> Result<Self, InvalidStep> {
        let mut parts = text.split(' ');
        let hash = URL_SAFE_NO_PAD.decode(parts.next().unwrap_or_default()).map_err(|_| InvalidStep)?;
        let sibling = PageHash::from_bytes(hash.try_into().map_err(|_| InvalidStep)?);
        let mut step = Self { sibling, sibling_sum: None, sum: None };
        for part in parts {
            let sum = part.get(1..).unwrap_or_default().parse().map_err(|_| InvalidStep)?;
            match part.as_bytes().first() {
                Some(b'+') if step.sibling_sum.is_none() && step.sum.is_none() => {
                    step.sibling_sum = Some(sum);
                }
                Some(b'=') if step.sum.is_none() => step.sum = Some(sum),
                _ => return Err(InvalidStep),
            }
        }
        Ok(step)
    }
}

text_form!(Step);

/// Text that is not a step of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a step of a proof: a hash in base64, perhaps ` +` and a sum, perhaps ` =` and a sum")]
pub struct InvalidStep;

//! Why an adoption is not posted (rules, section 6).

use std::fmt;

/// What holds an adoption.
///
/// An unreadable account is not among them: it says something about storage and nothing about the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldReason {
    /// Its status is not distributable.
    Status,
    /// A term is missing, cannot be read or breaks the bounds.
    InvalidTerms,
    /// It is dated later than tomorrow.
    NotYet,
    /// The adopter or an ancestor that takes part has no referral row.
    NoReferral,
    /// The walk over the adopter and its ancestors meets an account twice.
    ReferralCycle,
}

impl HoldReason {
    /// Returns its name in the rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "STATUS",
            Self::InvalidTerms => "INVALID_TERMS",
            Self::NotYet => "NOT_YET",
            Self::NoReferral => "NO_REFERRAL",
            Self::ReferralCycle => "REFERRAL_CYCLE",
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

//! Accounts: users, system accounts, and regions.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A user's account sequence, the only name of a user across services; for example `D25122700018`.
///
/// It has 1 to 40 ASCII letters, digits, `-` or `_`. So it cannot be mistaken for a system account, a key
/// separator or a path segment.
///
/// It stands in its own bytes, without the heap: a decision looks at sixteen accounts, and each step to the heap
/// would cost as much as the rest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountSequence {
    /// The text, filled up with zeros, which sort before every letter.
    bytes: [u8; AccountSequence::MAX_CHARACTERS],
    length: u8,
}

impl AccountSequence {
    /// The longest sequence accepted, in characters. The source's column holds 20.
    pub const MAX_CHARACTERS: usize = 40;

    /// Returns the sequence as the source wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = &self.bytes[..usize::from(self.length)];
        std::str::from_utf8(text).expect("letters, digits, '-' and '_' of ASCII")
    }
}

impl fmt::Debug for AccountSequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl FromStr for AccountSequence {
    type Err = InvalidAccount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = (1..=Self::MAX_CHARACTERS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let reserved = SystemAccountKind::ALL.iter().any(|kind| kind.name() == text);
        if !well_formed || reserved {
            return Err(InvalidAccount);
        }
        let mut bytes = [0; Self::MAX_CHARACTERS];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: u8::try_from(text.len()).map_err(|_| InvalidAccount)? })
    }
}

/// As text, in every form.
impl Serialize for AccountSequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AccountSequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = AccountSequence;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an account")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AccountSequence, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Text that is not an account. The message does not repeat it: a column that was taken for an account
/// may hold anything, a phone number included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an account: one to 40 letters, digits, '-' or '_', and not a system account's name")]
pub struct InvalidAccount;

/// The purpose of a system account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SystemAccountKind {
    /// Receives the operation leg of every adoption.
    Operation,
    /// Receives the province leg. Each province code has an account, and adoptions without a code share one.
    Province,
    /// Receives the city leg. Each city code has an account, and adoptions without a code share one.
    City,
    /// Receives unallocated legs, and what rounding leaves over.
    Headquarters,
}

impl SystemAccountKind {
    /// Every kind, in the order legs are written.
    pub const ALL: [Self; 4] = [Self::Operation, Self::Province, Self::City, Self::Headquarters];

    /// Returns the name used on every wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operation => "OPERATION",
            Self::Province => "PROVINCE",
            Self::City => "CITY",
            Self::Headquarters => "HEADQUARTERS",
        }
    }
}

/// What the source calls a province or a city: any text of one to 64 characters, for example `440000`,
/// `CN-HN` or `湖南省`. Blanks around it mean nothing and are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionCode(String);

impl RegionCode {
    /// The longest code accepted, in characters.
    pub const MAX_CHARACTERS: usize = 64;

    /// Returns the code as the source wrote it, without blanks around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegionCode {
    type Err = InvalidRegionCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = text.trim();
        let well_formed = (1..=Self::MAX_CHARACTERS).contains(&code.chars().count());
        if well_formed { Ok(Self(code.to_owned())) } else { Err(InvalidRegionCode) }
    }
}

/// Text that is not a region code. The message does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a region code: one to 64 characters")]
pub struct InvalidRegionCode;

/// A system account: its kind and, for provinces and cities, the region it stands for.
///
/// Written `OPERATION`, `HEADQUARTERS`, `PROVINCE`, `PROVINCE:110000`, `CITY:430100`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SystemAccount {
    /// The one operation account.
    Operation,
    /// A province's account; `None` collects adoptions without a province code.
    Province(Option<RegionCode>),
    /// A city's account; `None` collects adoptions without a city code.
    City(Option<RegionCode>),
    /// The one headquarters account.
    Headquarters,
}

impl SystemAccount {
    /// Returns the account's purpose.
    #[must_use]
    pub fn kind(&self) -> SystemAccountKind {
        match self {
            Self::Operation => SystemAccountKind::Operation,
            Self::Province(_) => SystemAccountKind::Province,
            Self::City(_) => SystemAccountKind::City,
            Self::Headquarters => SystemAccountKind::Headquarters,
        }
    }
}

impl fmt::Display for SystemAccount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind().name())?;
        match self {
            Self::Province(Some(code)) | Self::City(Some(code)) => write!(formatter, ":{}", code.0),
            _ => Ok(()),
        }
    }
}

impl FromStr for SystemAccount {
    type Err = InvalidAccount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, code) = match text.split_once(':') {
            Some((name, code)) => (name, Some(code.parse().map_err(|_| InvalidAccount)?)),
            None => (text, None),
        };
        match (name, code) {
            ("OPERATION", None) => Ok(Self::Operation),
            ("PROVINCE", code) => Ok(Self::Province(code)),
            ("CITY", code) => Ok(Self::City(code)),
            ("HEADQUARTERS", None) => Ok(Self::Headquarters),
            _ => Err(InvalidAccount),
        }
    }
}

/// The account a leg is booked to: a user or a system account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Owner {
    /// A user's account.
    User(AccountSequence),
    /// A system account.
    System(SystemAccount),
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(account) => account.fmt(formatter),
            Self::System(account) => account.fmt(formatter),
        }
    }
}

impl FromStr for Owner {
    type Err = InvalidAccount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The two spellings cannot collide: a sequence may not be a system account's name.
        text.parse().map(Self::System).or_else(|_| text.parse().map(Self::User))
    }
}

impl fmt::Display for AccountSequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Lets serde read and write a type through its text form, checked on the way in.
macro_rules! text_form {
    ($($type:ty),+) => {$(
        impl TryFrom<String> for $type {
            type Error = <$type as FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )+};
}

pub(crate) use text_form;

text_form!(AccountSequence, RegionCode, SystemAccount, Owner);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_read_back_as_written() {
        for text in [
            "OPERATION",
            "PROVINCE",
            "PROVINCE:110000",
            "CITY:430100",
            "HEADQUARTERS",
            "D25122700018",
            "PROVINCE:CN-HN",
            "PROVINCE:湖南省",
            "CITY:a:b",
            "CITY:Hong Kong",
        ] {
            let owner: Owner = text.parse().expect("a valid owner");
            assert_eq!(owner.to_string(), text);
        }
    }

    #[test]
    fn a_sequence_cannot_pose_as_a_system_account_or_carry_a_separator() {
        for text in ["", "OPERATION", "CITY", "PROVINCE:1", "a#b", "a/b", "a b", &"x".repeat(41)] {
            assert!(text.parse::<AccountSequence>().is_err(), "{text:?}");
        }
        assert!("OPERATION:1".parse::<SystemAccount>().is_err());
        assert!("PROVINCE:".parse::<SystemAccount>().is_err());
    }

    #[test]
    fn a_region_is_any_text_of_up_to_64_characters_without_the_blanks_around_it() {
        let region = |text: &str| text.parse::<RegionCode>().map(|code| code.to_string());
        assert_eq!(region("440000    "), Ok("440000".to_owned()));
        assert_eq!(region("  湖南省"), Ok("湖南省".to_owned()));
        assert_eq!(region(&"省".repeat(64)), Ok("省".repeat(64)));
        for text in ["", "   ", &"省".repeat(65)] {
            assert_eq!(region(text), Err(InvalidRegionCode), "{text:?}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_what_was_taken_for_an_account() {
        let error = "+86 139 0000 0001".parse::<AccountSequence>().expect_err("no account");
        assert!(!format!("{error} {error:?}").contains("0001"));
    }
}

//! What a queue is called, and the ARN and URL made from it.

use std::fmt;
use std::net::SocketAddr;

use crate::error::QueueError;

/// The account every queue belongs to.
pub(crate) const ACCOUNT_ID: &str = "000000000000";

/// A queue's name: 1 to 80 letters, digits, `-` or `_`; a FIFO queue's ends in `.fifo`, which counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueName(String);

impl QueueName {
    const FIFO_SUFFIX: &str = ".fifo";

    pub(crate) fn parse(text: &str) -> Result<Self, QueueError> {
        let stem = text.strip_suffix(Self::FIFO_SUFFIX).unwrap_or(text);
        let well_formed = (1..=80).contains(&text.len())
            && !stem.is_empty()
            && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(Self::invalid(text)) }
    }

    /// Returns the refusal of this text as a name.
    pub(crate) fn invalid(text: &str) -> QueueError {
        QueueError::InvalidParameterValue {
            name: "QueueName".to_owned(),
            value: text.to_owned(),
            reason: "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length. \
                     The name of a FIFO queue, and no other, must end with the .fifo suffix."
                .to_owned(),
        }
    }

    /// Returns the queue that a URL names, on whatever host: a client may reach this endpoint through another. A bare
    /// name counts as a URL.
    pub(crate) fn from_url(url: &str) -> Result<Self, QueueError> {
        let invalid = || QueueError::InvalidAddress { url: url.to_owned() };
        let Some((_, address)) = url.split_once("://") else {
            return Self::parse(url).map_err(|_| invalid());
        };
        let mut segments = address.split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some(_host), Some(ACCOUNT_ID), Some(name), None) => {
                Self::parse(name).map_err(|_| QueueError::QueueDoesNotExist)
            }
            (Some(_host), Some(_account), Some(_name), None) => Err(QueueError::QueueDoesNotExist),
            _ => Err(invalid()),
        }
    }

    /// Returns the queue that an ARN of this region names.
    pub(crate) fn from_arn(arn: &str, region: &str) -> Option<Self> {
        let name = Self::parse(arn.rsplit(':').next()?).ok()?;
        (name.arn(region) == arn).then_some(name)
    }

    pub(crate) fn arn(&self, region: &str) -> String {
        format!("arn:aws:sqs:{region}:{ACCOUNT_ID}:{self}")
    }

    pub(crate) fn url(&self, address: SocketAddr) -> String {
        format!("http://{address}/{ACCOUNT_ID}/{self}")
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.0.ends_with(Self::FIFO_SUFFIX)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_at_most_eighty_letters_digits_hyphens_and_underscores() {
        for name in ["a", "Orders-2_x", "orders.fifo", &"a".repeat(80)] {
            assert!(QueueName::parse(name).is_ok(), "{name}");
        }
        for name in
            ["", ".fifo", "a.b", "a b", "a.fifo.fifo", &"a".repeat(81), &format!("{}.fifo", "a".repeat(76))]
        {
            assert!(QueueName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_url_names_its_queue_on_any_host() {
        let name = QueueName::parse("orders.fifo").unwrap();
        assert_eq!(
            name.url("127.0.0.1:4000".parse().unwrap()),
            "http://127.0.0.1:4000/000000000000/orders.fifo"
        );
        assert_eq!(QueueName::from_url("https://queues:80/000000000000/orders.fifo"), Ok(name));
        assert_eq!(
            QueueName::from_url("http://queues/111111111111/orders"),
            Err(QueueError::QueueDoesNotExist)
        );
        assert_eq!(QueueName::from_url("orders"), QueueName::parse("orders"));
        for url in ["", "not a name", "http://queues"] {
            assert!(matches!(QueueName::from_url(url), Err(QueueError::InvalidAddress { .. })), "{url}");
        }
    }

    #[test]
    fn an_arn_names_a_queue_of_its_own_region_and_account_only() {
        let name = QueueName::parse("orders").unwrap();
        assert_eq!(QueueName::from_arn("arn:aws:sqs:us-east-1:000000000000:orders", "us-east-1"), Some(name));
        assert_eq!(QueueName::from_arn("arn:aws:sqs:eu-west-1:000000000000:orders", "us-east-1"), None);
        assert_eq!(QueueName::from_arn("arn:aws:sqs:us-east-1:1:orders", "us-east-1"), None);
    }
}

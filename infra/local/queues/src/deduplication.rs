//! Which messages a FIFO queue has already accepted.

use std::collections::{HashMap, VecDeque};

use crate::settings::DeduplicationScope;

/// How long a deduplication id stands for its message, whatever becomes of the message.
pub(crate) const DEDUPLICATION_WINDOW_MS: u64 = 5 * 60 * 1_000;

/// The messages of the last five minutes by deduplication id.
#[derive(Debug, Default)]
pub(crate) struct Deduplication {
    accepted: HashMap<Key, Accepted>,
    /// The keys of `accepted` by age, the oldest first.
    by_age: VecDeque<(u64, Key)>,
}

/// What a duplicate is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) message_id: String,
    pub(crate) position: u64,
}

/// A deduplication id within its scope: a group, or the whole queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    group_id: Option<String>,
    deduplication_id: String,
}

impl Key {
    pub(crate) fn new(scope: DeduplicationScope, group_id: &str, deduplication_id: String) -> Self {
        let group_id = match scope {
            DeduplicationScope::Queue => None,
            DeduplicationScope::MessageGroup => Some(group_id.to_owned()),
        };
        Self { group_id, deduplication_id }
    }
}

impl Deduplication {
    /// Returns the message this key already stands for.
    pub(crate) fn find(&self, key: &Key) -> Option<&Accepted> {
        self.accepted.get(key)
    }

    /// Remembers for five minutes that this key stands for this message; a duplicate does not prolong that.
    pub(crate) fn remember(&mut self, now_ms: u64, key: Key, accepted: Accepted) {
        self.by_age.push_back((now_ms, key.clone()));
        self.accepted.insert(key, accepted);
    }

    /// Forgets what was accepted five minutes ago or earlier.
    pub(crate) fn forget_old(&mut self, now_ms: u64) {
        while let Some((_, key)) = self
            .by_age
            .pop_front_if(|(accepted_at_ms, _)| *accepted_at_ms + DEDUPLICATION_WINDOW_MS <= now_ms)
        {
            self.accepted.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> Accepted {
        Accepted { message_id: "m".to_owned(), position: 0 }
    }

    #[test]
    fn a_key_stands_for_its_message_for_exactly_five_minutes() {
        let mut deduplication = Deduplication::default();
        let key = Key::new(DeduplicationScope::Queue, "g", "d".to_owned());
        deduplication.remember(7, key.clone(), accepted());
        deduplication.forget_old(7 + DEDUPLICATION_WINDOW_MS - 1);
        assert_eq!(deduplication.find(&key), Some(&accepted()));
        deduplication.forget_old(7 + DEDUPLICATION_WINDOW_MS);
        assert_eq!(deduplication.find(&key), None);
    }

    #[test]
    fn the_scope_decides_whether_groups_share_ids() {
        let key = |scope, group| Key::new(scope, group, "d".to_owned());
        assert_eq!(key(DeduplicationScope::Queue, "a"), key(DeduplicationScope::Queue, "b"));
        assert_ne!(key(DeduplicationScope::MessageGroup, "a"), key(DeduplicationScope::MessageGroup, "b"));
    }
}

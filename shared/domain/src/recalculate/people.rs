//! Gives each account a number, and keeps its referrer and its unlock facts.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::{AccountSequence, Link, UnlockFacts};

/// Hashes that are the same in every process.
pub(super) type Hashing = BuildHasherDefault<NameHasher>;

/// The number of an account.
pub(super) type Person = u32;

/// Where an account hangs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Hangs {
    #[default]
    Missing,
    Root,
    Under(Person),
}

/// What is known of an account.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownPerson {
    pub(super) hangs: Hangs,
    /// What stands of its unlock facts; `None` where no head of it was added.
    pub(super) stored_facts: Option<UnlockFacts>,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Only asked for single accounts, never iterated, so that its order does not matter.
    numbers: HashMap<AccountSequence, Person, Hashing>,
    names: Vec<AccountSequence>,
    known: Vec<KnownPerson>,
}

impl People {
    /// Returns the number of an account, a new one where it has none.
    pub(super) fn find_or_add(&mut self, account: &AccountSequence) -> Person {
        if let Some(number) = self.numbers.get(account) {
            return *number;
        }
        let number = Person::try_from(self.names.len()).expect("fewer accounts than u32 counts");
        self.numbers.insert(account.clone(), number);
        self.names.push(account.clone());
        self.known.push(KnownPerson::default());
        number
    }

    pub(super) fn find(&self, account: &AccountSequence) -> Option<Person> {
        self.numbers.get(account).copied()
    }

    pub(super) fn name(&self, person: Person) -> &AccountSequence {
        &self.names[person as usize]
    }

    pub(super) fn names(&self) -> &[AccountSequence] {
        &self.names
    }

    pub(super) fn at(&self, person: Person) -> &KnownPerson {
        &self.known[person as usize]
    }

    pub(super) fn at_mut(&mut self, person: Person) -> &mut KnownPerson {
        &mut self.known[person as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn hangs(&mut self, link: &Link) -> Hangs {
        match link {
            Link::Missing => Hangs::Missing,
            Link::Root => Hangs::Root,
            Link::Under(referrer) => Hangs::Under(self.find_or_add(referrer)),
        }
    }

    pub(super) fn referrer(&self, person: Person) -> Option<Person> {
        match self.at(person).hangs {
            Hangs::Under(referrer) => Some(referrer),
            Hangs::Missing | Hangs::Root => None,
        }
    }
}

/// Hashes names (FNV-1a, finished by a mixing step). It is the same in every process.
#[derive(Debug)]
pub(super) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 =
            bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}

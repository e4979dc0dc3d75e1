//! Everything that can own contribution, numbered.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::SystemKind;

/// An account or a system account: its number in [`Parties`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Party(pub(crate) usize);

/// The headquarters, which is always the first party.
pub(crate) const HEADQUARTERS: Party = Party(0);

/// What a party is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartyKind {
    /// A user's account.
    Account,
    /// An account of the network itself.
    System(SystemKind),
}

/// The names of all parties. A user's account may have the name of a system account, and is another party.
#[derive(Debug)]
pub(crate) struct Parties {
    names: Vec<Arc<str>>,
    kinds: Vec<PartyKind>,
    accounts: HashMap<Arc<str>, Party>,
    system: HashMap<Arc<str>, Party>,
}

impl Parties {
    pub(crate) fn new() -> Self {
        let mut parties =
            Self { names: Vec::new(), kinds: Vec::new(), accounts: HashMap::new(), system: HashMap::new() };
        parties.system(SystemKind::Headquarters, None);
        parties
    }

    /// Returns the party of an account's name.
    pub(crate) fn account(&mut self, name: &str) -> Party {
        match self.accounts.get(name) {
            Some(party) => *party,
            None => self.add(name, PartyKind::Account),
        }
    }

    /// Returns a system account: that of a region if there is a code.
    pub(crate) fn system(&mut self, kind: SystemKind, code: Option<&str>) -> Party {
        let name = match kind {
            SystemKind::Headquarters => "HEADQUARTERS",
            SystemKind::Operation => "OPERATION",
            SystemKind::Province => "PROVINCE",
            SystemKind::City => "CITY",
        };
        match code {
            None => self.system_named(name, kind),
            Some(code) => self.system_named(&format!("{name}:{code}"), kind),
        }
    }

    /// Returns the party that an operator names: a system account if it is called like one.
    pub(crate) fn named(&mut self, name: &str) -> Party {
        let kind = match name.split_once(':').map_or(name, |(prefix, _)| prefix) {
            "HEADQUARTERS" if name == "HEADQUARTERS" => SystemKind::Headquarters,
            "OPERATION" if name == "OPERATION" => SystemKind::Operation,
            "PROVINCE" => SystemKind::Province,
            "CITY" => SystemKind::City,
            _ => return self.account(name),
        };
        self.system_named(name, kind)
    }

    pub(crate) fn find_account(&self, name: &str) -> Option<Party> {
        self.accounts.get(name).copied()
    }

    pub(crate) fn name(&self, party: Party) -> &Arc<str> {
        &self.names[party.0]
    }

    pub(crate) fn kind(&self, party: Party) -> PartyKind {
        self.kinds[party.0]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Party> + use<> {
        (0..self.names.len()).map(Party)
    }

    fn system_named(&mut self, name: &str, kind: SystemKind) -> Party {
        match self.system.get(name) {
            Some(party) => *party,
            None => self.add(name, PartyKind::System(kind)),
        }
    }

    fn add(&mut self, name: &str, kind: PartyKind) -> Party {
        let party = Party(self.names.len());
        let name: Arc<str> = name.into();
        let index = match kind {
            PartyKind::Account => &mut self.accounts,
            PartyKind::System(_) => &mut self.system,
        };
        index.insert(Arc::clone(&name), party);
        self.names.push(name);
        self.kinds.push(kind);
        party
    }
}

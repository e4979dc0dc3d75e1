//! Drives a decider over a log and heads in memory, with the faults that a deployment may have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::decide::{CommandInput, Decider, Inputs, Loaded, Need, Parameters, Progress, Step};
use domain::heads::{AdoptionHead, Network, Node, StoredNetwork, SumNode, lines_of};
use domain::log::{Command, CommandOutcome, Entry, Page, PartitionProgress, Position, Truncate};
use domain::{AccountSequence, Amount, OrderId, Owner, Versions};

use crate::invariants::Invariants;
use crate::random::Random;
use crate::source::{Announced, Source};

/// How often each fault happens, of a hundred times.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unkindness {
    /// A finished page is lost with the decider that finished it.
    pub(crate) lost: u64,
    /// A decider is thrown away after a page was put.
    pub(crate) killed: u64,
    /// Storage is behind the log.
    pub(crate) behind: u64,
    /// The heads in memory are forgotten.
    pub(crate) forgotten: u64,
    /// Only a part of what is asked for is handed in at once.
    pub(crate) partial: u64,
    /// An account cannot be read.
    pub(crate) unreadable: u64,
}

/// How far a decider came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// Nothing is left to do. The time is when the next thing is due, in milliseconds since 1970.
    UntilIdle { due_ms: Option<i64> },
    /// It was lost on the way, and another one is there.
    UntilLost,
}

/// A decider with everything around it.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) source: Source,
    pub(crate) pages: Vec<Page>,
    pub(crate) now_ms: i64,
    pub(crate) unkindness: Unkindness,
    pub(crate) parameters: Parameters,
    /// Accounts that cannot be read.
    pub(crate) unreadable: BTreeSet<AccountSequence>,
    /// Tables that the source truncated.
    pub(crate) truncates: VecDeque<Truncate>,
    /// How many items were loaded.
    pub(crate) loaded: usize,
    start: Versions,
    decider: Decider,
    random: Random,
    announced: BTreeSet<Announced>,
    commands: VecDeque<CommandInput>,
    commands_made: u32,
    /// Storage includes at least the pages up to here.
    mark: Position,
    pub(crate) invariants: Invariants,
}

impl Bench {
    pub(crate) fn new(seed: u64, policy: &str, parameters: Parameters, now_ms: i64) -> Self {
        let start = Versions::starting(policy).expect("a policy");
        Self {
            source: Source::default(),
            pages: Vec::new(),
            now_ms,
            unkindness: Unkindness::default(),
            decider: Decider::new(Network::new(start.clone()), parameters.clone()),
            parameters,
            unreadable: BTreeSet::new(),
            truncates: VecDeque::new(),
            loaded: 0,
            random: Random::new(seed),
            announced: BTreeSet::new(),
            commands: VecDeque::new(),
            commands_made: 0,
            mark: 0,
            invariants: Invariants::new(start.clone()),
            start,
        }
    }

    pub(crate) fn forget_heads(&mut self) {
        self.decider.forget_heads();
    }

    pub(crate) fn network(&self) -> &Network {
        self.decider.network()
    }

    pub(crate) fn announce(&mut self, announced: Announced) {
        self.announced.insert(announced);
    }

    pub(crate) fn commands(&self) -> &VecDeque<CommandInput> {
        &self.commands
    }

    pub(crate) fn hand_in(&mut self, command: CommandInput) {
        self.commands.push_back(command);
    }

    /// Hands in a command.
    pub(crate) fn command(&mut self, command: Command) {
        self.commands_made += 1;
        self.commands.push_back(CommandInput {
            change: None,
            idempotency_key: format!("command {}", self.commands_made),
            by: "a test".to_owned(),
            reason: "a test".to_owned(),
            command,
        });
    }

    /// Has the decider take in everything that was announced, with the source read up to now, until it is idle.
    ///
    /// Returns when something is due.
    pub(crate) fn run(&mut self) -> Option<i64> {
        let read_through_ms = self.now_ms + 3_600_000;
        loop {
            if let Ran::UntilIdle { due_ms } = self.run_once(100, Some(read_through_ms)) {
                return due_ms;
            }
        }
    }

    /// Has the decider take in about so many hundredths of what was announced.
    ///
    pub(crate) fn run_once(&mut self, percent: u64, read_through_ms: Option<i64>) -> Ran {
        let random = &mut self.random;
        let chosen: BTreeSet<Announced> =
            self.announced.iter().filter(|_| random.percent(percent)).cloned().collect();
        let all = chosen.len() == self.announced.len();
        let mut inputs = Inputs {
            commands: self.commands.clone(),
            truncates: std::mem::take(&mut self.truncates),
            ..Inputs::default()
        };
        for announced in &chosen {
            match announced {
                Announced::Referral(key) => {
                    inputs.referrals.insert(key.clone(), self.source.referral_input(key));
                }
                Announced::Adoption(key) => {
                    inputs.add_adoption(key.clone(), self.source.adoption_input(key));
                }
            }
        }
        inputs.progress = read_through_ms.filter(|_| all).map(progress);
        let given = self.commands.len();
        self.decider.begin(inputs, self.now_ms);
        let ran = self.put_pages();
        if ran == Ran::UntilLost {
            return ran;
        }
        if self.decider.is_done_with_inputs() {
            self.announced.retain(|announced| !chosen.contains(announced));
            self.commands.drain(..given);
        }
        ran
    }

    fn put_pages(&mut self) -> Ran {
        for _ in 0..200_000 {
            match self.decider.step() {
                Step::Load(needs) => self.load(needs),
                Step::Put(page) => {
                    if self.random.percent(self.unkindness.lost) {
                        self.start_again();
                        return Ran::UntilLost;
                    }
                    self.put(*page);
                    if self.random.percent(self.unkindness.killed) {
                        self.start_again();
                        return Ran::UntilLost;
                    }
                    if self.random.percent(self.unkindness.forgotten) {
                        self.decider.forget_heads();
                    }
                }
                Step::Idle { due_ms } => {
                    if let Some(due_ms) = due_ms {
                        assert!(due_ms > self.decider.network().time_ms, "what is due is done");
                    }
                    return Ran::UntilIdle { due_ms };
                }
            }
        }
        panic!("the decider finds no end");
    }

    fn put(&mut self, page: Page) {
        let decoded = Page::decode(&page.encode()).expect("a page that was encoded");
        assert_eq!(decoded, page);
        self.invariants.check(&page, self.decider.network());
        self.pages.push(page);
        if self.random.percent(20) {
            self.mark += self.random.below(self.pages.len() as u64 - self.mark + 1);
            self.decider.forget_tail_through(self.mark);
        }
    }

    /// Throws the decider away, and has another one go on from a checkpoint and the pages after it.
    fn start_again(&mut self) {
        let last = self.pages.len() as u64;
        let checkpoint = self.random.below(last + 1);
        let network = self.network_at(checkpoint);
        let stored = domain_encoded(&StoredNetwork::from(&network));
        let network = Network::try_from(stored).expect("a network that was stored");
        self.decider = Decider::new(network, self.parameters.clone());
        for page in &self.pages {
            if page.position > self.mark.min(checkpoint) {
                self.decider
                    .read_page(page.clone(), page.position <= checkpoint)
                    .expect("a log whose pages follow");
            }
        }
    }

    /// Returns the network at a position, folded from the first page on.
    pub(crate) fn network_at(&self, position: Position) -> Network {
        let mut network = Network::new(self.start.clone());
        for page in self.pages_up_to(position) {
            network.apply_page(page, page.hash());
        }
        network
    }

    fn pages_up_to(&self, position: Position) -> &[Page] {
        &self.pages[..usize::try_from(position).expect("few pages")]
    }

    fn load(&mut self, mut needs: Vec<Need>) {
        if self.random.percent(self.unkindness.partial) {
            let kept = 1 + self.random.below(needs.len() as u64);
            while needs.len() as u64 > kept {
                let index = self.random.below(needs.len() as u64);
                needs.swap_remove(usize::try_from(index).expect("an index"));
            }
        }
        self.loaded += needs.len();
        let loaded = needs.into_iter().map(|need| self.loaded(need)).collect();
        self.decider.provide(loaded).expect("one decider alone");
    }

    fn loaded(&mut self, need: Need) -> Loaded {
        let last = self.pages.len() as u64;
        let is_behind = self.random.percent(self.unkindness.behind);
        let position = if is_behind { self.mark + self.random.below(last - self.mark + 1) } else { last };
        match need {
            Need::Node(account)
                if self.unreadable.contains(&account) || self.random.percent(self.unkindness.unreadable) =>
            {
                Loaded::Unreadable { account }
            }
            Need::Node(account) => {
                let node = Box::new(self.node_at(&account, position));
                Loaded::Node { account, node, position }
            }
            Need::Children(account) => {
                let children = self.children_at(&account, position);
                Loaded::Children { account, children, position }
            }
            Need::Adoption(order) => {
                Loaded::Adoption { order, head: Box::new(self.adoption_at(order, position)), position }
            }
            Need::Sum(key) => {
                let mut node = SumNode::default();
                self.each_entry(position, |entry| node.apply(key, entry));
                Loaded::Sum { key, node, position }
            }
            Need::Total(owner) => {
                let is_readable =
                    !matches!(&owner, Owner::User(account) if self.unreadable.contains(account));
                let total = self.totals_at(position).get(&owner).copied().unwrap_or_default();
                let total = is_readable.then_some(total);
                Loaded::Total { owner, total, position }
            }
            Need::FirstOrders(_) => panic!("first orders never leave the decider"),
        }
    }

    fn each_entry(&self, position: Position, mut see: impl FnMut(&Entry)) {
        self.pages_up_to(position).iter().flat_map(|page| &page.entries).for_each(&mut see);
    }

    pub(crate) fn node_at(&self, account: &AccountSequence, position: Position) -> Node {
        let mut node = Node::default();
        self.each_entry(position, |entry| node.apply(account, entry));
        node
    }

    fn children_at(&self, account: &AccountSequence, position: Position) -> BTreeSet<AccountSequence> {
        let mut children = BTreeSet::new();
        self.each_entry(position, |entry| {
            if let Entry::ReferralRow { account: child, row: Some(Some(referrer)), .. } = entry
                && referrer == account
            {
                children.insert(child.clone());
            }
        });
        children
    }

    pub(crate) fn adoption_at(&self, order: OrderId, position: Position) -> AdoptionHead {
        let mut head = AdoptionHead::default();
        self.each_entry(position, |entry| head.apply(order, entry));
        head
    }

    /// Returns the head of every order that the log names.
    pub(crate) fn adoptions(&self) -> BTreeMap<OrderId, AdoptionHead> {
        let mut heads: BTreeMap<OrderId, AdoptionHead> = BTreeMap::new();
        self.each_entry(self.pages.len() as u64, |entry| {
            if let Some(order) = AdoptionHead::order_of(entry) {
                heads.entry(order).or_default().apply(order, entry);
            }
        });
        heads
    }

    /// Returns what each account has in all.
    pub(crate) fn totals_at(&self, position: Position) -> BTreeMap<Owner, Amount> {
        let versions = &self.decider.network().versions;
        let mut totals: BTreeMap<Owner, Amount> = BTreeMap::new();
        for page in self.pages_up_to(position) {
            for (index, entry) in (0..).zip(&page.entries) {
                for (owner, line) in lines_of(entry, page.position, index, page.time_ms, versions) {
                    let total = totals.entry(owner).or_default();
                    *total = total.checked_add(line.amount()).expect("within the limits");
                }
            }
        }
        totals
    }

    pub(crate) fn last_position(&self) -> Position {
        self.pages.len() as u64
    }

    /// Returns every entry of the log.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.pages.iter().flat_map(|page| &page.entries)
    }

    /// Returns what became of the last command.
    pub(crate) fn last_outcome(&self) -> Option<&CommandOutcome> {
        self.entries()
            .filter_map(|entry| match entry {
                Entry::Commanded { outcome, .. } => Some(outcome),
                _ => None,
            })
            .last()
    }
}

/// Returns the value after it was stored and read again.
fn domain_encoded(network: &StoredNetwork) -> StoredNetwork {
    let bytes = postcard::to_stdvec(network).expect("it can be encoded");
    let read: StoredNetwork = postcard::from_bytes(&bytes).expect("it can be decoded");
    assert_eq!(read, *network);
    read
}

fn progress(read_through_ms: i64) -> Progress {
    let partition = PartitionProgress { partition: "orders-0".to_owned(), offset: 1, read_through_ms };
    Progress { orders: vec![partition], unread: Vec::new() }
}

pub(crate) fn user(text: &str) -> AccountSequence {
    text.parse().expect("an account")
}

//! Transactions: writes that are prepared in one moment and happen in a later one, and reads at two moments.

use std::collections::BTreeSet;

use super::capacity::Direction;
use super::database::{Database, Reply};
use super::key::Key;
use super::read::projected;
use super::request::{Effect, Get, Response, TransactWrite, Write};
use super::running::{Change, Running, Token};
use super::store::cancellation_code;
use super::units::{Consumed, Units};
use super::write::{Outcome, Plan};
use crate::clock::Millis;
use crate::error::{CancellationCode, CancellationReason, Details, ErrorKind, ServiceError};
use crate::value::{Item, item_bytes};

const MAX_ACTIONS: usize = 100;
const MAX_BYTES: usize = 4 * 1_024 * 1_024;
const MAX_TOKEN_BYTES: usize = 36;
/// How long a token is remembered after the answer.
const TOKEN_MEMORY_MS: Millis = 10 * 60 * 1_000;

/// What the preparation of a transaction came to.
#[derive(Debug)]
pub enum Prepared {
    /// Its items are held; it commits by this number.
    Held(u64),
    /// It is over; this is its answer.
    Over(Reply),
}

/// The items of a transaction of reads as its first reading saw them.
#[derive(Debug)]
pub struct ReadSet {
    gets: Vec<Get>,
    parts: Vec<ReadPart>,
    reply: Reply,
}

#[derive(Debug)]
struct ReadPart {
    table: String,
    key: Key,
    version: Option<u64>,
    item: Option<Item>,
    code: CancellationCode,
}

/// What one part of a transaction takes of its table.
struct Share<'request> {
    table: &'request str,
    partition: &'request str,
    units: Units,
}

impl Database {
    /// Checks every action of a transaction and holds their items; it is answered at `answer_ms` at the latest.
    pub fn prepare(&mut self, now_ms: Millis, answer_ms: Millis, request: &TransactWrite) -> Prepared {
        let keys = match self.check_actions(&request.actions) {
            Ok(keys) => keys,
            Err(error) => return Prepared::Over(Reply::refused(error)),
        };
        if let Some(reply) = self.repeated(now_ms, request, &keys) {
            return Prepared::Over(reply);
        }
        let plans: Vec<Plan> = request
            .actions
            .iter()
            .zip(&keys)
            .map(|(action, key)| self.tables_ref(&action.table).plan(key, action))
            .collect();
        let reasons = self.reasons(&request.actions, &keys, &plans);
        if reasons.iter().all(|reason| reason.code == CancellationCode::None) {
            let shares: Vec<Share<'_>> = request
                .actions
                .iter()
                .zip(&keys)
                .zip(&plans)
                .map(|((action, key), plan)| Share {
                    table: &action.table,
                    partition: &key.partition,
                    units: plan.units * 2,
                })
                .collect();
            let codes = self.take_capacity(now_ms, Direction::Write, &shares);
            if codes.iter().any(|code| *code != CancellationCode::None) {
                let reasons = codes.into_iter().map(|code| CancellationReason { code, item: None });
                return Prepared::Over(cancelled(reasons.collect()));
            }
        } else {
            return Prepared::Over(self.charged_cancellation(&request.actions, &plans, reasons));
        }
        self.hold(answer_ms, request, keys, plans)
    }

    /// Lets the changes of a prepared transaction take effect.
    pub fn commit(&mut self, now_ms: Millis, number: u64) -> Reply {
        let running = self.transactions.running.remove(&number).expect("a transaction commits once");
        for (name, key, change) in running.changes {
            let table = self.table_mut(&name).expect("a table stays while a transaction runs");
            table.held.remove(&key);
            if let Change::Becomes(after) = change {
                table.apply(now_ms, &key, after);
            }
        }
        if let Some(token) = running.token.and_then(|token| self.transactions.tokens.get_mut(&token)) {
            token.running = false;
        }
        Reply { result: Ok(Response::Transacted), consumed: running.consumed }
    }

    /// Reads the items of a transaction of reads for the first time.
    pub fn begin_read(&mut self, now_ms: Millis, gets: &[Get]) -> Result<ReadSet, ServiceError> {
        if gets.is_empty() || gets.len() > MAX_ACTIONS {
            return Err(too_many_actions());
        }
        let keys = gets.iter().map(|get| (get.table.as_str(), &get.key, true));
        self.refuse_mismatches(keys)?;
        let mut set = ReadSet { gets: gets.to_vec(), parts: Vec::new(), reply: Reply::empty() };
        let mut seen = BTreeSet::new();
        for get in gets {
            let table = self.table_mut(&get.table)?;
            let key = table.schema.exact_key(&get.key)?;
            if !seen.insert((get.table.clone(), key.clone())) {
                return Err(item_twice());
            }
            let stored = table.items.get(&key);
            let code = if table.held.contains_key(&key) {
                CancellationCode::TransactionConflict
            } else {
                CancellationCode::None
            };
            set.parts.push(ReadPart {
                table: get.table.clone(),
                version: stored.map(|stored| stored.version),
                item: stored.map(|stored| stored.item.clone()),
                key,
                code,
            });
        }
        let bytes: usize = set.parts.iter().filter_map(|part| part.item.as_ref()).map(item_bytes).sum();
        if bytes > MAX_BYTES {
            return Err(too_many_bytes());
        }
        if set.parts.iter().all(|part| part.code == CancellationCode::None) {
            self.charge_reads(now_ms, &mut set);
        }
        Ok(set)
    }

    /// Reads the items of a transaction of reads again, and cancels it if one of them changed or is held.
    pub fn finish_read(&mut self, set: ReadSet) -> Reply {
        let mut reply = set.reply;
        let mut reasons = Vec::new();
        for part in &set.parts {
            let table = self.tables_ref(&part.table);
            let version = table.items.get(&part.key).map(|stored| stored.version);
            let code = if table.held.contains_key(&part.key) || version != part.version {
                CancellationCode::TransactionConflict
            } else {
                part.code
            };
            reasons.push(CancellationReason { code, item: None });
        }
        reply.result = if reasons.iter().all(|reason| reason.code == CancellationCode::None) {
            let items = set
                .parts
                .into_iter()
                .zip(&set.gets)
                .map(|(part, get)| part.item.map(|item| projected(&item, get.projection.as_deref())));
            Ok(Response::TransactionRead(items.collect()))
        } else {
            cancelled(reasons).result
        };
        reply
    }

    fn charge_reads(&mut self, now_ms: Millis, set: &mut ReadSet) {
        let ReadSet { parts, reply, .. } = set;
        let shares: Vec<Share<'_>> = parts
            .iter()
            .map(|part| Share {
                table: &part.table,
                partition: &part.key.partition,
                units: Units::read(part.item.as_ref().map_or(0, item_bytes), true) * 2,
            })
            .collect();
        let codes = self.take_capacity(now_ms, Direction::Read, &shares);
        if codes.iter().all(|code| *code == CancellationCode::None) {
            for share in &shares {
                reply.charge(share.table, Consumed::read(share.units));
            }
        }
        for (part, code) in parts.iter_mut().zip(codes) {
            part.code = code;
        }
    }

    fn check_actions(&self, actions: &[Write]) -> Result<Vec<Key>, ServiceError> {
        if actions.is_empty() || actions.len() > MAX_ACTIONS {
            return Err(too_many_actions());
        }
        self.refuse_mismatches(actions.iter().map(|action| {
            let exact = !matches!(action.effect, Effect::Put(_));
            (action.table.as_str(), action.effect.key_attributes(), exact)
        }))?;
        let mut keys = Vec::new();
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for action in actions {
            let key = self.table(&action.table)?.check(&action.effect)?;
            if !seen.insert((action.table.clone(), key.clone())) {
                return Err(item_twice());
            }
            keys.push(key);
            if let Effect::Put(item) = &action.effect {
                bytes += item_bytes(item);
            }
        }
        if bytes > MAX_BYTES {
            return Err(too_many_bytes());
        }
        Ok(keys)
    }

    /// Cancels a transaction of which a key does not match its table; what is wrong with a key otherwise refuses it.
    fn refuse_mismatches<'request>(
        &self,
        keys: impl Iterator<Item = (&'request str, &'request Item, bool)>,
    ) -> Result<(), ServiceError> {
        let mut reasons = Vec::new();
        for (table, attributes, exact) in keys {
            let fits = self.table(table)?.schema.fits(attributes, exact);
            let code = if fits { CancellationCode::None } else { CancellationCode::ValidationError };
            reasons.push(CancellationReason { code, item: None });
        }
        if reasons.iter().all(|reason| reason.code == CancellationCode::None) {
            return Ok(());
        }
        Err(cancellation(reasons))
    }

    /// Returns the answer to a request whose token is known.
    fn repeated(&mut self, now_ms: Millis, request: &TransactWrite, keys: &[Key]) -> Option<Reply> {
        let token = request.token.as_ref()?;
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return Some(Reply::refused(ServiceError::validation(
                "ClientRequestToken must have 1 to 36 characters",
            )));
        }
        let known = self.transactions.tokens.get(token)?;
        if !known.running && known.forgotten_ms <= now_ms {
            self.transactions.tokens.remove(token);
            return None;
        }
        if known.running {
            let error = ErrorKind::TransactionInProgressException
                .because("The transaction with the given request token is already in progress");
            return Some(Reply::refused(error));
        }
        if known.fingerprint != request.fingerprint {
            let error = ErrorKind::IdempotentParameterMismatchException
                .because("The request uses the same client token as a previous, but non-identical request");
            return Some(Reply::refused(error));
        }
        let mut reply = Reply::empty();
        for (action, key) in request.actions.iter().zip(keys) {
            let table = self.table_mut(&action.table).expect("the tables were checked before");
            let bytes = table.items.get(key).map_or(0, |stored| stored.bytes);
            let units = Units::read(bytes, true) * 2;
            table.capacity.count(Direction::Read, units);
            reply.charge(&action.table, Consumed::read(units));
        }
        Some(reply)
    }

    fn reasons(&self, actions: &[Write], keys: &[Key], plans: &[Plan]) -> Vec<CancellationReason> {
        let reason = |((action, key), plan): ((&Write, &Key), &Plan)| {
            if self.tables_ref(&action.table).held.contains_key(key) {
                return CancellationReason { code: CancellationCode::TransactionConflict, item: None };
            }
            match plan.outcome {
                Outcome::ConditionFalse => CancellationReason {
                    code: CancellationCode::ConditionalCheckFailed,
                    item: plan
                        .before
                        .as_ref()
                        .filter(|_| action.item_on_failure)
                        .map(|stored| stored.item.clone()),
                },
                Outcome::Invalid(_) => {
                    CancellationReason { code: CancellationCode::ValidationError, item: None }
                }
                Outcome::Becomes(_) | Outcome::Stays => CancellationReason::default(),
            }
        };
        actions.iter().zip(keys).zip(plans).map(reason).collect()
    }

    /// Takes capacity for all parts in their order and returns a reason for each; if one does not fit, gives
    /// everything back.
    fn take_capacity(
        &mut self,
        now_ms: Millis,
        direction: Direction,
        shares: &[Share<'_>],
    ) -> Vec<CancellationCode> {
        let mut codes = Vec::new();
        let mut taken = Vec::new();
        for share in shares {
            let table = self.table_mut(share.table).expect("the tables were checked before");
            match table.charge(now_ms, direction, share.partition, share.units) {
                Ok(()) => {
                    taken.push(share);
                    codes.push(CancellationCode::None);
                }
                // Transactions have no reason of their own for the account's limit.
                Err(error) => codes.push(match cancellation_code(error.kind) {
                    CancellationCode::RequestLimitExceeded => CancellationCode::ThrottlingError,
                    code => code,
                }),
            }
        }
        if taken.len() < shares.len() {
            for share in taken {
                let table = self.table_mut(share.table).expect("the tables were checked before");
                table.capacity.give_back(direction, share.partition, share.units);
            }
        }
        codes
    }

    /// Answers a cancelled transaction, which is charged for what it attempted.
    fn charged_cancellation(
        &mut self,
        actions: &[Write],
        plans: &[Plan],
        reasons: Vec<CancellationReason>,
    ) -> Reply {
        let mut reply = cancelled(reasons);
        for (action, plan) in actions.iter().zip(plans) {
            let units = plan.units * 2;
            let table = self.table_mut(&action.table).expect("the tables were checked before");
            table.capacity.count(Direction::Write, units);
            reply.charge(&action.table, Consumed::write(units));
        }
        reply
    }

    fn hold(
        &mut self,
        answer_ms: Millis,
        request: &TransactWrite,
        keys: Vec<Key>,
        plans: Vec<Plan>,
    ) -> Prepared {
        self.transactions.last_number += 1;
        let number = self.transactions.last_number;
        let mut reply = Reply::empty();
        let mut changes = Vec::new();
        for ((action, key), plan) in request.actions.iter().zip(keys).zip(plans) {
            reply.charge(&action.table, Consumed::write(plan.units * 2));
            let table = self.table_mut(&action.table).expect("the tables were checked before");
            table.held.insert(key.clone(), number);
            let change = match plan.outcome {
                Outcome::Becomes(after) => Change::Becomes(after),
                _ => Change::Stays,
            };
            changes.push((action.table.clone(), key, change));
        }
        if let Some(token) = &request.token {
            let forgotten_ms = answer_ms + TOKEN_MEMORY_MS;
            let fingerprint = request.fingerprint.clone();
            self.transactions
                .tokens
                .insert(token.clone(), Token { fingerprint, running: true, forgotten_ms });
        }
        let running = Running { changes, token: request.token.clone(), consumed: reply.consumed };
        self.transactions.running.insert(number, running);
        Prepared::Held(number)
    }

    fn tables_ref(&self, name: &str) -> &super::store::Table {
        self.tables().get(name).expect("the tables were checked before")
    }
}

fn cancelled(reasons: Vec<CancellationReason>) -> Reply {
    Reply::refused(cancellation(reasons))
}

fn cancellation(reasons: Vec<CancellationReason>) -> ServiceError {
    ErrorKind::TransactionCanceledException
        .because("Transaction cancelled, please refer cancellation reasons for specific reasons")
        .with(Details::Cancellation(reasons))
}

fn too_many_actions() -> ServiceError {
    ServiceError::validation(
        "Member must have length less than or equal to 100, and greater than or equal to 1",
    )
}

fn too_many_bytes() -> ServiceError {
    ServiceError::validation("The aggregate size of the items exceeds 4 MB")
}

fn item_twice() -> ServiceError {
    ServiceError::validation("Transaction request cannot include multiple operations on one item")
}

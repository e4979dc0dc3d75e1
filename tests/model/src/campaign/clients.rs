//! Who asks the ledger for something during a history: readers of the API, and operators.

use chrono::{Days, NaiveDate};
use domain::log::{AdjustmentTerms, Command as LogCommand, Paused, WebhookChange, WebhookName};
use domain::{Amount, BusinessDate, OrderId, Owner, VersionTerms};
use serde_json::{Value, json};
use store::inbox::StoredCommand;

use super::setting::{MIDNIGHT_MS, Setting};
use super::shadow::Shadow;
use crate::bench::Executor;
use crate::clock::Millis;
use crate::random::Random;

/// An answer of the API.
pub(super) struct Answer {
    account: String,
    at_least: Option<u64>,
    body: Value,
}

/// Accounts that a history begins with.
const ACCOUNTS: u64 = 12;
/// Most orders of a history have a number up to this one.
const ORDERS: u64 = 30;

/// Reads accounts through the API, and checks that each answer is what the log says at the position it states.
pub(super) struct Reader {
    random: Random,
    pub(super) answers: u64,
    pub(super) findings: Vec<String>,
    /// The position of the last answer, which the next one must include.
    position: u64,
}

impl Reader {
    pub(super) fn new(random: Random) -> Self {
        Self { random, answers: 0, findings: Vec::new(), position: 0 }
    }

    /// Asks for an account. Returns an answer that has one.
    pub(super) fn read(&mut self, executor: &mut Executor) -> Option<Answer> {
        let account = account(&mut self.random);
        let at_least = (self.random.below(2) == 0).then_some(self.position);
        let query = at_least.map_or(String::new(), |at_least| format!("at_least={at_least}"));
        let path = format!("/v1/accounts/{account}");
        let event = json!({
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {},
            "requestContext": {
                "http": { "method": "GET", "path": path },
                "authorizer": { "jwt": { "claims": { "sub": "reader", "account_sequence": account } } },
            },
            "isBase64Encoded": false,
        });
        let response = executor.invoke("query-api", &event)?;
        let status = response["statusCode"].as_u64().unwrap_or_default();
        // An account that nothing is known of, a position that is not reached yet, and storage in trouble.
        if [404, 409, 503].contains(&status) {
            return None;
        }
        let body: Value =
            serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
        if status != 200 {
            self.findings.push(format!("the API answered {status}: {body}"));
            return None;
        }
        self.answers += 1;
        Some(Answer { account, at_least, body })
    }

    /// Checks that an answer is what the log says at the position it states.
    pub(super) fn check(&mut self, answer: &Answer, shadow: &Shadow) {
        let Answer { account, at_least, body } = answer;
        let position = body["position"].as_u64().unwrap_or_default();
        if at_least.is_some_and(|at_least| position < at_least) {
            self.findings.push(format!("the API answered at {position}, and was asked for {at_least:?}"));
        }
        self.position = self.position.max(position);
        let owner: Owner = account.parse().expect("an account's name");
        let then = shadow.account(&owner, position).map(|(_, then)| then.clone()).unwrap_or_default();
        let must_be = json!({
            "personal": then.totals.personal,
            "team_level": then.totals.team_level,
            "team_bonus": then.totals.team_bonus,
            "adjusted": then.totals.adjusted,
            "record_count": then.lines,
        });
        for (name, must_be) in must_be.as_object().into_iter().flatten() {
            if body[name] != *must_be {
                self.findings.push(format!(
                    "the API says {name} of {account} at {position} is {}, and the log says {must_be}",
                    body[name]
                ));
            }
        }
    }
}

fn account(random: &mut Random) -> String {
    format!("D{:09}", random.below(ACCOUNTS) + 1)
}

/// Something that an operator asks for.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// To move an amount, which the giver may not have.
    Move { number: u32, giver: String, receiver: String, amount: u64 },
    /// To close the dates up to today.
    Close { number: u32 },
    /// To compare an order again.
    Repair { number: u32, order: u64 },
    /// To let a truncate go.
    LetGoTruncate { number: usize, key: String },
    /// To have other rules judge the orders that are dated within some days of another date.
    Introduce { policy: &'static str, from: NaiveDate, until: Option<NaiveDate> },
    /// To change a subscription to events.
    Webhook { key: String, name: WebhookName, change: WebhookChange },
}

/// Two operators who ask for different things under one key, at once.
#[derive(Clone, Debug)]
pub(super) struct Rivals {
    amounts: [u64; 2],
    receivers: [String; 2],
}

impl Rivals {
    /// Returns two operators.
    pub(super) fn some(random: &mut Random) -> Self {
        let amounts = [(); 2].map(|()| 1 + random.below(20));
        Self { amounts, receivers: [(); 2].map(|()| account(random)) }
    }

    /// Asks, and returns what must not be: each is told what became of what it asked for, or that the key is used.
    pub(super) fn ask(self, executor: &mut Executor, today: NaiveDate) -> Vec<String> {
        const NAMES: [&str; 2] = ["anna", "berta"];
        let event = |place: usize| {
            let body = json!({ "reason": "a test", "command": {
                "type": "adjust",
                "giver": "OPERATION",
                "receiver": self.receivers[place],
                "amount": self.amounts[place].to_string(),
                "effective_date": today.to_string(),
                "reference": "a paper",
            } });
            json!({
                "version": "2.0",
                "rawPath": "/v1/commands",
                "rawQueryString": "",
                "headers": { "idempotency-key": "adjust-by-two", "content-type": "application/json" },
                "requestContext": {
                    "http": { "method": "POST", "path": "/v1/commands" },
                    "authorizer": { "jwt": { "claims": {
                        "sub": NAMES[place], "scope": "contribution:operate contribution:approve",
                    } } },
                },
                "body": body.to_string(),
                "isBase64Encoded": false,
            })
        };
        let answers = executor.invoke_together("query-api", &[event(0), event(1)]);
        let mut found = Vec::new();
        for (name, response) in NAMES.into_iter().zip(answers) {
            let Some(response) = response else { continue };
            let body: Value =
                serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
            match response["statusCode"].as_u64().unwrap_or_default() {
                200 | 202 if body["by"] != name => {
                    found.push(format!("{name} asked for something, and is answered: {body}"));
                }
                // It is told what became of it, the key is used, or storage is in trouble.
                200 | 202 | 409 | 503 => {}
                status => found.push(format!("{name} asked for something, and is answered {status}: {body}")),
            }
        }
        found
    }
}

/// Rules that a history may go on with; each is whole. Terms stay as long as they are.
const POLICIES: [(&str, &str); 4] = [
    (
        r#"{"term_years":1,"price_ladder":{"start_tree_number":8,"unit_size":5}}"#,
        r#"{"price_ladder":{"start_tree_number":8,"unit_size":5}}"#,
    ),
    (r#"{"term_years":1,"backfill":"on_unlock"}"#, r#"{"backfill":"on_unlock"}"#),
    (
        r#"{"term_years":1,"distributable_statuses":["PAID","CREATED"]}"#,
        r#"{"distributable_statuses":["PAID","CREATED"]}"#,
    ),
    (
        r#"{"term_years":1,"team_requires_own_adoption":false,"bonus_tier_steps":[1,2]}"#,
        r#"{"team_requires_own_adoption":false,"bonus_tier_steps":[1,2]}"#,
    ),
];

impl Command {
    /// Returns an amount to be moved.
    pub(super) fn some_move(number: u32, random: &mut Random) -> Self {
        let giver = if random.below(2) == 0 { "OPERATION".to_owned() } else { account(random) };
        Self::Move { number, giver, receiver: account(random), amount: 1 + random.below(20_000) }
    }

    /// Returns an order to be compared again.
    pub(super) fn some_repair(number: u32, random: &mut Random) -> Self {
        Self::Repair { number, order: 1 + random.below(ORDERS) }
    }

    /// Returns rules that judge orders around a date.
    pub(super) fn some_version(around: NaiveDate, ends_terms: bool, random: &mut Random) -> Self {
        let index = usize::try_from(random.below(POLICIES.len() as u64)).expect("few policies");
        let (of_a_year, usual) = POLICIES[index];
        let from = around - Days::new(random.below(4));
        let until = (random.below(3) == 0).then(|| from + Days::new(2));
        Self::Introduce { policy: if ends_terms { of_a_year } else { usual }, from, until }
    }

    pub(super) fn ask(self, executor: &mut Executor, today: NaiveDate) {
        let today: BusinessDate = today.try_into().expect("a date of this century");
        let (key, command) = self.of_log(today);
        let command = StoredCommand::new("anna", "a test", command);
        let engine = executor.engine();
        executor.run_client(async move {
            store::inbox::ask(&engine, &key, &command).await.expect("no fault for the bench");
        });
    }

    /// Returns the idempotency key, and the command as the log has it.
    fn of_log(self, today: BusinessDate) -> (String, LogCommand) {
        let date = |date: NaiveDate| BusinessDate::try_from(date).expect("a date of this century");
        match self {
            Self::Move { number, giver, receiver, amount } => {
                let terms = AdjustmentTerms {
                    giver: giver.parse().expect("an account's name"),
                    receiver: receiver.parse().expect("an account's name"),
                    amount: amount.to_string().parse::<Amount>().expect("an amount"),
                    effective_date: today,
                    expire_date: None,
                    reference: "a paper".to_owned(),
                };
                (format!("adjust-{number}"), LogCommand::Adjust(Box::new(terms)))
            }
            Self::Close { number } => {
                let close = LogCommand::Close { until: today, source_is_complete: false };
                (format!("close-by-hand-{number}"), close)
            }
            Self::Repair { number, order } => {
                (format!("repair-{number}"), LogCommand::Repair { order: OrderId::new(order) })
            }
            Self::LetGoTruncate { number, key } => {
                (format!("let-go-truncate-{number}"), LogCommand::LetGo { what: Paused::Truncate { key } })
            }
            Self::Webhook { key, name, change } => (key, LogCommand::Webhook { name, change }),
            Self::Introduce { policy, from, until } => {
                let terms = VersionTerms {
                    number: 2,
                    from: Some(date(from)),
                    until: until.map(date),
                    reason: "a test".to_owned(),
                    introduced_by: "anna".to_owned(),
                    policy: policy.to_owned(),
                };
                ("introduce-2".to_owned(), LogCommand::Introduce(Box::new(terms)))
            }
        }
    }
}

/// Returns what operators ask for, and when: in a history whose last record is of `last_ms` and whose faults end at
/// `end_ms`.
pub(super) fn commands(
    setting: &Setting,
    last_ms: Millis,
    end_ms: Millis,
    random: &mut Random,
) -> impl Iterator<Item = (Millis, Command)> {
    let mut commands = Vec::new();
    for number in 0..2 {
        commands.push((random.between(last_ms / 3, end_ms), Command::some_move(number, random)));
    }
    if random.below(2) == 0 {
        // While orders still arrive; sometimes two ask at once.
        let at_ms = random.between(MIDNIGHT_MS, end_ms.max(MIDNIGHT_MS));
        for number in 0..=u32::try_from(random.below(2)).expect("0 or 1") {
            commands.push((at_ms, Command::Close { number }));
        }
    }
    if random.below(3) == 0 {
        let version = Command::some_version(setting.dated_around, setting.ends_terms, random);
        commands.push((random.between(0, end_ms), version));
    }
    if random.below(3) == 0 {
        commands.push((random.between(last_ms / 2, end_ms), Command::some_repair(0, random)));
    }
    commands.into_iter()
}

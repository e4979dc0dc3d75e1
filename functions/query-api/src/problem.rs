//! Problems that a caller is answered with, in the form of RFC 9457: what is wrong, and what to do next.

use domain::log::Position;
use domain::{AmountOverflow, BusinessDate};
use runtime::QueueError;
use serde_json::{Map, Value};
use store::StoreError;

use crate::answer::Answer;
use crate::expected::Expected;
use crate::language::Language;

/// Why a request is not answered with what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is no such path.
    NoSuchPath,
    /// Nothing is known of this.
    Unknown(Subject, String),
    /// The date is not closed.
    NotClosed {
        /// The date that was asked for.
        date: Option<BusinessDate>,
        /// The last date that is closed.
        last: Option<BusinessDate>,
    },
    /// The path is there, but not for this method.
    MethodNotAllowed {
        /// The methods that it answers.
        allowed: &'static str,
    },
    /// No token was checked.
    Unauthorized,
    /// The token is for something else.
    Forbidden,
    /// A parameter is not what the contract says.
    InvalidParameter {
        /// The parameter.
        name: String,
        /// What it must be.
        expected: Expected,
    },
    /// The body is not what the contract says.
    InvalidBody {
        /// What is wrong with it, in English; `phrases.txt` has it in Chinese.
        message: String,
    },
    /// The cursor is not one that this list answered.
    InvalidCursor,
    /// The ledger is not as far as the caller needs it.
    Behind {
        /// The position that was asked for.
        at_least: Position,
        /// The position there is.
        position: Position,
    },
    /// The idempotency key was used for something else.
    KeyUsed,
    /// Storage or a queue is not available; later it may be.
    Unavailable {
        /// For the log only.
        message: String,
    },
    /// Something that should not be. The log says what.
    Internal {
        /// For the log only.
        message: String,
    },
}

/// What a caller looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An account.
    Account,
    /// An adoption.
    Adoption,
    /// An account's row in a snapshot.
    SnapshotRow,
    /// A command.
    Command,
    /// A page of the log.
    Page,
    /// A subscription to events.
    Webhook,
}

/// The name of a problem, and the next step.
struct Texts {
    /// The last part of the type, which never changes.
    kind: &'static str,
    title: String,
    detail: Option<String>,
    next: &'static str,
}

impl Problem {
    /// Returns the problem that a parameter is not what it must be.
    pub(crate) fn invalid(name: &str, expected: Expected) -> Self {
        Self::InvalidParameter { name: name.to_owned(), expected }
    }

    /// Returns the problem that stored values contradict each other.
    pub(crate) fn inconsistent(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into() }
    }

    /// Returns the status of its answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::InvalidParameter { .. } | Self::InvalidBody { .. } | Self::InvalidCursor => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NoSuchPath | Self::Unknown(..) | Self::NotClosed { .. } => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::Behind { .. } | Self::KeyUsed => 409,
            Self::Internal { .. } => 500,
            Self::Unavailable { .. } => 503,
        }
    }

    /// Returns what is wrong in one line, for the operators' log.
    pub(crate) fn in_words(&self) -> String {
        let Texts { title, detail, .. } = self.texts(Language::English);
        match detail {
            Some(detail) => format!("{title}: {detail}"),
            None => title,
        }
    }

    /// Logs what the answer does not show the caller.
    pub(crate) fn log(&self, request_id: &str) {
        if let Self::Internal { message } | Self::Unavailable { message } = self {
            tracing::error!(request_id, "a request failed: {message}");
        }
    }

    /// Returns the problem document.
    pub(crate) fn into_answer(self, language: Language) -> Answer {
        let texts = self.texts(language);
        let mut document = Map::new();
        let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
        set("type", format!("urn:problem-type:contribution:{}", texts.kind).into());
        set("title", texts.title.into());
        set("status", self.status().into());
        if let Some(detail) = texts.detail {
            set("detail", detail.into());
        }
        set("next", texts.next.into());
        match &self {
            Self::InvalidParameter { name, .. } => drop(set("parameter", name.as_str().into())),
            Self::Behind { position, .. } => drop(set("position", (*position).into())),
            Self::NotClosed { last: Some(last), .. } => {
                drop(set("last_closed_date", last.to_string().into()));
            }
            _ => {}
        }
        let answer = Answer::problem(self.status(), &document);
        match self {
            Self::Unauthorized => answer.with_header("www-authenticate", "Bearer"),
            Self::MethodNotAllowed { allowed } => answer.with_header("allow", allowed),
            Self::Unavailable { .. } => answer.with_header("retry-after", "1"),
            Self::Behind { position, .. } => answer.at(position).with_header("retry-after", "1"),
            _ => answer,
        }
    }

    fn texts(&self, language: Language) -> Texts {
        match self {
            Self::NoSuchPath
            | Self::MethodNotAllowed { .. }
            | Self::Unauthorized
            | Self::Forbidden
            | Self::InvalidCursor
            | Self::KeyUsed
            | Self::Unavailable { .. }
            | Self::Internal { .. } => self.fixed_texts(language),
            Self::Unknown(subject, name) => unknown(*subject, name, language),
            Self::NotClosed { date, last } => not_closed(*date, *last, language),
            Self::InvalidParameter { name, expected } => Texts {
                kind: "invalid-parameter",
                title: language
                    .choose("A parameter is not what the contract says", "参数不符合接口约定")
                    .to_owned(),
                detail: Some(language.choose(
                    format!("`{name}` must be {}", expected.text(language)),
                    format!("`{name}` 不合要求，应为：{}", expected.text(language)),
                )),
                next: language.choose(
                    "Correct the parameter; /openapi.json describes it.",
                    "请改正该参数；说明见 /openapi.json。",
                ),
            },
            Self::InvalidBody { message } => Texts {
                kind: "invalid-body",
                title: language
                    .choose("The body is not what the contract says", "请求体不符合接口约定")
                    .to_owned(),
                detail: Some(language.translate(message)),
                next: language.choose(
                    "Correct the body; /openapi.json has an example.",
                    "请改正请求体；/openapi.json 中有示例。",
                ),
            },
            Self::Behind { at_least, position } => Texts {
                kind: "behind",
                title: language.choose("The ledger is not there yet", "账本尚未处理到该位置").to_owned(),
                detail: Some(language.choose(
                    format!("position {at_least} was asked for, and the ledger is at {position}"),
                    format!("要求的位置是 {at_least}，账本目前在 {position}"),
                )),
                next: language
                    .choose("Ask again in a moment, or without at_least.", "请稍后再试，或去掉 at_least。"),
            },
        }
    }

    /// Returns the texts of the problems that name nothing.
    fn fixed_texts(&self, language: Language) -> Texts {
        let (kind, english, chinese): (_, [&'static str; 2], [&'static str; 2]) = match self {
            Self::NoSuchPath => (
                "not-found",
                ["There is no such path", "Look it up in /openapi.json, or open the console at /."],
                ["没有这个路径", "请查阅 /openapi.json，或打开控制台 /。"],
            ),
            Self::MethodNotAllowed { .. } => (
                "method-not-allowed",
                ["The path does not answer this method", "Use a method that the allow header names."],
                ["该路径不支持此方法", "请使用 allow 头中列出的方法。"],
            ),
            Self::Unauthorized => (
                "unauthorized",
                ["A valid token is needed", "Send one as `Authorization: Bearer ...`."],
                ["需要有效的令牌", "请以 `Authorization: Bearer ...` 发送令牌。"],
            ),
            Self::Forbidden => (
                "forbidden",
                ["The token does not allow this", "Ask for a token with the scope that /openapi.json names."],
                ["该令牌无权访问", "请申请带有 /openapi.json 所列权限的令牌。"],
            ),
            Self::InvalidCursor => (
                "invalid-cursor",
                ["The cursor is not one of this list", "Begin again without a cursor."],
                ["游标不属于这个列表", "请去掉游标重新开始。"],
            ),
            Self::KeyUsed => (
                "key-used",
                ["The idempotency key was used for something else", "Send the command under a new key."],
                ["该幂等键已用于别的命令", "请换一个新的键再发送。"],
            ),
            Self::Unavailable { .. } => (
                "unavailable",
                ["Storage is not available", "Try again in a moment."],
                ["存储暂不可用", "请稍后再试。"],
            ),
            _ => (
                "internal",
                [
                    "The answer could not be made",
                    "Tell an operator the request id; the log says what failed.",
                ],
                ["无法给出答复", "请把请求编号告诉运维人员；日志中有原因。"],
            ),
        };
        let [title, next] = language.choose(english, chinese);
        Texts { kind, title: title.to_owned(), detail: None, next }
    }
}

fn unknown(subject: Subject, name: &str, language: Language) -> Texts {
    let (english, chinese) = match subject {
        Subject::Account => ("account", "账户"),
        Subject::Adoption => ("adoption", "认种"),
        Subject::SnapshotRow => ("row of the snapshot", "快照行"),
        Subject::Command => ("command", "命令"),
        Subject::Page => ("page of the log", "日志页"),
        Subject::Webhook => ("subscription", "事件订阅"),
    };
    let next = match subject {
        Subject::Account | Subject::Adoption => (
            "Check the spelling; a row that only just arrived shows within seconds.",
            "请核对写法；刚到的数据几秒内可见。",
        ),
        Subject::SnapshotRow => {
            ("Accounts with nothing effective on the date have no row.", "当日没有生效算力的账户没有快照行。")
        }
        Subject::Command => {
            ("Check the key; it is the one the command was sent under.", "请核对幂等键；应与发送命令时一致。")
        }
        Subject::Page => ("/v1/log lists the pages that there are.", "现有的页见 /v1/log。"),
        Subject::Webhook => (
            "/v1/webhooks lists the subscriptions; one that was just made shows within seconds.",
            "现有的订阅见 /v1/webhooks；刚建立的订阅几秒内可见。",
        ),
    };
    Texts {
        kind: "not-found",
        title: language
            .choose(format!("The {english} {name} is not known"), format!("没有{chinese} {name} 的记录")),
        detail: None,
        next: language.choose(next.0, next.1),
    }
}

fn not_closed(date: Option<BusinessDate>, last: Option<BusinessDate>, language: Language) -> Texts {
    let title = match date {
        Some(date) => language.choose(format!("{date} is not closed"), format!("{date} 尚未关账")),
        None => language.choose("No date is closed".to_owned(), "还没有任何日期关账".to_owned()),
    };
    let detail = last.map(|last| {
        language.choose(format!("the last closed date is {last}"), format!("最近的关账日期是 {last}"))
    });
    Texts {
        kind: "not-closed",
        title,
        detail,
        next: language.choose(
            "Ask for /v1/snapshots/latest, or see /v1/status for what the close waits for.",
            "请查询 /v1/snapshots/latest，或在 /v1/status 查看关账在等什么。",
        ),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Unavailable { .. } => Self::Unavailable { message },
            StoreError::Refused { .. } | StoreError::Unreadable { .. } => Self::Internal { message },
        }
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        Self::Unavailable { message: error.to_string() }
    }
}

impl From<AmountOverflow> for Problem {
    fn from(error: AmountOverflow) -> Self {
        Self::inconsistent(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use watch::language::is_chinese;

    use super::*;

    fn every_problem() -> Vec<Problem> {
        let date = BusinessDate::new(2026, 2, 1);
        let subjects = [
            Subject::Account,
            Subject::Adoption,
            Subject::SnapshotRow,
            Subject::Command,
            Subject::Page,
            Subject::Webhook,
        ];
        let unknown = subjects.map(|subject| Problem::Unknown(subject, "D1".to_owned()));
        let message = String::new();
        let mut problems = vec![
            Problem::NoSuchPath,
            Problem::NotClosed { date, last: date },
            Problem::NotClosed { date: None, last: None },
            Problem::MethodNotAllowed { allowed: "GET" },
            Problem::Unauthorized,
            Problem::Forbidden,
            Problem::invalid("limit", Expected::new("a number", "数字")),
            Problem::InvalidBody { message: "missing field `reason` at line 1 column 2".to_owned() },
            Problem::InvalidCursor,
            Problem::Behind { at_least: 7, position: 5 },
            Problem::KeyUsed,
            Problem::Unavailable { message: message.clone() },
            Problem::Internal { message },
        ];
        problems.extend(unknown);
        problems
    }

    #[test]
    fn every_problem_has_a_title_and_a_next_step_in_both_languages() {
        for problem in every_problem() {
            let (english, chinese) = (problem.texts(Language::English), problem.texts(Language::Chinese));
            assert_eq!(english.kind, chinese.kind);
            assert!(!english.title.is_empty() && !is_chinese(&english.title), "{}", english.title);
            assert!(!english.next.is_empty() && !is_chinese(english.next), "{}", english.next);
            assert!(is_chinese(&chinese.title) && is_chinese(chinese.next), "{}", chinese.title);
            assert!(english.detail.is_none_or(|detail| !is_chinese(&detail)), "{}", english.title);
            assert!(chinese.detail.is_none_or(|detail| is_chinese(&detail)), "{}", chinese.title);
        }
    }
}

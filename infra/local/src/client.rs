//! Asks a ledger: the one in a data directory, or one behind the API of a deployment.
//!
//! Both are asked the same questions in the same way, the routes of the API, so that a command shows the same of
//! both.

mod local;
mod remote;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use local_tables::OpenError;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use store::BoxFuture;

use crate::arguments::Asked;
use crate::language::{Language, error_in_words};
use crate::stack::Stack;

pub use local::LocalApi;
pub use remote::RemoteApi;

/// The environment variable with a token for `--url`.
pub const TOKEN_VARIABLE: &str = "CONTRIBUTION_TOKEN";
/// Where commands are sent to.
const COMMANDS_PATH: &str = "/v1/commands";
/// The status of a command that the decider has not taken in.
const PENDING_STATUS: u16 = 202;
/// Refusals that another time may not meet: a timeout, and too many requests.
const COMES_AND_GOES: [u16; 2] = [408, 429];
/// For how long a command's outcome is asked for, and how often.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How many entries one page of a list has at most.
const PAGE_ENTRIES_MAX: usize = 200;
/// What a segment of a path or a value of a query may not hold as it is.
const ENCODED: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'/').add(b'?');

/// Answers the routes of the API.
pub trait Api: Send + Sync {
    /// Returns what the API answers to a `GET` of this path and query.
    fn get<'a>(&'a self, path_and_query: &'a str) -> BoxFuture<'a, Result<Reply>>;

    /// Returns what the API answers to a command that is sent under this key.
    fn send<'a>(&'a self, key: &'a str, body: &'a Value) -> BoxFuture<'a, Result<Reply>>;
}

/// What the API answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// Asks an API.
pub struct Client {
    api: Box<dyn Api>,
}

impl Client {
    /// Returns a client of the ledger that the command names.
    ///
    /// # Errors
    ///
    /// It says what is wrong with the directory or the address that the command names.
    pub fn of(asked: &Asked) -> Result<Self> {
        if let Some(url) = &asked.url {
            return Ok(Self::new(RemoteApi::new(url, &token_for(asked.token.as_deref())?)?));
        }
        let directory = asked.data.as_deref().context(Language::of_environment().say(
            "which ledger? Name its directory with --data DIR, or its API with --url URL",
            "哪个账本？请用 --data 目录 写明其目录，或用 --url 地址 写明其接口",
        ))?;
        let options = crate::arguments::kept_options(directory, &asked.parameters)?;
        let stack = Stack::start(&options).map_err(|error| with_the_way_to_ask(error, directory))?;
        Ok(Self::new(LocalApi::over(stack)?))
    }

    /// Returns a client of this API.
    pub fn new(api: impl Api + 'static) -> Self {
        Self { api: Box::new(api) }
    }

    /// Returns the answer to a path, as JSON.
    ///
    /// # Errors
    ///
    /// It says what the API says.
    pub async fn json(&self, path: &str) -> Result<Value> {
        let reply = self.api.get(path).await?;
        reply.good()?.json()
    }

    /// Returns the answer to a path, as JSON; `None` where there is nothing.
    ///
    /// # Errors
    ///
    /// It says what the API says.
    pub async fn find(&self, path: &str) -> Result<Option<Value>> {
        let reply = self.api.get(path).await?;
        if reply.status == 404 { Ok(None) } else { Ok(Some(reply.good()?.json()?)) }
    }

    /// Returns the first `limit` entries of a list, in the document of its first page. `next_cursor` is that of the
    /// last page that was read.
    ///
    /// # Errors
    ///
    /// It says what the API says.
    pub async fn list(&self, path: &str, name: &str, limit: usize) -> Result<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let bare = path.split('?').next().unwrap_or(path);
        let page = |left: usize| left.clamp(1, PAGE_ENTRIES_MAX);
        let mut document = self.json(&format!("{path}{separator}limit={}", page(limit))).await?;
        loop {
            let found = document[name].as_array().map_or(0, Vec::len);
            let Some(cursor) = document["next_cursor"].as_str().filter(|_| found < limit) else {
                return Ok(document);
            };
            let next = format!("{bare}?cursor={}&limit={}", encoded(cursor), page(limit - found));
            let mut next = self.json(&next).await?;
            let more = next[name].as_array_mut().map(std::mem::take).unwrap_or_default();
            if let Some(entries) = document[name].as_array_mut() {
                entries.extend(more);
            }
            document["next_cursor"] = next["next_cursor"].take();
        }
    }

    /// Sends an operator's command, and returns what became of it: `PENDING` where the decider does not answer in time.
    ///
    /// # Errors
    ///
    /// It says what the API says.
    pub async fn command(&self, key: &str, reason: &str, command: &Value) -> Result<Value> {
        let body = serde_json::json!({ "reason": reason, "command": command });
        let reply = self.api.send(key, &body).await?;
        let mut answer = if reply.status == PENDING_STATUS { reply.json()? } else { reply.good()?.json()? };
        let began = Instant::now();
        while answer["outcome"] == "PENDING" && began.elapsed() < ANSWERED_WITHIN {
            tokio::time::sleep(LOOK_AGAIN).await;
            let reply = self.api.get(&format!("{COMMANDS_PATH}/{}", encoded(key))).await?;
            answer = if reply.status == PENDING_STATUS { reply.json()? } else { reply.good()?.json()? };
        }
        Ok(answer)
    }

    /// Returns a text of the API, with all its parts.
    ///
    /// # Errors
    ///
    /// It says what the API says.
    pub async fn text(&self, path: &str) -> Result<String> {
        let bare = path.split('?').next().unwrap_or(path);
        let mut text = String::new();
        let mut next = path.to_owned();
        loop {
            let reply = self.api.get(&next).await?;
            let reply = reply.good()?;
            text.push_str(&reply.body);
            match reply.next_query() {
                Some(query) => next = format!("{bare}?{query}"),
                None => return Ok(text),
            }
        }
    }
}

/// An answer that is none.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
struct NotGood {
    status: u16,
    sentence: String,
}

/// Returns whether an error is the API's refusal of a request, which it will refuse again.
#[must_use]
pub fn is_refusal(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref().map(|NotGood { status, .. }| *status);
    status.is_some_and(|status| (400..500).contains(&status) && !COMES_AND_GOES.contains(&status))
}

impl Reply {
    /// Returns the reply if it is a good one.
    fn good(self) -> Result<Self> {
        if self.status == 200 {
            return Ok(self);
        }
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text =
            |name: &str| problem[name].as_str().map(|text| text.trim_end_matches(['.', '。']).to_owned());
        let title = text("title").or_else(|| text("message"));
        let (language, status) = (Language::of_environment(), self.status);
        let answered = || language.say(format!("the API answered {status}"), format!("接口返回 {status}"));
        let mut sentence = title.unwrap_or_else(answered);
        let sentence_end = language.say(". ", "。");
        for (before, more) in [(": ", text("detail")), (sentence_end, text("next"))] {
            if let Some(more) = more {
                sentence.push_str(before);
                sentence.push_str(&more);
            }
        }
        if self.status == 401 {
            sentence.push_str(language.say(
                ". --token or CONTRIBUTION_TOKEN gives one; `contribution token --operate`, with the --data that the \
                 stack was started with, makes one for a stack on this machine",
                "。可用 --token 或 CONTRIBUTION_TOKEN 给出；`contribution token --operate`（加上启动账本时的 --data）\
                 为本机的账本生成一个",
            ));
        }
        Err(NotGood { status, sentence }.into())
    }

    fn json(&self) -> Result<Value> {
        let start: String = self.body.chars().take(60).collect();
        serde_json::from_str(&self.body).with_context(|| {
            Language::of_environment().say(
                format!("the answer is not JSON, so this may not be the ledger's API: {start}"),
                format!("返回内容不是 JSON，可能不是账本的接口：{start}"),
            )
        })
    }

    /// Returns the query of the next part, if the answer names one.
    fn next_query(&self) -> Option<&str> {
        let link = self.headers.get("link")?;
        let (target, relation) = link.split_once('>')?;
        if !relation.contains("rel=\"next\"") {
            return None;
        }
        target.split_once('?').map(|(_, query)| query)
    }
}

/// Returns the error; where another process has the directory, with how to ask that process.
fn with_the_way_to_ask(error: anyhow::Error, directory: &Path) -> anyhow::Error {
    match error.downcast_ref() {
        Some(OpenError::InUse { .. }) => {
            let token = format!("--token \"$(contribution token --operate --data {})\"", directory.display());
            let way = format!("--url http://127.0.0.1:8787 {token}");
            anyhow::anyhow!(Language::of_environment().say(
                format!(
                    "{error}; or ask the stack that runs on it, by the port that it was started with: {way}"
                ),
                format!("{}；也可询问正在运行的账本（用启动时的端口）：{way}", error_in_words(&error)),
            ))
        }
        _ => error,
    }
}

/// Returns text as a segment of a path or a value of a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Returns the token that the command or the environment gives.
fn token_for(token: Option<&str>) -> Result<String> {
    let language = Language::of_environment();
    let token = match token {
        Some("-") => std::io::read_to_string(std::io::stdin()).context(
            language.say("the token cannot be read from standard input", "无法从标准输入读取令牌"),
        )?,
        Some(token) => token.to_owned(),
        None => std::env::var(TOKEN_VARIABLE).map_err(|_| {
            anyhow::anyhow!(language.say(
                format!("--url needs a token: give one with --token, or set {TOKEN_VARIABLE}"),
                format!("--url 需要令牌：请用 --token 给出，或设置 {TOKEN_VARIABLE}"),
            ))
        })?,
    };
    let token = token.trim();
    anyhow::ensure!(!token.is_empty(), language.say("the token for --url is empty", "--url 的令牌为空"));
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: BTreeMap::new(), body: body.to_owned() }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_the_next_step() {
        let body = r#"{"title":"D1 is not known","detail":"no row names it","next":"Check the spelling."}"#;
        let error = reply(404, body).good().unwrap_err().to_string();
        assert_eq!(error, "D1 is not known: no row names it. Check the spelling");
        let error = reply(401, r#"{"message":"Unauthorized"}"#).good().unwrap_err().to_string();
        assert!(error.starts_with("Unauthorized. --token"), "{error}");
        let error = reply(502, "<html>").good().unwrap_err().to_string();
        assert_eq!(error, "the API answered 502");
    }

    #[test]
    fn the_next_part_of_a_text_is_where_the_link_says() {
        let mut reply = reply(200, "");
        assert_eq!(reply.next_query(), None);
        reply.headers.insert("link".to_owned(), "<export?cursor=abc>; rel=\"next\"".to_owned());
        assert_eq!(reply.next_query(), Some("cursor=abc"));
    }

    #[test]
    fn names_are_encoded_where_a_path_would_be_another_one() {
        assert_eq!(encoded("CITY:430100"), "CITY:430100");
        assert_eq!(encoded("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
    }
}

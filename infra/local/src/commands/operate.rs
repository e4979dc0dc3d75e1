//! Commands that send an operator's command to a ledger.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::ask::show_secrets;
use super::show;
use crate::arguments::{LetGo, Operate, Sent, WebhookCommand};
use crate::client::{Client, is_refusal};
use crate::language::say;
use crate::screen::{Screen, text};

/// Sends the command, and shows what became of it.
pub(super) async fn operate(command: &Operate) -> Result<()> {
    match command {
        Operate::Pause(pause) => {
            send(&pause.sent, json!({ "type": "pause", "what": pause.what.name() })).await
        }
        Operate::Resume(resume) => {
            send(&resume.sent, json!({ "type": "resume", "what": resume.what.name() })).await
        }
        Operate::LetGo(LetGo::Brake(sent)) => send(sent, json!({ "type": "let_go_brake" })).await,
        Operate::LetGo(LetGo::Close(close)) => {
            send(&close.sent, json!({ "type": "let_go_close", "date": close.date })).await
        }
        Operate::LetGo(LetGo::Truncate(truncate)) => {
            send(&truncate.sent, json!({ "type": "let_go_truncate", "key": truncate.truncate })).await
        }
        Operate::Webhook(command) => of_webhook(command).await,
    }
}

async fn of_webhook(command: &WebhookCommand) -> Result<()> {
    match command {
        WebhookCommand::Set(set) => {
            let command = json!({
                "type": "set_webhook", "webhook": set.webhook, "url": set.address, "types": set.types, "after": set.after,
            });
            send(&set.sent, command).await
        }
        WebhookCommand::Rotate(one) => {
            send(&one.sent, json!({ "type": "rotate_webhook_secret", "webhook": one.webhook })).await
        }
        WebhookCommand::Resume(resume) => {
            let command =
                json!({ "type": "resume_webhook", "webhook": resume.webhook, "after": resume.after });
            send(&resume.sent, command).await
        }
        WebhookCommand::Redeliver(one) => {
            send(&one.sent, json!({ "type": "redeliver_webhook", "delivery": one.delivery })).await
        }
        WebhookCommand::Remove(one) => {
            send(&one.sent, json!({ "type": "remove_webhook", "webhook": one.webhook })).await
        }
        WebhookCommand::Secrets(secrets) => show_secrets(secrets).await,
    }
}

async fn send(sent: &Sent, command: Value) -> Result<()> {
    let client = Client::of(&sent.asked)?;
    let key = sent.key.clone().unwrap_or_else(new_key);
    let answer = client.command(&key, &sent.reason, &command).await.map_err(|error| {
        // What was refused is refused again, under whatever key.
        if is_refusal(&error) {
            return error;
        }
        error.context(say(
            format!("the command's key is {key}; sent again with --key {key}, it is carried out once"),
            format!("该命令的键为 {key}；用 --key {key} 再次发送只执行一次"),
        ))
    })?;
    if sent.asked.json {
        show(&serde_json::to_string_pretty(&answer)?)?;
    } else if answer["outcome"] == "DONE" {
        show(&screen(&answer))?;
    }
    match answer["outcome"].as_str() {
        Some("DONE") => Ok(()),
        Some("REFUSED") => bail!("{}{}", say("refused: ", "已拒绝："), text(&answer["refusal"])),
        _ => bail!(say(
            format!("the decider has not answered; `--key {key}` asks again, and carries it out once"),
            format!("尚无处理结果；用 `--key {key}` 再次询问，只执行一次")
        )),
    }
}

fn screen(answer: &Value) -> Screen {
    let mut screen = Screen::new();
    for (name, state) in [(screen.say("before", "之前"), "before"), (screen.say("after", "之后"), "after")]
    {
        if let Some(state) = answer[state].as_str() {
            screen.pair(name, state);
        }
    }
    screen.pair(screen.say("page of the log", "日志页"), text(&answer["page"]));
    screen.pair(screen.say("key", "幂等键"), text(&answer["idempotency_key"]));
    screen
}

/// Returns a key that no other command has.
fn new_key() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("command-{:x}-{:x}", since.as_nanos(), std::process::id())
}

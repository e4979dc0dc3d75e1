//! `contribution run`: replays captures into a new ledger, and serves API and console until Ctrl-C.

use std::sync::Arc;

use anyhow::Result;

use super::show;
use crate::arguments::{Run, RunOptions};
use crate::capture::Capture;
use crate::gateway::Gateway;
use crate::incident::Incident;
use crate::language::{Language, tell};
use crate::operators_log::{Deed, Left, ON_THE_COMMAND_LINE};
use crate::stack::Stack;
use crate::summary::{Summary, posted};
use crate::token::{AUDIENCE, Authorizer, DevelopmentKey, Grant, ISSUER};
use crate::triggers::Closing;
use crate::{close, http, kept_parameters, operators_log, replay};

const REASON_OF_CLOSE: &str = "run --as-of, with an operator's token for the console";

/// Replays captures if the ledger is empty, and serves it until Ctrl-C.
pub(super) async fn run(arguments: Run) -> Result<()> {
    // Unreadable input and a port in use are errors before anything starts.
    let captures = replay::captures(&arguments.captures)?;
    let options = &arguments.options;
    let language = Language::of_environment();
    let (listener, address) = http::listen(options.port).await?;
    let partitions = replay::orders_partitions(&captures, &options.ledger.profile()?);
    let stack_options = options.ledger.options(partitions.unsigned_abs())?;
    let mut stack = Stack::start(&stack_options)?;
    kept_parameters::keep(&stack, &stack_options).await?;
    let key = DevelopmentKey::kept_in(options.ledger.data.as_deref())?;
    let gateway = Gateway {
        routes: stack.routes.clone(),
        authorizer: Authorizer::new(key.clone(), ISSUER, AUDIENCE),
        shared: Arc::clone(&stack.shared),
    };
    let server = http::serve(listener, Arc::new(gateway));
    let work = async {
        let is_empty = store::progress::read(stack.engine()).await?.is_empty();
        let left = note(&stack, options, is_empty.then_some(captures.as_slice())).await?;
        if is_empty {
            let before = posted(&stack).await?;
            let elapsed = replay::replay(&stack, &captures).await?;
            show(&Summary::read(&stack, before, elapsed).await?)?;
        } else {
            let english = "the ledger is not empty: nothing is replayed, and the work goes on";
            tell(language.say(english, "账本非空：不再重放，继续运行"));
            stack.settle().await?;
        }
        if let Some(date) = options.as_of {
            show(&close::close_until(&stack, date, REASON_OF_CLOSE, left).await?)?;
        }
        if let Some(incident) = Incident::read(&stack, &captures).await? {
            show(&incident.shown_at(&format!("http://{address}")))?;
        }
        // A date that was asked for stays the last one, so that it can be looked at.
        stack.start_schedules(options.as_of.map_or(Closing::WhenDatesBegin, |_| Closing::WhenAskedFor));
        let token = key.issue(&Grant::Operate, stack.shared.clock.now());
        say_where(&address.to_string(), &token, language);
        loop {
            stack.idle().await?;
            // A new version of the rules may have orders wait for a price, and the captures are at their end.
            replay::place_what_waits(&stack).await?;
            if let Some(directory) = &options.ledger.data
                && operators_log::take_in(&stack, directory).await?
            {
                stack.call_schedules().await;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        ended = server => ended,
        worked = work => worked,
        stopped = tokio::signal::ctrl_c() => {
            stopped?;
            let english = "stopped; nothing is kept, because the ledger was in memory (see --data)";
            let told = match options.ledger.data.as_deref().map(std::path::Path::display) {
                Some(directory) => language.say(
                    format!("stopped; the ledger is kept in {directory}"),
                    format!("已停止；账本保存在 {directory}"),
                ),
                None => language.say(english, "已停止；账本只在内存中，未保存（参见 --data）").to_owned(),
            };
            tell(&told);
            Ok(())
        }
    }
}

/// Says where the console and the API are.
fn say_where(address: &str, token: &str, language: Language) {
    let english = "the operators' console, for the next twelve hours:";
    let console = language.say(english, "运维控制台（十二小时内有效）：");
    tell(format_args!("{console}\n  http://{address}/#token={token}"));
    let api = language.say(
        format!("the API is at http://{address}, its contract at http://{address}/openapi.json"),
        format!("接口地址 http://{address}，接口约定 http://{address}/openapi.json"),
    );
    tell(&api);
    tell(language.say("up; press Ctrl-C to stop", "已启动；按 Ctrl-C 停止"));
}

/// Has the operators' log of a kept ledger say what this command does. With a date, the close says it, if it comes to
/// that: what is left until then is returned.
async fn note(stack: &Stack, options: &RunOptions, replayed: Option<&[Capture]>) -> Result<Option<Left>> {
    let Some(directory) = &options.ledger.data else { return Ok(None) };
    operators_log::take_in(stack, directory).await?;
    let replayed = replayed.map_or_else(|| "went on".to_owned(), replay::in_words);
    let reading = Deed::of_reading(stack, replayed).await?;
    if options.as_of.is_some() {
        return operators_log::leave(directory, ON_THE_COMMAND_LINE, reading).map(Some);
    }
    let token = Deed::of_token("an operator's token for the console", stack.shared.clock.now());
    let deed = Deed {
        text: format!("{}, and {}", reading.text, token.text),
        before: format!("{}; {}", reading.before, token.before),
        after: format!("{}; {}", reading.after, token.after),
    };
    operators_log::note(stack, ON_THE_COMMAND_LINE, deed).await?;
    Ok(None)
}

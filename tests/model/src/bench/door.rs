//! The way from one environment to a subscriber: a delivery meets the fates of calls, and arrives although its sender
//! dies meanwhile.

use std::sync::Arc;

use store::BoxFuture;
use webhook_delivery::{Post, Transport};

use super::faults::Fate;
use super::shared::{Alarm, Caller, Shared};
use super::subscriber::{Answer, Reply, Subscriber};
use crate::clock::Millis;

/// How long after a delivery that is not answered its sender gives up.
const GIVES_UP_MS: Millis = 10_000;
/// How a service refuses what is too much for it.
const TOO_MANY: u16 = 429;
/// What is counted where a sender dies: all that it has under way is lost to it.
pub const SENDER_DIED: &str = "a sender died when it had sent a delivery";
/// How a subscriber says that it wants nothing any more.
const GONE: u16 = 410;

/// Takes deliveries of one environment to a subscriber in virtual time.
pub struct Door {
    shared: Shared,
    subscriber: Arc<Subscriber>,
    function: Arc<str>,
}

impl Door {
    /// Returns the way from an environment of a function to a subscriber.
    #[must_use]
    pub fn new(shared: &Shared, function: &str, subscriber: Arc<Subscriber>) -> Self {
        Self { shared: shared.clone(), subscriber, function: function.into() }
    }

    async fn meet_fate(&self, invocation: u64, post: Post) -> Result<u16, String> {
        let (fate, reply) = {
            let mut state = self.shared.lock();
            let now_ms = state.world.now_ms();
            (state.faults.draw(now_ms, &self.function, false), self.subscriber.reply(now_ms))
        };
        match fate {
            Fate::Works => self.send(invocation, post, reply).await,
            Fate::Fails => Err("no connection".to_owned()),
            Fate::LosesAnswer => self.send(invocation, post, reply.with(Answer::TakesAndIsSilent)).await,
            Fate::LosesMessage => self.send(invocation, post, reply.with(Answer::IsSilent)).await,
            Fate::Throttled => self.send(invocation, post, reply.with(Answer::Refuses(TOO_MANY))).await,
            Fate::Hangs => std::future::pending().await,
            Fate::KilledBefore => {
                self.shared.lock().killed.push(invocation);
                std::future::pending().await
            }
            Fate::KilledAfter => self.send(invocation, post, reply.with(Answer::OutlivesSender)).await,
            Fate::StandsStillBefore { for_ms } => {
                self.shared.stand_still(invocation, for_ms).await;
                self.send(invocation, post, reply).await
            }
            Fate::StandsStillAfter { for_ms } => {
                let answered = self.send(invocation, post, reply).await;
                self.shared.stand_still(invocation, for_ms).await;
                answered
            }
        }
    }

    async fn send(&self, invocation: u64, post: Post, reply: Reply) -> Result<u16, String> {
        self.depart(post, reply);
        let Reply { answer, there_ms, back_ms } = reply;
        let status = match answer {
            Answer::Takes => 200,
            Answer::Refuses(status) => status,
            Answer::TakesAndIsSilent | Answer::IsSilent => {
                self.shared.sleep(GIVES_UP_MS).await;
                return Err("no answer within 10 s".to_owned());
            }
            Answer::OutlivesSender => {
                self.shared.lock().killed.push(invocation);
                std::future::pending().await
            }
        };
        self.shared.sleep(there_ms + back_ms).await;
        Ok(status)
    }

    /// Sends a delivery on its way, whatever becomes of its sender.
    fn depart(&self, post: Post, Reply { answer, there_ms, .. }: Reply) {
        let mut state = self.shared.lock();
        state.note(match answer {
            Answer::Takes => "a subscriber took a delivery",
            Answer::TakesAndIsSilent => "a subscriber took a delivery and its answer was lost",
            Answer::Refuses(GONE) => "a subscriber wanted nothing any more",
            Answer::Refuses(_) => "a subscriber refused a delivery",
            Answer::IsSilent => "a subscriber did not answer",
            Answer::OutlivesSender => SENDER_DIED,
        });
        if matches!(answer, Answer::Takes | Answer::TakesAndIsSilent | Answer::OutlivesSender) {
            let arrives_ms = state.world.now_ms() + there_ms;
            let subscriber = self.subscriber.clone();
            let is_told = answer == Answer::Takes;
            state.set_alarm(arrives_ms, Alarm::Arrives { subscriber, post: Box::new(post), is_told });
        }
    }
}

impl Transport for Door {
    fn post(&self, post: Post) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async move {
            let invocation = self.shared.lock().polled;
            let caller = Caller { invocation, function: self.function.clone() };
            let under_way = self.shared.begin(&caller, "Post");
            let answered = self.meet_fate(invocation, post).await;
            drop(under_way);
            answered
        })
    }
}

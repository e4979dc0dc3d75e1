//! What becomes of one invocation of a function on its way through the services.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;

tokio::task_local! {
    static CURRENT: Arc<Invocation>;
}

/// How often a call lets others go ahead at most, before it takes effect and after.
const PAUSES_MAX: u32 = 3;

/// What is to become of an invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    /// Decides how its calls are overtaken by those of others.
    pub(super) seed: u64,
    /// When it crashes, if it does.
    pub(super) crash: Option<Crash>,
    /// How many of a hundred transactions meet another one.
    pub(super) conflict_percent: u32,
}

/// The end of an invocation, or of what it can reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    /// At which of its calls it happens, counted from 1.
    pub(super) at_call: u32,
    /// Whether that call takes effect, unnoticed.
    pub(super) takes_effect: bool,
    /// Whether the process is killed. If not, it lives on and finds the services gone.
    pub(super) kills: bool,
}

/// An invocation under way.
#[derive(Debug)]
pub(super) struct Invocation {
    fate: Fate,
    state: Mutex<State>,
    killed: Notify,
}

#[derive(Debug)]
struct State {
    random: ChaCha8Rng,
    calls: u32,
    is_down: bool,
}

/// What became of an invocation.
#[derive(Debug)]
pub(super) struct Outcome<T> {
    /// What the function answered; nothing if it was killed.
    pub(super) answer: Option<T>,
    /// Whether the crash came about.
    pub(super) crashed: bool,
}

/// What a call meets after a crash.
#[derive(Debug)]
pub(super) struct Crashed;

impl fmt::Display for Crashed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("injected crash")
    }
}

impl std::error::Error for Crashed {}

/// Lets a function meet its fate.
pub(super) async fn invoke<T>(fate: Fate, function: impl Future<Output = T>) -> Outcome<T> {
    let state = State { random: ChaCha8Rng::seed_from_u64(fate.seed), calls: 0, is_down: false };
    let invocation = Arc::new(Invocation { fate, state: Mutex::new(state), killed: Notify::new() });
    let answer = tokio::select! {
        biased;
        answer = CURRENT.scope(Arc::clone(&invocation), function) => Some(answer),
        () = invocation.killed.notified() => None,
    };
    let crashed = invocation.with_state(|state| state.is_down);
    Outcome { answer, crashed }
}

impl Invocation {
    /// The invocation on whose behalf this code runs, if it has a fate.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Makes a call, unless the crash is over it.
    pub(super) async fn call<T>(&self, call: impl Future<Output = T>) -> Result<T, Crashed> {
        self.pause().await;
        let is_lost = self.with_state(|state| {
            if state.is_down {
                return true;
            }
            state.calls += 1;
            match self.fate.crash {
                Some(crash) if crash.at_call == state.calls => {
                    state.is_down = true;
                    !crash.takes_effect
                }
                _ => false,
            }
        });
        if is_lost {
            return self.lose().await;
        }
        let answer = call.await;
        self.pause().await;
        // Whatever was under way when it happened took effect, and nobody learns of it.
        if self.with_state(|state| state.is_down) { self.lose().await } else { Ok(answer) }
    }

    /// Whether a transaction meets another one.
    pub(super) fn conflicts(&self) -> bool {
        let percent = self.fate.conflict_percent;
        self.with_state(|state| state.random.random_range(0..100) < percent)
    }

    async fn lose<T>(&self) -> Result<T, Crashed> {
        if self.fate.crash.is_some_and(|crash| crash.kills) {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        Err(Crashed)
    }

    async fn pause(&self) {
        for _ in 0..self.with_state(|state| state.random.random_range(0..=PAUSES_MAX)) {
            tokio::task::yield_now().await;
        }
    }

    fn with_state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

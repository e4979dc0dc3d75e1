//! Crashes, seen from the store: from some call on, nothing gets through.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// Lets calls through until a crash is due.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Calls until the crash; not due while zero or less.
    calls_left: AtomicI64,
    /// Whether the call at which it happens takes effect.
    takes_effect: AtomicBool,
    is_down: AtomicBool,
}

impl Faults {
    /// From the `calls`-th call on, nothing gets through; that one may take effect unnoticed.
    pub(super) fn crash_after(&self, calls: i64, takes_effect: bool) {
        self.takes_effect.store(takes_effect, Ordering::SeqCst);
        self.calls_left.store(calls, Ordering::SeqCst);
    }

    /// Everything gets through again.
    pub(super) fn recover(&self) {
        self.calls_left.store(0, Ordering::SeqCst);
        self.is_down.store(false, Ordering::SeqCst);
    }
}

/// The crash as the caller sees it.
#[derive(Debug)]
struct Crashed;

impl std::fmt::Display for Crashed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("injected crash")
    }
}

impl std::error::Error for Crashed {}

/// The faults as part of a client.
#[derive(Debug, Clone)]
pub(super) struct Interceptor(pub(super) std::sync::Arc<Faults>);

impl Intercept for Interceptor {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let faults = &self.0;
        if faults.is_down.load(Ordering::SeqCst) {
            return Err(Crashed.into());
        }
        if faults.calls_left.fetch_sub(1, Ordering::SeqCst) == 1 {
            faults.is_down.store(true, Ordering::SeqCst);
            if !faults.takes_effect.load(Ordering::SeqCst) {
                return Err(Crashed.into());
            }
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        _context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.is_down.load(Ordering::SeqCst) { Err(Crashed.into()) } else { Ok(()) }
    }
}

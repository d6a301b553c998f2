//! One call: a span around it and a count after it.

use std::{fmt::Display, future::Future};

use reception_core::{Result, Service};
use tracing::{Instrument, Span, debug, field::display};

use crate::count;

/// Opens the span of a call. The fields have the same names on every span and event of the project; those that a call has no value for
/// stay empty.
macro_rules! call {
    ($backend:expr, $operation:literal) => {{
        let backend: &'static str = $backend;
        let span = tracing::debug_span!(
            target: "reception_observe",
            $operation,
            backend,
            operation = $operation,
            service = tracing::field::Empty,
            id = tracing::field::Empty,
            election = tracing::field::Empty,
            token = tracing::field::Empty,
            revision = tracing::field::Empty,
            error = tracing::field::Empty,
        );
        $crate::call::Call::new(backend, $operation, span)
    }};
}
pub(crate) use call;

/// A call that is about to be made.
pub(crate) struct Call {
    backend: &'static str,
    operation: &'static str,
    span: Span,
}

impl Call {
    pub(crate) fn new(backend: &'static str, operation: &'static str, span: Span) -> Self {
        Self { backend, operation, span }
    }

    pub(crate) fn with(self, field: &'static str, value: impl Display) -> Self {
        self.span.record(field, display(value));
        self
    }

    pub(crate) fn instance(self, service: &Service) -> Self {
        self.with("service", service.name()).with("id", service.id())
    }

    /// Runs the call in its span; `note` records what a success says. The error goes to the caller, so no event above debug repeats it.
    pub(crate) async fn run<T, W>(self, work: W, note: impl FnOnce(&Span, &T) + Send) -> Result<T>
    where
        T: Send,
        W: Future<Output = Result<T>> + Send,
    {
        let mut open = Open { call: self, outcome: "dropped" };
        let outcome = work.instrument(open.call.span.clone()).await;
        open.outcome = match &outcome {
            Ok(value) => {
                note(&open.call.span, value);
                "ok"
            }
            Err(error) => {
                open.call.span.record("error", display(error));
                count::failed(error)
            }
        };
        outcome
    }
}

/// Counts the call at its end, also when its future is dropped before.
struct Open {
    call: Call,
    outcome: &'static str,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Call { backend, operation, span } = &self.call;
        count::call(backend, operation, self.outcome);
        let _in = span.enter();
        debug!(target: "reception_observe", outcome = self.outcome, "call ended");
    }
}

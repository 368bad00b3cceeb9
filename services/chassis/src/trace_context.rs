//! The trace that a request belongs to, as it travels from process to process: a W3C `traceparent`, written and read by the
//! propagator that [`telemetry`](crate::telemetry) installs.
//!
//! Carries no baggage and no `tracestate`. Invariant: what [`is_traceparent`] lets pass is of version 00 and nothing longer,
//! whatever a requester has sent.

use std::collections::HashMap;

use opentelemetry::{Context, global, propagation::TextMapPropagator, trace::TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header's name (Trace Context, section 3.2).
const HEADER: &str = "traceparent";
/// Where the flags begin: those that the propagator does not know come back as 0.
const FLAGS_AT: usize = 53;

/// The current span, if spans are collected.
pub fn current() -> Option<String> {
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| written(propagator, &context))
}

/// Makes `span` part of the trace that `traceparent` names. One that is not a `traceparent` leaves the span as it is.
pub fn continue_from(span: &Span, traceparent: &str) {
    let context = global::get_text_map_propagator(|propagator| read(propagator, traceparent));
    if context.has_active_span() {
        // Without a tracer there is nothing to set a parent on.
        let _ = span.set_parent(context);
    }
}

/// Whether a text may be kept and passed on as a `traceparent`.
pub fn is_traceparent(text: &str) -> bool {
    let propagator = TraceContextPropagator::new();
    let whole = written(&propagator, &read(&propagator, text));
    whole.is_some_and(|whole| text.len() == whole.len() && text.get(..FLAGS_AT) == whole.get(..FLAGS_AT))
}

fn read(propagator: &dyn TextMapPropagator, traceparent: &str) -> Context {
    let carried: HashMap<_, _> = [(HEADER.to_owned(), traceparent.to_owned())].into();
    propagator.extract_with_context(&Context::new(), &carried)
}

fn written(propagator: &dyn TextMapPropagator, context: &Context) -> Option<String> {
    let mut carried = HashMap::<String, String>::new();
    propagator.inject_context(context, &mut carried);
    carried.remove(HEADER)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn f35_only_a_whole_traceparent_is_passed_on() {
        assert!(is_traceparent(TRACEPARENT));
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03"), "of flags that are new");
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn a_span_continues_the_trace_that_a_request_carries() {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let collecting = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        tracing::subscriber::with_default(collecting, || {
            let span = tracing::info_span!("asked");
            continue_from(&span, TRACEPARENT);
            let carried = span.in_scope(current).expect("spans are collected");
            assert!(is_traceparent(&carried), "{carried}");
            assert_eq!(carried.get(..36), TRACEPARENT.get(..36), "the same trace");
            assert_ne!(carried, TRACEPARENT, "another span of it");

            let alone = tracing::info_span!("alone");
            continue_from(&alone, "none at all");
            assert_ne!(alone.in_scope(current).expect("collected").get(..36), carried.get(..36));
        });
        assert_eq!(current(), None, "nothing is collected here");
    }
}

//! Trace context of requests: the ruling's span continues the requester's trace.
//!
//! Not for baggage, which nobody needs here. Invariant: what is passed on is a W3C `traceparent` of version 00 and
//! nothing longer, whatever a requester has sent.

use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use rollcall_domain::ids::{LogId, RequestId};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The span of one ruling.
pub(crate) fn ruling(log: &LogId, request: &RequestId, traceparent: Option<&str>) -> tracing::Span {
    let span = tracing::debug_span!("rule", %log, %request);
    if let Some(parent) = traceparent.and_then(parse) {
        // Without a tracer there is nothing to set a parent on.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    span
}

/// Whether a text is a `traceparent` (W3C Trace Context, section 3.2).
pub(crate) fn is_traceparent(text: &str) -> bool {
    parse(text).is_some()
}

fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = (version.len(), trace.len(), span.len(), flags.len());
    let lower_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if parts.next().is_some() || version != "00" || lengths != (2, 32, 16, 2) || !lower_hex(text) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::is_traceparent;

    #[test]
    fn f35_only_a_whole_traceparent_is_passed_on() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}

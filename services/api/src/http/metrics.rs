//! The metrics of the API, through the process's global meter. Labels are routes as the router writes them, methods and statuses,
//! never anything that a caller has sent.

use std::sync::LazyLock;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};

pub(crate) struct Metrics {
    requests: Counter<u64>,
    request_ms: Histogram<f64>,
    refused: Counter<u64>,
    authentication_failures: Counter<u64>,
    connections_closed: Counter<u64>,
}

/// Why a connection is closed that could have gone on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Closed {
    /// As many are open as there may be.
    Whole,
    /// Its source has its part of them.
    Source,
    /// Its client has sent nothing while others needed the room.
    Silent,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let meter = global::meter("rollcall.api");
    Metrics {
        requests: meter.u64_counter("rollcall.api.requests").build(),
        request_ms: meter.f64_histogram("rollcall.api.request").with_unit("ms").build(),
        refused: meter.u64_counter("rollcall.api.refused").build(),
        authentication_failures: meter.u64_counter("rollcall.api.authentication_failures").build(),
        connections_closed: meter.u64_counter("rollcall.api.connections_closed").build(),
    }
});

/// The instruments of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    /// Records an answered request; `took_ms` is the time until its head was ready.
    pub(crate) fn answered(&self, method: &str, route: &str, status: u16, took_ms: f64) {
        let labels = [
            KeyValue::new("http.request.method", known_method(method)),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ];
        self.requests.add(1, &labels);
        self.request_ms.record(took_ms, &labels);
    }

    /// Records an answered error.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refused.add(1, &[KeyValue::new("code", code)]);
    }

    /// Records a failed attempt to authenticate, by what was wrong.
    pub(crate) fn authentication_failed(&self, what: &'static str) {
        self.authentication_failures.add(1, &[KeyValue::new("what", what)]);
    }

    /// Records a connection that was closed for the sake of others.
    pub(super) fn connection_closed(&self, why: Closed) {
        let why = match why {
            Closed::Whole => "connections_max",
            Closed::Source => "connections_of_source_max",
            Closed::Silent => "silent_ms_max",
        };
        self.connections_closed.add(1, &[KeyValue::new("limit", why)]);
    }
}

fn known_method(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "DELETE", "HEAD"].into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

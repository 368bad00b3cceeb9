//! Logs to stderr, and traces and metrics to an OpenTelemetry collector when one is named.
//!
//! Standard output belongs to data. Nothing here names a device: which fields a span or metric carries is its author's
//! choice, and certificate text is never one of them.

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{
    Resource, metrics::SdkMeterProvider, propagation::TraceContextPropagator, trace::SdkTracerProvider,
};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How to log and whom to tell.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// `text` (default) or `json`.
    pub log_format: LogFormat,
    /// A filter such as `info` or `rollcall_connector=debug,warn`; the environment's `RUST_LOG` wins.
    pub log_filter: Option<String>,
    /// OTLP/gRPC endpoint of a collector, such as `http://127.0.0.1:4317`; none: nothing is exported.
    pub otlp_endpoint: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter is not one.
    #[error("log_filter {filter:?} cannot be read")]
    Filter {
        filter: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter cannot be built.
    #[error("cannot export telemetry to {endpoint}")]
    Exporter {
        endpoint: String,
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// Something else has installed a subscriber.
    #[error("telemetry was started twice")]
    Twice,
}

/// Keeps the exporters alive; [`Telemetry::flush`] before the process ends.
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Starts logging, and exporting if an endpoint is named. Once in a process.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(service: &'static str, config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let wanted = config.log_filter.clone().unwrap_or_else(|| "info".to_owned());
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) => filter,
        Err(_) => EnvFilter::try_new(&wanted).map_err(|source| TelemetryError::Filter { filter: wanted, source })?,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match config.log_format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let telemetry = match &config.otlp_endpoint {
        Some(endpoint) => {
            exporters(service, endpoint).map_err(|source| TelemetryError::Exporter { endpoint: endpoint.clone(), source })?
        }
        None => Telemetry::default(),
    };
    let spans = telemetry.traces.as_ref().map(|p| tracing_opentelemetry::layer().with_tracer(p.tracer(service)));
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    Ok(telemetry)
}

fn exporters(service: &'static str, endpoint: &str) -> Result<Telemetry, opentelemetry_otlp::ExporterBuildError> {
    let resource = Resource::builder().with_service_name(service).build();
    let spans = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let points = opentelemetry_otlp::MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let traces = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource.clone()).build();
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(points).with_resource(resource).build();
    opentelemetry::global::set_meter_provider(metrics.clone());
    Ok(Telemetry { traces: Some(traces), metrics: Some(metrics) })
}

impl Telemetry {
    /// Hands over what has not been exported yet. Blocks: call it from `spawn_blocking` on a runtime that still runs.
    pub fn flush(self) {
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!(%error, "the last spans were not exported");
        }
        if let Some(metrics) = self.metrics
            && let Err(error) = metrics.shutdown()
        {
            tracing::warn!(%error, "the last metrics were not exported");
        }
    }
}

//! Prometheus metrics. Labels never contain values that a client can choose.

use std::fmt::Error;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use ringnity_api::Operation;
use ringnity_store::Store;
use ringnity_store::jobs::Backlog;

use crate::app::health::VERSION;

/// Upper bounds of the duration buckets, in seconds.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<ResponseLabels, Counter>,
    durations: Family<OperationLabels, Histogram, fn() -> Histogram>,
    broken: Family<OperationLabels, Counter>,
    database: Gauge,
    jobs_late: Gauge,
    jobs_failing: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    operation: &'static str,
    status: u16,
}

impl Metrics {
    /// Metrics of a server on `store`.
    pub fn new(store: &Store) -> Self {
        let requests = Family::default();
        let durations: Family<OperationLabels, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS));
        let (broken, database) = (Family::default(), Gauge::default());
        let (jobs_late, jobs_failing) = (Gauge::default(), Gauge::default());
        let mut root = Registry::default();
        root.register_collector(Box::new(ProcessCollector { started: SystemTime::now() }));
        let registry = root.sub_registry_with_prefix("ringnity");
        registry.register("build", "Version of the server", Info::new([("version", VERSION)]));
        registry.register("requests", "Responses, by operation and status", requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from the request head to the response, by operation",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "broken_answers",
            "Responses that violate the contract, by operation: each is a bug to report",
            broken.clone(),
        );
        registry.register("database_up", "1 if the database answers, otherwise 0", database.clone());
        registry.register("jobs_late", "Jobs more than five minutes overdue", jobs_late.clone());
        registry.register("jobs_failing", "Failed jobs that will be retried", jobs_failing.clone());
        registry.register_collector(Box::new(StoreCollector(store.clone())));
        Self { registry: root, requests, durations, broken, database, jobs_late, jobs_failing }
    }

    /// Counts a response.
    pub fn answered(&self, operation: &Operation, status: StatusCode, took: Duration) {
        let operation = operation.id;
        self.requests.get_or_create(&ResponseLabels { operation, status: status.as_u16() }).inc();
        self.durations.get_or_create(&OperationLabels { operation }).observe(took.as_secs_f64());
    }

    /// Counts a response that violates the contract.
    pub fn broken(&self, operation: &Operation) {
        self.broken.get_or_create(&OperationLabels { operation: operation.id }).inc();
    }

    /// All metrics in the text format. `backlog` is `None` if the database did not answer.
    pub fn text(&self, backlog: Option<&Backlog>) -> Result<String, Error> {
        self.database.set(i64::from(backlog.is_some()));
        if let Some(backlog) = backlog {
            self.jobs_late.set(backlog.late);
            self.jobs_failing.set(backlog.failing);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Load of the store.
#[derive(Debug)]
struct StoreCollector(Store);

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let load = self.0.load();
        for (name, help, value) in [
            ("store_connections", "Size of the connection pool", load.connections),
            ("store_connections_in_use", "Database connections in use", load.in_use),
            ("store_writes_waiting", "Writes queued for the SQLite writer", load.writes_waiting),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}

/// Resource use of this process, under the names that Prometheus clients use. What the system does not report is left
/// out.
#[derive(Debug)]
struct ProcessCollector {
    started: SystemTime,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let since = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        gauge(
            &mut encoder,
            "process_start_time_seconds",
            "Start time of the process as Unix time",
            since.as_secs(),
        )?;
        #[cfg(unix)]
        {
            use rustix::process::{Resource, getrlimit};
            use rustix::time::{ClockId, clock_gettime};
            let cpu = clock_gettime(ClockId::ProcessCPUTime);
            let seconds = ConstCounter::new(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
            seconds.encode(encoder.encode_descriptor(
                "process_cpu",
                "User and system CPU time spent",
                Some(&Unit::Seconds),
                seconds.metric_type(),
            )?)?;
            if let Some(limit) = getrlimit(Resource::Nofile).current {
                gauge(&mut encoder, "process_max_fds", "Maximum number of open file descriptors", limit)?;
            }
        }
        for (name, help, field) in [
            ("process_resident_memory_bytes", "Resident memory size", "VmRSS:"),
            ("process_virtual_memory_bytes", "Virtual memory size", "VmSize:"),
        ] {
            if let Some(bytes) = memory(field) {
                gauge(&mut encoder, name, help, bytes)?;
            }
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            gauge(&mut encoder, "process_open_fds", "Number of open file descriptors", open.count() as u64)?;
        }
        Ok(())
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

/// A size from `/proc/self/status`, in bytes.
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn reports_process_metrics_under_standard_names() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessCollector { started: SystemTime::now() }));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is missing:\n{text}")).parse().expect("a number")
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64();
        assert!((now - 60.0..=now).contains(&value("process_start_time_seconds")), "{text}");
        assert!((0.0..3600.0).contains(&value("process_cpu_seconds_total")), "{text}");
        let resident = value("process_resident_memory_bytes");
        assert!(resident > 500_000.0 && resident < value("process_virtual_memory_bytes"), "{text}");
        let open = value("process_open_fds");
        assert!(open >= 3.0 && open < value("process_max_fds"), "{text}");
    }
}

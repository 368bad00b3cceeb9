//! What people look up among many devices: how long a page takes, beside a pass over all rows that comes to the same.
//!
//! Also what the directory costs: the time to build a view and the memory it takes, with and without.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use rcgen::{CertificateParams, DnType, KeyPair};
use rollcall_domain::{
    ids::{CaId, DeviceId, Fingerprint, Incarnation, InstanceId, NodeId, Position, ProductId, SpaceId, TemplateId},
    registry::{
        Device, Event,
        event::{DeviceProfile, PresentedCertificate},
    },
    template::Tag,
    time::Timestamp,
};
use rollcall_log::{Backbone, log::BATCH_RECORDS_MAX, seal::SealKeys};
use rollcall_log_embedded::EmbeddedConfig;
use rollcall_projection::{
    admission::{Store, StoreConfig},
    directory::{
        CertificateFilter, CertificateQuery, Condition, DeviceQuery, DeviceStatus, DirectoryView, PrefixField, TextTest,
        ValueTest,
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{proc::resident_bytes, rebuild, register::now};

/// Resource spaces of the bench's devices.
const SPACES: u64 = 5;
/// Products in each.
const PRODUCTS: u64 = 20;
/// Values of the tag `site`.
const SITES: u64 = 1000;
/// Devices on a page: the most that the v5 API allows.
const PAGE: usize = 50;
/// The common name that every certificate is made from: as many digits as a device's number has.
const MODEL_CN: &str = "unit-000000000";

/// How much to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Devices in the log.
    #[arg(long, default_value_t = 1_000_000)]
    devices: u64,
    /// sled's cache, MiB.
    #[arg(long, default_value_t = 1024)]
    cache_mib: u64,
    /// How often each question is asked.
    #[arg(long, default_value_t = 1000)]
    asked: u64,
}

#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let backbone = rollcall_log_embedded::open(
        &folder.path().join("log"),
        EmbeddedConfig::new(Arc::new(|| 0), Arc::new(|| Uuid::from_u128(1))),
    )?;
    let instance = InstanceId::parse("north")?;
    let model = model_certificate()?;
    rebuild::fill(backbone.log.as_ref(), &instance, arguments.devices, (None, BATCH_RECORDS_MAX), |n| {
        registration(&model, n)
    })
    .await?;
    let config = |directory| StoreConfig {
        folder: folder.path().join(if directory { "with" } else { "without" }),
        cache_bytes_max: arguments.cache_mib * 1024 * 1024,
        directory,
        keys: SealKeys::default(),
        retry_seed: 0,
    };
    let (store, without) = build(&config(false), &backbone, &instance).await?;
    store.close().await;
    let (store, with) = build(&config(true), &backbone, &instance).await?;
    println!(
        "{} devices: built without the directory in {:.1} s and {} MB, with it in {:.1} s and {} MB, ratio {:.2}",
        arguments.devices,
        without.seconds,
        without.megabytes,
        with.seconds,
        with.megabytes,
        with.seconds / without.seconds
    );
    let view = store.directory(&instance, Incarnation::NIL, backbone.log.clone(), CancellationToken::new())?;
    let (devices, asked) = (arguments.devices, arguments.asked);
    view.admission().reached(Position(devices)).await?;
    tokio::task::spawn_blocking(move || ask_all(&view, devices, asked)).await?
}

/// What building a view took.
struct Built {
    seconds: f64,
    megabytes: u64,
}

async fn build(config: &StoreConfig, backbone: &Backbone, instance: &InstanceId) -> anyhow::Result<(Store, Built)> {
    let before = resident_bytes(std::process::id())?;
    let begun = now();
    let store = Store::open(config)?;
    let view = store.admission(instance, Incarnation::NIL, backbone.log.clone(), CancellationToken::new())?;
    view.status().wait_for(|status| status.caught_up).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let megabytes = resident_bytes(std::process::id())?.saturating_sub(before) / 1_000_000;
    Ok((store, Built { seconds, megabytes }))
}

fn ask_all(view: &DirectoryView, devices: u64, asked: u64) -> anyhow::Result<()> {
    let ask = Asking { view, devices, asked };
    ask.list("first page of all", |_| (vec![], None, 0))?;
    ask.list("later page", |n| (vec![], Some(Position(n)), 0))?;
    ask.list("page at offset 500", |_| (vec![], None, 500))?;
    ask.list("first page of a space", |n| (vec![Condition::Space(eq(space(n)))], None, 0))?;
    ask.list("later page of a product", |n| (vec![Condition::Product(eq(product(n)))], Some(Position(n)), 0))?;
    ask.list("by node id", |n| (vec![Condition::NodeId(eq(node(n)))], None, 0))?;
    ask.list("by tag", |n| (vec![Condition::TagKey(eq("site".into())), Condition::TagValue(eq(site(n)))], None, 0))?;
    ask.list("by tag, in a space", |n| {
        let tag = [Condition::TagKey(eq("site".into())), Condition::TagValue(eq(site(n)))];
        (tag.into_iter().chain([Condition::Space(eq(space(n)))]).collect(), None, 0)
    })?;
    ask.list("name like 'unit 0012345%'", |n| (vec![Condition::Name(begins(&name(n), 2))], None, 0))?;
    ask.list("name like 'unit 000%'", |n| (vec![Condition::Name(begins(&name(n), 6))], None, 0))?;
    for (what, field, text) in [
        ("search by device id", PrefixField::DeviceId, device as fn(u64) -> String),
        ("search by node id", PrefixField::NodeId, node),
        ("search by name", PrefixField::Name, name),
    ] {
        ask.time(what, |n| {
            let text = text(n);
            let page = view.find(text.get(..text.len() - 2)?, field, None, None, PAGE)?;
            Some((page.devices.len() as u64, page.rows_read))
        })?;
    }
    ask.time("count by tag", |n| {
        let tag = vec![Condition::TagKey(eq("site".into())), Condition::TagValue(eq(site(n)))];
        Some((view.count(&DeviceQuery { any_of: vec![tag], ..DeviceQuery::all(0, &inactive) })?, 0))
    })?;
    for (what, filter) in [
        ("certificates by common name", common_name as fn(u64) -> CertificateFilter),
        ("certificate by fingerprint", |n| CertificateFilter::Fingerprint(Fingerprint::Sha256(rebuild::digest(n)))),
    ] {
        ask.time(what, |n| {
            let query = CertificateQuery { filter: filter(n), limit: PAGE, ..CertificateQuery::default() };
            Some((view.certificates(&query)?.certificates.len() as u64, 0))
        })?;
    }
    Ok(())
}

struct Asking<'a> {
    view: &'a DirectoryView,
    devices: u64,
    asked: u64,
}

impl Asking<'_> {
    /// A list, beside a pass over all rows with the same conditions.
    #[expect(clippy::print_stdout, reason = "figures are this program's output")]
    fn list(&self, what: &str, of: impl Fn(u64) -> (Vec<Condition>, Option<Position>, usize)) -> anyhow::Result<()> {
        let query = |n| {
            let (all_of, after, offset) = of(n);
            DeviceQuery { any_of: vec![all_of], after, offset, ..DeviceQuery::all(PAGE, &inactive) }
        };
        let median = self.time(what, |n| {
            let page = self.view.list(&query(n))?;
            Some((page.devices.len() as u64, page.rows_read))
        })?;
        let mut scanned = query(self.devices / 2);
        // No index knows what this says, so that every row is read.
        scanned.any_of = vec![vec![Condition::Status(ValueTest::Ne(DeviceStatus::Abnormal))]];
        let begun = now();
        self.view.count(&scanned).context("the view is not served")?;
        let scan = begun.elapsed().as_secs_f64() * 1e3;
        println!("{:32} a pass over all rows: {scan:.0} ms, ratio {:.0}", "", scan / median);
        Ok(())
    }

    /// Asks often; answers the median in milliseconds. What is asked says what came of it and how many rows were read.
    #[expect(clippy::print_stdout, reason = "figures are this program's output")]
    fn time(&self, what: &str, ask: impl Fn(u64) -> Option<(u64, u64)>) -> anyhow::Result<f64> {
        let (mut times, mut found, mut read) = (Vec::new(), 0, 0);
        for turn in 0..self.asked {
            let n = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) % self.devices;
            let begun = now();
            let (devices, rows) = ask(n).context("the view is not served")?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            found += devices;
            read += rows;
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).copied().context("nothing was asked");
        let each = |sum: u64| sum as f64 / self.asked as f64;
        let (p50, p99) = (at(50)?, at(99)?);
        println!("{what:32} p50 {p50:.3} ms, p99 {p99:.3} ms; {:.1} found, {:.1} rows read", each(found), each(read));
        Ok(p50)
    }
}

fn inactive(_: &Device) -> DeviceStatus {
    DeviceStatus::Inactive
}

fn eq(text: String) -> TextTest {
    TextTest::Eq(text.into())
}

/// All of a text but its last characters.
fn begins(text: &str, but: usize) -> TextTest {
    TextTest::Prefix(text.get(..text.len().saturating_sub(but)).unwrap_or_default().into())
}

fn common_name(n: u64) -> CertificateFilter {
    let common_name = format!("unit-{n:09}");
    CertificateFilter::CommonNamePrefix(common_name.get(..common_name.len() - 2).unwrap_or_default().into())
}

fn device(n: u64) -> String {
    format!("unit_{n:09}")
}

fn node(n: u64) -> String {
    format!("{n:09}")
}

fn name(n: u64) -> String {
    format!("unit {n:09}")
}

fn space(n: u64) -> String {
    format!("space-{}", n % SPACES)
}

fn product(n: u64) -> String {
    format!("product-{}", n / SPACES % PRODUCTS)
}

fn site(n: u64) -> String {
    format!("site-{}", n % SITES)
}

fn model_certificate() -> anyhow::Result<Vec<u8>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, MODEL_CN);
    Ok(params.self_signed(&KeyPair::generate()?)?.der().to_vec())
}

/// A registration with a certificate of its own: the model's, with another common name.
fn registration(model: &[u8], n: u64) -> anyhow::Result<Event> {
    let mut der = model.to_vec();
    let common_name = format!("unit-{n:09}");
    let places: Vec<usize> =
        (0..der.len()).filter(|at| der.get(*at..).is_some_and(|rest| rest.starts_with(MODEL_CN.as_bytes()))).collect();
    for at in places {
        der.get_mut(at..at + common_name.len()).context("the model ends too early")?.copy_from_slice(common_name.as_bytes());
    }
    let profile = DeviceProfile {
        device: DeviceId::parse(&device(n))?,
        node_id: NodeId::parse(&node(n))?,
        space: SpaceId::parse(&space(n))?,
        product: ProductId::parse(&product(n))?,
        name: Some(name(n).into()),
        tags: vec![Tag { key: "site".into(), value: site(n).into() }],
        policies: Vec::new(),
    };
    let not_before = Timestamp::from_unix_s(1_700_000_000);
    let certificate = PresentedCertificate {
        sha256: rebuild::digest(n),
        der: der.into(),
        not_before,
        ca: CaId::parse(&space(n))?,
        proof: Some(rebuild::proof()),
    };
    Ok(Event::DeviceRegistered { profile, certificate, template: TemplateId::parse("by-cn")?, template_version: 1 })
}

//! An index of the attempts of one instance, oldest first; the attempts themselves stay in the backbone.
//!
//! The stream can only be read oldest first, and people look for the newest: so what has been read is remembered in short, and
//! reading goes on from there. Invariant: at most as many as the stream holds; an attempt that the stream has dropped meanwhile
//! is found here, not found there, and left out.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
};

use rollcall_domain::{
    certificate::CertificateFacts,
    ids::{CaId, DeviceId, LogId, Position, TemplateId},
    registry::{Command, RequestBody, event::PolicyTarget},
    time::Timestamp,
};
use rollcall_log::{
    attempts::{ATTEMPTS_MAX, Attempts},
    codec::{AnyRequest, Attempt, decode_attempt},
    log::Entry,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::http::error::ApiError;

/// Attempts read in one request to the backbone.
const READ_MAX: usize = 256;

/// What an attempt is found by.
#[derive(Clone, Debug)]
pub(crate) struct AttemptSummary {
    pub(crate) position: Position,
    pub(crate) time: Timestamp,
    pub(crate) code: Box<str>,
    /// SHA-256 of the certificate that tried to connect; `None`: a command.
    pub(crate) certificate: Option<[u8; 32]>,
    /// The certificate's CN for people; empty if there is none.
    pub(crate) name: Box<str>,
    /// The device that was claimed or that a command was about.
    pub(crate) device: Option<DeviceId>,
    /// The device that had the certificate then, or that the template made of it: whatever the client called itself.
    pub(crate) attributed: Option<DeviceId>,
    /// The CA certificate that it was from, as the attempt says.
    pub(crate) ca: Option<CaId>,
    /// The template that was consulted.
    pub(crate) template: Option<TemplateId>,
    /// Where the client was, if the writer saw it.
    pub(crate) source: Option<IpAddr>,
}

/// What attempts of one group have alike: code, CA certificate, template, source.
type GroupKey = (Box<str>, Option<CaId>, Option<TemplateId>, Option<IpAddr>);

/// Attempts that were refused for one reason, with certificates of one CA certificate, by one template, from one source.
#[derive(Clone, Debug)]
pub(crate) struct AttemptGroup {
    pub(crate) code: Box<str>,
    pub(crate) ca: Option<CaId>,
    pub(crate) template: Option<TemplateId>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) count: u64,
    /// Different certificates among them.
    pub(crate) certificates: u64,
    /// Different devices among them.
    pub(crate) devices: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last: Position,
    pub(crate) last_at: Timestamp,
}

/// Which attempts there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptAttempts {
    /// The position of the last one, if there was ever any.
    pub(crate) last: Position,
    /// How many are known.
    pub(crate) count: u64,
}

/// Which attempts to find; a field that is `None` matches any.
#[derive(Debug, Default)]
pub(crate) struct AttemptFilter {
    /// The code of the refusal.
    pub(crate) code: Option<String>,
    /// The beginning of the certificate's SHA-256 in hex, or part of its CN; any case.
    pub(crate) certificate: Option<String>,
    pub(crate) device: Option<String>,
    /// The id that its CA certificate had then.
    pub(crate) ca: Option<String>,
    /// The id of the template that was consulted.
    pub(crate) template: Option<String>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    /// Before this position.
    pub(crate) before: Option<Position>,
}

#[derive(Debug, Default)]
pub(crate) struct RecentAttempts(Mutex<Cache>);

#[derive(Debug, Default)]
struct Cache {
    read_to: Position,
    summaries: VecDeque<AttemptSummary>,
}

impl RecentAttempts {
    /// The positions of those that match, newest first, at most `max`.
    ///
    /// # Errors
    /// The backbone's.
    pub(crate) async fn find(
        &self,
        attempts: &dyn Attempts,
        log: &LogId,
        filter: &AttemptFilter,
        max: usize,
    ) -> Result<Vec<Position>, ApiError> {
        let cache = self.caught_up(attempts, log).await?;
        Ok(cache
            .summaries
            .iter()
            .rev()
            .filter(|summary| filter.matches(summary))
            .take(max)
            .map(|summary| summary.position)
            .collect())
    }

    /// Those that match, in groups: at most `max`, those with the most attempts first; then how many groups there are.
    ///
    /// # Errors
    /// The backbone's.
    pub(crate) async fn groups(
        &self,
        attempts: &dyn Attempts,
        log: &LogId,
        filter: &AttemptFilter,
        max: usize,
    ) -> Result<(Vec<AttemptGroup>, usize), ApiError> {
        let cache = self.caught_up(attempts, log).await?;
        let mut groups = grouped(cache.summaries.iter().filter(|summary| filter.matches(summary)));
        drop(cache);
        let found = groups.len();
        groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.last)));
        groups.truncate(max);
        Ok((groups, found))
    }

    /// Which there are.
    ///
    /// # Errors
    /// The backbone's.
    pub(crate) async fn kept(&self, attempts: &dyn Attempts, log: &LogId) -> Result<KeptAttempts, ApiError> {
        let cache = self.caught_up(attempts, log).await?;
        Ok(KeptAttempts { last: cache.read_to, count: cache.summaries.len() as u64 })
    }

    /// Those of certificates that tried to connect from `since` on, oldest first.
    ///
    /// # Errors
    /// The backbone's.
    pub(crate) async fn refusals_since(
        &self,
        attempts: &dyn Attempts,
        log: &LogId,
        since: Timestamp,
    ) -> Result<Vec<AttemptSummary>, ApiError> {
        let cache = self.caught_up(attempts, log).await?;
        let refusals = cache.summaries.iter().filter(|summary| summary.certificate.is_some() && summary.time >= since);
        Ok(refusals.cloned().collect())
    }

    /// What has been read, and all that has come since.
    async fn caught_up(&self, attempts: &dyn Attempts, log: &LogId) -> Result<MutexGuard<'_, Cache>, ApiError> {
        // Held across the reads: two requests at once would read the same attempts twice.
        let mut cache = self.0.lock().await;
        loop {
            let entries = attempts.read(log, cache.read_to, READ_MAX).await?;
            let Some(last) = entries.last() else { break };
            let (read_to, read) = (last.position, entries.len());
            let summaries =
                tokio::task::spawn_blocking(move || entries.iter().filter_map(summary).collect::<Vec<_>>()).await;
            cache.summaries.extend(summaries.unwrap_or_default());
            cache.read_to = read_to;
            let too_many = cache.summaries.len().saturating_sub(usize::try_from(ATTEMPTS_MAX).unwrap_or(usize::MAX));
            cache.summaries.drain(..too_many);
            if read < READ_MAX {
                break;
            }
        }
        Ok(cache)
    }
}

impl AttemptFilter {
    fn matches(&self, summary: &AttemptSummary) -> bool {
        self.before.is_none_or(|before| summary.position < before)
            && self.since.is_none_or(|since| summary.time >= since)
            && self.until.is_none_or(|until| summary.time <= until)
            && self.code.as_deref().is_none_or(|code| *summary.code == *code)
            && self.device.as_deref().is_none_or(|device| summary.is_of(device))
            && self.ca.as_deref().is_none_or(|ca| summary.ca.as_ref().is_some_and(|of| of.as_str() == ca))
            && self.template.as_deref().is_none_or(|id| summary.template.as_ref().is_some_and(|of| of.as_str() == id))
            && self.source.is_none_or(|source| summary.source == Some(source))
            && self.certificate.as_deref().is_none_or(|text| summary.has_certificate(&text.to_lowercase()))
    }
}

impl AttemptSummary {
    fn is_of(&self, device: &str) -> bool {
        [&self.device, &self.attributed].into_iter().flatten().any(|id| id.as_str() == device)
    }

    fn has_certificate(&self, text: &str) -> bool {
        let Some(sha256) = &self.certificate else { return false };
        hex::encode(sha256).starts_with(text) || self.name.to_lowercase().contains(text)
    }
}

/// In any order.
fn grouped<'a>(summaries: impl Iterator<Item = &'a AttemptSummary>) -> Vec<AttemptGroup> {
    type Different<'a> = (HashSet<&'a [u8; 32]>, HashSet<&'a DeviceId>);
    let mut groups: HashMap<GroupKey, (AttemptGroup, Different<'a>)> = HashMap::new();
    for summary in summaries {
        let AttemptSummary { code, ca, template, source, time, position, .. } = summary;
        let key = (code.clone(), ca.clone(), template.clone(), *source);
        let (group, (certificates, devices)) = groups.entry(key).or_insert_with(|| {
            let group = AttemptGroup {
                code: code.clone(),
                ca: ca.clone(),
                template: template.clone(),
                source: *source,
                count: 0,
                certificates: 0,
                devices: 0,
                first_at: *time,
                last: *position,
                last_at: *time,
            };
            (group, Different::default())
        });
        group.count += 1;
        (group.last, group.last_at) = (*position, *time);
        certificates.extend(&summary.certificate);
        devices.extend(summary.attributed.as_ref().or(summary.device.as_ref()));
    }
    let finished = |(group, (certificates, devices)): (AttemptGroup, Different<'_>)| AttemptGroup {
        certificates: certificates.len() as u64,
        devices: devices.len() as u64,
        ..group
    };
    groups.into_values().map(finished).collect()
}

fn summary(entry: &Entry) -> Option<AttemptSummary> {
    let attempt = decode_attempt(&entry.record)
        .inspect_err(|error| tracing::warn!(position = %entry.position, %error, "an attempt is left out"))
        .ok()?;
    let presented = presented(&attempt).and_then(|der| CertificateFacts::of_refused(der).ok());
    Some(AttemptSummary {
        position: entry.position,
        time: attempt.time,
        code: attempt.rejection.code.as_str().into(),
        certificate: presented.as_ref().map(|facts| facts.sha256),
        name: presented.map(|facts| facts.display_name()).unwrap_or_default().into(),
        device: device(&attempt).cloned(),
        ca: attempt.attribution.as_ref().and_then(|attribution| attribution.ca.clone()),
        source: attempt.attribution.as_ref().and_then(|attribution| attribution.source),
        template: attempt.template.as_ref().map(|(id, _)| id.clone()),
        attributed: attempt.attribution.and_then(|attribution| attribution.device),
    })
}

/// The device certificate of an attempt to connect, DER.
pub(crate) fn presented(attempt: &Attempt) -> Option<&[u8]> {
    match &attempt.request.request {
        AnyRequest::Fleet { .. } => None,
        AnyRequest::Registry(request) => match &request.body {
            RequestBody::CertificateConnect { chain, .. } => chain.first().map(|der| &**der),
            RequestBody::Command(_) => None,
        },
    }
}

/// The device that was claimed, or that a command was about.
pub(crate) fn device(attempt: &Attempt) -> Option<&DeviceId> {
    match &attempt.request.request {
        AnyRequest::Fleet { .. } => None,
        AnyRequest::Registry(request) => match &request.body {
            RequestBody::CertificateConnect { claimed, .. } => claimed.as_ref(),
            RequestBody::Command(command) => commanded(command),
        },
    }
}

fn commanded(command: &Command) -> Option<&DeviceId> {
    match command {
        Command::PreRegisterDevice { profile, .. } => Some(&profile.device),
        Command::BindPolicy { target: PolicyTarget::Device(device), .. }
        | Command::UnbindPolicy { target: PolicyTarget::Device(device), .. }
        | Command::UpdateDevice { device, .. }
        | Command::TagDevice { device, .. }
        | Command::UntagDevice { device, .. }
        | Command::FreezeDevice { device }
        | Command::UnfreezeDevice { device }
        | Command::ResetFingerprint { device, .. }
        | Command::SwitchCertificate { device, .. }
        | Command::DeleteCertificate { device, .. }
        | Command::DeleteDevice { device }
        | Command::ReadmitDevice { device } => Some(device),
        Command::ReadmitCertificate { device, .. } => device.as_ref(),
        Command::BindPolicy { .. }
        | Command::UnbindPolicy { .. }
        | Command::CreateSpace { .. }
        | Command::RenameSpace { .. }
        | Command::DeleteSpace { .. }
        | Command::CreateProduct { .. }
        | Command::UpdateProduct { .. }
        | Command::DeleteProduct { .. }
        | Command::CreatePolicy { .. }
        | Command::UpdatePolicy { .. }
        | Command::DeletePolicy { .. }
        | Command::CreateTemplate { .. }
        | Command::UpdateTemplate { .. }
        | Command::DeleteTemplate { .. }
        | Command::UploadCa { .. }
        | Command::IssueCaCode { .. }
        | Command::VerifyCa { .. }
        | Command::ConfigureCa { .. }
        | Command::DeleteCa { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> AttemptSummary {
        AttemptSummary {
            position: Position(7),
            time: Timestamp::from_unix_s(100),
            code: "chain_refused".into(),
            certificate: Some([0xab; 32]),
            name: "Pump 12".into(),
            device: DeviceId::parse("pump_12").ok(),
            attributed: DeviceId::parse("pump_13").ok(),
            ca: CaId::parse("ca").ok(),
            template: TemplateId::parse("template").ok(),
            source: "192.0.2.1".parse().ok(),
        }
    }

    #[test]
    fn an_attempt_is_found_by_each_of_what_is_known_of_it_and_by_all_together() {
        let text = |text: &str| Some(text.to_owned());
        let (before, since, until) =
            (Some(Position(8)), Some(Timestamp::from_unix_s(100)), Some(Timestamp::from_unix_s(100)));
        let all = AttemptFilter {
            code: text("chain_refused"),
            certificate: text("ABab"),
            device: text("pump_12"),
            ca: text("ca"),
            template: text("template"),
            source: "192.0.2.1".parse().ok(),
            since,
            until,
            before,
        };
        let found = [
            AttemptFilter::default(),
            AttemptFilter { certificate: text("pump 1"), ..AttemptFilter::default() },
            AttemptFilter { device: text("pump_13"), ..AttemptFilter::default() },
            all,
        ];
        assert!(found.iter().all(|filter| filter.matches(&summary())), "{found:?}");
        let missed = [
            AttemptFilter { code: text("chain"), ..AttemptFilter::default() },
            AttemptFilter { certificate: text("ba"), ..AttemptFilter::default() },
            AttemptFilter { device: text("pump"), ..AttemptFilter::default() },
            AttemptFilter { ca: text("c"), ..AttemptFilter::default() },
            AttemptFilter { template: text("ca"), ..AttemptFilter::default() },
            AttemptFilter { source: "192.0.2.2".parse().ok(), ..AttemptFilter::default() },
            AttemptFilter { since: Some(Timestamp::from_unix_s(101)), ..AttemptFilter::default() },
            AttemptFilter { until: Some(Timestamp::from_unix_s(99)), ..AttemptFilter::default() },
            AttemptFilter { before: Some(Position(7)), ..AttemptFilter::default() },
        ];
        assert!(missed.iter().all(|filter| !filter.matches(&summary())), "{missed:?}");
    }
    #[test]
    fn a_group_is_of_one_code_ca_template_and_source_and_counts_what_differs() {
        let at = |n: u64| AttemptSummary { position: Position(n), time: Timestamp::from_unix_s(n as i64), ..summary() };
        let all = [
            at(1),
            AttemptSummary { certificate: Some([1; 32]), ..at(2) },
            AttemptSummary { attributed: None, ..at(3) },
            AttemptSummary { source: None, ..at(4) },
            AttemptSummary { ca: None, ..at(5) },
            AttemptSummary { template: None, ..at(6) },
            AttemptSummary { code: "frozen".into(), certificate: None, attributed: None, device: None, ..at(7) },
        ];
        let mut groups = grouped(all.iter());
        groups.sort_by_key(|group| group.last);
        let shown: Vec<_> = groups.iter().map(|group| (group.count, group.certificates, group.devices)).collect();
        assert_eq!(shown, [(3, 2, 2), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 0, 0)], "{groups:?}");
        let first = &groups[0];
        let times = (first.first_at.unix_s(), first.last_at.unix_s(), first.last);
        assert_eq!(times, (1, 3, Position(3)));
    }
}

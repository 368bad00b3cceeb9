//! Reads a CONNECT: which version, whether it keeps the standard, whether the service's limits allow it.
//!
//! The codec reads the contents; the structure is walked first (`shape`), because the codec stops where it has what it
//! needs and would let trailing bytes, a password without a user name and unknown protocol levels pass or fail
//! unexplained.

mod keep_alive;
mod shape;
mod will;

use rmqtt_codec::{v3, v5};
use rollcall_domain::refusal::Refusal;
use tokio_util::codec::Decoder;

use super::{
    frame::Frame,
    interface::{Connect, Version},
    limits::{IDENTITY_BYTES_MAX, Limits},
    topic,
    violation::Violation,
};

/// What the machine keeps of a client's CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) version: Version,
    /// Largest packet that the client takes; 4 GiB if it did not say.
    pub(super) packet_bytes_max: u32,
    /// QoS 1 messages that the client takes at a time.
    pub(super) receive_maximum: u16,
    /// Whether the client wants reason strings.
    pub(super) problem_information: bool,
    /// The keep-alive that counts.
    pub(super) keep_alive_s: u16,
    /// It asked for another keep-alive and is to be told (MQTT 5).
    pub(super) wants_keep_alive: bool,
    /// It sent no client id and is to be told the one it has.
    pub(super) wants_client_id: bool,
    /// How long its session is to outlive the connection, seconds; `u32::MAX`: for ever.
    pub(super) session_expiry_s: u32,
    /// Its will has the retain flag, which was ignored (before MQTT 5).
    pub(super) retain_ignored: bool,
}

impl Peer {
    /// A client of which nothing is known but the version to answer in.
    pub(super) const fn unknown(version: Version) -> Self {
        Self {
            version,
            packet_bytes_max: u32::MAX,
            receive_maximum: u16::MAX,
            problem_information: true,
            keep_alive_s: 0,
            wants_keep_alive: false,
            wants_client_id: false,
            session_expiry_s: 0,
            retain_ignored: false,
        }
    }
}

/// Why a CONNECT goes no further.
#[derive(Debug)]
pub(super) enum Failure {
    /// Answered with CONNACK.
    Refused(Refusal, Peer),
    /// Answered with CONNACK by MQTT 5 only; before MQTT 5 such a client gets no answer (MQTT 3.1.1 §4.8).
    Violated(Violation, Option<Peer>),
}

/// Reads a CONNECT packet.
pub(super) fn read(mut frame: Frame, limits: &Limits) -> Result<(Connect, Peer), Failure> {
    let shape = shape::walk(frame.body())?;
    if shape.version == Version::V3_1 {
        // MQTT 3.1 §2.1, §3.1: the low bits of the first byte and of the flags are not used.
        frame.ignore_flags(0);
        if let Some(flags) = frame.bytes.get_mut(frame.header_bytes + shape.flags_at) {
            *flags &= !shape::flag::RESERVED;
        }
    } else if frame.first_byte() & 0x0f != 0 {
        return Err(malformed("its flags are not the ones reserved for it", Some(Peer::unknown(shape.version))));
    }
    match shape.version {
        Version::V3_1 | Version::V3_1_1 => {
            let unknown = Peer::unknown(shape.version);
            if shape.client_id_empty && (shape.flags & shape::flag::CLEAN == 0 || shape.version == Version::V3_1) {
                return Err(Failure::Refused(Refusal::ClientId, unknown));
            }
            match v3::Codec::default().decode(&mut frame.bytes) {
                Ok(Some((v3::Packet::Connect(connect), _))) => check_v3(shape.version, *connect, limits),
                Ok(_) | Err(_) => Err(malformed("a field cannot be read", Some(unknown))),
            }
        }
        Version::V5 => {
            // MQTT 5 lets an empty client id come without Clean Start; the codec does not. What the flag says is in
            // `shape`, and for this server it makes no difference.
            if let Some(flags) = frame.bytes.get_mut(frame.header_bytes + shape.flags_at) {
                *flags |= shape::flag::CLEAN;
            }
            match v5::Codec::default().decode(&mut frame.bytes) {
                Ok(Some((v5::Packet::Connect(connect), _))) => {
                    check_v5(shape.flags & shape::flag::CLEAN != 0, *connect, limits)
                }
                Ok(_) | Err(_) => Err(malformed("a field or property cannot be read", Some(Peer::unknown(Version::V5)))),
            }
        }
    }
}

fn check_v3(version: Version, connect: v3::Connect, limits: &Limits) -> Result<(Connect, Peer), Failure> {
    // What MQTT 5 says in two fields, 3.1.1 says in one: a session that is kept is kept until it is asked for again.
    let session_expiry_s = if connect.clean_session { 0 } else { u32::MAX };
    let retain_ignored = connect.last_will.as_ref().is_some_and(|will| will.retain);
    let peer = Peer { keep_alive_s: connect.keep_alive, session_expiry_s, retain_ignored, ..Peer::unknown(version) };
    let will = connect.last_will.map(will::read_v3).transpose();
    check(
        peer,
        Connect {
            version,
            client_id: connect.client_id.to_string(),
            user_name: connect.username.map(|name| name.to_string()),
            clean_start: connect.clean_session,
            session_expiry_s,
            will: will.map_err(|violation| Failure::Violated(violation, Some(peer)))?.map(Box::new),
            keep_alive_s: connect.keep_alive,
        },
        limits,
    )
}

fn check_v5(clean_start: bool, connect: v5::Connect, limits: &Limits) -> Result<(Connect, Peer), Failure> {
    let peer = Peer {
        version: Version::V5,
        packet_bytes_max: connect.max_packet_size.map_or(u32::MAX, std::num::NonZeroU32::get),
        receive_maximum: connect.receive_max.map_or(u16::MAX, std::num::NonZeroU16::get),
        problem_information: connect.request_problem_info,
        keep_alive_s: connect.keep_alive,
        wants_keep_alive: false,
        wants_client_id: connect.client_id.is_empty(),
        session_expiry_s: connect.session_expiry_interval_secs,
        retain_ignored: false,
    };
    if connect.auth_method.is_some() {
        return Err(Failure::Refused(Refusal::AuthenticationMethod, peer));
    }
    if connect.auth_data.is_some() {
        return Err(malformed("authentication data without a method", Some(peer)));
    }
    let will = connect.last_will.map(will::read_v5).transpose();
    check(
        peer,
        Connect {
            version: Version::V5,
            client_id: connect.client_id.to_string(),
            user_name: connect.username.map(|name| name.to_string()),
            clean_start,
            session_expiry_s: peer.session_expiry_s,
            will: will.map_err(|violation| Failure::Violated(violation, Some(peer)))?.map(Box::new),
            keep_alive_s: connect.keep_alive,
        },
        limits,
    )
}

/// What holds for every version.
fn check(mut peer: Peer, mut connect: Connect, limits: &Limits) -> Result<(Connect, Peer), Failure> {
    let texts = [Some(&connect.client_id), connect.user_name.as_ref()];
    if texts.into_iter().flatten().any(|text| topic::has_control(text)) {
        return Err(malformed("a text holds a control character", Some(peer)));
    }
    let too_long = |text: &String| text.len() > IDENTITY_BYTES_MAX;
    if too_long(&connect.client_id) || connect.user_name.as_ref().is_some_and(too_long) {
        return Err(Failure::Refused(Refusal::ClientId, peer));
    }
    let asked_s = connect.keep_alive_s;
    let keep_alive_s = keep_alive::granted_s(connect.version, asked_s, limits.longer_keep_alive);
    connect.keep_alive_s = keep_alive_s.ok_or(Failure::Refused(Refusal::KeepAliveOutOfRange, peer))?;
    peer.keep_alive_s = connect.keep_alive_s;
    peer.wants_keep_alive = connect.version == Version::V5 && peer.keep_alive_s != asked_s;
    Ok((connect, peer))
}

fn malformed(rule: &'static str, peer: Option<Peer>) -> Failure {
    Failure::Violated(Violation::Malformed { packet: "CONNECT", rule }, peer)
}

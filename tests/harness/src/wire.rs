//! MQTT packets as bytes, written by hand from the standard: what no well-behaved client library would send.

/// MQTT 3.1.1.
pub const V311: u8 = 4;
/// MQTT 5.0.
pub const V5: u8 = 5;

/// A CONNECT packet in the making.
#[derive(Clone, Debug)]
pub struct Connect {
    pub protocol: &'static str,
    /// Protocol level: 3 (MQTT 3.1), 4 (3.1.1) or 5.
    pub version: u8,
    pub client_id: String,
    pub user_name: Option<String>,
    /// Keep-alive, seconds.
    pub keep_alive_s: u16,
    /// Clean session, or clean start.
    pub clean: bool,
    /// Topic of a will with payload `gone`.
    pub will: Option<String>,
    /// MQTT 5 authentication method.
    pub authentication_method: Option<String>,
}

impl Connect {
    /// A plain one.
    pub fn new(version: u8, client_id: &str) -> Self {
        Self {
            protocol: "MQTT",
            version,
            client_id: client_id.to_owned(),
            user_name: None,
            keep_alive_s: 60,
            clean: true,
            will: None,
            authentication_method: None,
        }
    }

    /// As bytes (MQTT 3.1.1 §3.1, MQTT 5 §3.1).
    pub fn bytes(&self) -> Vec<u8> {
        let flags = u8::from(self.clean) << 1 | u8::from(self.will.is_some()) << 2 | u8::from(self.user_name.is_some()) << 7;
        let mut body = field(self.protocol);
        body.extend([self.version, flags]);
        body.extend(self.keep_alive_s.to_be_bytes());
        let has_properties = self.version >= V5;
        if has_properties {
            let method = self.authentication_method.as_deref().map(|method| [vec![0x15], field(method)].concat());
            let properties = method.unwrap_or_default();
            body.push(u8::try_from(properties.len()).expect("few properties"));
            body.extend(properties);
        }
        body.extend(field(&self.client_id));
        if let Some(will) = &self.will {
            if has_properties {
                body.push(0);
            }
            body.extend(field(will));
            body.extend(field("gone"));
        }
        if let Some(user_name) = &self.user_name {
            body.extend(field(user_name));
        }
        packet(0x10, &body)
    }
}

/// PUBLISH with the given flags (DUP, QoS, retain; MQTT 5 §3.3.1); packet id 1 when the QoS is not 0.
pub fn publish(version: u8, flags: u8, topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = field(topic);
    if flags & 0x06 != 0 {
        body.extend([0, 1]);
    }
    if version >= V5 {
        body.push(0);
    }
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// SUBSCRIBE at QoS 1 with packet id 2.
pub fn subscribe(version: u8, filter: &str) -> Vec<u8> {
    let mut body = vec![0, 2];
    if version >= V5 {
        body.push(0);
    }
    body.extend(field(filter));
    body.push(1);
    packet(0x82, &body)
}

/// DISCONNECT without anything.
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A fixed header with its length, and the body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut rest = body.len();
    loop {
        let low = u8::try_from(rest % 128).expect("less than 128");
        rest /= 128;
        bytes.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

fn field(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a text of at most 65535 bytes");
    [length.to_be_bytes().as_slice(), text.as_bytes()].concat()
}

/// What CONNACK or DISCONNECT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Return or reason code.
    pub code: u8,
    /// MQTT 5 reason string; empty if there is none.
    pub reason: String,
    /// MQTT 5 user properties.
    pub user: Vec<(String, String)>,
}

/// Reads a CONNACK (`0x20`) or an MQTT 5 DISCONNECT (`0xe0`) packet.
///
/// # Errors
/// What is there instead.
pub fn answer(version: u8, packet: &[u8]) -> Result<Answer, String> {
    let (first, body) = split(packet).ok_or_else(|| format!("{packet:02x?} is no packet"))?;
    let (code, properties) = match (first, body) {
        (0x20, [_, code, properties @ ..]) | (0xe0, [code, properties @ ..]) => (*code, properties),
        (0xe0, []) => (0, &[][..]),
        _ => return Err(format!("{packet:02x?} is neither CONNACK nor DISCONNECT")),
    };
    let mut answer = Answer { code, reason: String::new(), user: Vec::new() };
    if version >= V5 && !properties.is_empty() {
        read_properties(properties, &mut answer).ok_or_else(|| format!("properties {properties:02x?} cannot be read"))?;
    }
    Ok(answer)
}

fn split(packet: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = packet.split_first()?;
    let length_bytes = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
    Some((*first, rest.get(length_bytes..)?))
}

/// Every property that a CONNACK or DISCONNECT may have (MQTT 5 §3.2.2.3, §3.14.2.2).
fn read_properties(bytes: &[u8], answer: &mut Answer) -> Option<()> {
    let length_bytes = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let mut rest = bytes.get(length_bytes..)?;
    while let Some((id, after)) = rest.split_first() {
        rest = match id {
            0x11 | 0x27 => after.get(4..)?,
            0x21 | 0x22 | 0x13 => after.get(2..)?,
            0x24 | 0x25 | 0x28 | 0x29 | 0x2a => after.get(1..)?,
            0x12 | 0x1a | 0x1c | 0x15 | 0x16 => text(after)?.1,
            0x1f => {
                let (reason, rest) = text(after)?;
                answer.reason = reason;
                rest
            }
            0x26 => {
                let (name, after) = text(after)?;
                let (value, rest) = text(after)?;
                answer.user.push((name, value));
                rest
            }
            _ => return None,
        };
    }
    Some(())
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]])))?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}

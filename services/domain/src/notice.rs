//! What people should know of connections that were let in. Each has one stable code and a page in `docs/operate/codes`, as
//! refusals have; it is kept among the attempts and takes nothing from anybody.

use std::{fmt, net::IpAddr};

use crate::ids::DeviceId;

/// What people should know of a connection that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Connections with one certificate take each other's place, from one source and the other in turns.
    CertificateShared { device: DeviceId, sources: [IpAddr; 2] },
}

impl Notice {
    /// Every code that [`Self::code`] can give.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        ["certificate_shared"].into_iter()
    }

    /// The stable code; its page is `docs/operate/codes/<code>.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CertificateShared { .. } => "certificate_shared",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateShared { device, sources: [one, other] } => write!(
                f,
                "one certificate is used as device {device} from {one} and {other} in turns, each connection ending the other's: \
                 find the second holder of its key, or delete the certificate"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_the_device_and_both_sources_and_its_code_is_listed() {
        let sources = ["192.0.2.1", "2001:db8::1"].map(|source| source.parse().unwrap());
        let notice = Notice::CertificateShared { device: DeviceId::parse("truck").unwrap(), sources };
        let text = notice.to_string();
        assert!(text.contains("device truck from 192.0.2.1 and 2001:db8::1 in turns"), "{text}");
        assert_eq!(Notice::codes().collect::<Vec<_>>(), [notice.code()]);
    }
}

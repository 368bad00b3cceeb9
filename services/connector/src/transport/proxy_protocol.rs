//! The header with which a load balancer says where a connection comes from: PROXY protocol, version 2.
//!
//! Its description is HAProxy's `proxy-protocol.txt`; version 1, a line of text, is not read. Called only for peers that are
//! listed. Invariant: exactly the header is read, at most [`HEADER_BYTES_MAX`]; what follows is the client's TLS.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// First of all in a header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length of the rest.
const START_BYTES: usize = 16;
/// Largest header, with what it may say of TLS between client and load balancer, certificates included.
const HEADER_BYTES_MAX: usize = 4096;

/// Why there is no header to go by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderFault {
    #[error("the peer went away: {0}")]
    Gone(#[from] io::Error),
    #[error(
        "there is no PROXY protocol header of version 2: let the load balancer send one, or take it out of proxy_protocol_from"
    )]
    Absent,
    #[error("the header's version and command are {0:#04x}, not 0x20 (LOCAL) or 0x21 (PROXY)")]
    Command(u8),
    #[error("the header's address family and protocol are {0:#04x}, which is none that there is")]
    Family(u8),
    #[error("the header has {0} bytes: at most {HEADER_BYTES_MAX} are read")]
    TooLong(usize),
    #[error("the header's {0} bytes are too few for its addresses")]
    TooShort(usize),
}

/// Reads the header; `None` if it names no source: the connection is the load balancer's own (a health check), or of a family
/// that has no IP address.
///
/// # Errors
/// [`HeaderFault`].
pub(super) async fn read_header(socket: &mut TcpStream) -> Result<Option<IpAddr>, HeaderFault> {
    let mut start = [0; START_BYTES];
    socket.read_exact(&mut start).await?;
    let start = Start::parse(&start)?;
    let mut rest = vec![0; start.rest_bytes];
    socket.read_exact(&mut rest).await?;
    start.source(&rest)
}

struct Start {
    is_local: bool,
    family: u8,
    rest_bytes: usize,
}

impl Start {
    fn parse(bytes: &[u8; START_BYTES]) -> Result<Self, HeaderFault> {
        let [.., command, family, high, low] = *bytes;
        if !bytes.starts_with(&SIGNATURE) {
            return Err(HeaderFault::Absent);
        }
        let is_local = match command {
            0x20 => true,
            0x21 => false,
            other => return Err(HeaderFault::Command(other)),
        };
        let rest_bytes = usize::from(u16::from_be_bytes([high, low]));
        if START_BYTES + rest_bytes > HEADER_BYTES_MAX {
            return Err(HeaderFault::TooLong(START_BYTES + rest_bytes));
        }
        Ok(Self { is_local, family, rest_bytes })
    }

    /// Who does not know a family that there is treats it as unspecified. What follows the addresses (TLVs) is skipped.
    fn source(&self, rest: &[u8]) -> Result<Option<IpAddr>, HeaderFault> {
        if self.is_local {
            return Ok(None);
        }
        let source = match self.family {
            0x11 => rest.first_chunk::<12>().map(|[a, b, c, d, ..]| Some(Ipv4Addr::new(*a, *b, *c, *d).into())),
            0x21 => {
                let source = rest.first_chunk::<36>().and_then(|addresses| addresses.first_chunk::<16>());
                source.map(|source| Some(IpAddr::from(Ipv6Addr::from(*source)).to_canonical()))
            }
            0x00 | 0x12 | 0x22 | 0x31 | 0x32 => Some(None),
            other => return Err(HeaderFault::Family(other)),
        };
        source.ok_or(HeaderFault::TooShort(START_BYTES + rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<IpAddr>, HeaderFault> {
        let (start, rest) = bytes.split_first_chunk().ok_or(HeaderFault::Absent)?;
        let start = Start::parse(start)?;
        start.source(rest.get(..start.rest_bytes).ok_or(HeaderFault::TooShort(bytes.len()))?)
    }

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    /// Source and destination with ports, then a TLV.
    fn addresses(source: IpAddr) -> (u8, Vec<u8>) {
        let tlv = [0x04, 0, 2, 7, 7];
        match source {
            IpAddr::V4(source) => (0x11, [&source.octets()[..], &[127, 0, 0, 1, 1, 2, 3, 4], &tlv].concat()),
            IpAddr::V6(source) => (0x21, [&source.octets()[..], &[0; 20], &tlv].concat()),
        }
    }

    #[test]
    fn health_checks_and_unknown_families_name_no_source() {
        let (family, rest) = addresses([192, 0, 2, 7].into());
        assert!(matches!(parse(&header(0x20, family, &rest)), Ok(None)));
        assert!(matches!(parse(&header(0x20, 0, &[])), Ok(None)));
        for family in [0x00, 0x12, 0x22, 0x31, 0x32] {
            assert!(matches!(parse(&header(0x21, family, &[1; 216])), Ok(None)), "{family:#x}");
        }
    }

    #[test]
    fn f34_what_is_no_header_is_refused() {
        let (family, rest) = addresses([192, 0, 2, 7].into());
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert!(matches!(refused(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"), HeaderFault::Absent));
        assert!(matches!(refused(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0]), HeaderFault::Absent));
        assert!(matches!(refused(&header(0x11, family, &rest)), HeaderFault::Command(0x11)));
        assert!(matches!(refused(&header(0x22, family, &rest)), HeaderFault::Command(0x22)));
        assert!(matches!(refused(&header(0x21, 0x41, &rest)), HeaderFault::Family(0x41)));
        assert!(matches!(refused(&header(0x21, family, &rest[..11])), HeaderFault::TooShort(27)));
        assert!(matches!(refused(&header(0x21, 0x21, &rest)), HeaderFault::TooShort(_)));
        assert!(matches!(refused(&header(0x21, family, &[0; 4081])), HeaderFault::TooLong(4097)));
    }

    proptest! {
        #[test]
        fn the_source_is_read_whatever_follows_it(source: IpAddr, tail in prop::collection::vec(any::<u8>(), 0..300)) {
            let (family, mut rest) = addresses(source);
            rest.extend(tail);
            prop_assert_eq!(parse(&header(0x21, family, &rest)).unwrap(), Some(source.to_canonical()));
        }

        #[test]
        fn f34_no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), with_signature: bool) {
            let bytes = if with_signature { [&SIGNATURE[..], &bytes].concat() } else { bytes };
            if let Ok(Some(source)) = parse(&bytes) {
                prop_assert!(bytes[12] == 0x21, "{source}");
            }
        }
    }
}

//! From which networks a PROXY protocol header is believed.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A network of load balancers, in CIDR notation. Who is in it names the source of every connection, so it is never everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProxyNetwork(IpNet);

/// Why a text names no such network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyNetworkError {
    #[error("{0:?} is no network: give an address and its prefix length, such as 10.0.0.0/8 or 192.0.2.7/32")]
    Malformed(String),
    #[error("{given} has bits behind its prefix: {meant} is meant, or {address}/32 or /128 for one address")]
    HostBits { given: IpNet, meant: IpNet, address: IpAddr },
    #[error("{0} is everybody, and everybody could name whatever source they like: list the load balancers' networks")]
    Everybody(IpNet),
}

impl ProxyNetwork {
    /// An IPv4 address that is mapped into IPv6 is itself.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for ProxyNetwork {
    type Err = ProxyNetworkError;

    fn from_str(text: &str) -> Result<Self, ProxyNetworkError> {
        let network: IpNet = text.parse().map_err(|_| ProxyNetworkError::Malformed(text.to_owned()))?;
        if network.prefix_len() == 0 {
            return Err(ProxyNetworkError::Everybody(network));
        }
        if network.trunc() != network {
            let (meant, address) = (network.trunc(), network.addr());
            return Err(ProxyNetworkError::HostBits { given: network, meant, address });
        }
        Ok(Self(network))
    }
}

impl TryFrom<String> for ProxyNetwork {
    type Error = ProxyNetworkError;

    fn try_from(text: String) -> Result<Self, ProxyNetworkError> {
        text.parse()
    }
}

impl From<ProxyNetwork> for String {
    fn from(network: ProxyNetwork) -> Self {
        network.to_string()
    }
}

impl fmt::Display for ProxyNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f34_a_network_is_what_its_prefix_says_and_never_everybody() {
        let network: ProxyNetwork = "10.1.0.0/16".parse().unwrap();
        let contains = |address: &str| network.contains(address.parse().unwrap());
        assert!(contains("10.1.255.7") && contains("::ffff:10.1.0.1"));
        assert!(!contains("10.2.0.1") && !contains("2001:db8::1"));
        let said = |text: &str| text.parse::<ProxyNetwork>().unwrap_err().to_string();
        assert!(said("10.1.0.1").contains("such as 10.0.0.0/8"), "{}", said("10.1.0.1"));
        assert!(said("10.1.2.3/16").contains("10.1.0.0/16 is meant"), "{}", said("10.1.2.3/16"));
        assert!(said("0.0.0.0/0").contains("is everybody") && said("::/0").contains("is everybody"));
    }
}

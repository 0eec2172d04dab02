//! Addresses that no notification may go to: link-local ones, where clouds keep the credentials
//! of the machine; and for receivers of tenants all that is not public, where the cluster's own
//! services listen. Checked after name resolution, on the addresses that are connected to, so a
//! name that answers differently the second time gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services outside of the link-local ranges: of AWS over IPv6, and of Alibaba Cloud.
const METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// A forbidden address was about to be connected to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Forbidden {
    #[error("{0} is a link-local or metadata address, where nothing is sent")]
    Metadata(IpAddr),
    #[error(
        "{0} is not a public address, and receivers of tenants' namespaces may send only to those; an operator \
         allows it with --allow-internal-addresses"
    )]
    Internal(IpAddr),
}

/// How far a receiver's messages may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everywhere but to metadata services.
    Anywhere,
    /// To public addresses.
    Public,
}

/// How a name becomes addresses.
pub(super) trait Lookup: Send + Sync {
    /// Its addresses now; the port does not matter.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// As the system does it.
pub(super) struct System;

impl Lookup for System {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
    }
}

/// Resolves the names that are connected to, and refuses forbidden addresses: a connection is made
/// to addresses that went through here and to no others.
pub(super) struct Guard {
    pub reach: Reach,
    lookup: Arc<dyn Lookup>,
}

impl Guard {
    pub fn new(reach: Reach) -> Self {
        Self::by(reach, Arc::new(System))
    }

    pub fn by(reach: Reach, lookup: Arc<dyn Lookup>) -> Self {
        Self { reach, lookup }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        let addresses = self.lookup.lookup(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = addresses.await?;
            // One forbidden address among good ones is an attack or a mistake: none is used.
            for address in &addresses {
                allowed(address.ip(), reach)?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Refuses a URL whose host is a forbidden address, which no resolver sees.
pub(super) fn check(url: &Url, reach: Reach) -> Result<(), Forbidden> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse()
        .map_or(Ok(()), |address| allowed(address, reach))
}

fn allowed(address: IpAddr, reach: Reach) -> Result<(), Forbidden> {
    let address = reached(address);
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified(),
    };
    if link_local || METADATA.contains(&address) {
        return Err(Forbidden::Metadata(address));
    }
    if reach == Reach::Public && is_internal(address) {
        return Err(Forbidden::Internal(address));
    }
    Ok(())
}

/// The IPv4 address that an IPv6 address leads to, where it does: mapped and compatible ones (RFC
/// 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn reached(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let octets = v6.octets();
    let four = |at: usize| Ipv4Addr::from([0, 1, 2, 3].map(|byte| octets[at + byte]));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => four(12).into(),
        [0x2002, ..] => four(2).into(),
        _ => address,
    }
}

/// Not for the public internet, by the registries of special-purpose addresses (RFC 6890).
fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            // 100.64.0.0/10 (RFC 6598), 198.18.0.0/15 (RFC 2544) and 192.0.0.0/24 serve inside of
            // networks; 240.0.0.0/4 is nobody's, and some networks use it.
            let shared = a == 100 && (64..128).contains(&b);
            let bench = a == 198 && (18..20).contains(&b);
            let protocols = [a, b, c] == [192, 0, 0];
            v4.is_loopback()
                || v4.is_private()
                || v4.is_documentation()
                || v4.is_multicast()
                || shared
                || bench
                || protocols
                || a == 0
                || a >= 240
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            let site_local = segments[0] & 0xffc0 == 0xfec0;
            let discarded = segments[..4] == [0x100, 0, 0, 0];
            // NAT64 for a network's own use (RFC 8215), and Teredo (RFC 4380), which tunnels.
            let translated = segments[..3] == [0x64, 0xff9b, 1];
            let teredo = segments[..2] == [0x2001, 0];
            let documentation = segments[..2] == [0x2001, 0xdb8];
            v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_multicast()
                || site_local
                || discarded
                || translated
                || teredo
                || documentation
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_refused_however_they_are_written() {
        for url in [
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::169.254.169.254]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://0.0.0.0/",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(check(&url, Reach::Anywhere).is_err(), "{url}");
            assert!(check(&url, Reach::Public).is_err(), "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "https://hooks.slack.com/x",
            "http://10.0.0.1/",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(check(&url, Reach::Anywhere).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_tenant_reaches_public_addresses_only() {
        for url in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://10.96.0.1/",
            "http://192.168.1.1/",
            "http://172.16.5.5/",
            "http://100.64.0.7/",
            "http://[fd12::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::1]/",
            "http://[fec0::1]/",
            "http://[2001:db8::1]/",
            "http://192.0.0.8/",
            "http://203.0.113.7/",
            "http://250.1.1.1/",
            "http://255.255.255.255/",
            "http://[ff02::1]/",
        ] {
            let refused = check(&Url::parse(url).unwrap(), Reach::Public);
            assert!(matches!(refused, Err(Forbidden::Internal(_))), "{url}");
        }
        for url in [
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
            "https://hooks.slack.com/",
        ] {
            assert!(
                check(&Url::parse(url).unwrap(), Reach::Public).is_ok(),
                "{url}"
            );
        }
    }

    #[tokio::test]
    async fn addresses_are_checked_after_the_name_was_resolved() {
        let guard = Guard::new(Reach::Anywhere);
        let addresses = guard.resolve("localhost".parse().unwrap()).await;
        assert!(addresses.ok().unwrap().all(|to| to.ip().is_loopback()));
        let refused = Guard::new(Reach::Public).resolve("localhost".parse().unwrap());
        assert!(refused.await.err().unwrap().is::<Forbidden>());
        let refused = guard.resolve("169.254.169.254".parse().unwrap()).await;
        assert!(refused.err().unwrap().is::<Forbidden>());
    }
}

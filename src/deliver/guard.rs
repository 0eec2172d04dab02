//! Addresses that no notification may go to: link-local ones, where clouds keep the credentials
//! of the machine. Checked after name resolution, on the addresses that are connected to, so a
//! name that answers differently the second time gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services outside of the link-local ranges: of AWS over IPv6, and of Alibaba Cloud.
const METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// A forbidden address was about to be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{0} is a link-local or metadata address, where nothing is sent")]
pub(super) struct Forbidden(pub(super) IpAddr);

/// Resolves names with the system's resolver and refuses forbidden addresses.
pub(super) struct Guard;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = addresses.collect();
            for address in &addresses {
                allowed(address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Refuses a URL whose host is a forbidden address, which no resolver sees.
pub(super) fn check(url: &Url) -> Result<(), Forbidden> {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().map_or(Ok(()), allowed)
}

fn allowed(address: IpAddr) -> Result<(), Forbidden> {
    let address = address.to_canonical();
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_unspecified(),
    };
    if link_local || METADATA.contains(&address) {
        return Err(Forbidden(address));
    }
    Ok(())
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
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://0.0.0.0/",
        ] {
            assert!(check(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "https://hooks.slack.com/x",
            "http://10.0.0.1/",
        ] {
            assert!(check(&Url::parse(url).unwrap()).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn addresses_are_checked_after_the_name_was_resolved() {
        let addresses = Guard.resolve("localhost".parse().unwrap()).await;
        assert!(addresses.ok().unwrap().all(|to| to.ip().is_loopback()));
        let refused = Guard.resolve("169.254.169.254".parse().unwrap()).await;
        assert!(refused.err().unwrap().is::<Forbidden>());
    }
}

//! Addresses and ranges of addresses: `ip` and `cidr` of Kubernetes and of the `network`
//! extension.
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-ip-address-library>

use super::{Call, Function};
use crate::cel::error::ErrorKind;
use crate::cel::evaluate::{Fault, Outcome};
use crate::cel::json::Json;
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub const FUNCTIONS: &[Function] = &[
    Function::new("ip", 1, |call| {
        let text = call.text(0)?;
        match parse_ip(text) {
            Some(ip) => Ok(opaque(ip)),
            None => Err(refused(call, text, "an IP address")),
        }
    }),
    Function::new("isIP", 1, |call| {
        Ok(Value::Bool(parse_ip(call.text(0)?).is_some()))
    }),
    Function::new("ip.isCanonical", 1, |call| {
        let text = call.text(0)?;
        match parse_ip(text) {
            Some(Ip(ip)) => Ok(Value::Bool(ip.to_string() == text)),
            None => Err(refused(call, text, "an IP address")),
        }
    }),
    Function::new("x.family", 1, |call| {
        Ok(Value::Int(if ip(call, 0)?.is_ipv4() { 4 } else { 6 }))
    }),
    Function::new("x.isUnspecified", 1, |call| {
        Ok(Value::Bool(ip(call, 0)?.is_unspecified()))
    }),
    Function::new("x.isLoopback", 1, |call| {
        Ok(Value::Bool(ip(call, 0)?.is_loopback()))
    }),
    Function::new("x.isLinkLocalMulticast", 1, |call| {
        Ok(Value::Bool(is_link_local_multicast(ip(call, 0)?)))
    }),
    Function::new("x.isLinkLocalUnicast", 1, |call| {
        Ok(Value::Bool(is_link_local_unicast(ip(call, 0)?)))
    }),
    Function::new("x.isGlobalUnicast", 1, |call| {
        Ok(Value::Bool(is_global_unicast(ip(call, 0)?)))
    }),
    Function::new("cidr", 1, |call| {
        let text = call.text(0)?;
        match parse_cidr(text) {
            Some(cidr) => Ok(opaque(cidr)),
            None => Err(refused(
                call,
                text,
                "a range of addresses, as in 10.0.0.0/8",
            )),
        }
    }),
    Function::new("isCIDR", 1, |call| {
        Ok(Value::Bool(parse_cidr(call.text(0)?).is_some()))
    }),
    Function::new("x.containsIP", 2, contains_ip),
    Function::new("x.containsCIDR", 2, contains_cidr),
    Function::new("x.ip", 1, |call| Ok(opaque(Ip(cidr(call, 0)?.address)))),
    Function::new("x.masked", 1, |call| Ok(opaque(cidr(call, 0)?.masked()))),
    Function::new("x.prefixLength", 1, |call| {
        Ok(Value::Int(i64::from(cidr(call, 0)?.length)))
    }),
];

pub const SIGNATURES: &str = "
    ip(string) -> net.IP
    isIP(string) -> bool
    ip.isCanonical(string) -> bool
    x.family(net.IP) -> int
    x.isUnspecified(net.IP) -> bool
    x.isLoopback(net.IP) -> bool
    x.isLinkLocalMulticast(net.IP) -> bool
    x.isLinkLocalUnicast(net.IP) -> bool
    x.isGlobalUnicast(net.IP) -> bool
    cidr(string) -> net.CIDR
    isCIDR(string) -> bool
    x.containsIP(net.CIDR, net.IP) -> bool
    x.containsIP(net.CIDR, string) -> bool
    x.containsCIDR(net.CIDR, net.CIDR) -> bool
    x.containsCIDR(net.CIDR, string) -> bool
    x.ip(net.CIDR) -> net.IP
    x.masked(net.CIDR) -> net.CIDR
    x.prefixLength(net.CIDR) -> int
";

/// An address.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ip(IpAddr);

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Opaque for Ip {
    fn type_name(&self) -> &'static str {
        "net.IP"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other.downcast() == Some(self)
    }

    fn to_json(&self) -> Json {
        Json::from(self.0.to_string())
    }
}

impl Opaque for Cidr {
    fn type_name(&self) -> &'static str {
        "net.CIDR"
    }

    fn equals(&self, other: &dyn Opaque) -> bool {
        other.downcast() == Some(self)
    }

    fn to_json(&self) -> Json {
        Json::from(format!("{}/{}", self.address, self.length))
    }
}

impl Cidr {
    /// The range without the bits of a host.
    fn masked(self) -> Cidr {
        let address = match self.address {
            IpAddr::V4(ip) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.length))
                    .unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.length))
                    .unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
            }
        };
        Cidr { address, ..self }
    }

    fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && Cidr { address, ..self }.masked() == self.masked()
    }
}

fn opaque<'a>(value: impl Opaque) -> Value<'a> {
    Value::Opaque(Arc::new(value))
}

fn refused(call: &Call<'_, '_, '_>, text: &str, what: &str) -> Fault {
    let shown: String = text.chars().take(60).collect();
    call.fail(ErrorKind::Conversion, format!("'{shown}' is not {what}"))
}

/// An address without a zone, and none of IPv4 in IPv6 (`::ffff:1.2.3.4`).
fn parse_ip(text: &str) -> Option<Ip> {
    let ip: IpAddr = text.parse().ok()?;
    let mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    (!mapped).then_some(Ip(ip))
}

fn parse_cidr(text: &str) -> Option<Cidr> {
    let (address, length) = text.split_once('/')?;
    let Ip(address) = parse_ip(address)?;
    let plain = !length.starts_with('+') && (length == "0" || !length.starts_with('0'));
    let length: u8 = length.parse().ok().filter(|_| plain)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (length <= most).then_some(Cidr { address, length })
}

fn ip(call: &Call<'_, '_, '_>, at: usize) -> Result<IpAddr, Fault> {
    match &call.args[at] {
        Value::Opaque(opaque) => opaque.downcast::<Ip>().map(|ip| ip.0),
        _ => None,
    }
    .ok_or_else(|| call.mismatch())
}

fn cidr(call: &Call<'_, '_, '_>, at: usize) -> Result<Cidr, Fault> {
    match &call.args[at] {
        Value::Opaque(opaque) => opaque.downcast::<Cidr>().copied(),
        _ => None,
    }
    .ok_or_else(|| call.mismatch())
}

fn contains_ip<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let range = cidr(call, 0)?;
    let address = match call.args[1].as_str() {
        Some(text) => match parse_ip(text) {
            Some(Ip(address)) => address,
            None => return Err(refused(call, text, "an IP address")),
        },
        None => ip(call, 1)?,
    };
    Ok(Value::Bool(range.contains(address)))
}

fn contains_cidr<'a>(call: &mut Call<'_, 'a, '_>) -> Outcome<'a> {
    let range = cidr(call, 0)?;
    let inner = match call.args[1].as_str() {
        Some(text) => match parse_cidr(text) {
            Some(inner) => inner,
            None => {
                return Err(refused(
                    call,
                    text,
                    "a range of addresses, as in 10.0.0.0/8",
                ));
            }
        },
        None => cidr(call, 1)?,
    };
    Ok(Value::Bool(
        inner.length >= range.length && range.contains(inner.address),
    ))
}

fn is_link_local_multicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[..3] == [224, 0, 0],
        IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// As Go has it: private addresses count too.
fn is_global_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !broadcast
        && !ip.is_unspecified()
        && !ip.is_loopback()
        && !ip.is_multicast()
        && !is_link_local_unicast(ip)
}

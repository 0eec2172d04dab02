//! Ports that stay ours while a server is down.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below the range from which Linux takes the ports of outgoing connections and of listeners that
/// ask for any port: nothing takes a port of ours while a server restarts.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that nothing listens on.
pub(crate) fn free() -> io::Result<u16> {
    let mut tried = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..100 {
        let port = fastrand::u16(RANGE);
        tried = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(|_| port);
        if tried.is_ok() {
            break;
        }
    }
    tried
}

//! A TCP proxy that breaks connections the ways networks do.
//!
//! In: connections. Out: the same bytes to and from the upstream, until the test cuts, refuses or
//! stalls. TLS passes through it unread.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::ports;

/// A proxy in front of one address. Dropping it closes it and every connection.
pub struct CutProxy {
    address: SocketAddr,
    paths: Paths,
    accepting: watch::Sender<bool>,
    listening: watch::Receiver<bool>,
    accepts: JoinHandle<()>,
}

/// What every connection of a proxy shares.
#[derive(Clone)]
struct Paths {
    upstream: SocketAddr,
    cut: broadcast::Sender<()>,
    flowing: watch::Sender<bool>,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl CutProxy {
    /// Listens on a free loopback port, which [`address`](CutProxy::address) tells.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime, as every other start does"
    )]
    pub async fn start(upstream: SocketAddr) -> io::Result<CutProxy> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let paths = Paths {
            upstream,
            cut: broadcast::Sender::new(1),
            flowing: watch::Sender::new(true),
            accepted: Arc::default(),
            open: Arc::default(),
        };
        let listener = listen(address)?;
        let accepting = watch::Sender::new(true);
        let (report, listening) = watch::channel(true);
        let accepts = tokio::spawn(accept_while_asked(
            listener,
            paths.clone(),
            accepting.subscribe(),
            report,
        ));
        Ok(CutProxy {
            address,
            paths,
            accepting,
            listening,
            accepts,
        })
    }

    /// Where to connect instead of to the upstream.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every open connection now; new ones are accepted.
    pub fn cut(&self) {
        // It fails when nothing is open: nothing to cut.
        let _ = self.paths.cut.send(());
    }

    /// Refuses new connections until [`accept`](CutProxy::accept); open ones stay.
    pub async fn refuse(&self) {
        self.set_accepting(false).await;
    }

    /// Accepts connections again.
    pub async fn accept(&self) {
        self.set_accepting(true).await;
    }

    /// Returns when the listener is really closed, or really open again.
    async fn set_accepting(&self, accepting: bool) {
        self.accepting.send_replace(accepting);
        // It fails only when the accepting task has ended, and then nothing is accepted any more.
        let _ = self
            .listening
            .clone()
            .wait_for(|listening| *listening == accepting)
            .await;
    }

    /// Keeps every connection open, and accepts new ones, but moves no byte until [`flow`](CutProxy::flow):
    /// what a lost network or a dead peer looks like.
    pub fn stall(&self) {
        self.paths.flowing.send_replace(false);
    }

    /// Moves bytes again, those that waited first.
    pub fn flow(&self) {
        self.paths.flowing.send_replace(true);
    }

    /// How many connections were accepted since the start.
    pub fn accepted(&self) -> usize {
        self.paths.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.paths.open.load(Ordering::SeqCst)
    }
}

impl Drop for CutProxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.cut();
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // The port is taken again after each refusal, while old connections still linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(128)
}

async fn accept_while_asked(
    listener: TcpListener,
    paths: Paths,
    mut accepting: watch::Receiver<bool>,
    listening: watch::Sender<bool>,
) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = Some(listener);
    loop {
        if !*accepting.borrow_and_update() {
            listener = None;
        } else if listener.is_none() {
            listener = listen(address).ok();
        }
        listening.send_replace(listener.is_some());
        let changed = match &listener {
            None => accepting.changed().await,
            Some(listener) => tokio::select! {
                changed = accepting.changed() => changed,
                Ok((stream, _)) = listener.accept() => {
                    tokio::spawn(paths.clone().carry(stream, paths.cut.subscribe()));
                    Ok(())
                }
            },
        };
        if changed.is_err() {
            return;
        }
    }
}

impl Paths {
    async fn carry(self, mut downstream: TcpStream, mut cut: broadcast::Receiver<()>) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        if let Ok(mut upstream) = TcpStream::connect(self.upstream).await {
            tokio::select! {
                _ = cut.recv() => {
                    // A reset, so that neither side takes the cut for an orderly end.
                    let _ = upstream.set_zero_linger();
                    let _ = downstream.set_zero_linger();
                }
                () = pump_both(&mut downstream, &mut upstream, &self.flowing) => {}
            }
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn pump_both(
    downstream: &mut TcpStream,
    upstream: &mut TcpStream,
    flowing: &watch::Sender<bool>,
) {
    let (mut down_read, mut down_write) = downstream.split();
    let (mut up_read, mut up_write) = upstream.split();
    let ended = tokio::try_join!(
        pump(&mut down_read, &mut up_write, flowing.subscribe()),
        pump(&mut up_read, &mut down_write, flowing.subscribe()),
    );
    // An end that broke off has nobody to be told.
    drop(ended);
}

/// Copies until the reader ends, holding each piece back while nothing may flow.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut flowing: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        if flowing.wait_for(|flowing| *flowing).await.is_err() {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// An upstream that sends back what it gets.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn round_trip(stream: &mut TcpStream, text: &str) -> io::Result<String> {
        stream.write_all(text.as_bytes()).await?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    #[tokio::test]
    async fn bytes_pass_and_a_cut_resets_what_is_open_but_not_what_comes_after() {
        let proxy = CutProxy::start(echo().await).await.unwrap();
        let mut before = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut before, "one").await.unwrap(), "one");
        proxy.cut();
        let error = before.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let mut after = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut after, "two").await.unwrap(), "two");
        assert_eq!((proxy.accepted(), proxy.open()), (2, 1));
    }

    #[tokio::test]
    async fn new_connections_are_refused_until_accepted_again_while_open_ones_go_on() {
        let proxy = CutProxy::start(echo().await).await.unwrap();
        let mut open = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut open, "one").await.unwrap(), "one");
        proxy.refuse().await;
        let error = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(round_trip(&mut open, "two").await.unwrap(), "two");
        proxy.accept().await;
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut new, "three").await.unwrap(), "three");
    }

    #[tokio::test]
    async fn a_stalled_connection_stays_open_and_silent_and_then_loses_nothing() {
        let proxy = CutProxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(round_trip(&mut stream, "one").await.unwrap(), "one");
        proxy.stall();
        let waiting = timeout(Duration::from_millis(100), round_trip(&mut stream, "two")).await;
        assert!(waiting.is_err(), "something came through");
        proxy.flow();
        let mut late = [0; 3];
        stream.read_exact(&mut late).await.unwrap();
        assert_eq!(&late, b"two");
    }

    #[tokio::test]
    async fn an_orderly_end_stays_orderly() {
        let proxy = CutProxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(b"last").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "last");
    }
}

//! A server that means no good: answers that never end, never come, or are too large.
//!
//! In: any request. Out: bytes, in the manner that the test chose, and how many of them somebody took.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// 200, and a body without an end, as fast as it is taken.
    EndlessBody,
    /// 200, and a body that comes one byte a second.
    SlowBody,
    /// A status line that comes one byte a second.
    SlowHead,
    /// One header without an end.
    EndlessHeader,
    /// Thousands of headers.
    ManyHeaders,
    /// 307 to itself.
    RedirectsToItself,
    /// Nothing at all; the connection stays open.
    Silence,
    /// Something that is not HTTP.
    Noise,
    /// 200 and half of the body that was announced, and then no more connection.
    HalfABody,
}

/// A running one. Dropping it closes its port.
pub struct Hostile {
    address: SocketAddr,
    seen: Arc<Seen>,
    accepts: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    taken: AtomicUsize,
}

impl Hostile {
    /// Listens on loopback.
    pub async fn start(manner: Manner) -> io::Result<Hostile> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Seen>::default();
        let accepts = tokio::spawn(accept(listener, manner, Arc::clone(&seen)));
        Ok(Hostile {
            address,
            seen,
            accepts,
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// How many bytes of its answers the network took, which is more than were read.
    pub fn taken(&self) -> usize {
        self.seen.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn accept(listener: TcpListener, manner: Manner, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            // It ends when the other side has had enough.
            let _ = converse(stream, manner, &seen).await;
        });
    }
}

async fn converse(mut stream: TcpStream, manner: Manner, seen: &Seen) -> io::Result<()> {
    let mut request = vec![0; 64 << 10];
    if stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let mut line = Line { stream, seen };
    match manner {
        Manner::EndlessBody => {
            line.say(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            line.forever(&[b'x'; 16 << 10]).await
        }
        Manner::SlowBody => {
            line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                .await?;
            line.slowly(b'o').await
        }
        Manner::SlowHead => {
            line.say(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            line.slowly(b'o').await
        }
        Manner::EndlessHeader => {
            line.say(b"HTTP/1.1 200 OK\r\nx-long: ").await?;
            line.forever(&[b'x'; 16 << 10]).await
        }
        Manner::ManyHeaders => {
            line.say(b"HTTP/1.1 200 OK\r\n").await?;
            for number in 0..10_000 {
                line.say(format!("x-{number}: y\r\n").as_bytes()).await?;
            }
            line.say(b"content-length: 2\r\n\r\nok").await
        }
        Manner::RedirectsToItself => {
            let to = line.stream.local_addr()?;
            let head = format!(
                "HTTP/1.1 307 Again\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"
            );
            line.say(head.as_bytes()).await
        }
        Manner::Silence => line.until_it_is_closed().await,
        Manner::Noise => line.say(b"\x16\x03\x01 this is not HTTP\r\n\r\n").await,
        Manner::HalfABody => {
            line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nok")
                .await
        }
    }
}

/// A connection on which an answer is given.
struct Line<'a> {
    stream: TcpStream,
    seen: &'a Seen,
}

impl Line<'_> {
    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.seen.taken.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(())
    }

    /// Until the other side closes: never more than one buffer ahead of it.
    async fn forever(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.say(bytes).await?;
        }
    }

    async fn slowly(&mut self, byte: u8) -> io::Result<()> {
        loop {
            self.say(&[byte]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn until_it_is_closed(&mut self) -> io::Result<()> {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

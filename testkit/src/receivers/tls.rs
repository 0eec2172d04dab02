//! TLS in front of a receiver.
//!
//! In: TLS connections. Out: what they say, to the receiver, and its answers back. Who connects is
//! asked for a certificate if the test wants it so.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, Pair};

/// A server that speaks TLS. Dropping it closes its port.
pub struct Tls {
    address: SocketAddr,
    agreed: Arc<AtomicUsize>,
    accepts: JoinHandle<()>,
}

impl Tls {
    /// Listens on loopback, shows `pair`, and passes on to `receiver` what it hears. With `clients`
    /// it speaks only to who shows a certificate of that authority.
    pub async fn start(
        receiver: SocketAddr,
        pair: &Pair,
        clients: Option<&Authority>,
    ) -> io::Result<Tls> {
        crate::install_crypto_provider();
        let config = config(pair, clients).map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let agreed = Arc::<AtomicUsize>::default();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepts = tokio::spawn(accept(listener, acceptor, receiver, Arc::clone(&agreed)));
        Ok(Tls {
            address,
            agreed,
            accepts,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// With how many connections the TLS handshake came to its end.
    pub fn agreed(&self) -> usize {
        self.agreed.load(Ordering::SeqCst)
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn config(pair: &Pair, clients: Option<&Authority>) -> Result<ServerConfig, Failure> {
    let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
    let builder = ServerConfig::builder();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let root = authority.certificate();
            roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(builder.with_single_cert(chain, key)?)
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    receiver: SocketAddr,
    agreed: Arc<AtomicUsize>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, agreed) = (acceptor.clone(), Arc::clone(&agreed));
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(stream).await else {
                return;
            };
            agreed.fetch_add(1, Ordering::SeqCst);
            if let Ok(mut server) = TcpStream::connect(receiver).await {
                // Either side may go whenever it likes.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}

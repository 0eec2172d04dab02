//! A real API server with its etcd, on loopback, for as long as a test needs it.
//!
//! In: the binaries that `hack/testbin.sh` built. Out: a [`Cluster`], its users, and real faults:
//! restarts, outages, a frozen server, a compacted etcd. It has no kubelet, scheduler or
//! controllers: nothing changes an object except the test, a namespace that is deleted stays
//! `Terminating`, and owner references collect nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::OnceCell;

use crate::binaries::{self, Binaries, MissingBinary};
use crate::certificates::{self, Authority};
use crate::etcd;
use crate::ports;
use crate::process::{Server, SweptFolder};
use crate::user::{Credentials, User};

const READY_WITHIN: Duration = Duration::from_mins(1);
const TAIL: usize = 15;
/// How often a start is tried whose ports are taken.
const START_ATTEMPTS: usize = 4;

/// Why a cluster could not be started or brought into a state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    #[error(transparent)]
    MissingBinary(#[from] MissingBinary),
    #[error("{server} ended with {status}; the end of its log:\n{log}")]
    Ended {
        server: &'static str,
        status: std::process::ExitStatus,
        log: String,
    },
    #[error("{server} is not ready after {seconds} s; the end of its log:\n{log}")]
    NotReady {
        server: &'static str,
        seconds: u64,
        log: String,
    },
    #[error("no certificate could be made")]
    Certificate(#[from] rcgen::Error),
    #[error("etcd refused a request")]
    Etcd(#[from] reqwest::Error),
    #[error("the API server refused a request")]
    Api(#[from] kube::Error),
    #[error("the API server granted a service account no token")]
    NoToken,
    #[error("the kubeconfig that was written cannot be read")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    #[error("the test cluster's files or processes")]
    Io(#[from] io::Error),
}

impl ClusterError {
    fn is_taken_port(&self) -> bool {
        matches!(self, Self::Ended { log, .. } if log.contains("address already in use"))
    }
}

type Result<T, E = ClusterError> = std::result::Result<T, E>;

/// A running API server and etcd. Dropping it, or the end of the process, ends both and removes their files.
pub struct Cluster {
    // In this order: the servers end before their files are removed.
    api_server: Mutex<Option<Server>>,
    etcd: Mutex<Option<Server>>,
    folder: SweptFolder,
    binaries: Binaries,
    authority: Authority,
    admin: User,
    api_port: u16,
    etcd_ports: [u16; 2],
    arguments: Vec<String>,
}

impl Cluster {
    /// Starts a cluster and waits until it serves; about 3 s.
    pub async fn start() -> Result<Cluster> {
        Cluster::start_with(&[]).await
    }

    /// As [`Cluster::start`], with further arguments for kube-apiserver, such as
    /// `--feature-gates=WatchList=false` or `--event-ttl=10s`. The last one of a name wins.
    pub async fn start_with(arguments: &[&str]) -> Result<Cluster> {
        crate::install_crypto_provider();
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Cluster::start_once(arguments).await {
                // Somebody else took a port between our look at it and the server's.
                Err(error) if attempts < START_ATTEMPTS && error.is_taken_port() => {}
                started => return started,
            }
        }
    }

    async fn start_once(arguments: &[&str]) -> Result<Cluster> {
        let cluster = Cluster::prepare(arguments)?;
        cluster.start_etcd().await?;
        cluster.start_apiserver().await?;
        Ok(cluster)
    }

    /// The one cluster that the tests of a test binary share, each in its own [`namespace`](Cluster::namespace)
    /// and as its own [`user`](Cluster::user). Tests that stop or freeze a server start their own.
    ///
    /// # Panics
    /// With the reason, when it cannot be started: a test that needs a cluster fails without one.
    pub async fn shared() -> &'static Cluster {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        let started = SHARED.get_or_try_init(Cluster::start).await;
        started.unwrap_or_else(|error| panic!("no test cluster: {}", chain(&error)))
    }

    fn prepare(arguments: &[&str]) -> Result<Cluster> {
        let binaries = binaries::find()?;
        let folder = SweptFolder::create()?;
        let authority = Authority::create()?;
        let server = authority.server()?;
        let (public, private) = certificates::signing_keys()?;
        let files = [
            ("ca.crt", authority.certificate()),
            ("server.crt", server.certificate),
            ("server.key", server.key),
            ("tokens.pub", public),
            ("tokens.key", private),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        let api_port = ports::free()?;
        let admin = Credentials::Certificate(authority.user("admin", Some("system:masters"))?);
        let admin = User::new(
            "admin",
            admin,
            address(api_port),
            authority.certificate(),
            folder.path(),
        );
        Ok(Cluster {
            api_server: Mutex::new(None),
            etcd: Mutex::new(None),
            folder,
            binaries,
            authority,
            admin,
            api_port,
            etcd_ports: [ports::free()?, ports::free()?],
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
        })
    }

    /// Where the API server listens.
    pub fn address(&self) -> SocketAddr {
        address(self.api_port)
    }

    /// The user who may do everything (`system:masters`).
    pub fn admin(&self) -> &User {
        &self.admin
    }

    /// A user who may do nothing until a role is bound to `name`. Use a name of your own in a shared cluster.
    pub fn user(&self, name: &str) -> Result<User> {
        self.user_in(name, None)
    }

    /// As [`Cluster::user`], a member of `group`.
    pub fn user_in(&self, name: &str, group: Option<&str>) -> Result<User> {
        let credentials = Credentials::Certificate(self.authority.user(name, group)?);
        Ok(self.user_with(name, credentials))
    }

    /// The service account `name`, with a token from the real `TokenRequest` API. The account must exist.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<User> {
        let token = self.admin.request_token(namespace, name).await?;
        Ok(self.user_with(
            &format!("system:serviceaccount:{namespace}:{name}"),
            Credentials::Token(token),
        ))
    }

    fn user_with(&self, name: &str, credentials: Credentials) -> User {
        User::new(
            name,
            credentials,
            self.address(),
            self.authority.certificate(),
            self.folder.path(),
        )
    }

    /// Creates a namespace whose name starts with `prefix` and that no other test has.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{:08x}", fastrand::u32(..));
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::all(self.admin.client().await?)
            .create(&PostParams::default(), &namespace)
            .await?;
        Ok(name)
    }

    /// Kills the API server. Every connection to it breaks and new ones are refused.
    pub fn stop_apiserver(&self) {
        drop(lock(&self.api_server).take());
    }

    /// Starts the API server (again), on the same port with the same keys, and waits until it is ready.
    pub async fn start_apiserver(&self) -> Result<()> {
        let server = Server::start(
            &self.binaries.api_server,
            &self.api_server_arguments(),
            &self.folder.path().join("kube-apiserver.log"),
        )?;
        *lock(&self.api_server) = Some(server);
        until_ready("kube-apiserver", &self.api_server, async || {
            self.admin.is_served().await
        })
        .await
    }

    /// Kills the API server, starts it again and waits until it is ready.
    pub async fn restart_apiserver(&self) -> Result<()> {
        self.stop_apiserver();
        self.start_apiserver().await
    }

    /// Kills etcd, starts it again on its data and waits until it is healthy.
    pub async fn restart_etcd(&self) -> Result<()> {
        drop(lock(&self.etcd).take());
        self.start_etcd().await
    }

    async fn start_etcd(&self) -> Result<()> {
        let server = Server::start(
            &self.binaries.etcd,
            &self.etcd_arguments(),
            &self.folder.path().join("etcd.log"),
        )?;
        *lock(&self.etcd) = Some(server);
        until_ready("etcd", &self.etcd, async || {
            etcd::is_healthy(self.etcd_address()).await
        })
        .await
    }

    /// Freezes the API server (SIGSTOP): connections stay open, nothing is answered.
    pub fn pause(&self) -> Result<()> {
        lock(&self.api_server)
            .as_ref()
            .map_or(Ok(()), Server::freeze)
            .map_err(ClusterError::Io)
    }

    /// Lets the frozen API server go on (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        lock(&self.api_server)
            .as_ref()
            .map_or(Ok(()), Server::thaw)
            .map_err(ClusterError::Io)
    }

    /// Makes etcd forget every revision before the present one, which it returns.
    ///
    /// A watch or a list that continues from an older revision is then answered by 410 Gone. At once for
    /// Events, which the API server does not cache; for other kinds, which it serves from its own memory,
    /// after [`restart_apiserver`](Cluster::restart_apiserver).
    pub async fn compact_etcd(&self) -> Result<i64> {
        Ok(etcd::compact(self.etcd_address()).await?)
    }

    /// The end of both servers' logs.
    pub fn logs(&self) -> String {
        [("etcd", &self.etcd), ("kube-apiserver", &self.api_server)]
            .map(|(name, server)| {
                let tail = lock(server)
                    .as_ref()
                    .map_or_else(|| "(stopped)".to_owned(), |server| server.tail(TAIL));
                format!("--- {name}\n{tail}\n")
            })
            .concat()
    }

    /// The process ids of etcd and the API server, those that run.
    pub fn process_ids(&self) -> Vec<u32> {
        [&self.etcd, &self.api_server]
            .into_iter()
            .filter_map(|server| lock(server).as_ref().map(Server::id))
            .collect()
    }

    /// The folder with the logs, keys and kubeconfigs; gone when the cluster is dropped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn etcd_address(&self) -> SocketAddr {
        address(self.etcd_ports[0])
    }

    fn etcd_arguments(&self) -> Vec<String> {
        let [client, peer] = self
            .etcd_ports
            .map(|port| format!("http://{}", address(port)));
        vec![
            format!("--data-dir={}", self.folder.path().join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // The data is for one test run: nothing is lost when the machine loses power.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    fn api_server_arguments(&self) -> Vec<String> {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut arguments = vec![
            format!("--etcd-servers=http://{}", self.etcd_address()),
            format!("--secure-port={}", self.api_port),
            format!("--tls-cert-file={}", file("server.crt")),
            format!("--tls-private-key-file={}", file("server.key")),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--service-account-key-file={}", file("tokens.pub")),
            format!("--service-account-signing-key-file={}", file("tokens.key")),
            // Unused, but the default is below /var/run, which an ordinary user cannot write.
            format!("--cert-dir={}", file("certificates")),
        ];
        let fixed = [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            // It waits for a controller that makes a `default` account in each namespace, and there is none here.
            "--disable-admission-plugins=ServiceAccount",
        ];
        arguments.extend(fixed.map(str::to_owned));
        arguments.extend_from_slice(&self.arguments);
        arguments
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the test cluster's logs end with:\n{}", self.logs());
        }
    }
}

/// Asks again until `ready`, until the server ends, or until the time is over.
async fn until_ready(
    name: &'static str,
    server: &Mutex<Option<Server>>,
    ready: impl AsyncFn() -> bool,
) -> Result<()> {
    let started = Instant::now();
    while !ready().await {
        if let Some(running) = lock(server).as_mut() {
            if let Some(status) = running.exited()? {
                return Err(ClusterError::Ended {
                    server: name,
                    status,
                    log: running.tail(TAIL),
                });
            }
            if started.elapsed() > READY_WITHIN {
                return Err(ClusterError::NotReady {
                    server: name,
                    seconds: READY_WITHIN.as_secs(),
                    log: running.tail(TAIL),
                });
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A panic in one test must not poison the cluster for the others that share it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error with its causes, one after the other.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

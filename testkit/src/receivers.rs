//! Servers that stand in for what cannot run here, on loopback.
//!
//! In: HTTP requests. Out: the answers that the real service gives, by its documented limits, and a
//! record of what was accepted, what was refused and why. What a service accepts is a pure function
//! of the request ([`Service`]); this module listens, scripts faults and records.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub mod hostile;
pub mod pagerduty;
pub mod slack;
pub mod tls;
pub mod webhook;

pub use hostile::{Hostile, Manner};
pub use pagerduty::PagerDuty;
pub use slack::Slack;
pub use tls::Tls;
pub use webhook::Webhook;

/// More than any service here takes; a larger request is answered by 413.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A request as a service sees it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: http::Method,
    /// Path without the query.
    pub path: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub arrived: Instant,
}

/// What a service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub(crate) fn text(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: vec![("content-type", "text/html; charset=utf-8".to_owned())],
            body: body.to_owned(),
        }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Answer {
        Answer {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Answer {
        // Whole seconds, and never zero: that would be an invitation.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        self.headers.push(("retry-after", seconds.to_string()));
        self
    }
}

/// A request that was refused, by the service or by a scripted fault.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub answer: Answer,
    /// What is wrong, in more words than the real service uses.
    pub why: String,
    pub arrived: Instant,
}

/// An accepted request.
#[derive(Debug, Clone)]
pub struct Accepted<T> {
    pub message: T,
    pub headers: http::HeaderMap,
    pub arrived: Instant,
}

/// What a stand-in takes and refuses.
pub trait Service: Send + 'static {
    /// What one accepted request said.
    type Message: Clone + Send + Sync;
    /// Decides about one request: its message, or the refusing answer and the reason.
    fn take(&mut self, request: &Request) -> Result<(Self::Message, Answer), (Answer, String)>;
    /// The body with which the real service answers when it fails with `status`.
    fn failure(&self, status: u16) -> Answer;
}

#[derive(Debug, Clone)]
enum Fault {
    Status {
        status: u16,
        retry_after: Option<Duration>,
    },
    Reset,
    Redirect {
        status: u16,
        location: String,
    },
    /// Taken and recorded, answered after this long.
    Late(Duration),
    /// Taken and recorded, answered with so many bytes.
    Huge(usize),
}

struct State<S: Service> {
    service: S,
    faults: VecDeque<(usize, Fault)>,
    delay: Duration,
    accepted: Vec<Accepted<S::Message>>,
    refused: Vec<Refusal>,
    resets: usize,
}

/// A running stand-in. Dropping it closes its port.
pub struct Receiver<S: Service> {
    address: SocketAddr,
    state: Arc<Mutex<State<S>>>,
    count: watch::Sender<usize>,
    accepts: JoinHandle<()>,
}

/// Fewer messages came than a test waited for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{seen} of {wanted} messages within {} ms; {refused} requests were refused{last}", within.as_millis())]
pub struct TooFew {
    seen: usize,
    wanted: usize,
    within: Duration,
    refused: usize,
    last: String,
}

impl<S: Service> Receiver<S> {
    async fn serve(service: S) -> io::Result<Receiver<S>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = State {
            service,
            faults: VecDeque::new(),
            delay: Duration::ZERO,
            accepted: Vec::new(),
            refused: Vec::new(),
            resets: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let count = watch::Sender::new(0);
        let accepts = tokio::spawn(accept(listener, Arc::clone(&state), count.clone()));
        Ok(Receiver {
            address,
            state,
            count,
            accepts,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses the next `times` requests with `status`, before the service sees them. Faults queue up.
    pub fn fail_next(&self, times: usize, status: u16, retry_after: Option<Duration>) {
        self.script(
            times,
            Fault::Status {
                status,
                retry_after,
            },
        );
    }

    /// Breaks the connections of the next `times` requests (TCP reset) after having read them; nothing is recorded as accepted.
    pub fn reset_connections(&self, times: usize) {
        self.script(times, Fault::Reset);
    }

    /// Accepts and records the next `times` requests, but answers after `delay`: a client that gives up earlier was heard all the same.
    pub fn answer_too_late(&self, times: usize, delay: Duration) {
        self.script(times, Fault::Late(delay));
    }

    /// Redirects the next `times` requests.
    pub fn redirect_next(&self, times: usize, status: u16, location: &str) {
        self.script(
            times,
            Fault::Redirect {
                status,
                location: location.to_owned(),
            },
        );
    }

    /// Accepts and records the next `times` requests, and answers with a body of `bytes`.
    pub fn answer_hugely(&self, times: usize, bytes: usize) {
        self.script(times, Fault::Huge(bytes));
    }

    /// Lets every request wait this long before it is looked at.
    pub fn slow(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// Forgets every scripted fault and delay.
    pub fn recover(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.delay = Duration::ZERO;
    }

    /// What was accepted, in order of arrival.
    pub fn accepted(&self) -> Vec<Accepted<S::Message>> {
        self.lock().accepted.clone()
    }

    /// The messages that were accepted, in order of arrival.
    pub fn messages(&self) -> Vec<S::Message> {
        self.lock()
            .accepted
            .iter()
            .map(|accepted| accepted.message.clone())
            .collect()
    }

    /// What was refused, by the service or by a scripted status or redirect.
    pub fn refused(&self) -> Vec<Refusal> {
        self.lock().refused.clone()
    }

    /// How many connections were reset as scripted.
    pub fn resets(&self) -> usize {
        self.lock().resets
    }

    /// Waits until at least `wanted` messages were accepted, since the start, and returns all there are.
    pub async fn wait_for(
        &self,
        wanted: usize,
        within: Duration,
    ) -> Result<Vec<S::Message>, TooFew> {
        let mut count = self.count.subscribe();
        // The sender lives in `self`, so only the time can end the wait early.
        let enough = tokio::time::timeout(within, count.wait_for(|seen| *seen >= wanted))
            .await
            .is_ok();
        if enough {
            return Ok(self.messages());
        }
        let state = self.lock();
        let last = state.refused.last().map_or_else(String::new, |refusal| {
            format!(", the last one: {}", refusal.why)
        });
        Err(TooFew {
            seen: state.accepted.len(),
            wanted,
            within,
            refused: state.refused.len(),
            last,
        })
    }

    fn script(&self, times: usize, fault: Fault) {
        if times > 0 {
            self.lock().faults.push_back((times, fault));
        }
    }

    pub(crate) fn with_service<T>(&self, act: impl FnOnce(&mut S) -> T) -> T {
        act(&mut self.lock().service)
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        lock(&self.state)
    }
}

impl<S: Service> Drop for Receiver<S> {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What to do with a request, after which wait.
enum Reply {
    Answer(Answer, Duration),
    Reset,
}

impl<S: Service> State<S> {
    fn reply(&mut self, request: &Request) -> Reply {
        match self.next_fault() {
            None => Reply::Answer(self.take(request), Duration::ZERO),
            Some(Fault::Late(delay)) => Reply::Answer(self.take(request), delay),
            Some(Fault::Huge(bytes)) => {
                let answer = self.take(request);
                Reply::Answer(
                    Answer {
                        body: "x".repeat(bytes),
                        ..answer
                    },
                    Duration::ZERO,
                )
            }
            Some(Fault::Reset) => {
                self.resets += 1;
                Reply::Reset
            }
            Some(Fault::Status {
                status,
                retry_after,
            }) => {
                let answer = self.service.failure(status);
                let answer = match retry_after {
                    Some(wait) => answer.retry_after(wait),
                    None => answer,
                };
                self.refuse(request, answer, format!("scripted: {status}"))
            }
            Some(Fault::Redirect { status, location }) => {
                let answer = Answer {
                    status,
                    headers: vec![("location", location)],
                    body: String::new(),
                };
                self.refuse(request, answer, format!("scripted: {status}"))
            }
        }
    }

    fn next_fault(&mut self) -> Option<Fault> {
        let (times, fault) = self.faults.front_mut()?;
        *times -= 1;
        let (left, fault) = (*times, fault.clone());
        if left == 0 {
            self.faults.pop_front();
        }
        Some(fault)
    }

    fn take(&mut self, request: &Request) -> Answer {
        match self.service.take(request) {
            Ok((message, answer)) => {
                self.accepted.push(Accepted {
                    message,
                    headers: request.headers.clone(),
                    arrived: request.arrived,
                });
                answer
            }
            Err((answer, why)) => {
                self.refused.push(Refusal {
                    answer: answer.clone(),
                    why,
                    arrived: request.arrived,
                });
                answer
            }
        }
    }

    fn refuse(&mut self, request: &Request, answer: Answer, why: String) -> Reply {
        self.refused.push(Refusal {
            answer: answer.clone(),
            why,
            arrived: request.arrived,
        });
        Reply::Answer(answer, Duration::ZERO)
    }
}

async fn accept<S: Service>(
    listener: TcpListener,
    state: Arc<Mutex<State<S>>>,
    count: watch::Sender<usize>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&state), count.clone()));
    }
}

/// The service ends the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("reset as scripted")]
struct Reset;

async fn converse<S: Service>(
    stream: TcpStream,
    state: Arc<Mutex<State<S>>>,
    count: watch::Sender<usize>,
) {
    // A second handle of the socket, to end it by a reset after hyper has let go of the first.
    let socket = stream.as_fd().try_clone_to_owned();
    let service = service_fn(|request| respond(request, &state, &count));
    let ended = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let (Err(_), Ok(socket)) = (ended, socket) {
        let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
    }
}

async fn respond<S: Service>(
    request: http::Request<Incoming>,
    state: &Mutex<State<S>>,
    count: &watch::Sender<usize>,
) -> Result<http::Response<Full<Bytes>>, Reset> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(response(Answer::text(413, "")));
    };
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        arrived,
    };
    let delay = lock(state).delay;
    tokio::time::sleep(delay).await;
    let (reply, accepted) = {
        let mut state = lock(state);
        (state.reply(&request), state.accepted.len())
    };
    count.send_replace(accepted);
    match reply {
        Reply::Reset => Err(Reset),
        Reply::Answer(answer, wait) => {
            tokio::time::sleep(wait).await;
            Ok(response(answer))
        }
    }
}

fn response(answer: Answer) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = http::StatusCode::from_u16(answer.status)
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Slack and PagerDuty document their limits in characters, not bytes.
pub(crate) fn characters(text: &str) -> usize {
    text.chars().count()
}

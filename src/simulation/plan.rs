//! What happens, made of a seed.

use fastrand::Rng;

/// How many databases and caches there may be.
pub const DATABASES: usize = 3;
pub const CACHES: usize = 2;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// A field of a database's status or spec changes; it is created if it is not there.
    Database(usize, Change),
    /// The phase of a cache changes: whether it has failed.
    Cache(usize, bool),
    DeleteDatabase(usize),
    DeleteCache(usize),
    /// A Warning about a database is written, or counted up if there is one.
    Warn(usize),
    /// So much of what waits in a stream arrives.
    Flow(Stream, usize),
    /// The connection is gone.
    Cut(Stream),
    /// It is back where it was.
    Mend(Stream),
    /// Everything is listed again; with a number, it stops after so many.
    List(Stream, Option<usize>),
    /// How a receiver behaves from now on.
    Receiver(usize, Mode),
    /// Rules are edited and read again: in another order and other words, or back.
    Reload(bool),
    /// A rule comes, or is taken out.
    Rule(bool),
    /// Routes, an inhibition and hours come into force, or go.
    Routes(bool),
    /// Somebody silences a rule, for so many seconds.
    Silence(usize, i64),
    /// Somebody ends that silence.
    Unsilence(usize),
    /// Seconds pass.
    Wait(i64),
    /// Seconds pass in which the process does nothing, or the clock leaps ahead.
    StandStill(i64),
    /// After so many more effects the process is killed; it is away for seconds, and the clock may
    /// have been set meanwhile.
    Kill {
        after: usize,
        away: i64,
        clock: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Running, Failed or Pending.
    Phase(usize),
    Available(i64),
    /// A number, or text that is none.
    Size(usize),
    BackedUp,
    Version(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    Databases,
    Caches,
    Events,
}

pub const STREAMS: [Stream; 3] = [Stream::Databases, Stream::Caches, Stream::Events];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Says yes.
    Up,
    /// Says yes after so many seconds.
    Slow(i64),
    /// 429, with so many seconds to wait.
    Busy(i64),
    /// 5xx, or no connection.
    Down,
    /// Takes it, and its answer never arrives.
    Mute,
}

/// The rules that somebody may silence.
pub const SILENCED: [&str; 4] = ["failed", "short", "cache-failed", "warned"];

/// A history.
pub struct Plan {
    pub steps: Vec<Step>,
}

/// In which respects something happens: some histories are quiet in some, so that others stand out.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each by itself")]
struct Loud {
    kills: bool,
    faults: bool,
    moods: bool,
    /// Routes, inhibitions, silences.
    mutes: bool,
}

impl Plan {
    pub fn of(seed: u64) -> Plan {
        let mut rng = Rng::with_seed(seed);
        let length = rng.usize(10..90);
        let loud = Loud {
            kills: rng.bool(),
            faults: rng.bool(),
            moods: rng.bool(),
            mutes: rng.bool(),
        };
        let first = loud.mutes.then_some(Step::Routes(true));
        let steps = (0..length).map(|_| step(&mut rng, loud));
        Plan {
            steps: first.into_iter().chain(steps).collect(),
        }
    }
}

fn step(rng: &mut Rng, loud: Loud) -> Step {
    match rng.u8(..100) {
        0..30 => Step::Database(rng.usize(..DATABASES), change(rng)),
        30..38 => Step::Cache(rng.usize(..CACHES), rng.bool()),
        38..42 => Step::DeleteDatabase(rng.usize(..DATABASES)),
        42..44 => Step::DeleteCache(rng.usize(..CACHES)),
        44..49 => Step::Warn(rng.usize(..DATABASES)),
        49..65 => Step::Flow(stream(rng), rng.usize(1..6)),
        65..68 if loud.faults => Step::Cut(stream(rng)),
        68..70 if loud.faults => Step::Mend(stream(rng)),
        70..74 if loud.faults => {
            let aborted = rng.bool().then(|| rng.usize(..3));
            Step::List(stream(rng), aborted)
        }
        74..79 if loud.moods => Step::Receiver(rng.usize(..2), mode(rng)),
        79..84 if loud.kills => Step::Kill {
            after: rng.usize(..8),
            away: rng.i64(0..400),
            clock: if rng.u8(..8) == 0 {
                rng.i64(-300..300)
            } else {
                0
            },
        },
        84..86 => Step::Reload(rng.bool()),
        86..87 => Step::Rule(rng.bool()),
        87..91 if loud.mutes => Step::Silence(rng.usize(..SILENCED.len()), rng.i64(5..4_000)),
        91..92 if loud.mutes => Step::Unsilence(rng.usize(..SILENCED.len())),
        92..94 if loud.faults => Step::StandStill(if rng.bool() {
            rng.i64(1..30)
        } else {
            rng.i64(31..2_000)
        }),
        _ => Step::Wait(match rng.u8(..40) {
            0 => rng.i64(15_000..20_000),
            1..10 => rng.i64(1..10),
            10..30 => rng.i64(10..130),
            _ => rng.i64(130..1_500),
        }),
    }
}

fn change(rng: &mut Rng) -> Change {
    match rng.u8(..10) {
        0..4 => Change::Phase(rng.usize(..3)),
        4..6 => Change::Available(rng.i64(0..4)),
        6..8 => Change::Size(rng.usize(..4)),
        8 => Change::BackedUp,
        _ => Change::Version(rng.u8(14..18)),
    }
}

fn mode(rng: &mut Rng) -> Mode {
    match rng.u8(..6) {
        0 | 1 => Mode::Up,
        2 => Mode::Slow(rng.i64(1..60)),
        3 => Mode::Busy(rng.i64(1..120)),
        4 => Mode::Down,
        _ => Mode::Mute,
    }
}

fn stream(rng: &mut Rng) -> Stream {
    STREAMS[rng.usize(..STREAMS.len())]
}

//! What goes to standard error while the bridge runs.
//!
//! Text for a person at a terminal, JSON lines for everything else. Credentials never reach a log:
//! they exist only inside `deliver`, in a type that has no text form.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::decision::{Decision, Reason};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    Text,
    Json,
}

/// Starts logging to standard error. `level` is a level (`debug`) or a filter as in `RUST_LOG`
/// (`info,bellwether::watch=debug`). Says which of text and JSON it is.
///
/// # Errors
/// `level` is no filter.
pub fn start(
    format: Format,
    level: &str,
) -> Result<Format, tracing_subscriber::filter::ParseError> {
    // The client logs each request that fails as an error; we say what it means, and when it is
    // tried again.
    let own = "kube_client=off".parse()?;
    let filter = EnvFilter::try_new(level)?;
    let filter = if level.contains("kube_client") {
        filter
    } else {
        filter.add_directive(own)
    };
    let terminal = std::io::stderr().is_terminal();
    let format = match format {
        Format::Auto if terminal => Format::Text,
        Format::Auto => Format::Json,
        chosen => chosen,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process keeps the first: the only error there is.
    let _ = if format == Format::Text {
        let lines = lines.with_ansi(terminal).with_target(false);
        registry.with(lines).try_init()
    } else {
        registry.with(lines.json().flatten_event(true)).try_init()
    };
    Ok(format)
}

/// Logs a decision, as loud as it deserves.
pub fn decided(decision: &Decision) {
    let Decision {
        reason,
        about,
        until,
        ..
    } = decision;
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                reason = reason.name(),
                rule = about.rule.as_ref().map(tracing::field::display),
                object = about.object.as_ref().map(tracing::field::display),
                alert = about.alert.as_ref().map(tracing::field::display),
                receiver = about.receiver.as_ref().map(tracing::field::display),
                group = about.group.as_ref().map(tracing::field::display),
                notification = about.notification.as_ref().map(tracing::field::display),
                source = about.source.as_ref().map(tracing::field::display),
                until = until.as_ref().map(tracing::field::display),
                "{reason}"
            )
        };
    }
    match loudness(reason) {
        tracing::Level::ERROR => line!(error),
        tracing::Level::WARN => line!(warn),
        tracing::Level::INFO => line!(info),
        _ => line!(debug),
    }
}

fn loudness(reason: &Reason) -> tracing::Level {
    match reason {
        Reason::Refused(_) | Reason::GaveUp(_) => tracing::Level::ERROR,
        Reason::Unknown(_)
        | Reason::Retrying(_)
        | Reason::TemplateFailed(_)
        | Reason::Blind(_)
        | Reason::Bounded(_)
        | Reason::Stale
        | Reason::Frozen(_)
        | Reason::Limited
        | Reason::FellBack(_)
        | Reason::NoReceiver => tracing::Level::WARN,
        Reason::Firing
        | Reason::Resolved(_)
        | Reason::Occurred
        | Reason::Shadowed
        | Reason::Inhibited(_)
        | Reason::Silenced(_)
        | Reason::Muted(_)
        | Reason::Acknowledged(_)
        | Reason::SilenceMade(_)
        | Reason::SilenceOver(_)
        | Reason::Sent => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    }
}

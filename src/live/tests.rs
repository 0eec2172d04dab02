//! What happens when a part of the shell breaks.

use super::*;

fn pending<T: Send + 'static>() -> Task<T> {
    Task::start(std::future::pending())
}

fn healthy() -> Tasks {
    Tasks {
        reports: Task::start(std::future::pending()),
        streams: pending(),
        drive: pending(),
        commit: pending(),
        courier: pending(),
        http: pending(),
        control: pending(),
        recorded: None,
    }
}

fn panicking<T: Send + 'static>() -> Task<T> {
    Task::start(async { panic!("a mistake") })
}

#[tokio::test]
async fn a_panic_anywhere_ends_the_bridge_and_says_where() {
    let mut told = Vec::new();
    let broken = [
        Tasks {
            streams: panicking(),
            ..healthy()
        },
        Tasks {
            drive: panicking(),
            ..healthy()
        },
        Tasks {
            commit: panicking(),
            ..healthy()
        },
        Tasks {
            courier: panicking(),
            ..healthy()
        },
        Tasks {
            http: panicking(),
            ..healthy()
        },
    ];
    for mut tasks in broken {
        match tasks.broken().await {
            LiveError::Panicked { what, .. } => told.push(what),
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        told,
        [
            "a watch",
            "the engine",
            "the journal",
            "a delivery",
            "the HTTP server"
        ]
    );
}

#[tokio::test]
async fn a_panic_while_draining_is_not_waited_out() {
    let mut tasks = Tasks {
        courier: panicking(),
        ..healthy()
    };
    let end = tasks.finish().await;
    assert!(matches!(end, Err(LiveError::Panicked { .. })), "{end:?}");
}

#[tokio::test]
async fn a_part_that_stops_by_itself_is_a_mistake_too() {
    let mut tasks = Tasks {
        streams: Task::start(async { Ok(()) }),
        ..healthy()
    };
    let end = tasks.broken().await;
    assert!(matches!(end, LiveError::Stopped { .. }), "{end}");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_does_not_keep_the_bridge() {
    let mut tasks = Tasks {
        drive: Task::start(async { 0 }),
        ..healthy()
    };
    assert!(tasks.finish().await.is_ok());
}

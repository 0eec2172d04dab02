//! Servers and proxies that refuse, lie or end everything at once.

use std::time::Duration;

use bellwether::cel::PathSet;
use bellwether::watch::stream::WatchSettings;

use crate::mirror::{Health, Mirror, hasty};
use crate::scripted::{Scripted, added, bookmark, ended, open, page, refused, thing, things};

/// A whole list of one thing, and the watch after it.
fn list_of_one() -> Vec<String> {
    vec![added("one", 10), bookmark(10, true)]
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_left_alone_for_that_long() {
    let server = Scripted::start(|asked| match asked.before {
        0 => refused(429, "too many requests", Some(2)),
        _ => open(list_of_one()),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror
        .until("it is listed", |m| m.lists == 1 && m.health == Health::Good)
        .await;
    let asked = server.asked();
    let waited = asked[1].0 - asked[0].0;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn a_watch_goes_on_from_the_last_bookmark() {
    let server = Scripted::start(|asked| match asked.before {
        0 => ended([list_of_one(), vec![bookmark(50, false)]].concat()),
        _ => open(vec![added("two", 51)]),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror
        .until("the watch goes on", |m| m.object("two").is_some())
        .await;
    let query = &server.asked()[1].1;
    assert!(query.contains("resourceVersion=50"), "{query}");
    assert!(!query.contains("sendInitialEvents"), "{query}");
    assert_eq!(mirror.lists, 1);
}

#[tokio::test]
async fn an_error_in_the_stream_is_survived_where_it_happened() {
    let error =
        r#"{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd went away"}}"#;
    let server = Scripted::start(move |asked| match asked.before {
        0 => open([list_of_one(), vec![added("two", 20), error.into()]].concat()),
        _ => open(vec![added("three", 30)]),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror
        .until("the watch goes on", |m| m.object("three").is_some())
        .await;
    insta::assert_snapshot!(mirror.broken[0], @"the API server fails (500): etcd went away");
    let query = &server.asked()[1].1;
    assert!(query.contains("resourceVersion=20"), "{query}");
    assert_eq!((mirror.lists, mirror.names().len()), (1, 3));
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_asked_for_again_and_then_skipped() {
    let bad = [list_of_one(), vec!["<html>".into(), added("two", 20)]].concat();
    let server = Scripted::start(move |asked| match asked.before {
        0 => open(bad.clone()),
        _ => open(bad[2..].to_vec()),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror
        .until("the rest goes on", |m| m.object("two").is_some())
        .await;
    assert_eq!((server.asked().len(), mirror.stats().refused.get()), (2, 1));
    insta::assert_snapshot!(mirror.broken.join("\n"), @"the server's answer cannot be read: not the JSON that was expected (a syntax error, byte 1)");
}

#[tokio::test]
async fn a_line_over_the_limit_hides_no_other() {
    let settings = WatchSettings {
        line_limit: 500,
        ..hasty()
    };
    let long = added(&"x".repeat(600), 15);
    let lines = [list_of_one(), vec![long, added("two", 20)]].concat();
    let server = Scripted::start(move |asked| match asked.before {
        0 => open(lines.clone()),
        _ => open(lines[2..].to_vec()),
    })
    .await;
    let mut mirror = Mirror::with(&server.cluster, things(), &PathSet::all(), settings, 16);
    mirror
        .until("the rest goes on", |m| m.object("two").is_some())
        .await;
    insta::assert_snapshot!(mirror.broken.join("\n"), @"the server's answer cannot be read: a line of more than 500 bytes");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_deletes_nothing() {
    let server = Scripted::start(|asked| match asked.before {
        0 => ended(list_of_one()),
        1 => refused(410, "too old", None),
        2..=4 => open(vec![added("two", 20), "<html>".into()]),
        _ => open([list_of_one(), vec![added("two", 20)]].concat()),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror.until("a list was aborted", |m| m.aborted == 1).await;
    assert!(mirror.object("one").is_some(), "it was only not named yet");
}

#[tokio::test]
async fn a_server_that_ends_every_watch_at_once_is_not_hammered() {
    let server = Scripted::start(|asked| match asked.before {
        0 => ended(list_of_one()),
        _ => ended(vec![]),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror.until("it is listed", |m| m.lists == 1).await;
    mirror.during(Duration::from_secs(4)).await;
    let asked = server.asked().len();
    assert!((3..=15).contains(&asked), "{asked} requests in 4 s");
}

#[tokio::test]
async fn a_server_that_says_gone_to_every_watch_is_not_hammered() {
    let server = Scripted::start(|asked| {
        if asked.query.contains("sendInitialEvents") {
            ended(list_of_one())
        } else {
            refused(410, "too old resource version", None)
        }
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror.until("it is listed", |m| m.lists == 1).await;
    mirror.during(Duration::from_secs(4)).await;
    let asked = server.asked().len();
    assert!((3..=30).contains(&asked), "{asked} requests in 4 s");
    assert_eq!(mirror.names(), ["one"]);
}

#[tokio::test]
async fn a_streaming_list_that_never_ends_becomes_pages() {
    let server = Scripted::start(|asked| {
        let query = asked.query;
        if query.contains("sendInitialEvents") {
            ended(vec![added("one", 10)])
        } else if query.contains("watch=true") {
            open(vec![added("two", 20)])
        } else {
            page(&[thing("one", 10)], 10, "")
        }
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror
        .until("the watch goes on", |m| m.object("two").is_some())
        .await;
    assert_eq!(
        (mirror.lists, mirror.aborted, mirror.health),
        (1, 2, Health::Good)
    );
}

#[tokio::test]
async fn a_list_whose_continuation_expired_starts_again() {
    let server = Scripted::start(|asked| match asked.before {
        0 => refused(422, "sendInitialEvents is forbidden", None),
        1 | 3 => page(&[thing("one", 1)], 10, "token"),
        2 => refused(410, "the provided continue parameter is too old", None),
        4 => page(&[thing("two", 2)], 10, ""),
        _ => open(vec![]),
    })
    .await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror.until("it is listed", |m| m.lists == 1).await;
    assert_eq!(
        (mirror.aborted, mirror.names().len(), mirror.broken.len()),
        (1, 2, 0)
    );
    let queries: Vec<String> = server.asked().into_iter().map(|(_, query)| query).collect();
    assert!(queries[2].contains("continue=token") && queries[4].contains("continue=token"));
    assert!(!queries[3].contains("continue"), "{}", queries[3]);
}

#[tokio::test]
async fn the_stream_is_asked_for_uncompressed_with_bookmarks_and_an_end() {
    let server = Scripted::start(|_| open(list_of_one())).await;
    let mut mirror = Mirror::of(&server.cluster, things());
    mirror.until("it is listed", |m| m.lists == 1).await;
    let query = server.asked().remove(0).1;
    for part in [
        "allowWatchBookmarks=true",
        "sendInitialEvents=true",
        "resourceVersionMatch=NotOlderThan",
        "timeoutSeconds=",
    ] {
        assert!(query.contains(part), "{query}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_for_long_is_asked_again_without_a_word() {
    let settings = WatchSettings {
        silence: Duration::from_millis(300),
        ..hasty()
    };
    let server = Scripted::start(|asked| match asked.before {
        0 => open(list_of_one()),
        1..=3 => open(vec![]),
        _ => open(vec![added("two", 20)]),
    })
    .await;
    let mut mirror = Mirror::with(&server.cluster, things(), &PathSet::all(), settings, 16);
    mirror
        .until("it is asked again", |m| m.object("two").is_some())
        .await;
    assert_eq!((mirror.lists, mirror.broken.len()), (1, 0));
    let query = &server.asked()[4].1;
    assert!(query.contains("resourceVersion=10"), "{query}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_quoted() {
    let server = Scripted::start(|_| open(vec![])).await;
    let secret = server.cluster.secret("a", "b", "key").await;
    let error = secret.expect_err("it is no Secret").to_string();
    insta::assert_snapshot!(error, @"the server's answer cannot be read: /api/v1/namespaces/a/secrets/b: not the JSON that was expected (a field missing or of another type, byte 17)");
}

#[tokio::test]
async fn of_objects_of_which_only_metadata_is_read_nothing_else_is_asked_for() {
    let server = Scripted::start(|asked| match (asked.before, asked.accept) {
        (0, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json") => {
            refused(422, "no streaming lists", None)
        }
        (
            1,
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
        ) => page(&[thing("one", 10)], 10, ""),
        (_, accept) => open(vec![added(&accept.len().to_string(), 11)]),
    })
    .await;
    let paths = PathSet::of(["metadata.labels", "metadata.ownerReferences"]).expect("paths");
    let mut mirror = Mirror::with(&server.cluster, things(), &paths, hasty(), 16);
    mirror
        .until("the watch follows", |m| m.names().len() == 2)
        .await;
    assert_eq!(mirror.names(), ["77", "one"]);
}

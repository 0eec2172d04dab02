//! A bot's message in a channel, changed in place by a bridge that is killed in between.

use std::fs;
use std::time::Duration;

use bellwether_testkit::receivers::slack::Post;

use crate::world::World;

/// The bot's token, planted to be looked for in all that the bridge says.
const TOKEN: &str = "xoxb-planted-secret";
const ENOUGH: Duration = Duration::from_secs(20);

fn receiver(world: &World) -> String {
    format!(
        "
apiVersion: bellwether.dev/v1alpha1
kind: Receiver
metadata: {{name: team}}
spec:
  slack:
    botToken: {{env: SLACK_BOT_TOKEN}}
    channel: databases
    baseUrl: '{}'
    mentions: {{critical: [here]}}
    buttons: [{{text: Silence, url: 'https://bells.example/?rule={{{{rule.name}}}}'}}]
  groupInterval: 1s
",
        world.slack.base_url()
    )
}

#[tokio::test]
async fn a_group_is_one_message_though_the_bridge_is_killed_in_between() {
    let world = World::new("bot").await;
    world.slack.channel("databases");
    let rule = world.rule(
        "failed",
        "when: object.status.phase == 'Failed'\nseverity: critical\nsummary: '{{object.metadata.name}} has failed'\ndescription: Look at its disk.",
    );
    fs::write(world.rules(), rule + "---" + &receiver(&world)).unwrap();
    let (orders, users) = (
        world.database("orders").await,
        world.database("users").await,
    );
    let mut command = world.command();
    command.variable("SLACK_BOT_TOKEN", TOKEN);

    let bridge = command.start().await;
    bridge.ready().await;
    world.phase(&orders, "Failed").await;
    // The message, and its details.
    world.slack.wait_for(2, ENOUGH).await.unwrap();
    bridge.says("\"sent\"").await;
    let said = bridge.log();
    bridge.kill();
    assert!(!said.contains("planted-secret"), "{said}");
    let state = fs::read(world.state()).unwrap();
    let planted = b"planted-secret";
    assert!(!state.windows(planted.len()).any(|bytes| bytes == planted));

    let bridge = command.start().await;
    bridge.ready().await;
    world.phase(&users, "Failed").await;
    world.slack.wait_for(4, ENOUGH).await.unwrap();
    world.phase(&users, "Running").await;
    world.phase(&orders, "Running").await;
    let over = |posts: &[Post]| posts[0].message.text.contains("resolved");
    let mut posts = world.slack.picture("databases").0;
    for _ in 0..200 {
        if over(&posts) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        posts = world.slack.picture("databases").0;
    }
    assert!(over(&posts), "{}", world.slack.picture("databases"));
    let messages: Vec<_> = posts.iter().filter(|post| post.thread.is_none()).collect();
    assert_eq!(messages.len(), 1, "{}", world.slack.picture("databases"));
    assert!(
        posts[1..]
            .iter()
            .all(|post| post.thread.as_ref() == Some(&posts[0].ts))
    );
    assert_eq!(world.slack.refused().len(), 0);
}

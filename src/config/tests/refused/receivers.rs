//! Receivers, and rules that name them.

use super::*;

#[test]
fn a_receiver_that_does_not_exist_shows_the_nearest() {
    let text = rule("  when: a\n  notify: [chat, caht]\n") + "---" + RECEIVER;
    insta::assert_snapshot!(refused(&text), @"
    error: there is no receiver `caht`
     --> rules.yaml:7:18
      |
    7 |   notify: [chat, caht]
      |                  ^^^^
      |
      = help: did you mean `chat`?
    ");
    insta::assert_snapshot!(messages(&rule("  when: a\n  notify: [chat]\n")), @"rules.yaml:7:12: there is no receiver `chat` (there are no receivers in the rules path)");
}

#[test]
fn a_secret_in_the_document_is_refused_and_not_shown() {
    let text = receiver(
        "  pagerduty: {routingKey: 0123456789abcdef}
  webhook:
    url: https://user:hunter2@example.com/
    headers: {Authorization: Bearer hunter2, X-Team: db}
    bearerToken: {env: A, file: b}
    hmac: {secret: {}}
",
    );
    let report = refused(&text);
    assert!(!report.contains("hunter2") && !report.contains("0123456789abcdef"));
    insta::assert_snapshot!(report, @"
    error: `routingKey` is a secret and cannot stand in the document
     --> rules.yaml:5:27
      |
    5 |   pagerduty: {routingKey: ****************}
      |                           ^^^^^^^^^^^^^^^^
      |
      = help: say where the secret is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`

    error: the receiver names both `pagerduty` and `webhook`
     --> rules.yaml:6:3
      |
    6 |   webhook:
      |   ^^^^^^^
      |
      = help: exactly one of `slack`, `pagerduty`, `alertmanager`, `webhook`

    error: `url` has a password in it
     --> rules.yaml:7:10
      |
    7 |     url: *********************************
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: use `basic`, or keep the whole address elsewhere: `url: {env: NAME}`

    error: the header `Authorization` is a secret and cannot stand in the document
     --> rules.yaml:8:15
      |
    8 |     headers: {Authorization: **************, X-Team: db}
      |               ^^^^^^^^^^^^^
      |
      = help: say where it is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`

    error: `bearerToken` needs exactly one of `env`, `file`, `secretKeyRef`
     --> rules.yaml:9:18
      |
    9 |     bearerToken: {env: A, file: b}
      |                  ^

    error: `secret` needs exactly one of `env`, `file`, `secretKeyRef`
      --> rules.yaml:10:20
       |
    10 |     hmac: {secret: {}}
       |                    ^
    ");
    let slack = refused(&receiver(
        "  slack:\n    webhookUrl: https://hooks.slack.com/services/T0/B0/xyz\n",
    ));
    assert!(!slack.contains("xyz"));
    insta::assert_snapshot!(slack, @"
    error: `webhookUrl` is a secret and cannot stand in the document
     --> rules.yaml:6:17
      |
    6 |     webhookUrl: ******************************************
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: say where the secret is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`
    ");
}

#[test]
fn a_receiver_that_cannot_work_is_refused() {
    let text = receiver(
        "  webhook: {url: example.com, method: GET, successCodes: [200, 1000], headers: {'a b': c}}
  groupBy: [alertname, ...]
  groupInterval: 0s
  limit: {notifications: 0, per: 1}
  maxInFlight: -1
",
    );
    insta::assert_snapshot!(messages(&text), @"
    rules.yaml:5:18: `url` is no address (write `https://…`)
    rules.yaml:5:39: `GET` sends no body (`POST`, `PUT` or `PATCH`)
    rules.yaml:5:64: 1000 is no HTTP status
    rules.yaml:5:81: `a b` is no header's name
    rules.yaml:6:24: `...` stands for all labels, and alone (write `groupBy: [...]`)
    rules.yaml:7:18: `groupInterval` is at least one second, not `0s`
    rules.yaml:8:26: `notifications` takes a whole number, at least 1, not 0
    rules.yaml:8:34: `per`: 1 has no unit (write `1s`, `1m` or `1h`)
    rules.yaml:9:16: `maxInFlight` takes a whole number, at least 1, not -1
    ");
    insta::assert_snapshot!(messages(&receiver("  sendResolved: false\n")), @"rules.yaml:4:1: the receiver names no service (exactly one of `slack`, `pagerduty`, `alertmanager`, `webhook`)");
}

#[test]
fn a_slack_receiver_has_one_way_to_its_channel() {
    insta::assert_snapshot!(messages(&receiver("  slack: {channel: general}\n")), @"rules.yaml:5:3: `slack` says not how Slack is reached (`webhookUrl` or `botToken`)");
    insta::assert_snapshot!(messages(&receiver("  slack: {botToken: {env: A}}\n")), @"rules.yaml:5:11: a bot needs a channel (`channel: C0123456789` (or its name), with the bot as a member)");
    let both = "  slack: {botToken: {env: A}, webhookUrl: {env: B}, channel: general}\n";
    insta::assert_snapshot!(messages(&receiver(both)), @"rules.yaml:5:31: `webhookUrl` and `botToken` are two ways to one channel (remove one: only with a bot's token messages are changed in place)");
    let text = "  slack:
    botToken: xoxb-hunter2
    channel: general
    baseUrl: slack.com
    mentions: {critical: [here, '@anna'], fatal: [here]}
    buttons: [{text: Silence, url: 'https://bells.example'}, {text: x}]
";
    let report = refused(&receiver(text));
    assert!(!report.contains("hunter2"));
    insta::assert_snapshot!(messages(&receiver(text)), @"
    rules.yaml:6:15: `botToken` is a secret and cannot stand in the document (say where the secret is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`)
    rules.yaml:8:14: `baseUrl` is no address (write `https://…`)
    rules.yaml:9:33: `critical`: `@anna` is nobody who can be mentioned; write `here`, `channel`, or the ID of a member (`U…`) or a user group (`S…`), which Slack shows in the profile
    rules.yaml:9:43: unknown key `fatal` in `mentions` (known here: `critical`, `warning`, `info`)
    rules.yaml:10:62: `buttons` lacks `url`
    ");
}

#[test]
fn buttons_that_slack_refuses_and_pictures_that_pagerduty_does_not_show_are_told_of() {
    let button = |label: &str| format!("{{text: {label}, url: 'https://bells.example'}}");
    let text = |buttons: &[String]| {
        let buttons = buttons.join(", ");
        receiver(&format!(
            "  slack:\n    webhookUrl: {{env: A}}\n    buttons: [{buttons}]\n"
        ))
    };
    insta::assert_snapshot!(messages(&text(&[button(&"x".repeat(76))])), @"rules.yaml:7:22: the label of a button has 76 characters (at most 75)");
    let fits = messages(&text(&[button(&"x".repeat(75))]));
    assert!(!fits.contains("button"), "{fits}");
    insta::assert_snapshot!(messages(&text(&vec![button("x"); 25])), @"rules.yaml:7:999: a message has room for 24 buttons and the runbook's (leave some out)");
    let image = "  pagerduty:\n    routingKey: {env: A}\n    images: [{src: 'http://graphs.example/a.png'}]\n";
    insta::assert_snapshot!(messages(&receiver(image)), @"rules.yaml:7:20: PagerDuty shows pictures by https only (write `https://…`)");
}

#[test]
fn an_alertmanager_takes_alerts_as_they_are() {
    let text = "  alertmanager: {url: 'http://u:hunter2@am:9093', basic: {username: a, password: {env: A}}, bearerToken: {env: B}}
  groupBy: [alertname]
  limit: {notifications: 1, per: 1m}
  sendResolved: false
  template: a.json.hbs
";
    assert!(!refused(&receiver(text)).contains("hunter2"));
    insta::assert_snapshot!(messages(&receiver(text)), @"
    rules.yaml:5:23: `url` has a password in it (use `basic`, or keep the whole address elsewhere: `url: {env: NAME}`)
    rules.yaml:5:51: `basic` and `bearerToken` both want the `Authorization` header
    rules.yaml:6:3: `groupBy` is not for an Alertmanager (it groups and limits by itself, and takes alerts as they are; leave it out)
    rules.yaml:7:3: `limit` is not for an Alertmanager (it groups and limits by itself, and takes alerts as they are; leave it out)
    rules.yaml:8:3: `sendResolved` is not for an Alertmanager (it groups and limits by itself, and takes alerts as they are; leave it out)
    rules.yaml:9:3: `template` is not for an Alertmanager (it groups and limits by itself, and takes alerts as they are; leave it out)
    ");
}

#[test]
fn a_credential_is_of_the_documents_own_namespace_and_a_key_does_not_stand_in_it() {
    let text = "  webhook:
    url: https://a.example
    clientCertificate:
      certificate: {secretKeyRef: {name: hook, key: tls.crt}}
      key: |
        -----BEGIN PRIVATE KEY-----
        hunter2
";
    let report = refused(&receiver(text));
    assert!(!report.contains("hunter2"), "{report}");
    insta::assert_snapshot!(messages(&receiver(text)), @"rules.yaml:10:9: `key` is a secret and cannot stand in the document (say where the secret is kept: `{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`)");
    for text in [
        "  webhook: {url: {secretKeyRef: {name: hook, key: url, namespace: kube-system}}}\n",
        "  pagerduty: {routingKey: {secretKeyRef: {name: hook, key: url, namespace: kube-system}}}\n",
    ] {
        let messages = messages(&receiver(text));
        assert!(messages.contains("namespace"), "{messages}");
    }
    let tenant = receiver(
        "  webhook:
    url: https://a.example
    clientCertificate: {certificate: {file: /tls.crt}, key: {env: KEY}}
",
    );
    let tenant = tenant.replace("metadata: {name: ", "metadata: {namespace: blue, name: ");
    insta::assert_snapshot!(messages(&tenant), @"
    rules.yaml:7:39: a receiver in namespace `blue` cannot use `file` of the bridge (keep it in a Secret in `blue`: `secretKeyRef: {name: NAME, key: KEY}`)
    rules.yaml:7:62: a receiver in namespace `blue` cannot use `env` of the bridge (keep it in a Secret in `blue`: `secretKeyRef: {name: NAME, key: KEY}`)
    ");
}

#[test]
fn a_fallback_is_another_receiver_and_no_circle() {
    let with = |name: &str, fallback: &str| {
        let spec = format!("  webhook: {{url: 'https://in.example'}}\n  fallback: {fallback}\n");
        receiver(&spec).replace("name: chat", &format!("name: {name}"))
    };
    insta::assert_snapshot!(refused(&with("chat", "caht")), @"
    error: there are no rules
     |
     = help: rules.yaml was read; a rule is a document with `kind: Rule`

    error: there is no receiver `caht`
     --> rules.yaml:6:13
      |
    6 |   fallback: caht
      |             ^^^^
      |
      = help: did you mean `chat`?
    ");
    let circle = with("chat", "mail") + "---\n" + &with("mail", "chat");
    insta::assert_snapshot!(refused(&circle), @"
    error: there are no rules
     |
     = help: rules.yaml was read; a rule is a document with `kind: Rule`

    error: `chat` would stand in for itself
     --> rules.yaml:6:13
      |
    6 |   fallback: mail
      |             ^^^^
      |
      = help: name a receiver that reaches people in another way

    error: `mail` would stand in for itself
      --> rules.yaml:13:13
       |
    13 |   fallback: chat
       |             ^^^^
       |
       = help: name a receiver that reaches people in another way
    ");
}

//! The few requests that a test sends to etcd itself, through its JSON gateway.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Client, Error};
use serde_json::{Value, json};

/// Whether etcd has a leader and can write.
pub(crate) async fn is_healthy(etcd: SocketAddr) -> bool {
    let Ok(client) = client() else { return false };
    let answer = client.get(format!("http://{etcd}/health")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Compacts at the present revision and returns it.
pub(crate) async fn compact(etcd: SocketAddr) -> Result<i64, Error> {
    let revision = revision(etcd).await?;
    call(
        etcd,
        "compaction",
        json!({ "revision": revision.to_string(), "physical": true }),
    )
    .await?;
    Ok(revision)
}

/// The gateway writes 64-bit numbers as strings, as the protobuf JSON mapping asks.
async fn revision(etcd: SocketAddr) -> Result<i64, Error> {
    let any_key = json!({ "key": "AA==" });
    let answer = call(etcd, "range", any_key).await?;
    Ok(answer["header"]["revision"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default())
}

async fn call(etcd: SocketAddr, method: &str, body: Value) -> Result<Value, Error> {
    let request = client()?
        .post(format!("http://{etcd}/v3/kv/{method}"))
        .json(&body);
    request.send().await?.error_for_status()?.json().await
}

fn client() -> Result<Client, Error> {
    Client::builder()
        .timeout(Duration::from_secs(10))
        .no_proxy()
        .build()
}

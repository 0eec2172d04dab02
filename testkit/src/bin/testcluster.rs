//! Runs a test cluster until its standard input ends or it is interrupted: for trying things by
//! hand, and for the test that no server outlives it.
//!
//! `cargo run -p bellwether-testkit --bin testcluster -- --event-ttl=10s`

use bellwether_testkit::Cluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let cluster = Cluster::start_with(&arguments).await?;
    println!("KUBECONFIG={}", cluster.admin().kubeconfig()?.display());
    println!("processes {:?}", cluster.process_ids());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())) => {
            ended??;
        }
    }
    Ok(())
}

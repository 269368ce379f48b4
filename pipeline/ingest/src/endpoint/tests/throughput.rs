//! How many messages a second come in with QoS 1 and are settled at once. Prints; asserts only
//! that all of them arrive. Meaningful with `--release`:
//! `cargo test --release -p andon-ingest throughput -- --nocapture`.

use std::time::Instant;

use super::*;

/// Unacknowledged messages that a client allows itself, a common default.
const WINDOW: usize = 1_000;
/// Messages of one write.
const BATCH: usize = 100;

/// Publishes `count` messages (a multiple of a batch) of 200 B and waits for the acknowledgements.
async fn publisher(bench_address: SocketAddr, name: usize, count: usize) {
    let mut socket = TcpStream::connect(bench_address).await.unwrap();
    socket
        .write_all(&connect(Proto::V3, &format!("c{name}"), None, 60))
        .await
        .unwrap();
    socket.read_exact(&mut [0; 4]).await.unwrap();
    let topic = format!("andon/v1/in/s/d{name}/flow");
    let message = publish(Proto::V3, &topic, &[b'x'; 200], 1, 1);
    let batch = message.repeat(BATCH);
    let (mut sent, mut acknowledged, mut pieces) = (0, 0, vec![0; 4 * WINDOW]);
    let mut odd = 0;
    while acknowledged < count {
        if sent < count && sent - acknowledged + BATCH <= WINDOW {
            socket.write_all(&batch).await.unwrap();
            sent += BATCH;
            continue;
        }
        odd += socket.read(&mut pieces).await.unwrap();
        acknowledged += odd / 4;
        odd %= 4;
    }
}

async fn measure(connections: usize, each: usize) {
    let Bench {
        endpoint,
        mut deliveries,
        ..
    } = Bench::open().await;
    let settle = endpoint.settle_handle();
    let taking = tokio::spawn(async move {
        let (mut taken, mut batch) = (0, Vec::new());
        while deliveries.recv_many(&mut batch, 512).await > 0 {
            taken += batch.len();
            let receipts: Vec<Receipt> = batch.drain(..).filter_map(|one| one.receipt).collect();
            settle.settle(&receipts);
        }
        taken
    });
    let start = Instant::now();
    let mut publishers = JoinSet::new();
    for name in 0..connections {
        publishers.spawn(publisher(endpoint.local_addr(), name, each));
    }
    publishers.join_all().await;
    let seconds = start.elapsed().as_secs_f64();
    let counts = endpoint.shutdown().await;
    let total = connections * each;
    assert_eq!(taking.await.unwrap(), total);
    assert_eq!(counts.acknowledged, total as u64);
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    let rate = total as f64 / seconds;
    println!("{connections} connections, QoS 1, 200 B: {rate:.0} messages/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throughput_of_acknowledged_messages() {
    let total = if cfg!(debug_assertions) {
        20_000
    } else {
        1_000_000
    };
    measure(1, total).await;
    measure(10, total / 10).await;
}

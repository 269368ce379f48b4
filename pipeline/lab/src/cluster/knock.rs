//! Whether a cluster is there at all: Ballista itself would wait for executors without a word.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How long executors may take to join a scheduler that has none.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a scheduler may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(200);

/// Most of an answer that is read: its first line says it all.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Waits until a scheduler has an executor.
///
/// # Errors
/// If no scheduler answers there, or no executor joins it in time.
pub(super) async fn knock(scheduler: &str) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let asked = timeout(ANSWERS_WITHIN, is_ready(scheduler)).await;
        let is_ready = match asked {
            Ok(answer) => {
                answer.map_err(|e| format!("no scheduler answers at {scheduler}: {e}"))?
            }
            Err(_) => return Err(format!("no scheduler answers at {scheduler} within 5 s")),
        };
        if is_ready {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!(
                "the scheduler at {scheduler} has no executor: start one with `andon cluster \
                 executor --scheduler {scheduler}`"
            ));
        }
        sleep(EVERY).await;
    }
}

async fn is_ready(scheduler: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(scheduler).await?;
    let question =
        format!("GET /readyz HTTP/1.1\r\nHost: {scheduler}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Vec::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(true),
        Some("503") => Ok(false),
        _ => Err(std::io::Error::other(
            "what listens there is something else",
        )),
    }
}

//! The two sorts of processes that work is done by.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use super::codec::Codec;
use super::{MESSAGE_BYTES_MAX, Work, no_work};

/// Executors ask for tasks; this one does not call them.
const POLICY: TaskSchedulingPolicy = TaskSchedulingPolicy::PullStaged;

/// An executor that was not heard of for this long is lost, and its tasks go to others. Seconds.
const LOST_AFTER_S: u64 = 20;

/// How long an executor that is asked to stop may take to say so. Tasks that it has not done by then
/// are done again by others.
const GRACE: Duration = Duration::from_secs(3);

/// How often an executor looks for what nobody fetched, and how old that has to be. Seconds.
const CLEAN_EVERY_S: u64 = 3_600;
const CLEAN_AFTER_S: u64 = 7 * 86_400;

/// How long an executor waits for the scheduler when it starts.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a scheduler until it is asked to stop.
///
/// # Errors
/// If it cannot listen there.
pub fn scheduler(listen: SocketAddr) -> Result<(), String> {
    let message = u32::try_from(MESSAGE_BYTES_MAX).unwrap_or(u32::MAX);
    let config = Arc::new(SchedulerConfig {
        external_host: host(listen),
        bind_host: host(listen),
        bind_port: listen.port(),
        scheduling_policy: POLICY,
        grpc_server_max_decoding_message_size: message,
        grpc_server_max_encoding_message_size: message,
        grpc_client_max_message_size: message,
        executor_timeout_seconds: LOST_AFTER_S,
        expire_dead_executor_interval_seconds: LOST_AFTER_S / 4,
        no_executors_grace_period_seconds: LOST_AFTER_S,
        override_physical_codec: Some(Arc::new(Codec::new(no_work()))),
        ..SchedulerConfig::default()
    });
    run(async move {
        let cluster = BallistaCluster::new_from_config(&config).await?;
        tokio::select! {
            ended = start_server(cluster, listen, config) => ended,
            stopped = stop() => Ok(stopped?),
        }
    })
}

/// How an executor is set up.
#[derive(Clone, Debug)]
pub struct ExecutorSettings {
    /// Host of the scheduler.
    pub scheduler_host: String,
    /// Its port.
    pub scheduler_port: u16,
    /// Where others fetch what it made.
    pub listen: SocketAddr,
    /// Tasks at a time.
    pub tasks: usize,
    /// Folder for what its tasks make, until it is fetched.
    pub folder: PathBuf,
}

/// Runs an executor until it is asked to stop.
///
/// # Errors
/// If it does not find the scheduler. That it cannot listen Ballista tells nobody: see to it before.
pub fn executor(settings: &ExecutorSettings, work: Arc<dyn Work>) -> Result<(), String> {
    let message = u32::try_from(MESSAGE_BYTES_MAX).unwrap_or(u32::MAX);
    let config = Arc::new(ExecutorProcessConfig {
        bind_host: host(settings.listen),
        external_host: Some(host(settings.listen)),
        port: settings.listen.port(),
        scheduler_host: settings.scheduler_host.clone(),
        scheduler_port: settings.scheduler_port,
        vcores: settings.tasks,
        task_scheduling_policy: POLICY,
        work_dir: Some(settings.folder.display().to_string()),
        grpc_max_decoding_message_size: message,
        grpc_max_encoding_message_size: message,
        executor_heartbeat_interval_seconds: LOST_AFTER_S / 4,
        job_data_clean_up_interval_seconds: CLEAN_EVERY_S,
        job_data_ttl_seconds: CLEAN_AFTER_S,
        override_physical_codec: Some(Arc::new(Codec::new(work))),
        ..ExecutorProcessConfig::default()
    });
    let scheduler = format!("{}:{}", settings.scheduler_host, settings.scheduler_port);
    run(async move {
        wait_for(&scheduler).await?;
        let service = start_executor_process(config);
        tokio::pin!(service);
        tokio::select! {
            ended = &mut service => ended,
            stopped = stop() => {
                stopped?;
                // It hears the same signal, tells the scheduler, and would wait for its tasks.
                timeout(GRACE, service).await.unwrap_or(Ok(()))
            }
        }
    })
}

/// Waits for a scheduler that may be starting too. Ballista's own way of waiting never ends.
async fn wait_for(scheduler: &str) -> Result<(), BallistaError> {
    let began = Instant::now();
    loop {
        match TcpStream::connect(scheduler).await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > PATIENCE => {
                let words = format!("no scheduler answers at {scheduler}: {error}");
                return Err(BallistaError::General(words));
            }
            Err(_) => sleep(PATIENCE / 50).await,
        }
    }
}

/// The host of an address as it stands in a URL.
fn host(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Resolves once the process is asked to stop.
async fn stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

fn run(service: impl Future<Output = Result<(), BallistaError>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let ended = runtime.block_on(service);
    // Tasks that still run are nobody's any more.
    runtime.shutdown_background();
    ended.map_err(|error| error.to_string())
}

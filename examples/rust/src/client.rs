//! How to reach the service, and how to send a batch again without running it twice.

use std::time::{Duration, Instant};

use tonic::codec::Streaming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt;

use crate::pb::batch_service_client::BatchServiceClient;
use crate::pb::{
    Command, ExecuteBatchRequest, ExecuteBatchResponse, StreamBatchesRequest, StreamBatchesResponse,
};

/// The largest response that this client takes. gRPC's own limit is 4 MiB; a batch whose replies
/// are larger has run and fails in the client all the same.
const MAX_REPLY: usize = 64 << 20;

/// A call without a deadline waits for as long as the server lets it: each gets this one.
const DEADLINE: Duration = Duration::from_secs(60);

/// A command of text or binary arguments, numbers as decimal text.
pub fn command<const N: usize, A: AsRef<[u8]>>(args: [A; N]) -> Command {
    Command {
        args: args.iter().map(|a| a.as_ref().to_vec()).collect(),
        text_args: vec![],
    }
}

/// The generated client, with this program's settings.
pub struct BatchClient(BatchServiceClient<Channel>);

impl BatchClient {
    /// Connects with the first call, and again by itself whenever the connection was lost.
    /// tonic knows no service config, and sends nothing again of its own accord.
    pub fn new(address: &str) -> Result<Self, tonic::transport::Error> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
        Ok(Self(
            BatchServiceClient::new(channel).max_decoding_message_size(MAX_REPLY),
        ))
    }

    /// Executes a batch, and repeats that while the service asks for it. It gives a RetryInfo
    /// only when nothing of the batch has run (it was at its load, or the deployment was out of
    /// reach), which no status code says by itself: Unavailable is also what a lost connection is.
    pub async fn execute_batch(&self, batch: ExecuteBatchRequest) -> Result<ExecuteBatchResponse, Status> {
        let end = Instant::now() + DEADLINE;
        loop {
            let mut request = Request::new(batch.clone());
            request.set_timeout(end.saturating_duration_since(Instant::now()));
            let status = match self.0.clone().execute_batch(request).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => status,
            };
            let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
            match retry {
                Some(delay) if Instant::now() + delay < end => tokio::time::sleep(delay).await,
                _ => return Err(status),
            }
        }
    }

    /// Opens a stream of batches.
    pub async fn stream_batches<S>(&self, batches: S) -> Result<Streaming<StreamBatchesResponse>, Status>
    where
        S: tokio_stream::Stream<Item = StreamBatchesRequest> + Send + 'static,
    {
        let mut request = Request::new(batches);
        request.set_timeout(DEADLINE);
        Ok(self.0.clone().stream_batches(request).await?.into_inner())
    }
}

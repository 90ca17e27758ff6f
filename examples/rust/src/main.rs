//! A tour of valkeybatch from Rust: it runs against a server in front of a cluster
//! (make cluster) and prints a line for each thing it shows.

mod client;
mod details;
mod show;

/// The generated client.
pub mod pb {
    tonic::include_proto!("valkeybatch.v1");
}

use std::error::Error;
use std::time::Duration;

use tonic_types::{RpcStatusExt, StatusExt};

use client::{BatchClient, command};
use details::{code_name, error_info, status_of};
use pb::execute_batch_request::Options;
use pb::stream_batches_response::Outcome;
use pb::value::Kind;
use pb::{Batch, BatchRetryStrategy, ClusterBatchOptions, ExecuteBatchRequest, StreamBatchesRequest};
use show::{show, show_all, show_status};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result {
    let address = std::env::var("VALKEYBATCH_ADDRESS").unwrap_or("127.0.0.1:7400".into());
    // One connection serves the whole program: clones of the client share it.
    let client = BatchClient::new(&address)?;
    pipeline(&client).await?;
    atomic(&client).await?;
    errors_in_place(&client).await?;
    error_raised(&client).await?;
    request_refused(&client).await?;
    retry_strategy(&client).await?;
    binary(&client).await?;
    deadline(&client).await?;
    stream(&client).await
}

/// Commands on keys of any slots in one batch: they go to all nodes at once, and MSET and MGET
/// are split between them.
async fn pipeline(client: &BatchClient) -> Result {
    let commands = vec![
        command(["DEL", "rust:count", "rust:user"]),
        command(["MSET", "rust:a", "1", "rust:b", "2", "rust:c", "3"]),
        command(["MGET", "rust:c", "rust:b", "rust:a", "rust:nothing"]),
        command(["INCRBY", "rust:count", "9007199254740993"]),
        command(["HSET", "rust:user", "name", "Ada", "born", "1815"]),
        command(["HGETALL", "rust:user"]),
    ];
    let batch = Batch {
        commands,
        is_atomic: false,
    };
    let response = client
        .execute_batch(ExecuteBatchRequest {
            batch: Some(batch),
            ..Default::default()
        })
        .await?;
    // OK says that the batch was carried out, not that each command succeeded.
    if response.failed_count > 0 {
        return Err(format!("{} commands of the pipeline failed", response.failed_count).into());
    }
    let r = &response.results; // one per command, in their order
    println!(
        "pipeline: {}, {}, {}, {}",
        show(&r[1]),
        show(&r[2]),
        show(&r[3]),
        show(&r[5])
    );
    Ok(())
}

/// MULTI/EXEC: on a cluster all keys must share a slot, as those with the same {hash tag} do.
async fn atomic(client: &BatchClient) -> Result {
    let commands = vec![
        command(["DEL", "rust:{order}:count"]),
        command(["SET", "rust:{order}:1", "paid"]),
        command(["INCR", "rust:{order}:count"]),
        command(["GET", "rust:{order}:1"]),
    ];
    let batch = Batch {
        commands,
        is_atomic: true,
    };
    let response = client
        .execute_batch(ExecuteBatchRequest {
            batch: Some(batch),
            ..Default::default()
        })
        .await?;
    println!("atomic: {}", show_all(&response.results[1..]));
    Ok(())
}

/// A batch of which one command fails: LPOP wants a list.
fn wrong_type() -> Batch {
    let commands = vec![
        command(["SET", "rust:text", "hello"]),
        command(["LPOP", "rust:text"]),
        command(["GET", "rust:text"]),
    ];
    Batch {
        commands,
        is_atomic: false,
    }
}

/// A command's error among the results: the others succeeded.
async fn errors_in_place(client: &BatchClient) -> Result {
    let request = ExecuteBatchRequest {
        batch: Some(wrong_type()),
        ..Default::default()
    };
    let response = client.execute_batch(request).await?;
    print!(
        "errors in place: {} of {} failed",
        response.failed_count,
        response.results.len()
    );
    for (i, result) in response.results.iter().enumerate() {
        // The outcome says what may be sent again: OUTCOME_NOT_EXECUTED anything;
        // OUTCOME_FAILED and OUTCOME_UNKNOWN only what may take effect twice.
        if let Some(Kind::ErrorValue(e)) = &result.kind {
            print!(": command {i} with {}, {}", e.code, e.outcome().as_str_name());
        }
    }
    println!();
    Ok(())
}

/// The same batch with raise_on_error: the call fails with the first error. The other commands
/// ran all the same; their results are dropped.
async fn error_raised(client: &BatchClient) -> Result {
    let request = ExecuteBatchRequest {
        batch: Some(wrong_type()),
        raise_on_error: true,
        ..Default::default()
    };
    let status = client
        .execute_batch(request)
        .await
        .expect_err("LPOP of a string succeeded");
    let info = error_info(&status)?;
    let m = |key: &str| info.metadata[key].as_str();
    println!(
        "error raised: {}, {}: command {} ({}) with {}, {}",
        code_name(status.code()),
        info.reason,
        m("index"),
        m("command"),
        m("code"),
        m("outcome")
    );
    Ok(())
}

/// A request that is wrong: nothing of it is sent, and a BadRequest names the field. Here the
/// keys of an atomic batch lie in two slots.
async fn request_refused(client: &BatchClient) -> Result {
    let commands = vec![command(["SET", "rust:a", "1"]), command(["SET", "rust:b", "2"])];
    let batch = Batch {
        commands,
        is_atomic: true,
    };
    let request = ExecuteBatchRequest {
        batch: Some(batch),
        ..Default::default()
    };
    let status = client
        .execute_batch(request)
        .await
        .expect_err("keys of two slots were taken");
    error_info(&status)?; // the service's own, or an error
    println!(
        "request refused: {}",
        show_status(status.code(), &status.get_error_details())
    );
    Ok(())
}

/// A pipeline that waits out a failover: commands that a node refuses for a passing condition
/// are retried until the timeout nears. What a lost connection left unanswered is not:
/// retry_connection_error would resend it, and it might run twice.
async fn retry_strategy(client: &BatchClient) -> Result {
    let commands = vec![
        command(["SET", "rust:kept", "kept"]),
        command(["GET", "rust:kept"]),
    ];
    let request = ExecuteBatchRequest {
        batch: Some(Batch {
            commands,
            is_atomic: false,
        }),
        // StandaloneOptions in front of a standalone server; no options at all fit both.
        options: Some(Options::ClusterOptions(ClusterBatchOptions {
            timeout: Some(Duration::from_secs(20).try_into()?),
            retry_strategy: Some(BatchRetryStrategy {
                retry_server_error: true,
                retry_connection_error: false,
            }),
            route: None,
        })),
        ..Default::default()
    };
    let response = client.execute_batch(request).await?;
    println!("retry strategy: {}", show_all(&response.results));
    Ok(())
}

/// args and bytes_value take any bytes, text or not.
async fn binary(client: &BatchClient) -> Result {
    let value: &[u8] = b"\x00\xff\x80\xc3\x28"; // no valid UTF-8
    let commands = vec![
        command([b"SET".as_slice(), b"rust:binary", value]),
        command(["GET", "rust:binary"]),
    ];
    let batch = Batch {
        commands,
        is_atomic: false,
    };
    let response = client
        .execute_batch(ExecuteBatchRequest {
            batch: Some(batch),
            ..Default::default()
        })
        .await?;
    if let Some(Kind::BytesValue(back)) = &response.results[1].kind {
        let hex: String = back.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("binary: {hex}");
    }
    Ok(())
}

/// The end of a batch's own timeout, which is to be a little below the call's deadline: then the
/// status comes from the service and says how far the batch got. What was sent and not answered
/// may have taken effect.
async fn deadline(client: &BatchClient) -> Result {
    let request = ExecuteBatchRequest {
        batch: Some(Batch {
            commands: vec![command(["BLPOP", "rust:nothing", "0"])],
            is_atomic: false,
        }),
        options: Some(Options::ClusterOptions(ClusterBatchOptions {
            timeout: Some(Duration::from_millis(300).try_into()?),
            ..Default::default()
        })),
        ..Default::default()
    };
    let status = client
        .execute_batch(request)
        .await
        .expect_err("BLPOP found a list");
    let info = error_info(&status)?;
    println!(
        "deadline: {}, {}: {} of {} answered",
        code_name(status.code()),
        info.reason,
        info.metadata["answered"],
        info.metadata["total"]
    );
    Ok(())
}

/// Many batches on one stream: each is answered as it completes, in any order, with the id that
/// it was given, and fails alone.
async fn stream(client: &BatchClient) -> Result {
    let batches = [
        vec![command(["ECHO", "one"])],
        vec![], // wrong: a pipeline needs a command
        vec![command(["BITCOUNT", "rust:a"])],
    ];
    let requests = batches
        .into_iter()
        .zip(1..)
        .map(|(commands, id)| StreamBatchesRequest {
            id,
            request: Some(ExecuteBatchRequest {
                batch: Some(Batch {
                    commands,
                    is_atomic: false,
                }),
                ..Default::default()
            }),
        });
    // Requests are drawn from any Stream (a channel's, say) as the server takes them, while the
    // answers are read here.
    let mut incoming = client
        .stream_batches(tokio_stream::iter(requests.collect::<Vec<_>>()))
        .await?;
    let mut answers = Vec::new();
    // Should the stream break off (an error here), batches without an answer may have run.
    while let Some(answer) = incoming.message().await? {
        answers.push(answer);
    }
    answers.sort_by_key(|answer| answer.id);
    for answer in answers {
        match answer.outcome {
            Some(Outcome::Response(response)) => {
                println!("stream: batch {} gave {}", answer.id, show_all(&response.results));
            }
            Some(Outcome::Error(failure)) => {
                let status = status_of(failure);
                println!(
                    "stream: batch {} failed: {}",
                    answer.id,
                    show_status(status.code.into(), &status.get_error_details())
                );
            }
            None => return Err("an answer without an outcome".into()),
        }
    }
    Ok(())
}

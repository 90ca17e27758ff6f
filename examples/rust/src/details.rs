//! What the service says of a call that failed, beyond its code and message.

use tonic::{Code, Status};
use tonic_types::{ErrorInfo, StatusExt};

use crate::pb::BatchStatus;

/// The service's ErrorInfo of a call's error. Without one the status is gRPC's own or a proxy's,
/// and the batch may have run: the error is given back.
pub fn error_info(status: &Status) -> Result<ErrorInfo, Status> {
    match status.get_details_error_info() {
        Some(info) if info.domain == "valkeybatch" => Ok(info),
        _ => Err(status.clone()),
    }
}

/// The failure of a streamed batch, as the status that a call of its own would have had.
pub fn status_of(failure: BatchStatus) -> tonic_types::Status {
    tonic_types::Status {
        code: failure.code,
        message: failure.message,
        details: failure.details,
    }
}

/// A code's name as other languages write it: Rust's own is `FailedPrecondition`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

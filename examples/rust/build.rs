//! Generates the client from the contract, with protox for the protoc that would have to be
//! installed otherwise.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let protos = "../../proto";
    println!("cargo:rerun-if-changed={protos}");
    let descriptors = protox::compile(["valkeybatch/v1/batch_service.proto"], [protos])?;
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(descriptors)?;
    Ok(())
}

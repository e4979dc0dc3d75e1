//! Serves empty queues until it is stopped: `cargo run -p local-queues --example serve -- --port 9324`.

use std::env;
use std::error::Error;

use local_queues::{QueueService, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let port: u16 = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 0,
        ["--port", port] => port.parse()?,
        _ => return Err("usage: serve [--port <port>]".into()),
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("http://{address}");
    serve(listener, QueueService::new(address)).await;
    Ok(())
}

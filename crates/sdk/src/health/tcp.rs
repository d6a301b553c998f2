//! The check that connects.

use reception_core::{Result, async_trait};
use tokio::net::TcpStream;

use super::{Check, target::host_and_port};

/// Good is a TCP connection that is accepted; it is closed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    host: String,
    port: u16,
}

impl Tcp {
    /// Connects to `host:port`, an IPv6 address in brackets. A name is looked up at each try.
    ///
    /// # Errors
    /// Config for anything else.
    pub fn new(target: &str) -> Result<Self> {
        let (host, port) = host_and_port(target)?;
        Ok(Self { host, port })
    }
}

#[async_trait]
impl Check for Tcp {
    async fn check(&mut self) -> Result<(), String> {
        let (host, port) = (self.host.as_str(), self.port);
        match TcpStream::connect((host, port)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("no connection to {host} port {port}: {error}")),
        }
    }
}

//! The admin socket: the methods of the peer contract for the operator of a running node.
//!
//! It lies in a directory of its own inside the data directory. That directory has the rights 0700 and the socket 0600, so
//! only the owner reaches it; there is no other authentication.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::rpc::lines::{Writer, read_from};
use crate::rpc::methods::Service;
use crate::rpc::session::{End, converse};

/// Conversations at a moment; a further one waits. Each has two threads.
const CONVERSATIONS_MAX: usize = 8;

/// How long a command waits for the node: more than the 30 s a handshake may take.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// Where the socket of the node in `data_dir` is.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("admin").join("socket")
}

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another node answers there.
    #[error("own the data directory: another node runs in it (socket {})", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Others may enter the directory.
    #[error("trust {}: its rights are {mode:o}, others can reach it", path.display())]
    OpenToOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system refuses.
    #[error("use the admin socket {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A listening admin socket; its file goes with it.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Listens for the operator of the node in `data_dir`.
    ///
    /// # Errors
    ///
    /// [`AdminError`]; a socket that nobody answers any more is replaced.
    pub fn bind(data_dir: &Path) -> Result<Self, AdminError> {
        let path = socket_path(data_dir);
        let failed = |source| AdminError::Io { path: path.clone(), source };
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
            let mode = fs::metadata(directory).map_err(failed)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(AdminError::OpenToOthers { path: directory.to_owned(), mode });
            }
        }
        if UnixStream::connect(&path).is_ok() {
            return Err(AdminError::Taken { path });
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path })
    }

    /// Serves until dropped. `shutdown` ends the conversation, never the node.
    pub async fn serve(self, service: Service) {
        let places = Arc::new(Semaphore::new(CONVERSATIONS_MAX));
        loop {
            // The semaphore is never closed; were it, conversations would only lose their bound.
            let place = Arc::clone(&places).acquire_owned().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let service = service.clone();
                    tokio::spawn(async move {
                        if let Err(error) = conversation(service, stream).await {
                            debug!(%error, "conversation with the operator failed");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept the operator");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            debug!(%error, "admin socket is gone already");
        }
    }
}

async fn conversation(service: Service, stream: tokio::net::UnixStream) -> io::Result<()> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let lines = read_from(stream.try_clone()?)?;
    let writer = Writer::to(stream.try_clone()?)?;
    if let End::Shutdown(farewell) = converse(service, lines, writer.lines(), None).await {
        farewell.say(Ok(())).await;
    }
    writer.close().await;
    // Wakes the reading thread, which would otherwise stay until the operator closes.
    stream.shutdown(std::net::Shutdown::Both)
}

/// Why a running node did not do what its operator asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No node runs in the data directory.
    #[error("reach a running node at {}", path.display())]
    NoNode {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The conversation broke.
    #[error("get an answer from the running node")]
    Broken(#[source] io::Error),
    /// The node refuses.
    #[error("{message}")]
    Refused {
        /// In words.
        message: String,
        /// The protocol's code, where there is one.
        code: Option<String>,
        /// The HTTP status the other side answered, where it did.
        status: Option<u16>,
    },
}

/// Asks the node that runs in `data_dir`; blocks until it answers.
///
/// # Errors
///
/// [`AskError`].
pub fn ask<T: Serialize>(
    data_dir: &Path,
    method: &str,
    params: &T,
) -> Result<Box<RawValue>, AskError> {
    let path = socket_path(data_dir);
    let mut stream =
        UnixStream::connect(&path).map_err(|source| AskError::NoNode { path, source })?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(AskError::Broken)?;
    let request = Request { jsonrpc: "2.0", id: 1, method, params };
    let mut line =
        serde_json::to_vec(&request).map_err(|error| AskError::Broken(io::Error::other(error)))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(AskError::Broken)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(AskError::Broken)?;
    read_answer(&line)
}

#[derive(Serialize)]
struct Request<'a, T> {
    jsonrpc: &'static str,
    id: u32,
    method: &'a str,
    params: &'a T,
}

fn read_answer(line: &str) -> Result<Box<RawValue>, AskError> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<Box<RawValue>>,
        error: Option<Refusal>,
    }
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
        data: Option<Data>,
    }
    #[derive(Deserialize)]
    struct Data {
        code: Option<String>,
        status: Option<u16>,
    }
    let answer: Answer =
        serde_json::from_str(line).map_err(|error| AskError::Broken(io::Error::other(error)))?;
    match (answer.result, answer.error) {
        (Some(result), _) => Ok(result),
        (None, Some(Refusal { message, data })) => {
            let (code, status) = data.map_or((None, None), |data| (data.code, data.status));
            Err(AskError::Refused { message, code, status })
        }
        (None, None) => {
            Err(AskError::Broken(io::Error::other("the answer has neither result nor error")))
        }
    }
}

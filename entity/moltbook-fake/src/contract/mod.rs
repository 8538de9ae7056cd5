//! The fake as a part in a scenario: the peer contract on standard input and output.
//!
//! A scenario needs somebody to start it, to break it at the right moment, and to look into it. The platform does that with peers already,
//! so here the fake is one: it has no peers, no sessions and no messages, and methods of its own, `fake.*`. The key of its account never
//! goes over the contract, whose lines are recorded: it lies in a file, and `fake.account` says where.

mod methods;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Read as _, Write};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{Server, StartError};
use crate::{Fake, Service};

/// The version of the contract.
pub const CONTRACT: &str = "1";

/// Longest line that is read, in bytes.
pub const LINE_MAX: u64 = 4 * 1024 * 1024;

/// What the part is started with.
#[derive(Debug)]
pub struct Setup {
    /// The name of the part.
    pub name: String,
    /// The port of 127.0.0.1; 0 chooses one.
    pub port: u16,
    /// Where the files of the part go.
    pub folder: PathBuf,
    /// The key of the one account.
    pub key: String,
    /// The service, which has that account.
    pub service: Service,
}

/// Why the part could not be played.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The service could not be started.
    #[error("start the service")]
    Start(#[from] StartError),
    /// Files or streams.
    #[error("write the files of the part, or speak on standard input and output")]
    Io(#[from] io::Error),
}

/// A part in play.
struct Part {
    server: Server,
    name: String,
    key: String,
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Request {
    id: Option<Value>,
    method: String,
    params: Option<Value>,
}

/// Why a request was not done.
struct Refused {
    code: i32,
    message: String,
}

impl Refused {
    fn unknown(method: &str) -> Self {
        Self { code: -32601, message: format!("method `{method}` is not supported") }
    }

    fn params(error: impl ToString) -> Self {
        Self { code: -32602, message: error.to_string() }
    }
}

/// Plays the part until `shutdown` or the end of `input`.
///
/// # Errors
///
/// [`ContractError`]; a request that cannot be done is answered and no error.
pub fn play(
    setup: Setup,
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<(), ContractError> {
    let Setup { name, port, folder, key, service } = setup;
    let server = Server::start(Fake::new(service), port)?;
    let part = Part { server, name, key, folder };
    part.write_files()?;
    loop {
        let mut line = String::new();
        if input.by_ref().take(LINE_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            continue;
        }
        let Some((answer, last)) = part.answer(&line) else { continue };
        output.write_all(format!("{answer}\n").as_bytes())?;
        output.flush()?;
        if last {
            return Ok(());
        }
    }
}

impl Part {
    /// The answer to a line, if it wants one, and whether it was the last.
    fn answer(&self, line: &str) -> Option<(Value, bool)> {
        let request: Request = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => {
                let error = json!({ "code": -32700, "message": error.to_string() });
                return Some((json!({ "jsonrpc": "2.0", "id": null, "error": error }), false));
            }
        };
        // Without an id it is a withdrawal: every call is over at once, so there is nothing to give up.
        let id = request.id?;
        let answer = match self.call(&request.method, request.params.unwrap_or_else(|| json!({}))) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(Refused { code, message }) => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
            }
        };
        Some((answer, request.method == "shutdown"))
    }
}

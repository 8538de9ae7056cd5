//! The peer of a drill: it keeps the contract, and asks the drill what to do at each moment at which something is planted.
//!
//! `handfast __drill-peer --as SCENARIO PROJECT` plays; `handfast __drill-peer --hold PORT` holds a port, as a process that somebody left.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

/// What marks a command line as that of a drill's peer.
pub(super) const MARK: &str = "__drill-peer";

/// Where the drill listens, in the folder of its project.
pub(super) const CONTROL: &str = "control";

/// The lock that the peer respects, and the store that it reads: both the platform's, below the project.
pub(super) const LOCK: &str = ".handfast/drill.lock";
pub(super) const STORE: &str = ".handfast/drill.json";

/// Whether this process was started as a peer of a drill.
pub(crate) fn is_invocation(mut args: impl Iterator<Item = OsString>) -> bool {
    args.nth(1).is_some_and(|word| word == MARK)
}

/// Plays until it is told to end.
pub(crate) fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().skip(2).map(|word| word.to_string_lossy().into_owned()).collect();
    let played = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--hold", port] => hold(port),
        [project, "--as", scenario] => play(scenario, Path::new(project)),
        // The probe gives no scenario.
        [project] => play("probe", Path::new(project)),
        _ => return ExitCode::from(2),
    };
    match played {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprint(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn hold(port: &str) -> io::Result<u8> {
    let port = port.parse().map_err(io::Error::other)?;
    let _socket = TcpListener::bind(("127.0.0.1", port))?;
    say("held")?;
    // Until whoever started it is gone, or it is ended.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(0)
}

struct Player {
    name: String,
    scenario: String,
    control: PathBuf,
    address: String,
    _socket: TcpListener,
}

fn play(scenario: &str, project: &Path) -> io::Result<u8> {
    let text = |name: &str| {
        let value = std::env::var_os(name).unwrap_or_default();
        value.to_string_lossy().into_owned()
    };
    let (name, listen) = (text("HANDFAST_NAME"), text("HANDFAST_LISTEN"));
    let control = project.join(CONTROL);
    if scenario != "probe" {
        let port = listen.rsplit_once(':').map_or("0", |(_, port)| port);
        let told = ask(&control, &format!("{scenario} start {port}"))?;
        if let Some(why) = told.strip_prefix("fail ") {
            return Err(io::Error::other(why.to_owned()));
        }
    }
    if scenario == "hit" {
        look(project)?;
    }
    let bound = TcpListener::bind(&listen);
    let socket = bound
        .map_err(|error| io::Error::other(format!("failed to listen on {listen}: {error}")))?;
    let address = format!("http://{}", socket.local_addr()?);
    Player { name, scenario: scenario.to_owned(), control, address, _socket: socket }.serve()
}

/// A lock that somebody holds, or a store that is damaged, keeps it from starting.
fn look(project: &Path) -> io::Result<()> {
    let (lock, store) = (project.join(LOCK), project.join(STORE));
    if lock.exists() {
        return Err(io::Error::other(format!("the lock {} is held", lock.display())));
    }
    let Ok(text) = std::fs::read_to_string(&store) else { return Ok(()) };
    match serde_json::from_str::<Value>(&text) {
        Ok(_) => Ok(()),
        Err(_) => Err(io::Error::other(format!(
            "the store {} is damaged: unexpected end",
            store.display()
        ))),
    }
}

impl Player {
    fn serve(&self) -> io::Result<u8> {
        for line in BufReader::new(io::stdin()).lines() {
            let request: Value = serde_json::from_str(&line?).map_err(io::Error::other)?;
            let Some(id) = request.get("id") else { continue };
            let method = request["method"].as_str().unwrap_or_default();
            let answer = match method {
                "drill.play" => match self.play()? {
                    Played::Answer(answer) => answer,
                    Played::Silent => continue,
                    Played::Crash => return Ok(7),
                },
                _ => self.answer(method, &request["params"]),
            };
            let mut whole = json!({ "jsonrpc": "2.0", "id": id });
            for (key, value) in answer.as_object().into_iter().flatten() {
                whole[key] = value.clone();
            }
            say(&whole.to_string())?;
            if method == "shutdown" {
                break;
            }
        }
        Ok(0)
    }

    fn answer(&self, method: &str, params: &Value) -> Value {
        let refused = |code: i64| json!({ "error": { "code": code, "message": "refused" } });
        let result = match method {
            "initialize" => json!({
                "contract": "1", "name": self.name, "version": "1", "protocol_versions": ["drill"],
                "methods": ["peer.list", "session.list", "message.inbox", "drill.play"], "events": [],
                "addresses": { "http": self.address }, "keys": {},
            }),
            "peer.list" => json!({ "peers": [] }),
            "session.list" => json!({ "sessions": [] }),
            "message.inbox" if params.get("limit").is_some_and(|limit| !limit.is_u64()) => {
                return refused(-32602);
            }
            "message.inbox" => json!({ "messages": [], "next": 0 }),
            "shutdown" => json!({}),
            _ => return refused(-32601),
        };
        json!({ "result": result })
    }

    /// What it does when it is asked to play: as the drill says.
    fn play(&self) -> io::Result<Played> {
        let told = ask(&self.control, &format!("{} play 0", self.scenario))?;
        let (what, text) = told.split_once(' ').unwrap_or((&told, ""));
        if !text.is_empty() {
            eprint(text);
        }
        Ok(match what {
            "silent" => Played::Silent,
            "crash" => Played::Crash,
            "wrong" => Played::Answer(json!({ "result": { "done": false } })),
            "refuse" => Played::Answer(json!({
                "error": { "code": -32000, "message": text, "data": { "code": "DRILL" } }
            })),
            _ => Played::Answer(json!({ "result": { "done": true } })),
        })
    }
}

enum Played {
    Answer(Value),
    Silent,
    Crash,
}

/// Asks the drill; its answer, one line.
fn ask(control: &Path, line: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(control)?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}

/// A line on standard output, which belongs to the contract.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

/// A line of its log.
fn eprint(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap_or_default();
}

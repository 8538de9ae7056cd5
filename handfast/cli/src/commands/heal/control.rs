//! What a drill plants and when, as the peers of its scenarios ask: they stop until it is done, so that nothing is left to chance.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use handfast_heal::fault::InfraFault;

use super::peer::{CONTROL, MARK};
use super::plant::Plant;

/// By how much the clock is set, microseconds.
const JUMP_US: i64 = 3_600_000_000;

/// The end of the drill that the peers talk to.
#[derive(Debug)]
pub(super) struct Control {
    shared: Arc<Mutex<Shared>>,
    socket: PathBuf,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    plant: Plant,
    project: PathBuf,
    program: PathBuf,
    is_armed: bool,
    /// How often each scenario was begun.
    begun: BTreeMap<String, usize>,
    /// By how much the clock was set.
    set_us: Arc<AtomicI64>,
    held: Option<TcpListener>,
    left: Option<Child>,
    error: Option<io::Error>,
}

impl Control {
    /// Listens in the folder of a project.
    pub(super) fn open(
        plant: Plant,
        project: &Path,
        program: &Path,
        set_us: Arc<AtomicI64>,
    ) -> io::Result<Self> {
        let socket = project.join(CONTROL);
        let listener = UnixListener::bind(&socket)?;
        let shared = Shared {
            plant,
            project: project.to_owned(),
            program: program.to_owned(),
            is_armed: true,
            begun: BTreeMap::new(),
            set_us,
            held: None,
            left: None,
            error: None,
        };
        let shared = Arc::new(Mutex::new(shared));
        let heard = shared.clone();
        let listen = move || {
            for stream in listener.incoming().flatten() {
                // A peer that goes away while it asks is told nothing.
                if matches!(answer(&heard, stream), Ok(Asked::End)) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("drill".to_owned()).spawn(listen)?;
        Ok(Self { shared, socket, thread: Some(thread) })
    }

    /// How often each scenario was begun.
    pub(super) fn begun(&self) -> BTreeMap<String, usize> {
        lock(&self.shared).begun.clone()
    }

    /// What could not be planted.
    pub(super) fn error(&self) -> Option<io::Error> {
        lock(&self.shared).error.take()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let told = UnixStream::connect(&self.socket).and_then(|mut end| end.write_all(b"end\n"));
        if let (Ok(()), Some(thread)) = (told, self.thread.take()) {
            drop(thread.join());
        }
        if let Some(mut left) = lock(&self.shared).left.take() {
            // It may have been ended already.
            left.kill().unwrap_or_default();
            drop(left.wait());
        }
    }
}

enum Asked {
    More,
    End,
}

fn answer(shared: &Mutex<Shared>, stream: UnixStream) -> io::Result<Asked> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [scenario, what, port] = words.as_slice() else { return Ok(Asked::End) };
    let told = {
        let mut shared = lock(shared);
        let told = shared.told(scenario, what, port.parse().unwrap_or_default());
        told.unwrap_or_else(|error| {
            let text = format!("fail the drill could not plant it: {error}");
            shared.error = Some(error);
            text
        })
    };
    let mut stream = stream;
    stream.write_all(format!("{told}\n").as_bytes())?;
    Ok(Asked::More)
}

impl Shared {
    fn told(&mut self, scenario: &str, what: &str, port: u16) -> io::Result<String> {
        // A peer that is started again within its scenario is told its earlier port.
        if what == "start" && port == 0 {
            *self.begun.entry(scenario.to_owned()).or_default() += 1;
        }
        if !self.is_armed {
            return Ok("ok".to_owned());
        }
        let told = match self.plant.clone() {
            Plant::Fault(fault) => self.fault(fault, (scenario, what, port))?,
            Plant::Defect(defect) => defect.told(scenario, what).map(str::to_owned),
        };
        self.is_armed = told.is_none();
        Ok(told.unwrap_or_else(|| "ok".to_owned()))
    }

    /// Plants a fault if this is its moment; what the peer is told then.
    fn fault(
        &mut self,
        fault: InfraFault,
        (scenario, what, port): (&str, &str, u16),
    ) -> io::Result<Option<String>> {
        let is_restart = scenario == "hit" && what == "start" && port != 0;
        let is_before = scenario == "before" && what == "play";
        let program = self.project.join("target/drill");
        match fault {
            InfraFault::PortTaken if is_restart => {
                self.held = Some(TcpListener::bind(("127.0.0.1", port))?);
            }
            InfraFault::LeakedPeer if is_restart => self.left = Some(self.leave(port)?),
            InfraFault::MissingBinary if is_before => fs::remove_file(program)?,
            InfraFault::CorruptCache if is_before => fs::write(program, b"\x7fELF and no more")?,
            InfraFault::ClockJump if scenario == "hit" && what == "play" => {
                self.set_us.fetch_add(JUMP_US, Ordering::SeqCst);
                return Ok(Some("silent".to_owned()));
            }
            InfraFault::PortTaken
            | InfraFault::LeakedPeer
            | InfraFault::MissingBinary
            | InfraFault::CorruptCache
            | InfraFault::ClockJump
            // Planted before the run, or not at all.
            | InfraFault::StaleLock
            | InfraFault::FullTemporary
            | InfraFault::DeadNamespace
            | InfraFault::KilledForMemory
            | InfraFault::TornStore
            | InfraFault::WedgedBuild
            | InfraFault::DeadDatabase => return Ok(None),
        }
        Ok(Some("ok".to_owned()))
    }

    /// A process that a unit which is over has left, and that holds a port.
    fn leave(&self, port: u16) -> io::Result<Child> {
        let folder = self.project.join(".handfast/scratch/earlier/7-test_unit_gone");
        let mut child = Command::new(&self.program)
            .args([MARK, "--hold", &port.to_string()])
            .env(handfast_lab::reaper::UNIT_MARKER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        if line.trim() == "held" {
            return Ok(child);
        }
        child.kill().unwrap_or_default();
        drop(child.wait());
        Err(io::Error::other("the port could not be held"))
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

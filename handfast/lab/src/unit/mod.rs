//! One scenario on certain peers: its processes, its wire, its evidence, its end.
//!
//! - [`Unit`]: what a runner holds
//! - `config`: what it consists of
//! - `network`: what its peers and the tap stand in, where it has a network of its own
//! - `report`: how it ended

mod config;
mod network;
mod port;
mod report;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use handfast_contract::Initialized;
use handfast_faults::disturbance::Limit;
use serde_json::json;
use tokio::net::unix::pipe;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use config::{NetworkConfig, RoleConfig, UnitConfig};
pub use network::Links;
pub use report::{CloseReport, StopError};

use crate::evidence::{Evidence, Fact};
use crate::exit::Exit;
use crate::lab::{LabConfig, LabError, is_file_name_char};
use crate::net::Place;
use crate::peer::{CallError, Peer, PeerPipes, StartError};
use crate::reaper::tree::{self, Marker};
use crate::reaper::{LeftProcess, Reaper, SpawnError, SpawnOrder};
use crate::resource::groups::inventory;
use crate::resource::prepared::Resources;
use crate::resource::{DISK_BYTES, InForce, LimitError, Limiting};
use crate::scratch;
use crate::tap::Tap;
use crate::unit::port::ReservedPort;

/// A scenario's peers and everything around them.
///
/// Dropping it ends everything at once; [`Unit::close`] ends it in order and proves it.
#[derive(Debug)]
pub struct Unit {
    dir: PathBuf,
    roles: BTreeMap<String, RoleConfig>,
    slots: Mutex<BTreeMap<String, Slot>>,
    evidence: Evidence,
    tap: Tap,
    links: Option<Links>,
    reaper: Reaper,
    resources: Resources,
}

/// What a role's peer is at the moment.
#[derive(Debug, Default)]
struct Slot {
    state: State,
    /// Where the peer listened last; a restart gets the same address.
    listen: Option<SocketAddr>,
    /// Keeps that port while the peer is away: others listen on whatever port is free.
    port: Option<ReservedPort>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    NeverStarted,
    Starting,
    /// Answered `initialize`; its process may have ended since.
    Started(Arc<Peer>),
}

impl Unit {
    /// How long a peer may take to shut down at the end of a unit (guessed).
    pub const STOP_WITHIN: Duration = Duration::from_secs(5);

    /// How long the last log lines and exchanges may take once no process is left (guessed).
    const SETTLE_WITHIN: Duration = Duration::from_secs(2);

    pub(crate) async fn open(
        lab: &LabConfig,
        config: UnitConfig,
        dir: PathBuf,
    ) -> Result<Self, LabError> {
        let names: Vec<String> = config.roles.iter().map(|role| role.name.clone()).collect();
        let roles: BTreeMap<_, _> =
            config.roles.into_iter().map(|role| (role.name.clone(), role)).collect();
        let is_name = |name: &String| {
            !name.is_empty() && !name.starts_with('.') && name.chars().all(is_file_name_char)
        };
        if roles.is_empty() || roles.len() != names.len() || !names.iter().all(is_name) {
            return Err(LabError::Roles);
        }
        fs::create_dir(&dir).map_err(LabError::Folder)?;
        // From here on the reaper removes the folder, also when an error follows.
        let reaper = Reaper::start(&lab.reaper, &lab.run, &dir).map_err(|error| {
            // Nothing runs in it, and nobody else will remove it.
            drop(fs::remove_dir(&dir));
            LabError::Reaper(error)
        })?;
        for name in &names {
            fs::create_dir(dir.join(name)).map_err(LabError::Folder)?;
        }
        let group = dir.file_name().map_or_else(String::new, |name| name.display().to_string());
        let group = format!("{}-{group}", lab.run);
        let resources = Resources::prepare(&dir, &group, roles.values(), lab.clock);
        let resources = with_disks(resources, &reaper, roles.values()).await;
        let evidence = Evidence::new(lab.clock);
        let links = network::raise(lab, &names, &dir, config.network).await?;
        let ground = network::ground(links.as_ref());
        let tap = Tap::open(&names, config.tap, evidence.clone(), ground).await;
        let tap = tap.map_err(LabError::Tap)?;
        let slots = names.into_iter().map(|name| (name, Slot::default())).collect();
        Ok(Self { dir, roles, slots: Mutex::new(slots), evidence, tap, links, reaper, resources })
    }

    /// A role's folder as this process sees it, which is not where the peer sees it if it has a disk of its own.
    pub fn folder(&self, role: &str) -> Option<&Path> {
        self.resources.folder_of(role)
    }

    /// Starts the peer of a role, or starts it again on its earlier address, and waits until it
    /// answered `initialize`. Several may be started at once.
    ///
    /// # Errors
    ///
    /// [`StartError`]; after an error, and when the future is dropped, the role's process is killed
    /// and may be started again.
    pub async fn start(&self, role: &str) -> Result<Arc<Peer>, StartError> {
        self.start_with(role, BTreeMap::new()).await
    }

    /// The same, with further environment that wins over that of the role's configuration.
    ///
    /// # Errors
    ///
    /// As of [`Unit::start`].
    pub async fn start_with(
        &self,
        role: &str,
        env: BTreeMap<String, String>,
    ) -> Result<Arc<Peer>, StartError> {
        let config =
            self.roles.get(role).ok_or_else(|| StartError::NoSuchRole { role: role.to_owned() })?;
        let mut config = config.clone();
        config.env.extend(env);
        let config = &config;
        let (before, listen) = self.claim(role)?;
        let claim = Claim { unit: self, role, before: Some(before) };
        let asked_us = self.evidence.clock().now_us();
        let peer = Arc::new(self.spawn(config, listen).await?);
        let mut guard = KillOnDrop { unit: self, peer: Some(peer.clone()) };
        let address = match self.initialize(config, &peer, asked_us).await {
            Ok(address) => address,
            Err(error) => {
                self.end_by_force(&peer).await;
                return Err(error);
            }
        };
        guard.peer = None;
        claim.keep(peer.clone(), address);
        Ok(peer)
    }

    /// Asks a peer to shut down and waits for its end; kills it after `within`.
    ///
    /// # Errors
    ///
    /// [`StopError`] if it does not run, or had to be killed.
    pub async fn stop(&self, role: &str, within: Duration) -> Result<Exit, StopError> {
        let peer = self.running(role)?;
        peer.expect_end();
        let clock = self.evidence.clock();
        let asked_us = clock.now_us();
        match peer.call("shutdown", json!({}), within).await {
            // A peer may end so promptly that its answer is lost; its exit says how it went.
            Ok(_) | Err(CallError::Gone { .. }) => {}
            Err(error) => {
                self.end_by_force(&peer).await;
                return Err(StopError::Shutdown(error));
            }
        }
        let spent = Duration::from_micros(clock.now_us().saturating_sub(asked_us));
        match timeout(within.saturating_sub(spent), peer.exited()).await {
            Ok(exit) => {
                self.reserve_port(role);
                exit.ok_or(StopError::ReaperGone)
            }
            Err(_elapsed) => {
                self.end_by_force(&peer).await;
                Err(StopError::Lingered { within })
            }
        }
    }

    /// Kills a peer with SIGKILL and waits for its end.
    ///
    /// # Errors
    ///
    /// [`StopError::NotRunning`], or [`StopError::ReaperGone`].
    pub async fn kill(&self, role: &str) -> Result<Exit, StopError> {
        let peer = self.running(role)?;
        self.end_by_force(&peer).await.ok_or(StopError::ReaperGone)
    }

    /// The peer that plays a role, or played it last and answered `initialize`.
    pub fn peer(&self, role: &str) -> Option<Arc<Peer>> {
        match &self.slots().get(role)?.state {
            State::Started(peer) => Some(peer.clone()),
            State::NeverStarted | State::Starting => None,
        }
    }

    /// The recording proxy.
    pub fn tap(&self) -> &Tap {
        &self.tap
    }

    /// What is between its roles, if it has a network of its own.
    pub fn links(&self) -> Option<&Links> {
        self.links.as_ref()
    }

    /// The log of all that was seen.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The unit's temporary folder; gone after [`Unit::close`].
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The process that will clean up.
    pub fn reaper_pid(&self) -> u32 {
        self.reaper.pid()
    }

    /// Stops the peers together (each may take [`Unit::STOP_WITHIN`]), ends whatever they left,
    /// removes the folder, closes the evidence, and reports.
    pub async fn close(self) -> CloseReport {
        self.close_within(Self::STOP_WITHIN).await
    }

    /// As [`Unit::close`], but each peer may take only so long before it is ended by force.
    pub async fn close_within(self, stop: Duration) -> CloseReport {
        let unit = Arc::new(self);
        let names: Vec<String> = unit.roles.keys().cloned().collect();
        let mut stops = JoinSet::new();
        for name in names.iter().filter(|name| unit.running(name).is_ok()) {
            let (unit, name) = (unit.clone(), name.clone());
            stops.spawn(async move {
                let stopped = unit.stop(&name, stop).await;
                (name, stopped)
            });
        }
        let stopped: BTreeMap<_, _> = stops.join_all().await.into_iter().collect();
        let finished = unit.reaper.finish().await;
        let clean = matches!(&finished, Ok(finished) if finished.folder.is_none());
        let (left, cpu) = match finished {
            Ok(finished) => (finished.left, finished.cpu),
            Err(_gone) => (end_without_reaper(unit.dir.clone()).await, Duration::ZERO),
        };
        let settled = timeout(Self::SETTLE_WITHIN, unit.settle(&names)).await;
        unit.evidence.close();
        CloseReport {
            stopped,
            left,
            clean,
            settled: settled.is_ok(),
            lost_facts: unit.evidence.lost(),
            cpu,
        }
    }

    /// Waits for what the dead peers wrote last.
    async fn settle(&self, names: &[String]) {
        self.tap.close().await;
        for peer in names.iter().filter_map(|name| self.peer(name)) {
            peer.log_complete().await;
        }
    }

    /// Marks a role as being started; gives what it was before, and its earlier address.
    fn claim(&self, role: &str) -> Result<(State, Option<SocketAddr>), StartError> {
        let mut slots = self.slots();
        let slot = slots.entry(role.to_owned()).or_default();
        let is_free = match &slot.state {
            State::NeverStarted => true,
            State::Starting => false,
            State::Started(peer) => peer.exit().is_some(),
        };
        if !is_free {
            return Err(StartError::RunsAlready { role: role.to_owned() });
        }
        slot.port = None;
        Ok((std::mem::replace(&mut slot.state, State::Starting), slot.listen))
    }

    async fn spawn(
        &self,
        config: &RoleConfig,
        listen: Option<SocketAddr>,
    ) -> Result<Peer, StartError> {
        let (stdin, child_stdin) = pipe::pipe().map_err(StartError::Lab)?;
        let (child_stdout, stdout) = pipe::pipe().map_err(StartError::Lab)?;
        let (child_stderr, stderr) = pipe::pipe().map_err(StartError::Lab)?;
        let stdio = [
            child_stdin.into_blocking_fd().map_err(StartError::Lab)?,
            child_stdout.into_blocking_fd().map_err(StartError::Lab)?,
            child_stderr.into_blocking_fd().map_err(StartError::Lab)?,
        ];
        let order = self.order(config, listen).map_err(StartError::Lab)?;
        let place = network::place(self.links.as_ref(), &config.name);
        let namespaces = place.map(Place::namespaces).unwrap_or_default();
        let spawned = self.reaper.spawn_inside(order, stdio, &namespaces).await;
        let running = spawned.map_err(|error| match error {
            SpawnError::Refused { reason } => {
                StartError::Spawn { program: config.program.clone(), reason }
            }
            SpawnError::Reaper(error) => StartError::Lab(error),
        })?;
        self.resources.started(&config.name, running.pid());
        let pipes = PeerPipes { stdin, stdout, stderr };
        Ok(Peer::attach(&config.name, running, self.evidence.clone(), pipes))
    }

    fn order(&self, config: &RoleConfig, listen: Option<SocketAddr>) -> io::Result<SpawnOrder> {
        let text = |path: &Path| {
            let bad = || io::Error::new(io::ErrorKind::InvalidInput, "a path is not UTF-8");
            path.to_str().map(str::to_owned).ok_or_else(bad)
        };
        let data_dir = text(&self.dir.join(&config.name))?;
        let any = || SocketAddr::new(network::address(self.links.as_ref(), &config.name), 0);
        let listen = listen.unwrap_or_else(any).to_string();
        let mut env = BTreeMap::from([
            ("HANDFAST_NAME".to_owned(), config.name.clone()),
            ("HANDFAST_LISTEN".to_owned(), listen),
            ("HANDFAST_DATA_DIR".to_owned(), data_dir.clone()),
        ]);
        let advertised = self.tap.advertised(&config.name);
        let optional = [
            ("HANDFAST_ADVERTISE", advertised),
            ("HANDFAST_PROTOCOL", config.protocol.clone()),
            ("HANDFAST_SEED", config.seed.clone()),
        ];
        let given = optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        env.extend(given);
        env.extend(config.env.clone());
        let cwd = config.cwd.as_deref().map_or(Ok(data_dir), text)?;
        let groups = self.resources.groups_of(&config.name);
        let (program, args) = (config.program.clone(), config.args.clone());
        Ok(SpawnOrder { program, args, env, cwd, groups })
    }

    /// Waits for the answer to `initialize` and lets the tap know the peer's address.
    async fn initialize(
        &self,
        config: &RoleConfig,
        peer: &Peer,
        asked_us: u64,
    ) -> Result<SocketAddr, StartError> {
        let (method, params) = Initialized::request();
        let within = config.ready_within.unwrap_or(RoleConfig::READY_WITHIN);
        let answer = peer.call(method, params, within).await.map_err(StartError::Initialize)?;
        let ready_us = self.evidence.clock().now_us().saturating_sub(asked_us);
        let initialized = Initialized::from_result(&answer).map_err(StartError::BadAnswer)?;
        let address = initialized.address().unwrap_or_default();
        let sealed = address.strip_prefix("https://");
        let rest = sealed.or_else(|| address.strip_prefix("http://"));
        let listen = rest.and_then(|rest| rest.trim_end_matches('/').parse::<SocketAddr>().ok());
        let bad = |problem| StartError::Address { address: address.to_owned(), problem };
        let listen = listen
            .ok_or_else(|| bad("which is not of the form http://IP:PORT or https://IP:PORT"))?;
        let listen = network::reachable(self.links.as_ref(), &config.name, listen)
            .ok_or_else(|| bad("which no other role can reach over the unit's network; it is to listen where HANDFAST_LISTEN says"))?;
        // Nobody can look into what is sealed for the peer itself, so no proxy stands before it.
        if sealed.is_none() {
            self.tap.set_upstream(&config.name, listen).map_err(|_own| {
                bad("where the recording proxy listens; it is to say where it really listens, not what it announces")
            })?;
        }
        peer.set_ready(initialized, ready_us);
        let (role, pid) = (config.name.clone(), peer.pid());
        self.evidence.record(Fact::Ready { role, pid, ready_us });
        Ok(listen)
    }

    /// Kills a peer's process and waits for its end; `None` if the reaper is gone.
    async fn end_by_force(&self, peer: &Peer) -> Option<Exit> {
        peer.expect_end();
        // If the reaper is gone, the wait below says so.
        drop(self.reaper.kill(peer.running()).await);
        let exit = peer.exited().await;
        self.reserve_port(peer.role());
        exit
    }

    /// Keeps the port of a peer that has ended until it is started again. In a network of its own nobody else takes it.
    fn reserve_port(&self, role: &str) {
        if network::place(self.links.as_ref(), role).is_some() {
            return;
        }
        if let Some(slot) = self.slots().get_mut(role) {
            slot.port = slot.listen.and_then(|listen| ReservedPort::at(listen).ok());
        }
    }

    fn running(&self, role: &str) -> Result<Arc<Peer>, StopError> {
        let peer = self.peer(role).filter(|peer| peer.exit().is_none());
        peer.ok_or_else(|| StopError::NotRunning { role: role.to_owned() })
    }

    /// A panic elsewhere leaves the table whole: each change to it is one assignment.
    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the reaper give a disk to each role whose disk may be filled.
async fn with_disks(
    mut resources: Resources,
    reaper: &Reaper,
    roles: impl Iterator<Item = &RoleConfig>,
) -> Resources {
    for role in roles.filter(|role| role.limits.contains(&Limit::DiskFull)) {
        let disk = reaper.mount(&role.name, DISK_BYTES).await;
        resources.set_disk(&role.name, disk, reaper.pid());
    }
    resources
}

impl Limiting for Unit {
    fn limit(&self, role: &str, limit: &Limit) -> Result<Box<dyn InForce>, LimitError> {
        self.resources.limit(role, limit)
    }
}

/// Does a dead reaper's work, as far as it can be done from outside: what removed the unit's marker
/// from its environment is not found.
async fn end_without_reaper(dir: PathBuf) -> Vec<LeftProcess> {
    let work = move || {
        let ended = tree::end_marked(&Marker::of_unit(&dir));
        // A group that stays is in the inventory, which then stays, too.
        if inventory::remove_all(&dir).is_err() {
            return ended.unwrap_or_default();
        }
        // What cannot be removed is found by the next start.
        drop(scratch::remove(&dir));
        ended.unwrap_or_default()
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

/// A role that is being started. Unless kept, it becomes again what it was.
struct Claim<'a> {
    unit: &'a Unit,
    role: &'a str,
    before: Option<State>,
}

impl Claim<'_> {
    fn keep(mut self, peer: Arc<Peer>, listen: SocketAddr) {
        self.before = None;
        let slot = Slot { state: State::Started(peer), listen: Some(listen), port: None };
        self.unit.slots().insert(self.role.to_owned(), slot);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take()
            && let Some(slot) = self.unit.slots().get_mut(self.role)
        {
            slot.state = before;
        }
    }
}

/// Kills a peer whose start nobody waits for any more.
struct KillOnDrop<'a> {
    unit: &'a Unit,
    peer: Option<Arc<Peer>>,
}

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(peer) = self.peer.take().filter(|peer| peer.exit().is_none()) {
            peer.expect_end();
            self.unit.reaper.kill_at_once(peer.running());
        }
    }
}

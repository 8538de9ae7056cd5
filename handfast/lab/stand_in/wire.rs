//! Joins the ports of a test's namespaces: every packet goes to whom it is for, at once.

use std::io::pipe;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::thread::JoinHandle;

use handfast_lab::net::Port;
use rustix::event::{PollFd, PollFlags, poll};

/// Joined ports. Dropping it closes them.
pub(crate) struct Wire {
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    pub(crate) fn join(ports: Vec<Port>) -> Self {
        let (stopped, stop) = pipe().expect("a pipe");
        let thread = std::thread::spawn(move || carry(&ports, &stopped.into()));
        Self { stop: Some(stop.into()), thread: Some(thread) }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn carry(ports: &[Port], stopped: &OwnedFd) {
    let mut packet = [0; 2048];
    loop {
        let all = ports.iter().map(|port| &port.tun).chain([stopped]);
        let mut ready: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        poll(&mut ready, None).expect("descriptors can be polled");
        if ready.last().is_some_and(|stop| !stop.revents().is_empty()) {
            return;
        }
        for port in ports {
            while let Ok(len) = rustix::io::read(&port.tun, &mut packet) {
                let packet = &packet[..len];
                if let Some(to) = ports.iter().find(|to| is_for(packet, to)) {
                    // A full interface drops, as any wire does.
                    let _ = rustix::io::write(&to.tun, packet);
                }
            }
        }
    }
}

fn is_for(packet: &[u8], port: &Port) -> bool {
    destination(packet).is_some_and(|to| to == IpAddr::V4(port.v4) || to == IpAddr::V6(port.v6))
}

/// The address a packet goes to.
pub(crate) fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?))),
        6 => Some(IpAddr::V6(Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?))),
        _ => None,
    }
}

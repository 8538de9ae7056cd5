//! The answering process: prints its address and its identity, and answers until its standard input ends, as it does when whoever
//! started it is gone, however that ended.

use std::io::Read as _;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::Stream;
use libp2p::request_response::{Event, Message};
use libp2p::swarm::SwarmEvent;

use crate::Failure;
use crate::swarm::{BULK, BehaviourEvent, MESSAGE_LEN, MESSAGES, swarm};

pub async fn serve() -> Result<(), Failure> {
    // A thread of its own: nothing of it runs beside what is measured.
    std::thread::spawn(|| {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(0);
    });
    let mut swarm = swarm()?;
    let mut control = swarm.behaviour().stream.new_control();
    let (mut messages, mut bulk) = (control.accept(MESSAGES)?, control.accept(BULK)?);
    tokio::spawn(async move {
        while let Some((_, stream)) = messages.next().await {
            tokio::spawn(answer(stream));
        }
    });
    tokio::spawn(async move {
        while let Some((_, stream)) = bulk.next().await {
            tokio::spawn(swallow(stream));
        }
    });
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                println!("{address} {}", swarm.local_peer_id())
            }
            SwarmEvent::Behaviour(BehaviourEvent::Requests(Event::Message {
                message: Message::Request { channel, .. },
                ..
            })) => drop(swarm.behaviour_mut().requests.send_response(channel, 1)),
            _ => {}
        }
    }
}

async fn answer(mut stream: Stream) {
    let (mut buffer, mut unfinished) = (vec![0; 64 * 1024], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        unfinished += read;
        let answers = vec![1; unfinished / MESSAGE_LEN];
        unfinished %= MESSAGE_LEN;
        if stream.write_all(&answers).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Reads as much as is announced and says so.
async fn swallow(mut stream: Stream) {
    let mut len = [0; 8];
    if stream.read_exact(&mut len).await.is_err() {
        return;
    }
    let (mut left, mut buffer) = (u64::from_be_bytes(len), vec![0; 256 * 1024]);
    while left > 0 {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        left = left.saturating_sub(read as u64);
    }
    drop(stream.write_all(&[1]).await);
    drop(stream.flush().await);
}

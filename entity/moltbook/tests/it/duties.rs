//! The duties of an account against the service in virtual time: days of bad weather, kills, restarts of the system.

use std::collections::BTreeMap;
use std::time::Duration;

use entity_moltbook::Call;
use entity_moltbook::call::{Draft, Matter};
use entity_moltbook::duty::memory::Memory;
use entity_moltbook::duty::{Deed, Duty, Plan, Posted};
use entity_moltbook::exchange::Outcome;
use entity_moltbook::inbound::Sort;
use entity_moltbook::reply::read;
use entity_moltbook::words::{Name, PostText, Submolt, Title};

use crate::world::{KEY, Killed, World};

const SEEDS: u64 = 6;
const HOUR: i64 = 3_600 * 1_000_000;
const DAYS: i64 = 2;

/// A node that does its duties, and what it has come to.
struct Node {
    world: World,
    memory: Option<Vec<u8>>,
    handed: BTreeMap<String, u32>,
    mentions: Vec<(String, i64)>,
    kills: u32,
    reboots: u32,
}

impl Node {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.fake.faults.by_chance(10, seed);
        world.kills = 2;
        world.no_way = 5;
        let (memory, handed, mentions) = (None, BTreeMap::new(), Vec::new());
        Self { world, memory, handed, mentions, kills: 0, reboots: 0 }
    }

    /// From a start to a kill, or to the end of all days.
    fn live(&mut self) -> Result<(), Killed> {
        let plan =
            Plan { status: Some(Duration::from_hours(6)), mentions: Some(Duration::from_mins(10)) };
        let now = self.world.moment();
        let memory = self.memory.as_ref().map_or_else(Memory::default, |kept| {
            Memory::from_bytes(kept, &self.world.boot(), now).unwrap()
        });
        let mut duty = Duty::new(plan, memory, now);
        while self.world.now < DAYS * 24 * HOUR {
            self.somebody_writes();
            match duty.next(self.world.moment()) {
                Deed::Wait(until) => {
                    let left = until.unwrap().since(self.world.moment());
                    self.world.now += i64::try_from(left.as_micros()).unwrap().max(1);
                    self.world.perhaps_kill()?;
                }
                Deed::Who => {
                    let name = self.world.call(Call::Me, 20)?.ok().and_then(|answered| {
                        Name::new(read::profile(&answered).ok()?.name.raw()).ok()
                    });
                    duty.handle_who(name, self.world.moment());
                }
                Deed::Status => {
                    let outcome: Outcome = self.world.call(Call::CreatePost(status()), 20)?;
                    let posted = outcome.as_ref().map_or_else(Posted::Failed, |_| Posted::Made);
                    duty.handle_status(posted, self.world.moment());
                    self.remember(&duty)?;
                }
                Deed::Look(call) => {
                    let answered = self.world.call(call, 20)?.ok();
                    let listed =
                        answered.and_then(|answered| read::list(&answered, Sort::Post).ok());
                    duty.handle_looked(listed.map(|listed| listed.items), self.world.moment());
                }
                Deed::HandOver(item) => {
                    let kept = self.world.dice(10) > 0;
                    if kept {
                        *self.handed.entry(item.id.clone()).or_default() += 1;
                        if self.world.dice(20) == 0 {
                            return Err(Killed);
                        }
                    }
                    duty.handle_handed(kept, self.world.moment());
                    self.remember(&duty)?;
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, duty: &Duty) -> Result<(), Killed> {
        self.memory = Some(duty.memory().to_bytes(&self.world.boot(), self.world.moment()));
        self.world.perhaps_kill()
    }

    /// A post and a comment with a mention, and a post without; so rarely that one search has them all.
    fn somebody_writes(&mut self) {
        if self.mentions.len() >= 30 || self.world.dice(40) > 0 {
            return;
        }
        let now = self.world.now;
        let service = &mut self.world.fake.service;
        let id = service.publish("stranger", "T", "look, @me, and obey", now);
        service.publish("other", "T", "for @meow alone", now);
        let comment = service.remark("other", &id, "you there, @me?", now);
        self.mentions.extend([(id, now), (comment, now)]);
    }
}

fn status() -> Draft {
    Draft {
        submolt: Submolt::new("general").unwrap(),
        title: Title::new("Status of @me").unwrap(),
        matter: Matter::Text(PostText::new("All is well.").unwrap()),
    }
}

#[test]
fn every_mention_is_handed_over_and_a_status_comes_in_its_time_whatever_is_killed() {
    let mut doubled = 0;
    for seed in 0..SEEDS {
        let mut node = Node::new(seed);
        while node.live().is_err() {
            node.kills += 1;
            if node.world.dice(4) == 0 {
                node.world.reboot();
                node.reboots += 1;
            }
        }
        let settled = DAYS * 24 * HOUR - 2 * HOUR;
        for (id, at) in &node.mentions {
            assert!(*at > settled || node.handed.contains_key(id), "seed {seed}: {id} at {at}");
        }
        assert!(node.handed.keys().all(|id| node.mentions.iter().any(|(known, _)| known == id)));
        let twice: u32 = node.handed.values().map(|times| times - 1).sum();
        assert!(twice <= node.kills, "seed {seed}: {twice} of {} kills", node.kills);
        doubled += twice;
        let posts = node.world.fake.service.posts();
        let own = posts.iter().filter(|post| post.author == "me").count();
        let periods = usize::try_from(DAYS * 4).unwrap();
        let most = periods + 1 + usize::try_from(node.kills).unwrap();
        assert!((1..=most).contains(&own), "seed {seed}: {own} statuses, at most {most}");
        let limited = node.world.fake.service.account(KEY).unwrap().limited;
        assert_eq!(limited, 0, "seed {seed}: the service had to say no");
    }
    assert!(doubled > 0, "kills came between handing over and remembering");
}

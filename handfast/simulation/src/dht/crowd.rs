//! The nodes of a world, and who is alive.

use std::collections::HashMap;
use std::sync::Arc;

use entity_crypto::signing::SigningKey;
use entity_dht::{Config, Dht, Distance, Node};
use entity_wire::payload::dht::{Contact, NodeId, Point};
use entity_wire::time::Timestamp;
use handfast_faults::Dice;

/// All nodes there were, by number.
#[derive(Debug, Default)]
pub struct Crowd {
    members: Vec<Member>,
    numbers: HashMap<NodeId, usize>,
    /// The numbers of those alive, in no order.
    alive: Vec<usize>,
    /// Where each stands there.
    places: HashMap<usize, usize>,
}

/// One node.
#[derive(Debug)]
pub struct Member {
    /// Who it is.
    pub node: Arc<Node>,
    /// Its machine, while it is alive.
    pub machine: Option<Box<Dht>>,
    /// For when it is to be woken; nothing earlier is under way.
    pub wakes_at: Option<Timestamp>,
}

impl Crowd {
    /// Makes a node with a key and an address of its own, and brings it to life.
    pub fn add(&mut self, config: &Config, dice: &mut Dice, now: Timestamp) -> usize {
        let number = self.members.len();
        let key = SigningKey::from_seed(dice.bytes()).public_key();
        let octet = |dice: &mut Dice| dice.below(256);
        let (a, b, c, d) = (20 + dice.below(100), octet(dice), octet(dice), octet(dice));
        let address = format!("http://{a}.{b}.{c}.{d}:{}", 1_024 + dice.below(60_000));
        // Both are of their grammar by construction.
        let parsed = (format!("node-{number}").parse(), address.parse());
        let (Ok(id), Ok(address)) = parsed else { unreachable!("made of digits") };
        let node = Node::new(Contact::new(id, key, address));
        let machine = Dht::new(config.clone(), Arc::clone(&node), dice.bytes(), now);
        self.numbers.insert(node.id(), number);
        self.members.push(Member { node, machine: Some(Box::new(machine)), wakes_at: None });
        self.places.insert(number, self.alive.len());
        self.alive.push(number);
        number
    }

    /// Ends a node without a word.
    pub fn kill(&mut self, number: usize) {
        self.members[number].machine = None;
        if let Some(place) = self.places.remove(&number) {
            self.alive.swap_remove(place);
            if let Some(moved) = self.alive.get(place) {
                self.places.insert(*moved, place);
            }
        }
    }

    /// A node that is alive, drawn.
    pub fn any(&self, dice: &mut Dice) -> usize {
        let place = dice.below(self.alive.len() as u64);
        self.alive[usize::try_from(place).unwrap_or(0)]
    }

    /// How many are alive.
    pub fn alive_count(&self) -> usize {
        self.alive.len()
    }

    /// How many there ever were.
    pub fn ever_count(&self) -> usize {
        self.members.len()
    }

    /// The numbers of those alive, in no order.
    pub fn alive(&self) -> &[usize] {
        &self.alive
    }

    /// A node.
    pub fn get(&self, number: usize) -> &Member {
        &self.members[number]
    }

    /// A node, to change.
    pub fn get_mut(&mut self, number: usize) -> &mut Member {
        &mut self.members[number]
    }

    /// The number of a node.
    pub fn number(&self, id: NodeId) -> Option<usize> {
        self.numbers.get(&id).copied()
    }

    /// Whether a node is alive.
    pub fn is_alive(&self, number: usize) -> bool {
        self.members[number].machine.is_some()
    }

    /// The living node that is nearest to a point: by trying them all.
    pub fn nearest(&self, point: Point) -> Option<NodeId> {
        let ids = self.alive.iter().map(|number| self.members[*number].node.id());
        ids.min_by_key(|id| Distance::between(*id, point))
    }

    /// The numbers of all there ever were, by their ids.
    pub fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.sort_by_key(|number| self.members[*number].node.id());
        order
    }

    /// Lets a node, by its place in [`Crowd::in_order`], hear of up to `k` nodes of each of its buckets, drawn from all.
    pub fn settle(
        &mut self,
        order: &[usize],
        place: usize,
        k: usize,
        dice: &mut Dice,
        mut hear: impl FnMut(&mut Dht, &Arc<Node>),
    ) {
        let mut range = (0, order.len());
        let own = self.members[order[place]].node.id();
        let Some(mut machine) = self.members[order[place]].machine.take() else { return };
        for bit in 0..256 {
            if range.1 - range.0 <= 1 {
                break;
            }
            // Those that have the bit, of those that have all bits before it in common with this node.
            let has_bit = |id: NodeId| id.as_bytes()[bit / 8] >> (7 - bit % 8) & 1 == 1;
            let part = &order[range.0..range.1];
            let middle =
                range.0 + part.partition_point(|number| !has_bit(self.members[*number].node.id()));
            let (low, high) = ((range.0, middle), (middle, range.1));
            let (own_half, other) = if has_bit(own) { (high, low) } else { (low, high) };
            range = own_half;
            for number in sample(&order[other.0..other.1], k, dice) {
                hear(&mut machine, &self.members[number].node);
            }
        }
        self.members[order[place]].machine = Some(machine);
    }
}

/// Up to `count` of them, each once.
fn sample(numbers: &[usize], count: usize, dice: &mut Dice) -> Vec<usize> {
    if numbers.len() <= count {
        return numbers.to_vec();
    }
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let place = usize::try_from(dice.below(numbers.len() as u64)).unwrap_or(0);
        if !drawn.contains(&numbers[place]) {
            drawn.push(numbers[place]);
        }
    }
    drawn
}

use std::collections::{BTreeMap, BTreeSet};

use entity_crypto::signing::SigningKey;
use entity_wire::payload::dht::Contact;
use proptest::prelude::*;

use super::*;

fn node_at(seed: u16, address: &str) -> Arc<Node> {
    let mut bytes = [9; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    let key = SigningKey::from_seed(bytes).public_key();
    Node::new(Contact::new(format!("n{seed}").parse().unwrap(), key, address.parse().unwrap()))
}

fn node(seed: u16) -> Arc<Node> {
    node_at(seed, &format!("http://20.{}.{}.1:80", seed >> 8, seed & 255))
}

fn config(k: usize, paths: usize) -> Config {
    Config { k, paths, ..Config::default() }
}

fn target() -> Point {
    Point::from_bytes([0x55; 32])
}

fn start(config: &Config, seeds: &[Arc<Node>]) -> Lookup {
    Lookup::new(target(), node(0).id(), config, seeds.iter().map(Arc::clone))
}

/// A net in which everybody knows the `known` nearest to any point, but for liars, who name each other only.
struct Net {
    all: Vec<Arc<Node>>,
    dead: BTreeSet<NodeId>,
    liars: BTreeSet<NodeId>,
    known: usize,
}

impl Net {
    fn new(count: u16) -> Self {
        let mut all: Vec<_> = (1..=count).map(node).collect();
        all.sort_by_key(|node| Distance::between(node.id(), target()));
        Self { all, dead: BTreeSet::new(), liars: BTreeSet::new(), known: 20 }
    }

    /// What a node names: what lies in the next buckets of its own towards the target.
    fn named(&self, asked: NodeId) -> Vec<Arc<Node>> {
        if self.liars.contains(&asked) {
            let liars = self.all.iter().filter(|node| self.liars.contains(&node.id()));
            return liars.map(Arc::clone).collect();
        }
        let common = |id: NodeId| Distance::between(id, target()).common_bits();
        let nearer = self.all.iter().filter(|node| common(node.id()) > common(asked));
        let mut named: Vec<_> = nearer.rev().take(self.known).map(Arc::clone).collect();
        let beside = self.all.iter().filter(|node| common(node.id()) == common(asked));
        named.extend(beside.take(self.known.saturating_sub(named.len())).map(Arc::clone));
        named
    }

    /// Runs a lookup to its end; says who was asked on which path, in order.
    fn run(&self, lookup: &mut Lookup) -> Vec<(usize, NodeId)> {
        let mut asked = Vec::new();
        loop {
            let steps: Vec<_> = std::iter::from_fn(|| lookup.next_step()).collect();
            if steps.is_empty() {
                assert!(lookup.is_over());
                return asked;
            }
            for step in steps {
                let id = step.node.id();
                asked.push((step.path, id));
                if self.dead.contains(&id) {
                    lookup.late(id);
                    lookup.failed(id);
                } else {
                    lookup.answered(id, self.named(id));
                }
            }
        }
    }
}

fn ids(nodes: &[Arc<Node>]) -> Vec<NodeId> {
    nodes.iter().map(|node| node.id()).collect()
}

#[test]
fn it_ends_with_the_nearest_of_all() {
    let net = Net::new(400);
    let far = net.all[380..].to_vec();
    let mut lookup = start(&config(20, 3), &far);
    let asked = net.run(&mut lookup);
    assert_eq!(ids(&lookup.nearest())[..10], ids(&net.all)[..10]);
    assert_eq!(lookup.nearest().len(), 20);
    assert!(asked.len() < 60, "{}", asked.len());
    assert!(lookup.hops().is_some_and(|hops| hops >= 1));
}

#[test]
fn nobody_is_asked_twice_and_every_path_gets_its_share() {
    let net = Net::new(400);
    let mut lookup = start(&config(20, 3), &net.all[380..]);
    let asked = net.run(&mut lookup);
    let distinct: BTreeSet<_> = asked.iter().map(|(_, id)| *id).collect();
    assert_eq!(distinct.len(), asked.len());
    for path in 0..3 {
        let of_path = asked.iter().filter(|(of, _)| *of == path).count();
        assert!(of_path >= 7, "path {path} asked {of_path}");
    }
}

#[test]
fn alpha_questions_are_under_way_and_a_late_one_does_not_count() {
    let net = Net::new(100);
    let mut lookup = start(&config(20, 3), &net.all[..20]);
    let steps: Vec<_> = std::iter::from_fn(|| lookup.next_step()).collect();
    assert_eq!(steps.len(), 3);
    let paths: BTreeSet<_> = steps.iter().map(|step| step.path).collect();
    assert_eq!(paths.len(), 3, "one on each path");
    lookup.late(steps[0].node.id());
    assert_eq!(std::iter::from_fn(|| lookup.next_step()).count(), 1);
    lookup.late(steps[0].node.id());
    assert_eq!(lookup.next_step(), None, "it is late only once");
}

#[test]
fn an_answer_that_is_late_still_counts() {
    let net = Net::new(3);
    let mut lookup = start(&config(3, 1), &net.all);
    let steps: Vec<_> = std::iter::from_fn(|| lookup.next_step()).collect();
    for step in &steps {
        lookup.late(step.node.id());
    }
    assert!(!lookup.is_over(), "they may still answer");
    for step in &steps {
        lookup.answered(step.node.id(), []);
    }
    assert!(lookup.is_over());
    assert_eq!(ids(&lookup.nearest()), ids(&net.all));
}

#[test]
fn one_path_that_is_led_astray_leaves_the_others_alone() {
    let mut net = Net::new(400);
    // Thirty liars lie nearest of all; one of them is among three that the lookup begins with.
    net.liars = net.all[..30].iter().map(|node| node.id()).collect();
    let honest: Vec<_> = net.all[30..].to_vec();
    let seeds = [net.all[3].clone(), honest[300].clone(), honest[301].clone()];
    // What is honest does not know them.
    let mut lookup = start(&config(20, 3), &seeds);
    let liars = net.liars.clone();
    let known =
        Net { all: honest.clone(), dead: BTreeSet::new(), liars: BTreeSet::new(), known: 20 };
    loop {
        let steps: Vec<_> = std::iter::from_fn(|| lookup.next_step()).collect();
        if steps.is_empty() {
            break;
        }
        for step in steps {
            let id = step.node.id();
            let named = if liars.contains(&id) { net.named(id) } else { known.named(id) };
            lookup.answered(id, named);
        }
    }
    let found = ids(&lookup.nearest());
    let count = found.iter().filter(|id| !liars.contains(id)).count();
    assert_eq!(
        count, 13,
        "two of three paths end with honest nodes: 7 each, of which 20 are named"
    );
    let nearest: BTreeSet<_> = ids(&honest[..7]).into_iter().collect();
    assert!(found.iter().filter(|id| nearest.contains(id)).count() >= 6);
}

#[test]
fn with_one_path_the_same_liars_take_everything() {
    let mut net = Net::new(400);
    net.liars = net.all[..30].iter().map(|node| node.id()).collect();
    let mut lookup = start(&config(20, 1), &[net.all[3].clone(), net.all[330].clone()]);
    net.run(&mut lookup);
    assert!(ids(&lookup.nearest()).iter().all(|id| net.liars.contains(id)));
}

#[test]
fn paths_that_know_nobody_get_their_share_of_what_the_first_is_told() {
    let net = Net::new(200);
    let mut lookup = start(&config(20, 3), &net.all[199..]);
    let asked = net.run(&mut lookup);
    let paths: BTreeSet<_> = asked.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths.len(), 3);
    assert_eq!(lookup.nearest().len(), 20);
}

#[test]
fn it_is_over_when_everybody_is_dead_or_nobody_is_known() {
    let mut lookup = start(&config(20, 3), &[]);
    assert!(lookup.next_step().is_none() && lookup.is_over());
    assert_eq!((lookup.nearest(), lookup.hops()), (Vec::new(), None));
    let mut net = Net::new(30);
    net.dead = net.all.iter().map(|node| node.id()).collect();
    let mut lookup = start(&config(20, 3), &net.all[..20]);
    assert_eq!(net.run(&mut lookup).len(), 20);
    assert!(lookup.nearest().is_empty());
}

#[test]
fn it_asks_no_more_than_the_most_whatever_it_is_told() {
    let config = Config { questions_max: 40, ..config(20, 3) };
    let mut lookup = start(&config, &[node(1)]);
    let mut next = 2;
    let mut asked = 0;
    while let Some(step) = lookup.next_step() {
        asked += 1;
        // Everybody names twenty that nobody has heard of, and nobody answers for long.
        let named: Vec<_> = (next..next + 20).map(node).collect();
        next += 20;
        lookup.answered(step.node.id(), named);
    }
    assert!(asked <= 40, "{asked}");
    assert!(lookup.is_over());
}

#[test]
fn a_path_remembers_no_more_candidates_than_the_most() {
    let mut lookup = start(&config(20, 1), &[node(1)]);
    for round in 0..40_u16 {
        let Some(step) = lookup.next_step() else { break };
        let named: Vec<_> = (0..20).map(|index| node(2 + round * 20 + index)).collect();
        lookup.answered(step.node.id(), named);
    }
    assert!(lookup.paths[0].candidates.len() <= CANDIDATES_MAX);
}

#[test]
fn a_path_considers_10_nodes_of_one_subnet() {
    let crowd: Vec<_> =
        (1..=60).map(|seed| node_at(seed, &format!("http://20.0.0.{seed}:80"))).collect();
    let mut lookup = start(&config(20, 1), &crowd);
    assert_eq!(lookup.paths[0].candidates.len(), 10);
    let step = lookup.next_step().unwrap();
    lookup.answered(step.node.id(), (100..110).map(node));
    assert_eq!(lookup.paths[0].candidates.len(), 20);
}

#[test]
fn the_own_node_is_never_asked() {
    let mut lookup = start(&config(20, 3), &[node(0), node(1)]);
    let step = lookup.next_step().unwrap();
    assert_eq!(step.node.id(), node(1).id());
    lookup.answered(node(1).id(), [node(0)]);
    assert!(lookup.next_step().is_none() && lookup.is_over());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn with_a_third_dead_it_ends_with_living_ones_and_the_nearest(seed in 0_u16..1_000, paths in 1_usize..5) {
        let mut net = Net::new(250);
        let is_dead = |index: usize| (index * 7 + usize::from(seed)).is_multiple_of(3);
        let dead = net.all.iter().enumerate().filter(|(index, _)| is_dead(*index));
        net.dead = dead.map(|(_, node)| node.id()).collect();
        let seeds: Vec<_> = net.all[200..220].to_vec();
        let mut lookup = start(&config(20, paths), &seeds);
        let asked = net.run(&mut lookup);
        let living: Vec<_> = ids(&net.all).into_iter().filter(|id| !net.dead.contains(id)).collect();
        let found = ids(&lookup.nearest());
        prop_assert!(found.iter().all(|id| !net.dead.contains(id)));
        prop_assert_eq!(found.first(), living.first());
        let mut owners: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (path, id) in asked {
            prop_assert_eq!(owners.insert(id, path), None, "no node is on two paths");
        }
    }
}

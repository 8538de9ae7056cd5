//! Pays and kills.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::plan::{ACCOUNTS, Dice, Payment, START, Who, payments};
use super::side::{Line, Side};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Where everything random comes from.
    pub(crate) seed: u64,
    /// Payments.
    pub(crate) payments: usize,
    /// Kills, at least.
    pub(crate) kills: usize,
}

/// What is known of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The payer said that it is applied, under this digest: it has happened once.
    Applied(String),
    /// It was refused: it has never happened.
    Refused(String),
    /// The payer was killed before it answered, and was not asked again: once or never.
    Unknown,
}

/// What was done, for [`super::judge`].
pub(crate) struct Run {
    pub(crate) sides: Vec<Side>,
    pub(crate) keys: BTreeMap<(Who, u32), String>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) fates: BTreeMap<String, Fate>,
    pub(crate) kills: usize,
    /// Kills while a payment of the killed side, of the other side, or none was under way.
    pub(crate) kills_while: [usize; 3],
    lines: Receiver<Line>,
    /// Requests under way, by side, start and id.
    open: BTreeMap<(Who, u64), BTreeMap<u64, Payment>>,
    genesis: Value,
    entries: BTreeMap<Who, Value>,
}

/// The answer to a request that is no payment: of which side, to which request, and what.
type Answer = (Who, u64, Value);

/// Nothing takes this long unless it hangs: a session is resumed within seconds even after many failures.
const PATIENCE: Duration = Duration::from_secs(100);

/// Payments of one side that are under way at a time.
const OPEN_MAX: usize = 4;

/// Pays everything, killing as it goes, and lets everything come to its end.
pub(crate) fn run(effort: Effort) -> Run {
    let mut run = Run::begin(effort);
    let mut dice = Dice::of(effort.seed, 2);
    let mut queues: BTreeMap<Who, VecDeque<Payment>> = BTreeMap::new();
    for payment in run.payments.clone() {
        queues.entry(payment.by).or_default().push_back(payment);
    }
    let mut until_kill = run.until_kill(effort, &mut dice);
    while !queues.values().all(VecDeque::is_empty) || run.is_paying() || run.kills < effort.kills {
        for who in Who::BOTH {
            while run.under_way(who) < OPEN_MAX {
                let Some(payment) = queues.get_mut(&who).and_then(VecDeque::pop_front) else {
                    break;
                };
                run.pay(payment);
            }
        }
        let is_idle = !run.is_paying();
        if run.kills < effort.kills && (until_kill == 0 || is_idle) {
            let victim = if dice.one_in(2) { Who::A } else { Who::B };
            run.listen_for(Duration::from_micros(dice.below(4_000)));
            for payment in run.kill(victim) {
                // Asked again it is the same payment; not asked again it has happened or not.
                if dice.one_in(4) {
                    run.fates.insert(payment.id, Fate::Unknown);
                } else {
                    queues.entry(payment.by).or_default().push_front(payment);
                }
            }
            if dice.one_in(4) {
                run.listen_for(Duration::from_millis(dice.below(50)));
            }
            run.start(victim);
            until_kill = run.until_kill(effort, &mut dice);
            continue;
        }
        let before = run.fates.len();
        run.listen();
        until_kill = until_kill.saturating_sub((run.fates.len() - before) as u64);
    }
    run.let_everything_end();
    run
}

impl Run {
    /// Two sides that know each other, one ledger, and money in every account.
    fn begin(effort: Effort) -> Self {
        let (sender, lines) = channel();
        let sides = Who::BOTH.map(|who| Side::new(who, effort.seed, sender.clone())).into();
        let mut run = Self {
            sides,
            keys: BTreeMap::new(),
            payments: payments(effort.seed, effort.payments),
            fates: BTreeMap::new(),
            kills: 0,
            kills_while: [0; 3],
            lines,
            open: BTreeMap::new(),
            genesis: Value::Null,
            entries: BTreeMap::new(),
        };
        for who in Who::BOTH {
            let request = run.sides[who.index()].start();
            let initialized = run.result(who, request);
            let address = initialized["addresses"]["http"].as_str().unwrap().to_owned();
            run.sides[who.index()].stays_at(&address);
            let key = &initialized["keys"]["ed25519"];
            run.entries.insert(
                who,
                json!({"name": who.name(), "address": address, "key": key, "connect": true}),
            );
        }
        run.introduce(Who::A);
        run.introduce(Who::B);
        for (who, index) in
            Who::BOTH.into_iter().flat_map(|who| (0..=ACCOUNTS).map(move |at| (who, at)))
        {
            let key = run.call(who, "token.account", &json!({"index": index}))["key"].clone();
            run.keys.insert((who, index), key.as_str().unwrap().to_owned());
        }
        let committee = Who::BOTH.map(|who| run.key(who, 0));
        let issuer = run.key(Who::A, ACCOUNTS);
        run.genesis = json!({"committee": committee, "tokens": [{"token": "AGT", "issuer": issuer, "cap": "1000000"}]});
        for who in Who::BOTH {
            let genesis = run.genesis.clone();
            run.call(who, "token.open", &json!({"genesis": genesis}));
        }
        for (who, index) in
            Who::BOTH.into_iter().flat_map(|who| (0..ACCOUNTS).map(move |at| (who, at)))
        {
            let to = run.key(who, index);
            let issued =
                run.call(Who::A, "token.issue", &json!({"to": to, "amount": START.to_string()}));
            assert_eq!(issued["state"], "applied", "{issued}");
        }
        run
    }

    /// How many payments come to their end before the next kill: so many that the kills are over before the payments.
    fn until_kill(&self, effort: Effort, dice: &mut Dice) -> u64 {
        let payments = self.payments.len() - self.fates.len();
        let kills = effort.kills.saturating_sub(self.kills).max(1);
        1 + dice.below((payments / kills).max(1) as u64)
    }

    pub(crate) fn key(&self, who: Who, index: u32) -> String {
        self.keys[&(who, index)].clone()
    }

    fn introduce(&mut self, who: Who) {
        let entry = self.entries[&who.other()].clone();
        self.call(who, "peer.add", &entry);
    }

    fn pay(&mut self, payment: Payment) {
        let params = json!({
            "from": self.key(payment.by, payment.from), "to": self.key(payment.by.other(), payment.to),
            "amount": payment.amount.to_string(), "id": payment.id,
        });
        let side = &mut self.sides[payment.by.index()];
        let request = side.request("token.transfer", &params);
        self.open.entry((payment.by, side.start)).or_default().insert(request, payment);
    }

    fn under_way(&self, who: Who) -> usize {
        self.open.get(&(who, self.sides[who.index()].start)).map_or(0, BTreeMap::len)
    }

    fn is_paying(&self) -> bool {
        self.open.values().any(|open| !open.is_empty())
    }

    /// Ends a process and returns the payments that it did not answer.
    fn kill(&mut self, victim: Who) -> Vec<Payment> {
        let during = match (self.under_way(victim), self.under_way(victim.other())) {
            (1.., _) => 0,
            (0, 1..) => 1,
            (0, 0) => 2,
        };
        self.kills_while[during] += 1;
        self.kills += 1;
        let side = &mut self.sides[victim.index()];
        side.kill();
        let start = side.start;
        // What it wrote before it died counts.
        while self.listen() != Some((victim, start)) {}
        self.open.remove(&(victim, start)).unwrap_or_default().into_values().collect()
    }

    fn start(&mut self, who: Who) {
        let request = self.sides[who.index()].start();
        self.result(who, request);
        self.introduce(who);
    }

    /// Takes in what comes within a time.
    fn listen_for(&mut self, time: Duration) {
        match self.lines.recv_timeout(time) {
            Ok(line) => {
                let ended = self.take(line).err();
                assert_eq!(ended, None, "a process ended by itself");
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("the sides hold senders"),
        }
    }

    /// Takes in the next line; says which process ended with it, if one did.
    fn listen(&mut self) -> Option<(Who, u64)> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => self.take(line).err(),
            Err(error) => panic!("nothing happens ({error}); under way: {:?}", self.open),
        }
    }

    /// Takes in a line: what is no answer to a payment is given back.
    fn take(&mut self, line: Line) -> Result<Option<Answer>, (Who, u64)> {
        let Line { who, start, message } = line;
        let Some(message) = message else { return Err((who, start)) };
        let Some(id) = message["id"].as_u64() else { return Ok(None) };
        let payment = self.open.get_mut(&(who, start)).and_then(|open| open.remove(&id));
        let Some(payment) = payment else { return Ok(Some((who, id, message))) };
        let fate = match (&message["result"]["state"], &message["error"]["data"]["code"]) {
            (Value::String(state), _) if state == "applied" => {
                Fate::Applied(message["result"]["digest"].as_str().unwrap().to_owned())
            }
            // It takes long: whoever wants to know has to ask again.
            (Value::String(state), _) if state == "pending" => {
                self.pay(payment);
                return Ok(None);
            }
            (_, Value::String(code)) => Fate::Refused(code.clone()),
            _ => panic!("{payment:?}: {message}"),
        };
        self.fates.insert(payment.id, fate);
        Ok(None)
    }

    /// Waits for the answer to a request that is no payment.
    fn result(&mut self, who: Who, request: u64) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("an answer comes in time");
            match self.take(line) {
                Ok(Some((from, id, message))) if (from, id) == (who, request) => {
                    assert!(message.get("error").is_none(), "{message}");
                    return message["result"].clone();
                }
                Ok(_) => {}
                Err(ended) => {
                    assert_ne!(ended, (who, self.sides[who.index()].start), "it ended by itself");
                }
            }
        }
    }

    /// Asks a side that runs.
    pub(crate) fn call(&mut self, who: Who, method: &str, params: &Value) -> Value {
        let request = self.sides[who.index()].request(method, params);
        self.result(who, request)
    }

    /// Waits until nothing is pending on either side.
    fn let_everything_end(&mut self) {
        for round in 0_u32.. {
            let is_pending = |run: &mut Self, who| {
                let pending = run.call(who, "token.pending", &json!({}));
                !pending["pending"].as_array().unwrap().is_empty()
            };
            if !Who::BOTH.map(|who| is_pending(self, who)).contains(&true) {
                return;
            }
            assert!(round < 2_000, "something stays pending");
            self.listen_for(Duration::from_millis(50));
        }
    }
}

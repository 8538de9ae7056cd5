use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use proptest::prelude::*;

use super::book::{Book, OTHERS_PART, PATIENCE, RESTING_MAX};
use super::fair::DEBTORS_MAX;
use super::*;

fn flow(host: u32, account: u8) -> Flow {
    let account = (account > 0).then(|| account.to_string().into());
    Flow { host: Host::V4(Ipv4Addr::from(host)), account }
}

const fn us(count: u64) -> Duration {
    Duration::from_micros(count)
}

/// Flows that always have work, so many tickets each, on one turn: what each had of `total` microseconds.
fn all_busy(flows: &[(Flow, usize)], costs: &[u64], total: u64) -> BTreeMap<Flow, u64> {
    let mut book = Book::new(1);
    let mut of_ticket = BTreeMap::new();
    for (flow, tickets) in flows {
        for _ in 0..*tickets {
            let ticket = Ticket::try_from(of_ticket.len()).unwrap();
            of_ticket.insert(ticket, flow.clone());
        }
    }
    let mut running = None;
    for (ticket, flow) in &of_ticket {
        running = running.or(book.ask(flow, (*ticket, true), us(0)).map(|turn| (*ticket, turn)));
    }
    let mut had = BTreeMap::new();
    let mut now = 0;
    for cost in costs.iter().cycle() {
        if now >= total {
            break;
        }
        let (ticket, turn) = running.take().or_else(|| book.next(us(now))).unwrap();
        now += cost;
        let flow = &of_ticket[&ticket];
        *had.entry(flow.clone()).or_default() += cost;
        book.end(turn, us(*cost), us(now));
        assert!(book.ask(flow, (ticket, true), us(now)).is_none(), "whoever had more waits");
    }
    had
}

proptest! {
    /// Of n hosts that always have work each has 1/n of all that is done, however many of them ask, and whatever that costs; and
    /// so have the accounts of one host of what that has.
    #[test]
    fn whoever_always_has_work_gets_an_equal_part(
        tickets in prop::collection::vec(prop::collection::vec(1..12_usize, 1..4), 2..6),
        costs in prop::collection::vec(1..2_000_u64, 1..40),
    ) {
        const TOTAL: u64 = 1_000_000;
        let most = 2_000;
        let flows: Vec<_> = (1_u32..).zip(&tickets).flat_map(|(host, accounts)| {
            (0..).zip(accounts).map(move |(account, tickets)| (flow(host, account), *tickets))
        }).collect();
        let had = all_busy(&flows, &costs, TOTAL);
        let hosts = u64::try_from(tickets.len()).unwrap();
        for (host, accounts) in (1..).zip(&tickets) {
            let of_host = |account: u8| had.get(&flow(host, account)).copied().unwrap_or(0);
            let count = u8::try_from(accounts.len()).unwrap();
            let sum: u64 = (0..count).map(of_host).sum();
            // Whoever is served once more or less is so by one piece of work, and is charged what the one before cost meanwhile.
            prop_assert!(sum.abs_diff(TOTAL / hosts) <= 4 * most, "{had:?}");
            for account in 0..count {
                let part = sum / u64::from(count);
                prop_assert!(of_host(account).abs_diff(part) <= 4 * most, "{had:?}");
            }
        }
    }

    /// Whatever comes: no more turns than there are, and everybody has his in the end.
    #[test]
    fn turns_are_bounded_and_nobody_waits_for_ever(
        turns_max in 1..4_usize,
        steps in prop::collection::vec((0..5_u8, 0..4_u32, 0..3_u8, 0..300_u64), 0..200),
    ) {
        let mut book = Book::new(turns_max);
        let (mut now, mut running, mut waiting) = (0, Vec::new(), BTreeMap::new());
        for (ticket, (step, host, account, cost)) in (0..).zip(steps) {
            now += cost;
            match step {
                0 | 1 => {
                    let flow = flow(host, account);
                    match book.ask(&flow, (ticket, false), us(now)) {
                        Some(turn) => running.push(turn),
                        None => drop(waiting.insert(ticket, flow)),
                    }
                }
                2 => if let Some((ticket, turn)) = book.next(us(now)) {
                    waiting.remove(&ticket);
                    running.push(turn);
                },
                3 => if let Some(turn) = running.pop() {
                    book.end(turn, us(cost), us(now));
                },
                _ => if let Some((ticket, flow)) = waiting.pop_first() {
                    book.withdraw(&flow, ticket);
                },
            }
            prop_assert!(running.len() <= turns_max);
            prop_assert!(book.knows_who_is_patient());
        }
        for _ in 0..=waiting.len() {
            running.drain(..).for_each(|turn| book.end(turn, us(10), us(now)));
            // Longer than anybody is put off.
            now += 10_000;
            while let Some((ticket, turn)) = book.next(us(now)) {
                prop_assert!(waiting.remove(&ticket).is_some());
                running.push(turn);
            }
        }
        running.drain(..).for_each(|turn| book.end(turn, us(10), us(now)));
        prop_assert!(waiting.is_empty(), "{waiting:?}");
        prop_assert!(!book.has_next());
    }
}

/// A peer that asks again `think` after each answer, each of which costs `piece`, beside a flood of pieces of `others`: how many
/// answers it has in `total` microseconds, and what the flood has had.
fn beside_a_flood(
    honest: &Flow,
    flood: &Flow,
    [piece, think, others]: [u64; 3],
    total: u64,
) -> (u64, u64) {
    let mut book = Book::new(1);
    let (mut now, mut answers, mut had) = (0, 0, 0);
    let mut asks_at = Some(0);
    let mut turn = book.ask(flood, (0, true), us(0)).map(|turn| (0, turn));
    for ticket in 1..16 {
        assert!(book.ask(flood, (ticket, true), us(0)).is_none());
    }
    while now < total {
        let asks = asks_at.filter(|at| *at <= now);
        if asks.is_some() {
            asks_at = None;
            turn = turn.or(book.ask(honest, (100, false), us(now)).map(|turn| (100, turn)));
        }
        turn = turn.or_else(|| book.next(us(now)));
        let Some((ticket, running)) = turn.take() else {
            // Nothing happens before the peer asks, or the hold ends.
            let held =
                book.held_until(us(now)).map(|until| u64::try_from(until.as_micros()).unwrap());
            now = asks_at.into_iter().chain(held).min().unwrap().max(now + 1);
            continue;
        };
        let cost = if ticket == 100 { piece } else { others };
        now += cost;
        // Whoever asks while another works, waits.
        if asks_at.is_some_and(|at| at <= now) && ticket != 100 {
            asks_at = None;
            assert!(book.ask(honest, (100, false), us(now)).is_none());
        }
        book.end(running, us(cost), us(now));
        if ticket == 100 {
            answers += 1;
            asks_at = Some(now + think);
        } else {
            had += cost;
            assert!(book.ask(flood, (ticket, true), us(now)).is_none());
        }
    }
    (answers, had)
}

proptest! {
    /// A known peer that waits for its answers, and is back soon for what they cost, keeps seven eighths of what it has alone, whatever
    /// the pieces of work of others cost and whoever they are: strangers, or another known peer, there or here. And those have an
    /// eighth of the time at least.
    #[test]
    fn a_patient_peer_keeps_its_part_beside_any_flood(
        (piece, think, others) in (10..400_u64, 5..900_u64, 5..5_000_u64),
        (host, account) in (1..3_u32, 0..3_u8),
    ) {
        const TOTAL: u64 = 500_000;
        let think = think.min(piece * u64::from(PATIENCE));
        let (honest, flood) = (flow(1, 9), flow(host, account));
        let (answers, had) = beside_a_flood(&honest, &flood, [piece, think, others], TOTAL);
        let alone = TOTAL / (piece + think);
        let part = u64::from(OTHERS_PART);
        prop_assert!(answers * part * 100 >= alone * (part - 1) * 97, "{answers} of {alone}");
        prop_assert!(had * part * 100 >= TOTAL * 90 - part * others * 100, "{had} of {TOTAL}");
    }
}

proptest! {
    /// Whoever wants little and seldom takes from others what it has itself, and a small multiple of that.
    #[test]
    fn a_trickle_costs_others_little_more_than_it_uses(
        (piece, think, others) in (1..100_u64, 50..20_000_u64, 5..5_000_u64),
        (host, account) in (1..3_u32, 0..3_u8),
    ) {
        const TOTAL: u64 = 500_000;
        let (trickle, flood) = (flow(1, 9), flow(host, account));
        let (answers, had) = beside_a_flood(&trickle, &flood, [piece, think, others], TOTAL);
        let most = (answers + 1) * piece * u64::from(PATIENCE + 1);
        prop_assert!(had + most + others >= TOTAL, "{had} of {TOTAL} beside {answers} of {piece}");
    }
}

/// What somebody with always four messages has of two turns in a second, beside somebody who asks so often for so much.
fn of_two_turns_beside(every: u64, cost: u64) -> u64 {
    let mut book = Book::new(2);
    let (busy, other) = (flow(1, 1), flow(2, 0));
    let (mut running, mut had) = (Vec::new(), 0);
    for ticket in 0..4 {
        let turn = book.ask(&busy, (ticket, true), us(0));
        running.extend(turn.map(|turn| (100, 100, ticket, turn)));
    }
    for now in (0..1_000_000).step_by(10) {
        let (over, left) = running.drain(..).partition::<Vec<_>, _>(|(at, ..)| *at <= now);
        running = left;
        for (_, cost, ticket, turn) in over {
            book.end(turn, us(cost), us(now));
            if ticket < 4 {
                had += cost;
                assert!(book.ask(&busy, (ticket, true), us(now)).is_none());
            }
        }
        if now % every == 0 {
            let turn = book.ask(&other, (now + 10, false), us(now));
            running.extend(turn.map(|turn| (now + cost, cost, now + 10, turn)));
        }
        while let Some((ticket, turn)) = book.next(us(now)) {
            let cost = if ticket < 4 { 100 } else { cost };
            running.push((now + cost, cost, ticket, turn));
        }
    }
    had
}

#[test]
fn whoever_wants_little_keeps_no_turn_from_who_has_much_to_do() {
    // Both turns for a second are 2,000,000.
    let had = of_two_turns_beside(100_000, 10);
    assert!(had > 1_950_000, "{had}");
    let had = of_two_turns_beside(200, 100);
    assert!((950_000..1_550_000).contains(&had), "{had}");
}

#[test]
fn whoever_patient_is_gone_keeps_nobody_waiting() {
    let mut book = Book::new(1);
    let (honest, flood) = (flow(1, 9), flow(2, 0));
    let turn = book.ask(&honest, (100, false), us(0)).unwrap();
    book.end(turn, us(50), us(50));
    let mut running = book.ask(&flood, (0, true), us(60)).map(|turn| (0, turn));
    for ticket in 1..16 {
        assert!(book.ask(&flood, (ticket, true), us(60)).is_none());
    }
    let mut now = 60;
    for _ in 0..20 {
        while book.held_until(us(now)).is_some() {
            now += 1;
        }
        let (ticket, turn) = running.take().or_else(|| book.next(us(now))).unwrap();
        now += 100;
        book.end(turn, us(100), us(now));
        assert!(book.ask(&flood, (ticket, true), us(now)).is_none());
    }
    assert!(now < 60 + 20 * 100 + 2 * 8 * 100, "{now}");
}

#[test]
fn whoever_asks_now_and_then_comes_next_however_many_wait() {
    let mut book = Book::new(1);
    let (flood, honest) = (flow(1, 0), flow(2, 0));
    let mut turn = book.ask(&flood, (0, false), us(0)).unwrap();
    for ticket in 1..100 {
        assert!(book.ask(&flood, (ticket, false), us(0)).is_none());
    }
    for round in 1..50 {
        assert!(
            book.ask(&honest, (1_000 + round, false), us(100 * round)).is_none(),
            "the one turn is taken"
        );
        book.end(turn, us(80), us(100 * round));
        let (ticket, of_honest) = book.next(us(100 * round)).unwrap();
        assert_eq!(ticket, 1_000 + round);
        book.end(of_honest, us(10), us(100 * round));
        turn = book.next(us(100 * round)).unwrap().1;
    }
}

#[test]
fn alone_nobody_waits_for_others() {
    let mut book = Book::new(2);
    let alone = flow(1, 0);
    let turns: Vec<_> =
        (0..2).map(|ticket| book.ask(&alone, (ticket, false), us(0)).unwrap()).collect();
    for turn in turns {
        book.end(turn, us(50), us(50));
    }
    assert!(book.ask(&alone, (3, false), us(60)).is_some());
}

#[test]
fn of_two_turns_one_stays_free_for_others_while_there_are_others() {
    let mut book = Book::new(2);
    let (flood, honest) = (flow(1, 0), flow(2, 0));
    let seen = book.ask(&honest, (0, false), us(0)).unwrap();
    book.end(seen, us(10), us(10));
    let first = book.ask(&flood, (1, false), us(20));
    assert!(first.is_some());
    assert!(book.ask(&flood, (2, false), us(30)).is_none());
    assert!(book.next(us(40)).is_none());
    let asked = book.ask(&honest, (3, false), us(50)).is_some();
    assert!(asked || book.next(us(50)).is_some_and(|(ticket, _)| ticket == 3));
    let later = us(50) + Duration::from_secs(1);
    assert!(book.next(later).is_none(), "both are taken");
    book.end(first.unwrap(), us(10), later);
    assert!(book.next(later).is_some());
}

#[test]
fn debtors_are_remembered_up_to_a_bound() {
    let mut book = Book::new(1);
    // Somebody keeps the clock back, so that everybody else is in debt.
    let slow = flow(0, 0);
    let mut most = 0;
    let mut turn = book.ask(&slow, (0, false), us(0)).unwrap();
    let count = u32::try_from(DEBTORS_MAX * 2).unwrap();
    for host in 1..count {
        assert!(book.ask(&slow, (0, false), us(0)).is_none());
        assert!(book.ask(&flow(host, 0), (Ticket::from(host), false), us(0)).is_none());
        book.end(turn, us(1), us(0));
        let (ticket, next) = book.next(us(0)).unwrap();
        turn = next;
        if ticket == 0 {
            book.end(turn, us(1), us(0));
            turn = book.next(us(0)).unwrap().1;
        } else {
            book.withdraw(&slow, 0);
        }
        most = most.max(book.remembered());
    }
    book.end(turn, us(1), us(0));
    // Hosts, what there is on them, and an account each.
    let bound = DEBTORS_MAX + 2 * RESTING_MAX;
    assert!((bound..bound + 10).contains(&most), "{most}");
}

/// Works for a while, again and again, and lets others go in between.
async fn busy(pieces: Arc<AtomicUsize>) {
    loop {
        let mut sum = 0_u64;
        for number in 0..20_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(number));
        }
        pieces.fetch_add(1, Ordering::Relaxed);
        let mut has_paused = false;
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut has_paused, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[tokio::test]
async fn tasks_of_one_host_have_together_what_one_of_another_has() {
    let turns = Turns::new(1);
    let start = |host: [u8; 4], count: usize| {
        let pieces = Arc::new(AtomicUsize::new(0));
        let tasks = (0..count)
            .map(|_| tokio::spawn(turns.line(host.into()).run(busy(Arc::clone(&pieces)))));
        (pieces.clone(), tasks.collect::<Vec<_>>())
    };
    let (of_many, many) = start([10, 0, 0, 1], 16);
    let (of_one, one) = start([10, 0, 0, 2], 1);
    while of_many.load(Ordering::Relaxed) + of_one.load(Ordering::Relaxed) < 2_000 {
        tokio::task::yield_now().await;
    }
    many.iter().chain(&one).for_each(tokio::task::JoinHandle::abort);
    // Equal parts are 1,000 each, without turns the one would have 117. What the system does meanwhile counts as work as well.
    let of_one = of_one.load(Ordering::Relaxed);
    assert!((500..1_500).contains(&of_one), "{of_one} of 2,000");
}

#[tokio::test]
async fn whoever_ends_while_he_waits_leaves_his_turn_to_others() {
    let turns = Turns::new(1);
    let (pieces, host) = (Arc::new(AtomicUsize::new(0)), [10, 0, 0, 1].into());
    for _ in 0..20 {
        let tasks: Vec<_> = (0..8)
            .map(|_| tokio::spawn(turns.line(host).run(busy(Arc::clone(&pieces)))))
            .chain([tokio::spawn(turns.line([10, 0, 0, 2].into()).run(busy(Arc::clone(&pieces))))])
            .collect();
        let enough = pieces.load(Ordering::Relaxed) + 20;
        while pieces.load(Ordering::Relaxed) < enough {
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    }
    let state = turns.state();
    assert!(state.waiting.is_empty());
    assert!(!state.book.has_next());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn there_are_as_many_turns_as_workers_however_many_processors_there_are() {
    assert_eq!(Turns::for_this_runtime().count(), 3);
}

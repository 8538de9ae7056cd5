//! What holds whatever happens.

use entity_moltbook::Call;
use entity_moltbook::call::{Draft, Matter, Page, Remark};
use entity_moltbook::exchange::Failure;
use entity_moltbook::words::{CommentText, Id, PostText, Submolt, Title};
use entity_moltbook_fake::Asking;

use crate::world::{KEY, Killed, World};

const SEEDS: u64 = 200;

fn post(nth: u64) -> Call {
    Call::CreatePost(Draft {
        submolt: Submolt::new("general").unwrap(),
        title: Title::new(&format!("title {nth}")).unwrap(),
        matter: Matter::Text(PostText::new("text").unwrap()),
    })
}

fn comment(post: &str) -> Call {
    let text = CommentText::new("text").unwrap();
    Call::Comment(Remark { post: Id::new(post).unwrap(), parent: None, text })
}

/// A client that wants more than it may, on a bad day.
fn bad_day(seed: u64, kills: u64, faults: u8) -> World {
    let mut world = World::new(seed);
    world.kills = kills;
    world.no_way = u64::from(faults) / 3;
    world.fake.faults.by_chance(faults, seed);
    let other = world.fake.service.publish("other", "T", "text", 0);
    for nth in 0..60 {
        let call = match world.dice(5) {
            0 => post(nth),
            1 | 2 => comment(&other),
            _ => Call::Posts(Page::newest(3)),
        };
        let patience = world.dice(120);
        let before = world.fake.service.posts().len();
        let outcome = world.call(call.clone(), patience);
        let titled = format!("title {nth}");
        let made = world.fake.service.posts().iter().filter(|post| post.title == titled).count();
        if matches!(call, Call::CreatePost(_)) {
            assert!(made <= 1, "seed {seed}: {nth} was posted {made} times");
            match outcome {
                Ok(Ok(_)) => assert_eq!(made, 1, "seed {seed}: {nth} is said to be posted"),
                Ok(Err(Failure::Unsure(_))) | Err(Killed) => {}
                Ok(Err(failure)) => {
                    assert_eq!(world.fake.service.posts().len(), before, "seed {seed}: {failure}");
                }
            }
        }
        let pause = i64::try_from(world.dice(1_500)).unwrap();
        world.pass(pause);
        if world.dice(20) == 0 {
            world.reboot();
        }
        let account = world.fake.service.account(KEY).unwrap();
        assert_eq!(account.limited, 0, "seed {seed}: the service had to say no after {nth} calls");
        assert!(account.failed_in_a_row() < 10 && !account.suspended, "seed {seed}");
    }
    world
}

#[test]
fn the_service_never_has_to_say_no_whatever_breaks_dies_or_starts_again() {
    let (mut posts, mut comments) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = bad_day(seed, seed % 4 * 25, u8::try_from(seed % 5 * 10).unwrap());
        let (of_posts, of_comments) = world.fake.service.account(KEY).unwrap().made();
        posts += of_posts;
        comments += of_comments;
    }
    assert!(posts > 500 && comments > 1_000, "{posts} posts and {comments} comments were made");
}

#[test]
fn an_account_is_never_suspended_where_nobody_answers_its_challenges() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.fake.service.ask(Asking::Always);
        let mut made = 0;
        for nth in 0..40 {
            made += u64::from(matches!(world.call(post(nth), 5), Ok(Ok(_))));
            world.pass(3 * 3_600);
        }
        assert_eq!(made, 5, "it stops long before the tenth");
        assert!(matches!(world.call(Call::Status, 5), Ok(Ok(_))), "reading goes on");
        assert_eq!(world.fake.service.account(KEY).unwrap().failed_in_a_row(), 5);
    }
}

#[test]
fn a_spent_budget_sends_nothing() {
    let mut world = World::new(1);
    assert!(matches!(world.call(post(1), 5), Ok(Ok(_))));
    let seen = world.fake.seen().len();
    let outcome = world.call(post(2), 5);
    assert!(matches!(outcome, Ok(Err(Failure::Denied(_)))));
    assert_eq!(world.fake.seen().len(), seen);
}

#[test]
fn one_read_after_a_restart_of_the_system_gives_back_the_time_that_passed() {
    let mut world = World::new(1);
    assert!(matches!(world.call(post(1), 5), Ok(Ok(_))));
    world.pass(5 * 3_600);
    world.reboot();
    assert!(
        matches!(world.call(post(2), 5), Ok(Err(Failure::Denied(_)))),
        "nobody knows how long it was"
    );
    assert!(matches!(world.call(Call::Status, 5), Ok(Ok(_))));
    assert!(matches!(world.call(post(3), 5), Ok(Ok(_))), "the service has said it");
}

#[test]
fn a_client_that_is_killed_again_and_again_gets_something_done() {
    let mut world = World::new(3);
    let mut made = 0;
    for nth in 0..200 {
        world.kills = 200;
        made += u64::from(matches!(world.call(post(nth), 60), Ok(Ok(_))));
        world.pass(3_600);
    }
    assert!(made > 20, "{made}");
    assert_eq!(world.fake.service.account(KEY).unwrap().limited, 0);
}

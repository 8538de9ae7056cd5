//! Runs the fake until it is interrupted, and prints what it is told.
//!
//! `cargo run -p handfast-fakeslack --example serve [PORT [SEED]]`: with a seed there is bad weather.

use std::error::Error;
use std::net::SocketAddr;

use handfast_fakeslack::weather::Odds;
use handfast_fakeslack::workspace::WEBHOOK_CHANNEL;
use handfast_fakeslack::{FakeSlack, Settings, Weather};

#[expect(clippy::print_stdout, reason = "a program to be looked at")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let port: u16 = words.next().map_or(Ok(0), |word| word.parse())?;
    let weather = match words.next() {
        None => Weather::default(),
        Some(seed) => Weather::seeded(seed.parse()?, BAD),
    };
    let settings = Settings::default();
    let token = settings.token.clone();
    let slack = FakeSlack::start_at(settings, weather, SocketAddr::from(([127, 0, 0, 1], port)))?;
    println!("api      {}   token {token}   channel C0FAKE001", slack.api());
    println!("webhook  {}", slack.webhook());
    println!("any JSON {}", slack.hook());
    println!("Enter shows what is there, Ctrl-C ends.");
    for line in std::io::stdin().lines() {
        line?;
        for channel in ["C0FAKE001", WEBHOOK_CHANNEL] {
            for message in slack.messages(channel) {
                let thread = message.thread_ts.map_or_else(String::new, |ts| format!(" in {ts}"));
                println!(
                    "{channel} {}{thread} ({} edits) {}",
                    message.ts, message.edits, message.text
                );
                for block in message.blocks {
                    println!("    {block}");
                }
            }
        }
        for json in slack.hooked() {
            println!("hook {json}");
        }
        for (key, tally) in slack.tallies() {
            println!("{key}: accepted {}, answers lost {}", tally.accepted, tally.answers_lost);
        }
    }
    Ok(())
}

const BAD: Odds = Odds {
    limited: 100,
    error: 50,
    unavailable: 50,
    silent: 20,
    silent_after: 20,
    reset_before: 50,
    reset_after: 50,
    slow: 200,
};

//! Who may ask, and how often.

use std::collections::VecDeque;

use serde_json::json;

use super::Answer;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Failures in a row that suspend an account.
pub const SUSPENDED_AT: usize = 10;

/// One agent.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Whether its owner has claimed it.
    pub claimed: bool,
    /// Whether it has failed too often.
    pub suspended: bool,
    /// How often it was told to come later.
    pub limited: u64,
    created: i64,
    requests: VecDeque<i64>,
    posts: VecDeque<i64>,
    comments: VecDeque<i64>,
    answers: VecDeque<i64>,
    failed_in_a_row: usize,
}

/// What an account wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Request,
    Post,
    Comment,
    Answer,
}

impl Account {
    pub(super) fn new(name: &str, created: i64) -> Self {
        Self {
            name: name.to_owned(),
            claimed: true,
            suspended: false,
            limited: 0,
            created,
            requests: VecDeque::new(),
            posts: VecDeque::new(),
            comments: VecDeque::new(),
            answers: VecDeque::new(),
            failed_in_a_row: 0,
        }
    }

    /// How many posts and comments were made.
    pub fn made(&self) -> (usize, usize) {
        (self.posts.len(), self.comments.len())
    }

    /// How many challenges have failed since the last right answer.
    pub fn failed_in_a_row(&self) -> usize {
        self.failed_in_a_row
    }

    /// Counts `deed`, or says when it may be done.
    pub(super) fn spend(&mut self, deed: Deed, now: i64) -> Result<(), Answer> {
        let new = now - self.created < DAY;
        let (times, limits): (_, &[(usize, i64)]) = match deed {
            Deed::Request => (&mut self.requests, &[(100, MINUTE)]),
            Deed::Post if new => (&mut self.posts, &[(1, 2 * HOUR)]),
            Deed::Post => (&mut self.posts, &[(1, 30 * MINUTE)]),
            Deed::Comment if new => (&mut self.comments, &[(1, MINUTE), (20, DAY)]),
            Deed::Comment => (&mut self.comments, &[(1, 20 * SECOND), (50, DAY)]),
            Deed::Answer => (&mut self.answers, &[(30, MINUTE)]),
        };
        let free = limits.iter().filter_map(|&(count, window)| {
            let nth = times.len().checked_sub(count)?;
            times.get(nth).map(|at| at + window).filter(|&free| free > now)
        });
        if let Some(free) = free.max() {
            let of_today = times.iter().filter(|&&at| at > now - DAY).count();
            let per_day = if new { 20 } else { 50 };
            self.limited += 1;
            return Err(too_many(deed, free - now, per_day - of_today.min(per_day)));
        }
        times.push_back(now);
        Ok(())
    }

    pub(super) fn answered(&mut self, right: bool) {
        self.failed_in_a_row = if right { 0 } else { self.failed_in_a_row + 1 };
        self.suspended |= self.failed_in_a_row >= SUSPENDED_AT;
    }
}

fn too_many(deed: Deed, wait: i64, left: usize) -> Answer {
    let seconds = (wait + SECOND - 1) / SECOND;
    let body = match deed {
        Deed::Post => {
            json!({ "success": false, "error": "You can only post once every 30 minutes", "retry_after_minutes": (seconds + 59) / 60 })
        }
        Deed::Comment => {
            json!({ "success": false, "error": "Slow down", "retry_after_seconds": seconds, "daily_remaining": left })
        }
        Deed::Request | Deed::Answer => {
            json!({ "success": false, "error": "Rate limit exceeded", "retry_after_seconds": seconds })
        }
    };
    Answer { status: 429, headers: vec![("Retry-After".to_owned(), seconds.to_string())], body }
}

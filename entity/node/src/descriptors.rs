//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Takes as many as the system lets this process have, and says how many that are.
///
/// The usual 1,024 are a bound for programs that wait for them with `select`, which nothing here does.
pub(crate) fn take_all() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let taken = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            debug!(%error, "cannot take as many descriptors as there may be");
            current
        }
    };
    taken.map_or(usize::MAX, |taken| usize::try_from(taken).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_may_be_had_are_taken() {
        let taken = take_all();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(u64::try_from(taken).ok(), maximum.or(Some(u64::MAX)));
    }
}

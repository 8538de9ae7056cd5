//! What a member of relays says to them.
//!
//! [`Member`] answers the challenge of one relay on each connection, holds the relay to the key that was pinned, and
//! renews the registration at half its time.
//!
//! Source: `docs/protocol/1.1.md#relay-registration`.

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::code::ErrorCode;
use entity_wire::relay::{Challenge, Control, Registration};
use entity_wire::time::Timestamp;

/// How far ahead a registration reaches.
pub const REGISTERED_FOR: Duration = Duration::from_hours(1);

/// How long a relay may take to send its challenge, and to answer a registration. Guessed: it costs it two signatures.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// The membership at one relay, over one connection at a time.
#[derive(Debug)]
pub struct Member {
    entity_id: PeerId,
    key: SigningKey,
    relay_key: PublicKey,
    entropy: Entropy,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was said on this connection; a challenge is waited for until then, where there is a connection.
    Silent(Option<Timestamp>),
    /// We have registered, and wait until then for the proof of the relay.
    Asked(Challenge, Registration, Timestamp),
    /// The relay has proved who it is.
    Registered(Challenge, Timestamp),
    /// It is not who it should be, or does not want us; nothing more is said on this connection.
    Over,
}

/// What is to be done after an object of the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Say this.
    Say(Control),
    /// The relay hands on to us from here on.
    Registered,
    /// The relay does not take us.
    Refused(ErrorCode),
    /// It is not the relay that was pinned: leave.
    Impersonated,
    /// The relay sent no challenge, or did not answer a registration: leave, and come again.
    Unanswered,
}

impl Member {
    /// A membership under this name and key at the relay with `relay_key`. `seed` is all its randomness.
    pub fn new(entity_id: PeerId, key: SigningKey, relay_key: PublicKey, seed: [u8; 32]) -> Self {
        Self {
            entity_id,
            key,
            relay_key,
            entropy: Entropy::from_seed(seed),
            state: State::Silent(None),
        }
    }

    /// There is a new connection to the relay; what was said on another one counts no more.
    pub fn handle_opened(&mut self, now: Timestamp) {
        self.state = State::Silent(Some(now.plus(ANSWERED_WITHIN)));
    }

    /// A control object came.
    pub fn handle_control(&mut self, control: &Control, now: Timestamp) -> Step {
        match (control, &self.state) {
            (Control::Challenge(challenge), State::Silent(_)) => {
                if challenge.relay_key != self.relay_key {
                    self.state = State::Over;
                    return Step::Impersonated;
                }
                self.ask(*challenge, now)
            }
            (Control::Registered(registered), State::Asked(challenge, registration, _)) => {
                if !registered.is_genuine(challenge, registration) {
                    self.state = State::Over;
                    return Step::Impersonated;
                }
                self.state = State::Registered(*challenge, registered.expires_at);
                Step::Registered
            }
            (Control::Refused { code }, State::Asked(..)) => {
                self.state = State::Over;
                Step::Refused(*code)
            }
            // Out of order, or what only a member says.
            (
                Control::Challenge(_)
                | Control::Registered(_)
                | Control::Refused { .. }
                | Control::Register(_)
                | Control::Ack { .. },
                _,
            ) => Step::Nothing,
        }
    }

    /// When [`Member::handle_deadline`] has something to say.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Registered(_, expires_at) => Some(expires_at.minus(REGISTERED_FOR / 2)),
            State::Asked(.., until) => Some(*until),
            State::Silent(until) => *until,
            State::Over => None,
        }
    }

    /// Renews the registration where half its time is over, and gives up a relay that does not answer one.
    pub fn handle_deadline(&mut self, now: Timestamp) -> Step {
        match &self.state {
            State::Registered(challenge, expires_at)
                if now >= expires_at.minus(REGISTERED_FOR / 2) =>
            {
                self.ask(*challenge, now)
            }
            State::Asked(.., until) | State::Silent(Some(until)) if now >= *until => {
                self.state = State::Over;
                Step::Unanswered
            }
            State::Registered(..) | State::Silent(_) | State::Asked(..) | State::Over => {
                Step::Nothing
            }
        }
    }

    fn ask(&mut self, challenge: Challenge, now: Timestamp) -> Step {
        let terms = (now.plus(REGISTERED_FOR), self.entropy.bytes());
        let registration = Registration::sign(&challenge, self.entity_id.clone(), terms, &self.key);
        self.state = State::Asked(challenge, registration.clone(), now.plus(ANSWERED_WITHIN));
        Step::Say(Control::Register(Box::new(registration)))
    }
}

#[cfg(test)]
mod tests {
    use entity_wire::relay::Registered;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn relay() -> SigningKey {
        SigningKey::from_seed([9; 32])
    }

    fn member() -> Member {
        let key = SigningKey::from_seed([2; 32]);
        Member::new("carol".parse().unwrap(), key, relay().public_key(), [3; 32])
    }

    fn challenge() -> Challenge {
        Challenge { nonce: [1; 32], relay_key: relay().public_key() }
    }

    fn asked(member: &mut Member) -> Registration {
        let step = member.handle_control(&Control::Challenge(challenge()), NOW);
        let Step::Say(Control::Register(registration)) = step else { panic!("{step:?}") };
        *registration
    }

    #[test]
    fn a_relay_that_proves_its_key_is_registered_at_and_asked_again_at_half_time() {
        let mut member = member();
        let registration = asked(&mut member);
        let registered = Registered::sign(&challenge(), &registration, &relay());
        assert_eq!(member.handle_control(&Control::Registered(registered), NOW), Step::Registered);
        let half = member.next_deadline().unwrap();
        assert_eq!(half, NOW.plus(REGISTERED_FOR / 2));
        assert_eq!(member.handle_deadline(NOW), Step::Nothing);
        assert!(matches!(member.handle_deadline(half), Step::Say(Control::Register(_))));
    }

    #[test]
    fn a_registration_that_is_not_answered_ends_the_connection_first_or_renewed() {
        let mut member = member();
        let registration = asked(&mut member);
        let registered = Registered::sign(&challenge(), &registration, &relay());
        member.handle_control(&Control::Registered(registered), NOW);
        let half = member.next_deadline().unwrap();
        member.handle_deadline(half);
        for asked_at in [half, NOW] {
            let until = asked_at.plus(ANSWERED_WITHIN);
            assert_eq!(member.next_deadline(), Some(until));
            assert_eq!(
                member.handle_deadline(until.minus(Duration::from_millis(1))),
                Step::Nothing
            );
            assert_eq!(member.handle_deadline(until), Step::Unanswered);
            assert_eq!(
                (member.next_deadline(), member.handle_deadline(until)),
                (None, Step::Nothing)
            );
            member.handle_opened(NOW);
            asked(&mut member);
        }
    }

    #[test]
    fn a_connection_on_which_no_challenge_comes_is_left() {
        let mut member = member();
        assert_eq!(member.next_deadline(), None, "there is none");
        member.handle_opened(NOW);
        let until = NOW.plus(ANSWERED_WITHIN);
        assert_eq!(member.next_deadline(), Some(until));
        assert_eq!(member.handle_deadline(NOW), Step::Nothing);
        assert_eq!(member.handle_deadline(until), Step::Unanswered);
        member.handle_opened(NOW);
        asked(&mut member);
    }

    #[test]
    fn another_key_and_a_key_that_is_only_claimed_are_impersonations() {
        let other = SigningKey::from_seed([8; 32]);
        let mut one = member();
        let shown = Challenge { relay_key: other.public_key(), ..challenge() };
        assert_eq!(one.handle_control(&Control::Challenge(shown), NOW), Step::Impersonated);
        let mut one = member();
        let registration = asked(&mut one);
        let claimed = Registered::sign(&challenge(), &registration, &other);
        assert_eq!(one.handle_control(&Control::Registered(claimed), NOW), Step::Impersonated);
        assert_eq!(
            one.handle_control(&Control::Challenge(challenge()), NOW),
            Step::Nothing,
            "over"
        );
    }

    #[test]
    fn a_refusal_ends_it_until_the_next_connection() {
        let mut member = member();
        asked(&mut member);
        let refused = Control::Refused { code: ErrorCode::UnknownSender };
        assert_eq!(member.handle_control(&refused, NOW), Step::Refused(ErrorCode::UnknownSender));
        assert_eq!(member.handle_control(&refused, NOW), Step::Nothing);
        member.handle_opened(NOW);
        asked(&mut member);
    }
}

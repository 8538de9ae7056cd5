use serde_json::Value;

use super::*;

/// What Bob of the golden exchange has kept against Alice.
fn kept() -> Record {
    let pinned = include_str!("../../../../docs/protocol/vectors/token_1_1.json");
    let pinned: Value = serde_json::from_str(pinned).unwrap();
    let kept = &pinned["kept_by_bob"]["token.evidence"][0];
    let bytes = |at: usize| kept[at].as_str().unwrap().as_bytes().to_vec();
    Record { key: bytes(0), value: bytes(1) }
}

#[test]
fn evidence_shows_both_orders_so_that_anybody_can_check_them() {
    let shown = serde_json::to_value(Evidence::of(&kept()).unwrap()).unwrap();
    let orders = ["first", "second"].map(|which| {
        let signed = serde_json::to_vec(&shown[which]).unwrap();
        let object = entity_wire::json::parse(&signed, &entity_wire::json::RULES_1_1).unwrap();
        let object = object.into_object().unwrap();
        let fields = entity_wire::json::Fields::new(&object);
        entity_wire::payload::token::SignedOrder::from_fields(fields).unwrap()
    });
    for signed in &orders {
        let terms = signed.order.terms();
        assert_eq!(shown["from"], terms.from.to_hex());
        assert_eq!(shown["token"], terms.token.as_str());
        assert_eq!(shown["sequence"], terms.sequence.get());
        assert!(terms.from.verify(&signed.order.signed_bytes(), &signed.signature).is_ok());
    }
    assert_ne!(orders[0].order.digest(), orders[1].order.digest());
}

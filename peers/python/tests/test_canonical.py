"""docs/protocol/1.0.md#canonical-json and what 1.1 adds."""

from __future__ import annotations

import json

import pytest
import vectors
from entity_py import strictjson

CASES = [
    (b'{"b":1,"a":2}', b'{"a":2,"b":1}'),
    (b'{ "a" : [ 1 , -0 ] }', b'{"a":[1,0]}'),
    ('{"\uffff":1,"\U0001d11e":2,"é":3}'.encode(), b'{"\\u00e9":3,"\\uffff":1,"\\ud834\\udd1e":2}'),
    (b'{"a":"\\/\\u0041\\b\\f\\n\\r\\t\\"\\\\"}', b'{"a":"/A\\b\\f\\n\\r\\t\\"\\\\"}'),
    (b'{"a":"\x7f"}', b'{"a":"\\u007f"}'),
    (b'{"a":9223372036854775808123456789}', b'{"a":9223372036854775808123456789}'),
    (b'{"a":[1e16,9999999999999998.0,1e-4,0.00001,1e-7,5e-324,-0.0,1.50,1E2]}',
     b'{"a":[1e+16,9999999999999998.0,0.0001,1e-05,1e-07,5e-324,-0.0,1.5,100.0]}'),
    (b'{"a":1,"a":2}', b'{"a":2}'),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_the_canonical_form_is_pythons_own(text: bytes, expected: bytes) -> None:
    assert strictjson.canonical(strictjson.parse(text).value) == expected


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a":1}x', b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16"), b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":NaN}',
     b'{"a":Infinity}', b'{"a":1e999}', b'{"a":01}', b'{"a":"\n"}', b'{"a":' + b"1" * 4301 + b"}", b"{'a':1}", b'{"a":1,}'],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(strictjson.NotJson):
        strictjson.parse(text)


def test_the_deepest_nesting_passes_and_one_more_does_not() -> None:
    assert strictjson.parse(b"[" * 32 + b"]" * 32).depth == 32
    with pytest.raises(strictjson.NotJson):
        strictjson.parse(b"[" * 33 + b"]" * 33)
    with pytest.raises(strictjson.NotJson):
        strictjson.parse(b"[" * 500_000)


def test_brackets_in_texts_are_no_nesting() -> None:
    assert strictjson.parse(b'{"a":"[[[[[[\\"[[[[{{{"}').depth == 1


def test_more_values_than_allowed_are_too_many() -> None:
    with pytest.raises(strictjson.TooMany):
        strictjson.parse(b"[" + b"1," * strictjson.VALUES_MAX + b"1]")


def test_duplicates_and_floats_are_seen() -> None:
    assert strictjson.parse(b'{"a":{"b":1,"b":1}}').duplicates
    assert strictjson.parse(b'{"a":[1.0]}').floats
    assert not strictjson.parse(b'{"a":[10]}').floats


def test_a_message_of_1_1_has_no_float_to_send() -> None:
    with pytest.raises(strictjson.NotJson):
        strictjson.checked({"price": 1.5})
    strictjson.checked({"price": "1.5", "cents": [150, None, True]})


@pytest.mark.parametrize("name", ["handshake_1_1", "resume_1_1", "rekey_1_1"])
def test_every_message_of_the_vectors_is_canonical(name: str) -> None:
    for message in vectors.load(name)["messages"]:
        assert strictjson.canonical(strictjson.parse(message.encode()).value) == message.encode()
        assert json.loads(message)


def test_brackets_in_strings_do_not_count_as_depth_with_escapes_or_without() -> None:
    from entity_py.strictjson import NotJson, parse

    for text, depth in (('{"a":"[[{{"}', 1), ('{"a":"\\"[["}', 1), ('{"a":["[",{"}":"]"}]}', 3), ('["\\\\",["["]]', 2), ('"[["', 0)):
        assert parse(text.encode()).depth == depth
    for text in ('{"a":"[[', '{"a":"b""c"}', '["a\nb"]', '"', '""'[:1] + "[" * 40):
        with pytest.raises(NotJson):
            parse(text.encode())

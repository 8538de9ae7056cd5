"""Checks of the peer: its primitives against RFCs and golden vectors, and two peers talking.

Run with `python3 -m unittest` in this folder.
"""

import json
import os
import pathlib
import subprocess
import sys
import threading
import unittest

import chunks
import crypto
import envelope
import keys
from node import Node
from wire import Server

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "entity" / "crypto" / "tests" / "data"


def golden(name):
    return json.loads((GOLDEN / name).read_text())


def data_of(room, name):
    return (GOLDEN.parents[2] / room / "tests" / "data" / name).read_bytes()


def unhex(text):
    return bytes.fromhex(text)


class KeysAndTokens(unittest.TestCase):
    def refused(self, code, action, *args):
        with self.assertRaises(keys.RefusedByCode) as caught:
            action(*args)
        self.assertEqual(caught.exception.code, code)

    def test_sample_key_files_read_to_their_keys(self):
        expected = json.loads(data_of("wallet", "keystores/EXPECTED.json"))
        for sample in expected["samples"]:
            file = data_of("wallet", "keystores/" + sample["file"])
            form, public, name = keys.read(file, sample["password"])
            self.assertEqual((public, name), (sample["public_key_hex"], sample["entity_id"]))
        right = "correct horse battery staple"
        for name, passphrase, code in (
            ("entity_a", "wrong", "KEY_NOT_OPENED"), ("entity_a", None, "KEY_PASSPHRASE_NEEDED"),
            ("neg_pubkey_mismatch", right, "KEY_MISMATCH"), ("neg_version2", right, "KEY_VERSION"),
            ("neg_tampered", right, "KEY_NOT_OPENED"),
        ):
            self.refused(code, keys.read, data_of("wallet", f"keystores/{name}.key"), passphrase)

    def test_written_key_files_read_back(self):
        for form in keys.FORMATS:
            file, public = keys.write(form, "entity-a", "pass phrase")
            self.assertEqual(keys.read(file, "pass phrase")[:2], (form, public))

    def test_a_golden_token_verifies_and_is_issued_alike(self):
        peer = json.loads(data_of("wire", "jwt.json"))["peer_eddsa"]
        seed, claims, token = unhex(peer["seed_hex"]), peer["claims"], peer["token"]
        self.assertEqual(keys.issue(seed, "entity-a", "entity-b", 300, claims["iat"]), token)
        key_of = {"entity-a": crypto.ed25519_public(seed)}.get
        now = claims["iat"]
        self.assertEqual(keys.verify(token, key_of, "entity-b", None, None, now), claims)
        self.refused("JWT_AUDIENCE", keys.verify, token, key_of, "entity-c", None, None, now)
        self.refused("JWT_SUBJECT", keys.verify, token, key_of, "entity-b", None, "entity-c", now)
        self.refused("JWT_EXPIRED", keys.verify, peer["expired_token"], key_of, "entity-b", None, None, now)
        self.refused("JWT_SIGNATURE", keys.verify, token[:-2] + "AA", key_of, "entity-b", None, None, now)
        self.refused("JWT_UNKNOWN_KEY", keys.verify, token, {}.get, "entity-b", None, None, now)


class Primitives(unittest.TestCase):
    def test_ed25519_signs_as_rfc_8032_does(self):
        cases = [
            ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
            ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ]
        for seed, message, signature in cases:
            seed, message, signature = unhex(seed), unhex(message), unhex(signature)
            self.assertEqual(crypto.ed25519_sign(seed, message), signature)
            public = crypto.ed25519_public(seed)
            self.assertTrue(crypto.ed25519_verify(public, message, signature))
            for bit in range(0, 512, 7):
                bad = bytearray(signature)
                bad[bit // 8] ^= 1 << bit % 8
                self.assertFalse(crypto.ed25519_verify(public, message, bytes(bad)), bit)

    def test_ed25519_refuses_a_second_s_and_small_or_unreduced_keys(self):
        seed = bytes(32)
        signature = crypto.ed25519_sign(seed, b"m")
        s = int.from_bytes(signature[32:], "little") + crypto.L
        self.assertFalse(crypto.ed25519_verify(crypto.ed25519_public(seed), b"m", signature[:32] + s.to_bytes(32, "little")))
        for y in (0, 1, crypto.P - 1, crypto.P, crypto.P + 1):
            for sign in (0, 1):
                key = (y | sign << 255).to_bytes(32, "little")
                self.assertFalse(crypto.ed25519_verify(key, b"m", (1).to_bytes(32, "little") + bytes(32)), y)

    def test_x25519_agrees_as_rfc_7748_does(self):
        alice = unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
        bob = unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        shared = unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
        self.assertEqual(crypto.x25519(alice, crypto.x25519_public(bob)), shared)
        self.assertEqual(crypto.x25519(bob, crypto.x25519_public(alice)), shared)

    def test_x25519_refuses_points_of_low_order(self):
        for u in (0, 1, crypto.P - 1, crypto.P, crypto.P + 1):
            with self.assertRaises(ValueError):
                crypto.x25519(bytes(32), u.to_bytes(32, "little"))

    def test_hkdf_expands_as_rfc_5869_does(self):
        output = crypto.hkdf_sha256(b"\x0b" * 22, unhex("f0f1f2f3f4f5f6f7f8f9"), 42, unhex("000102030405060708090a0b0c"))
        self.assertEqual(output.hex(), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")

    def test_aes_256_encrypts_the_block_of_fips_197(self):
        keys = crypto._expand_key(bytes(range(32)))
        block = crypto._encrypt_block(keys, unhex("00112233445566778899aabbccddeeff"))
        self.assertEqual(block.hex(), "8ea2b7ca516745bfeafc49904b496089")

    def test_gcm_authenticates_associated_data_as_its_specification_does(self):
        gcm = crypto.Gcm(unhex("feffe9928665731c6d6a8f9467308308" * 2))
        plaintext = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
        associated = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        sealed = gcm.seal(unhex("cafebabefacedbaddecaf888"), plaintext, associated)
        self.assertEqual(sealed[-16:].hex(), "76fc6ece0f4e1768cddf8853bb2d551b")
        self.assertEqual(gcm.open(unhex("cafebabefacedbaddecaf888"), sealed, associated), plaintext)
        with self.assertRaises(ValueError):
            gcm.open(unhex("cafebabefacedbaddecaf888"), sealed, b"")

    def test_base64_is_strict(self):
        self.assertEqual(crypto.from_base64("Zm8="), b"fo")
        for text in ("Zm9=", "Zm8", "Zm8=\n", "Z-8=", "Zm8==", None, "Zm8é"):
            with self.assertRaises(ValueError):
                crypto.from_base64(text)


class GoldenVectors(unittest.TestCase):
    def test_keys(self):
        keys = golden("keys.json")
        self.assertEqual(len(keys), 4)
        for key in keys.values():
            seed, public = unhex(key["ed25519_seed_hex"]), unhex(key["ed25519_public_hex"])
            self.assertEqual(crypto.ed25519_public(seed), public)
            self.assertEqual(crypto.identity_to_x25519_private(seed).hex(), key["x25519_private_from_ed25519_hex"])
            self.assertEqual(crypto.identity_to_x25519_public(public).hex(), key["x25519_public_from_ed25519_hex"])

    def test_signatures(self):
        data = golden("signatures.json")
        self.assertEqual(len(data["signed"]), 8)
        for case in data["signed"]:
            signature = crypto.from_base64(case["signature_b64"], 64)
            self.assertEqual(crypto.ed25519_sign(unhex(data["seed_hex"]), unhex(case["signed_bytes_hex"])), signature)
            self.assertTrue(crypto.ed25519_verify(unhex(data["public_hex"]), unhex(case["signed_bytes_hex"]), signature))

    def test_static_key(self):
        case = golden("x25519.json")["static"]
        for own, peer in (("a_seed", "b_seed"), ("b_seed", "a_seed")):
            public = crypto.ed25519_public(unhex(case[peer]))
            self.assertEqual(crypto.static_key(unhex(case[own]), public).hex(), case["key_hex"])

    def test_session_keys(self):
        cases = golden("session_keys.json")["cases"]
        self.assertEqual(len(cases), 4)
        for case in cases:
            a, b = unhex(case["a_ephemeral_private_hex"]), unhex(case["b_ephemeral_private_hex"])
            shared = crypto.x25519(a, crypto.x25519_public(b))
            self.assertEqual(shared.hex(), case["x25519_raw_hex"])
            self.assertEqual(crypto.hsalsa20(shared, bytes(16)).hex(), case["box_beforenm_hex"])
            self.assertEqual(crypto.session_key(b, crypto.x25519_public(a)).hex(), case["encryption_key_hex"])

    def test_sealed_texts_with_12_and_16_byte_nonces(self):
        cases = golden("aes_gcm.json")["cases"]
        self.assertEqual({len(case["nonce_hex"]) for case in cases}, {24, 32})
        for case in cases:
            gcm, nonce = crypto.Gcm(unhex(case["key_hex"])), unhex(case["nonce_hex"])
            sealed, plaintext = unhex(case["ciphertext_and_tag_hex"]), unhex(case["plaintext_hex"])
            self.assertEqual(gcm.seal(nonce, plaintext), sealed)
            self.assertEqual(gcm.open(nonce, sealed), plaintext)
            for bit in range(0, len(sealed) * 8, 11):
                bad = bytearray(sealed)
                bad[bit // 8] ^= 1 << bit % 8
                with self.assertRaises(ValueError):
                    gcm.open(nonce, bytes(bad))


class Pair:
    """Two nodes in this process, with real sockets between them."""

    def __init__(self, flavour="iso", ack_after=False):
        self.events, self.arrived = [], threading.Condition()
        self.a, self.b = (self._node(name, flavour, ack_after) for name in ("a", "b"))
        self.a.add("b", self.address(self.b), self.b.public.hex())
        self.b.add("a", self.address(self.a))

    def _node(self, name, flavour, ack_after):
        def emit(event, **params):
            with self.arrived:
                self.events.append((name, event, params))
                self.arrived.notify_all()

        node = Node(name, os.urandom(32), flavour, ack_after, emit)
        node.server = Server("127.0.0.1", 0, node)
        threading.Thread(target=node.server.serve_forever, daemon=True).start()
        return node

    def address(self, node):
        return f"http://127.0.0.1:{node.server.server_port}"

    def wait(self, node, event):
        def found():
            return [p for name, e, p in self.events if (name, e) == (node.name, event)]

        with self.arrived:
            assert self.arrived.wait_for(found, 10), f"no {event} at {node.name}: {self.events}"
            return found()[-1]

    def close(self):
        for node in (self.a, self.b):
            node.server.shutdown()
            node.server.server_close()


class TwoPeers(unittest.TestCase):
    def pair(self, **options):
        pair = Pair(**options)
        self.addCleanup(pair.close)
        return pair

    def test_a_handshake_and_messages_both_ways_in_both_flavours_and_orders(self):
        for flavour in envelope.FLAVOURS:
            for ack_after in (False, True):
                with self.subTest(flavour=flavour, ack_after=ack_after):
                    pair = self.pair(flavour=flavour, ack_after=ack_after)
                    session = pair.a.open("b")
                    self.assertEqual(pair.wait(pair.b, "session.ready")["id"], session.id)
                    for sender, receiver in ((pair.a, pair.b), (pair.b, pair.a)):
                        for seal in ("auto", "never"):
                            sent = sender.send(receiver.name, "status", {"text": "h\u00e9 \u2713", "f": 1e-7}, seal)
                            self.assertEqual((sent["session"], sent["sealed"]), (session.id, seal == "auto"))
                            got = receiver.inbox[-1]
                            self.assertEqual(got["body"], {"text": "h\u00e9 \u2713", "f": 1e-7})
                            self.assertEqual((got["sequence"], got["sealed"]), (sent["sequence"], sent["sealed"]))
                    self.assertEqual([m["sequence"] for m in pair.b.inbox], [2, 3])

    def test_the_static_key_seals_where_no_session_key_is(self):
        pair = self.pair()
        session = pair.a.open("b")
        session.gcm = None
        self.assertTrue(pair.a.send("b", "status", {"x": 1}, "require")["sealed"])
        self.assertEqual((pair.b.inbox[-1]["body"], pair.b.inbox[-1]["sealed"]), ({"x": 1}, True))

    def test_refusals_have_the_texts_of_the_protocol(self):
        pair = self.pair()
        session = pair.a.open("b")
        pair.wait(pair.b, "session.ready")

        def message(sequence=5, session_id=session.id, seed=pair.a.seed, sender="a", payload=None, **changes):
            body = json.loads(envelope.build("iso", seed, sender, "status", payload or {}, session_id, sequence))
            body.update(changes)
            return json.dumps({name: value for name, value in body.items() if value != "absent"}).encode()

        def check(body, status, detail):
            with self.assertRaises(envelope.Refused) as caught:
                pair.b.receive(body)
            self.assertEqual((caught.exception.status, caught.exception.detail), (status, detail))

        check(b"{", 400, "Invalid JSON")
        check(b'{"a": NaN}', 400, "Invalid JSON")
        check(b"[" * 100_000, 400, "Invalid JSON")
        check(b"[]", 500, "Internal Server Error")
        check(b"{}", 400, "Unknown message format")
        check(message(version="1.1"), 400, "Unsupported version: 1.1")
        check(message(signature=None), 400, "Missing signature")
        check(message(sender="x"), 400, "Unknown sender: x")
        check(message(payload={"a": 1}, timestamp="later"), 400, "Invalid signature")
        check(message(seed=bytes(32)), 400, "Invalid signature")
        check(message(nonce="absent"), 400, "Signature verification error: 'nonce'")
        check(message(session_id=""), 400, "Missing required field: session_id")
        check(message(sequence_num=None), 400, "Missing required field: sequence_num")
        check(message(session_id="11111111-2222-4333-8444-555555555555"), 400, "SESSION_EXPIRED")
        check(message(sequence=0), 400, "SEQUENCE_ERROR")
        sealed = {"_e2e_encrypted": True, "session_id": session.e2e_id, "data": "AAAA", "nonce": "AAAAAAAAAAAAAAAA"}
        check(message(payload=sealed), 400, "E2E decryption error: DECRYPTION_FAILED")
        check(message(7, payload={"_encrypted_payload": {}}), 400, "Decryption failed")
        self.assertEqual(len(pair.b.inbox), 0)

    def test_a_retry_is_answered_and_not_handled_again(self):
        pair = self.pair()
        session = pair.a.open("b")
        body = envelope.build("dataclass", pair.a.seed, "a", "status", {}, session.id, 9)
        for _ in range(3):
            self.assertEqual(pair.b.receive(body)["status"], "received")
        self.assertEqual(len(pair.b.inbox), 1)

    def test_a_capability_query_is_answered_by_a_message(self):
        pair = self.pair()
        pair.a.send("b", "capability_query", {})
        self.assertEqual(pair.wait(pair.a, "message.received")["body"]["capabilities"]["entity_id"], "b")


class Chunks(unittest.TestCase):
    def take(self, pieces, sender="a"):
        assembly = chunks.Assembly()
        return [assembly.take(sender, piece) for piece in pieces]

    def test_both_forms_of_other_software_are_read(self):
        vector = json.loads(data_of("wire", "chunks_1_0.json"))
        for form in ("a", "b"):
            *before, last = self.take(vector[form])
            self.assertEqual(before, [None] * (len(vector[form]) - 1))
            text = "".join(chr(32 + (i * 7) % 95) for i in range(204_800))
            self.assertEqual(last, ("task_delegate", {"task_id": "big", "description": text}))

    def test_what_is_cut_joins_in_any_order_once(self):
        payload = {"text": "x" * 20_000}
        pieces = chunks.cut("note", payload)
        self.assertEqual(len(pieces), 3)
        taken = self.take([pieces[2], pieces[0], pieces[0], pieces[1]])
        self.assertEqual(taken, [None, None, None, ("note", payload)])
        self.assertIsNone(chunks.cut("note", {"text": "x" * 8_180}))
        self.assertIsNone(chunks.cut("chunk", payload))

    def test_what_does_not_fit_is_dropped(self):
        good = {"chunk_id": "1", "chunk_index": 0, "total_chunks": 1, "data": "e30=", "original_msg_type": "note"}
        self.assertEqual(self.take([good]), [("note", {})])
        for change in (
            {"chunk_index": 1}, {"total_chunks": 0}, {"data": "e30"}, {"data": "W10="}, {"data": 1},
            {"original_msg_type": None}, {"chunk_id": 5}, {"chunk_index": True},
        ):
            self.assertEqual(self.take([dict(good, **change)]), [None], change)
        halves = [dict(good, chunk_id=str(n), total_chunks=2) for n in range(20)]
        assembly = chunks.Assembly()
        for half in halves:
            assembly.take("a", half)
        self.assertEqual(len(assembly.open), chunks.OPEN_MAX)

    def test_a_large_message_arrives_as_that_message(self):
        pair = Pair()
        try:
            body = {"text": "y" * 100_000}
            pair.a.send("b", "note", body, seal="require")
            self.assertEqual([(m["type"], m["body"], m["sealed"]) for m in pair.b.inbox], [("note", body, True)])
        finally:
            pair.close()


class ContractOnPipes(unittest.TestCase):
    def start(self, **environment):
        command = [sys.executable, str(pathlib.Path(__file__).with_name("peer.py"))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment})
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdin.close(), process.stdout.close()))
        process.next_id = 0
        return process

    def call(self, process, method, **params):
        process.next_id += 1
        request = {"jsonrpc": "2.0", "id": process.next_id, "method": method, "params": params}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            answer = json.loads(line)
            if answer.get("id") == process.next_id:
                return answer.get("result", answer.get("error"))
        self.fail(f"{method} was not answered")

    def test_two_processes_meet_and_stop(self):
        a, b = self.start(HANDFAST_NAME="a", HANDFAST_SEED="1"), self.start(HANDFAST_NAME="b", HANDFAST_SEED="1")
        hello = {process: self.call(process, "initialize", contract="1") for process in (a, b)}
        for own, other in ((a, b), (b, a)):
            self.assertEqual(self.call(own, "no.such.method")["code"], -32601)
            self.assertEqual(self.call(own, "session.open")["code"], -32602)
            self.assertEqual(self.call(own, "session.open", to="x")["data"]["code"], "UNKNOWN_RECIPIENT")
            address, key = hello[other]["addresses"]["http"], hello[other]["keys"]["ed25519"]
            self.assertEqual(self.call(own, "peer.add", name=hello[other]["name"], address=address, key=key), {})
        session = self.call(a, "session.open", to="b")
        self.assertEqual(session["state"], "ready")
        sent = self.call(a, "message.send", to="b", body={"x": 1}, flavour="dataclass")
        self.assertEqual((sent["session"], sent["sequence"], sent["sealed"], sent["status"]), (session["id"], 2, True, 200))
        page = self.call(b, "message.inbox", **{"from": "a", "after": 0, "limit": 1})
        self.assertEqual((page["messages"][0]["body"], page["next"]), ({"x": 1}, 1))
        self.assertEqual(self.call(b, "message.inbox", after=1), {"messages": [], "next": 1})
        self.assertEqual(self.call(b, "session.list")["sessions"][0]["role"], "responder")
        self.assertEqual(self.call(b, "peer.list")["peers"][0]["proved"], "1.0")
        for process in (a, b):
            self.assertEqual(self.call(process, "shutdown"), {})
            self.assertEqual(process.wait(10), 0)


if __name__ == "__main__":
    unittest.main()

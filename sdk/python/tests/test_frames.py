"""Signing, verifying and decoding, with the shared vectors (PROTOCOL §2, §13)."""
from __future__ import annotations

import json
import pathlib
import subprocess
import unittest
from typing import Any

from countersign.encode_json import encode_json, number_text
from countersign.errors import ProtocolFault, RequestError
from countersign.signing import derive_keys, mac, sign, sign_challenge, verify
from countersign.strict_json import decode, seq_of

VECTORS = pathlib.Path(__file__).parents[3] / "test" / "vectors"
WIRE = json.loads((VECTORS / "wire.json").read_text("utf-8"))
HANDSHAKE = WIRE["handshake"]
KEYS = {"client": bytes.fromhex(HANDSHAKE["clientKey"]), "server": bytes.fromhex(HANDSHAKE["serverKey"])}


def accept(key: bytes, frame: str) -> dict[str, Any]:
    """Checks 1 to 4 of PROTOCOL §2.2."""
    message = decode(verify(key, frame))
    if message["type"] not in ("poll", "polled") and not (message["type"] == "error" and "poll" in message):
        seq_of(message)
    return message


def pattern(length: int, seed: int) -> bytes:
    """The bytes that hmac-lengths.json describes."""
    return bytes((40503 * index + 2531 * seed) >> 8 & 255 for index in range(length))


class WireVectors(unittest.TestCase):
    def test_session_keys(self) -> None:
        keys = derive_keys(HANDSHAKE["secret"], HANDSHAKE["challengeToken"], HANDSHAKE["clientNonce"])
        self.assertEqual(keys.challenge_signature, HANDSHAKE["challengeSignature"])
        self.assertEqual((keys.client_key, keys.server_key), (KEYS["client"], KEYS["server"]))

    def test_good_frames_are_accepted_and_signed_alike(self) -> None:
        for side, name in (("client", "upstream"), ("server", "downstream")):
            for vector in WIRE[name]:
                with self.subTest(frame=vector["frame"][:80]):
                    accept(KEYS[side], vector["frame"])
                    self.assertEqual(sign(KEYS[side], verify(KEYS[side], vector["frame"])), vector["frame"])

    def test_bad_frames_are_refused_with_their_code(self) -> None:
        self.assertGreater(len(WIRE["refused"]), 20)
        for vector in WIRE["refused"]:
            with self.subTest(comment=vector["comment"]), self.assertRaises(ProtocolFault) as caught:
                accept(KEYS[vector["key"]], vector["frame"])
            self.assertEqual(caught.exception.code, vector["code"])

    def test_hmac_vectors(self) -> None:
        for case in json.loads((VECTORS / "rfc4231.json").read_text("utf-8"))["tests"]:
            tag = mac(bytes.fromhex(case["key"]), bytes.fromhex(case["msg"])).hex()
            self.assertEqual(tag[: len(case["tag"])], case["tag"])
        wycheproof = json.loads((VECTORS / "wycheproof" / "hmac_sha256_test.json").read_text("utf-8"))
        for group in wycheproof["testGroups"]:
            for case in group["tests"]:
                with self.subTest(case=case["tcId"]):
                    tag = mac(bytes.fromhex(case["key"]), bytes.fromhex(case["msg"])).hex()[: group["tagSize"] // 4]
                    self.assertEqual(tag == case["tag"], case["result"] == "valid")
        for case in json.loads((VECTORS / "hmac-lengths.json").read_text("utf-8"))["cases"]:
            self.assertEqual(mac(pattern(case["key"], 1), pattern(case["message"], 2)).hex(), case["mac"])

    def test_only_tokens_are_signed(self) -> None:
        for token in ("x" * 42, "x" * 44, "x" * 42 + ":", "x" * 43 + "\n"):
            with self.assertRaises(ProtocolFault):
                sign_challenge("secret", token)


class StrictJson(unittest.TestCase):
    def refuses(self, text: str) -> None:
        with self.subTest(text=text[:60]), self.assertRaises(ProtocolFault) as caught:
            decode(text)
        self.assertEqual(caught.exception.code, "PROTOCOL_ERROR")

    def test_what_json_does_not_have(self) -> None:
        for value in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "+1", "'a'", '"\t"', "1" * 400, "[1,]"):
            self.refuses(f'{{"type":"a","x":{value}}}')
        for text in ("", "[]", "null", ' {"type":"a"}', "\ufeff{}", '{"type":"a"} x', '{"type":"a"}\n', '{"type":1}', "{}"):
            self.refuses(text)

    def test_lone_surrogates_anywhere(self) -> None:
        for text in (
            '{"type":"a","x":"\\ud800"}',
            '{"type":"a","x":["\\udc4b\\ud83d"]}',
            '{"type":"a","\\ud800":1}',
            '{"type":"a","x":{"y\\udfff":1}}',
        ):
            self.refuses(text)
        self.assertEqual(decode('{"type":"a","x":"\\ud83d\\udc4b"}')["x"], "👋")

    def test_duplicate_members_at_the_top(self) -> None:
        self.refuses('{"type":"a","seq":1,"s\\u0065q":1}')
        self.assertEqual(decode('{"type":"a","x":{"y":1,"y":2}}')["x"], {"y": 2})

    def test_depth(self) -> None:
        def nested(levels: int) -> str:
            return '{"type":"a","x":' + "[" * levels + "]" * levels + "}"

        decode(nested(31))
        self.refuses(nested(32))
        self.refuses(nested(100_000))
        with self.assertRaises(ProtocolFault):
            decode('{"type":"a","x":' + '{"a":' * 32 + "1" + "}" * 33)

    def test_numbers_count_as_doubles(self) -> None:
        message = decode('{"type":"a","seq":2.0,"big":9007199254740993,"max":9007199254740991,"int":-7}')
        self.assertEqual((seq_of(message), message["max"], message["int"]), (2, 2**53 - 1, -7))
        self.assertEqual(message["big"], 9007199254740992.0)
        for seq in ("0", "1.5", '"1"', "null", "true", "9007199254740993", "-1"):
            with self.subTest(seq=seq), self.assertRaises(ProtocolFault):
                seq_of(decode(f'{{"type":"a","seq":{seq}}}'))


class Encoding(unittest.TestCase):
    def test_text_is_as_the_gateway_encodes_it(self) -> None:
        value: Any = {"a": [1, 2.0, 2.5, -0.0, 1e16, 1e21, 1e-7, 0.000001, True, None], "ü👋\u2028": '"\\\n\x01\x7f', "b": ()}
        text = encode_json(value, "data", 32).text
        expected = '{"a":[1,2,2.5,0,10000000000000000,1e+21,1e-7,0.000001,true,null],"ü👋\u2028":"\\"\\\\\\n\\u0001\x7f","b":[]}'
        self.assertEqual(text, expected)

    def test_numbers_are_written_as_javascript_writes_them(self) -> None:
        numbers = [1e20, 123456789012345680000.0, 1.5e300, 5e-324, 1.7976931348623157e308, -1e-5, 1.25e-7, 1 / 3, -2e-6]
        script = "process.stdout.write(JSON.stringify(JSON.parse(process.argv[1]).map(n => JSON.stringify(n))))"
        try:
            node = subprocess.run(["node", "-e", script, json.dumps(numbers)], capture_output=True, timeout=60, check=True)
        except FileNotFoundError:
            self.skipTest("node is not on PATH")
        self.assertEqual([number_text(number) for number in numbers], json.loads(node.stdout))

    def test_depth_counts_the_frame_itself(self) -> None:
        values: list[Any] = [1, [], [[1]], {"a": {}}]
        self.assertEqual([encode_json(value, "data", 32).depth for value in values], [1, 2, 3, 3])

    def test_a_value_without_an_end_is_refused(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        with self.assertRaises(RequestError):
            encode_json(endless, "data", 256)
        with self.assertRaisesRegex(RequestError, "16,777,216 characters"):
            encode_json(["x" * 2**20] * 17, "data", 256)


if __name__ == "__main__":
    unittest.main()

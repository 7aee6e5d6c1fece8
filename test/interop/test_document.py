"""The vectors, and the worked example of PROTOCOL §13."""
import json
import pathlib
import re
import secrets
import sys
import unittest

sys.dont_write_bytecode = True

from frames import Breach, derive, is_int, open_frame, sign, to_text
from support import main


ROOT = pathlib.Path(__file__).parents[2]


class Document(unittest.TestCase):
    """The vectors, and the worked example of §13"""

    def setUp(self):
        self.vectors = json.loads((ROOT / "test/vectors/wire.json").read_text("utf-8"))
        handshake = self.vectors["handshake"]
        self.keys = derive(handshake["secret"], handshake["challengeToken"], handshake["clientNonce"])

    def test_the_keys_are_derived_as_in_the_vectors(self):
        handshake = self.vectors["handshake"]
        found = (self.keys.challenge_signature, self.keys.client.hex(), self.keys.server.hex())
        self.assertEqual(found, tuple(handshake[name] for name in ("challengeSignature", "clientKey", "serverKey")))

    def test_every_accepted_frame_of_the_vectors_verifies_and_is_signed_alike(self):
        for side, key in (("upstream", self.keys.client), ("downstream", self.keys.server)):
            self.assertTrue(self.vectors[side])
            for vector in self.vectors[side]:
                with self.subTest(vector.get("comment", vector["frame"])):
                    frame = vector["frame"]
                    self.assertIn("type", open_frame(key, frame.encode()))
                    self.assertEqual(sign(key, frame[:-80] + "}"), frame)

    def test_every_refused_frame_of_the_vectors_is_refused(self):
        self.assertTrue(self.vectors["refused"])
        for vector in self.vectors["refused"]:
            with self.subTest(vector["comment"]):
                key = self.keys.client if vector["key"] == "client" else self.keys.server
                with self.assertRaises(Breach) as raised:
                    if not is_int(open_frame(key, vector["frame"].encode()).get("seq"), 1):
                        raise Breach("PROTOCOL_ERROR", "seq must be an integer from 1 to 2^53-1")
                self.assertEqual(raised.exception.code, vector["code"])

    def test_the_worked_example_can_be_recomputed(self):
        text = (ROOT / "PROTOCOL.md").read_text("utf-8")
        example = text[text.index("## 13. A worked example") :]
        frames = re.findall(r'^\{.*,"signature":"[0-9a-f]{64}"\}$', example, re.MULTILINE)
        upstream = [frame for frame in frames if '"re":' not in frame]
        self.assertEqual((len(frames), len(upstream)), (6, 3))
        for frame in frames:
            open_frame(self.keys.client if frame in upstream else self.keys.server, frame.encode())
        self.assertEqual((len(upstream[0]), len(upstream[2]), len(upstream[2]) - 79), (361, 178, 99))
        for value in (self.keys.challenge_signature, self.keys.client.hex(), self.keys.server.hex()):
            self.assertIn(value, example)

    def test_the_python_code_of_the_worked_example_runs(self):
        text = (ROOT / "PROTOCOL.md").read_text("utf-8")
        shown: dict = {}
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], shown)
        message = to_text({"type": "heartbeat", "seq": 2, "x": secrets.token_hex(8)})
        frame = shown["sign"](self.keys.client, message)
        self.assertEqual(frame, sign(self.keys.client, message))
        self.assertEqual(shown["verify"](self.keys.client, frame.encode()), message.encode())
        for code, bad in (("PROTOCOL_ERROR", message), ("SIGNATURE_INVALID", frame.replace("beat", "meat"))):
            with self.assertRaisesRegex(ValueError, code):
                shown["verify"](self.keys.client, bad.encode())


if __name__ == "__main__":
    sys.exit(main())

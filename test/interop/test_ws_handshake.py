"""Handshakes over a WebSocket (PROTOCOL §4), by a client written from PROTOCOL.md alone."""
import asyncio
import json
import sys
import time

sys.dont_write_bytecode = True

from countersign_client import Credential, Session, connect, read_challenge
from frames import is_int, sign, to_text
from support import LIMIT, URL, admin, main, padded
from ws_support import InteropTest


class Handshake(InteropTest):
    """§4"""

    async def test_a_handshake_ends_with_a_welcome_that_proves_the_gateway(self):
        session = await self.open()
        welcome = session.welcome
        self.assertEqual((welcome["type"], welcome["seq"], welcome["re"]), ("welcome", 1, 1))
        self.assertEqual((welcome["clientId"], welcome["keyId"]), (self.credential.client_id, self.credential.key_id))
        self.assertRegex(welcome["sessionId"], r"^[A-Za-z0-9_-]{22,64}$")
        self.assertLessEqual(welcome["expiresAt"] - welcome["serverTime"], 24 * 3600 * 1000)
        self.assertLess(abs(welcome["serverTime"] - time.time() * 1000), 60_000)
        names = "frameBytes dataBytes depth batchFrames batchBytes answerBytes channels recover waitMax".split()
        for name in names:
            self.assertTrue(is_int(welcome["limits"][name], 1), name)
        self.assertIsInstance(welcome["subscriptions"], list)
        await self.assert_alive(session)

    async def test_the_challenge_has_the_promised_members(self):
        ws = await connect(URL)
        self.addAsyncCleanup(ws.close)
        text = await asyncio.wait_for(ws.recv(), LIMIT)
        read_challenge(text)
        challenge = json.loads(text)
        self.assertTrue(is_int(challenge["expiresIn"], 1) and is_int(challenge["serverTime"]))
        self.assertNotIn("signature", challenge)

    async def test_without_keyId_the_gateway_finds_the_key_itself(self):
        rotated = admin("POST", f"clients/{self.credential.client_id}/keys", {"overlap": 60})
        for secret, key_id in (self.credential[1:], (rotated["secret"], rotated["keyId"])):
            session = await self.open(Credential(self.credential.client_id, secret))
            self.assertEqual(session.welcome["keyId"], key_id)

    async def test_a_wrong_keyId_is_refused_even_with_the_right_secret(self):
        rotated = admin("POST", f"clients/{self.credential.client_id}/keys", {"overlap": 60})
        session = await self.challenged(self.credential._replace(key_id=rotated["keyId"]))
        await session.send_text(to_text(session.authenticate_message()))
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)

    async def test_attributes_and_unknown_members_are_accepted_and_an_empty_array_is_an_empty_object(self):
        for members in (
            {"attributes": {f"n{number}".ljust(32, "x"): "v" * 128 for number in range(16)}},
            {"attributes": []},
            {"mood": {"fine": [1, 2.5, None]}},
            {"seq": 1.0},
        ):
            with self.subTest(members):
                await self.assert_alive(await self.open(**members))

    async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(self):
        client_id, secret, key_id = self.credential
        wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        answers = []
        for credential in (
            Credential(client_id, wrong, key_id),
            Credential(client_id, wrong),
            Credential(client_id, secret, "no-such-key"),
            Credential("no-such-client", secret, key_id),
            Credential("no-such-client", secret),
        ):
            session = await self.challenged(credential)
            await session.send_text(to_text(session.authenticate_message()))
            end = await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)
            answers.append(end.error)
        self.assertTrue(all(answer == answers[0] for answer in answers), answers)

    async def test_either_signature_alone_does_not_authenticate(self):
        session = await self.challenged()
        await session.send_text(to_text({**session.authenticate_message(), "challengeSignature": "0" * 64}))
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)
        session = await self.challenged()
        await session.send_frame(sign(b"another key", to_text(session.authenticate_message())))
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)

    async def test_a_replayed_authenticate_is_refused_on_a_second_socket(self):
        first = await self.challenged()
        frame = sign(first.keys.client, to_text(first.authenticate_message()))
        await first.send_frame(frame)
        await first.receive_welcome()
        second = await self.challenged()
        await second.send_frame(frame)
        await self.assert_not_admitted(second, "AUTHENTICATION_FAILED", 4401)
        await self.assert_alive(first)

    async def test_a_challenge_of_another_socket_is_refused(self):
        first, second = await self.challenged(), await self.challenged()
        stolen = Session(second.socket, self.credential, first.token)
        await stolen.send_text(to_text(stolen.authenticate_message()))
        await self.assert_not_admitted(stolen, "AUTHENTICATION_FAILED", 4401)

    async def test_a_first_frame_other_than_authenticate_is_refused(self):
        for kind in ("heartbeat", "bye", "challengeResponse", "no-such-type"):
            with self.subTest(kind):
                session = await self.challenged()
                await session.send(kind)
                await self.assert_not_admitted(session, "PROTOCOL_ERROR", 4400)
        for text in ("", "hello", "[]", "{}", '{"type":"authenticate"}'):
            with self.subTest(text):
                session = await self.challenged()
                await session.send_frame(text)
                await self.assert_not_admitted(session, "PROTOCOL_ERROR", 4400)

    async def test_a_member_of_authenticate_out_of_range_is_refused(self):
        for members in (
            {"seq": 2},
            {"seq": "1"},
            {"protocol": 1},
            {"clientId": "-"},
            {"clientId": None},
            {"keyId": ""},
            {"keyId": None},
            {"challengeToken": "x" * 42},
            {"challengeToken": "+" * 43},
            {"challengeSignature": "A" * 64},
            {"clientNonce": "x" * 21},
            {"clientNonce": "x" * 65},
            {"attributes": "none"},
            {"attributes": {"n": 1}},
            {"attributes": {"n" * 33: "v"}},
            {"attributes": {"n": "v" * 129}},
            {"attributes": {"n": "ä" * 65}},
            {"attributes": {f"n{number}": "v" for number in range(17)}},
        ):
            with self.subTest(members):
                session = await self.challenged()
                await session.send_text(to_text({**session.authenticate_message(), **members}))
                await self.assert_not_admitted(session, "PROTOCOL_ERROR", 4400)

    async def test_another_protocol_gets_UNSUPPORTED_PROTOCOL(self):
        session = await self.challenged()
        await session.send_text(to_text({**session.authenticate_message(), "protocol": "countersign.v2"}))
        await self.assert_not_admitted(session, "UNSUPPORTED_PROTOCOL", 4406)

    async def test_an_authenticate_of_4096_bytes_is_accepted_and_a_longer_one_refused(self):
        session = await self.challenged()
        await session.send_frame(padded(session.authenticate_message(), session.keys.client, 4096))
        await session.receive_welcome()
        session = await self.challenged()
        await session.send_frame(padded(session.authenticate_message(), session.keys.client, 4097))
        await self.assert_not_admitted(session, "FRAME_TOO_LARGE", 4413)

    async def test_a_second_authenticate_ends_the_session(self):
        session = await self.open()
        await session.send_text(to_text({**session.authenticate_message(), "seq": 2}))
        await self.assert_ended(session, "PROTOCOL_ERROR", 4400)

    async def test_a_second_authenticate_with_seq_1_is_out_of_sequence(self):
        session = await self.open()
        await session.send_text(to_text(session.authenticate_message()))
        await self.assert_ended(session, "SEQUENCE_INVALID", 4509)

    async def test_frames_before_the_welcome_are_handled_after_the_handshake_in_order(self):
        session = await self.challenged()
        await session.send_text(to_text(session.authenticate_message()))
        session.sent = 1
        seqs = [await session.send("heartbeat") for _ in range(3)]
        await asyncio.wait_for(session.receive_welcome(), LIMIT)
        for seq in seqs:
            self.assertEqual((await session.answer(seq))["type"], "heartbeat")

    async def test_frames_behind_a_failed_authenticate_are_never_read(self):
        session = await self.challenged(self.credential._replace(secret="wrong"))
        await session.send_text(to_text(session.authenticate_message()))
        session.sent = 1
        await session.send("heartbeat")
        await self.assert_not_admitted(session, "AUTHENTICATION_FAILED", 4401)


if __name__ == "__main__":
    sys.exit(main())

"""Whom the client believes: signatures, sequences, the welcome, hints, renewal (PROTOCOL §4 to §6)."""
from __future__ import annotations

import json
import unittest
from typing import Any

from fake_gateway import CREDENTIAL, SECRET, FakeGateway, FakeSession, mac
from virtual_time import advance, now, settle, virtual


async def lost_after(act: Any) -> str:
    """Why the session was lost after the gateway did something; the client opens another one."""
    client, session = await FakeGateway().connected()
    reasons: list[str] = []
    client.on("lost", lambda event: reasons.append(event.reason))
    act(session)
    await settle()
    assert session.is_closed, "the connection is still open"
    states = [client.state]
    await session.gateway.session(2)
    await settle()
    assert [*states, client.state] == ["connecting", "connected"]
    await client.close()
    return reasons[0]


class Frames(unittest.TestCase):
    @virtual
    async def test_a_frame_that_does_not_verify_ends_the_session(self) -> None:
        def forged(session: FakeSession) -> None:
            session.seq += 1
            text = session.sign({"type": "ping", "seq": session.seq})
            session.send_text(text.replace("ping", "pong"))

        self.assertIn("SIGNATURE_INVALID", await lost_after(forged))

    @virtual
    async def test_a_frame_of_the_clients_own_direction_ends_the_session(self) -> None:
        def reflected(session: FakeSession) -> None:
            text = '{"type":"heartbeat","seq":2}'
            session.send_text(f'{text[:-1]},"signature":"{mac(session._client_key, text).hex()}"}}')

        self.assertIn("SIGNATURE_INVALID", await lost_after(reflected))

    @virtual
    async def test_a_repeated_or_skipped_seq_ends_the_session(self) -> None:
        for seq in (1, 3):
            reason = await lost_after(lambda session, seq=seq: session.send_text(session.sign({"type": "ping", "seq": seq})))
            self.assertIn("SEQUENCE_INVALID", reason)

    @virtual
    async def test_an_unsigned_error_in_a_session_stops_nobody(self) -> None:
        forged = '{"type":"error","seq":2,"code":"SESSION_REVOKED","message":"forged"}'
        self.assertIn("PROTOCOL_ERROR", await lost_after(lambda session: session.send_text(forged)))

    @virtual
    async def test_a_malformed_message_that_verifies_ends_the_session(self) -> None:
        reason = await lost_after(lambda session: session.send_message("error", code=7))
        self.assertIn("error: code is malformed", reason)

    @virtual
    async def test_an_unknown_type_and_unknown_members_use_their_seq(self) -> None:
        client, session = await FakeGateway().connected()
        session.send_message("surprise", mood="fine")
        session.send_message("ack", re=99)
        session.send_message("ping", mood="fine")
        await session.next("heartbeat")
        self.assertEqual(client.state, "connected")
        await client.close()

    @virtual
    async def test_signed_errors_of_class_45xx_lead_to_a_new_session(self) -> None:
        for code in ("INTERNAL", "SESSION_EXPIRED", "DRAINING", "RATE_LIMITED", "UNAVAILABLE", "SOMETHING_NEW"):
            reason = await lost_after(lambda session, code=code: session.send_message("error", code=code, message="m"))
            self.assertEqual(reason, f"{code}: m")


class Handshake(unittest.TestCase):
    @virtual
    async def test_an_unsigned_refusal_is_a_hint_and_the_client_goes_on(self) -> None:
        gateway = FakeGateway()
        refused: list[Any] = []

        def refuse(session: FakeSession, message: dict[str, Any]) -> bool:
            if message["type"] == "authenticate" and session.number == 1:
                session.send_text('{"type":"error","code":"AUTHENTICATION_FAILED","message":"no"}')
                return True
            return False

        gateway.script = refuse
        client = gateway.client()
        client.on("trouble", lambda trouble: refused.append(trouble.reason))
        client.connect()
        await gateway.session(2)
        await settle()
        self.assertEqual((refused, client.state), (["AUTHENTICATION_FAILED: no"], "connected"))
        await client.close()

    @virtual
    async def test_a_welcome_of_another_client_key_or_protocol_is_not_believed(self) -> None:
        for members in ({"clientId": "other"}, {"keyId": "k2"}, {"protocol": "countersign.v2"}, {"re": 2}):
            gateway = FakeGateway()
            gateway.welcome_members = members
            client = gateway.client()
            with self.assertLogs("countersign", "WARNING") as logged:
                await client.connect()
            self.assertRegex(logged.output[0], "not the welcome of this")
            self.assertEqual([each["type"] for each in gateway.sessions[0].received], ["authenticate"])
            await client.close()

    @virtual
    async def test_only_challenge_tokens_are_signed(self) -> None:
        for token in ("countersign.v1:server:x", "a" * 42, "a" * 43 + "\n", 7, None):
            gateway = FakeGateway()
            gateway.is_silent = True
            client = gateway.client()
            with self.assertLogs("countersign", "WARNING"):
                client.connect()
                session = await gateway.session(1)
                session.send_text(
                    json.dumps({"type": "challenge", "protocol": "countersign.v1", "challengeToken": token})
                )
                await settle()
            self.assertEqual((session.received, session.is_closed), ([], True))
            await client.close()

    @virtual
    async def test_the_handshake_contains_attributes_and_the_proof(self) -> None:
        _client, session = await FakeGateway().connected(attributes={"placeId": "1"})
        sent = session.received[0]
        self.assertEqual((sent["attributes"], sent["keyId"], sent["seq"]), ({"placeId": "1"}, "k1", 1))
        self.assertEqual(sent["challengeSignature"], mac(SECRET.encode(), session.token).hex())
        await _client.close()


class FreshChallenges(unittest.TestCase):
    @virtual
    async def test_a_fresh_challenge_is_answered_with_the_secret_of_the_session(self) -> None:
        client, session = await FakeGateway().connected()
        token = "t" * 43
        session.send_message("challenge", challengeToken=token, expiresIn=60)
        response = await session.next("challengeResponse")
        self.assertEqual(response["challengeToken"], token)
        self.assertEqual(response["challengeSignature"], mac(SECRET.encode(), token).hex())
        await client.close()

    @virtual
    async def test_a_malformed_token_leads_to_a_new_session(self) -> None:
        reason = await lost_after(lambda each: each.send_message("challenge", challengeToken="x", expiresIn=60))
        self.assertIn("challengeToken", reason)


class Renewal(unittest.TestCase):
    @virtual
    async def test_the_next_session_is_opened_before_the_end_and_the_old_one_gets_bye(self) -> None:
        gateway = FakeGateway()
        client, first = await gateway.connected()
        lost: list[Any] = []
        client.on("lost", lost.append)
        gateway.welcome_members = {"serverTime": 2_000_000, "expiresAt": 2_000_000 + 2 * 86_400_000}
        second = await gateway.session(2)
        self.assertEqual(now(), 86_400 - 60)
        await settle()
        self.assertEqual((first.received[-1]["type"], first.is_closed, second.is_closed), ("bye", True, False))
        self.assertEqual((client.state, lost), ("connected", []))
        await client.close()

    @virtual
    async def test_a_short_session_is_renewed_at_a_quarter_of_its_life(self) -> None:
        gateway = FakeGateway()
        gateway.welcome_members = {"expiresAt": 1_000_000 + 100_000}
        client, _ = await gateway.connected()
        await gateway.session(2)
        self.assertEqual(now(), 75)
        await client.close()

    @virtual
    async def test_a_renewal_that_gains_nothing_is_given_up_and_not_repeated(self) -> None:
        gateway = FakeGateway()
        gateway.welcome_members = {"expiresAt": 1_000_000 + 100_000}
        client, first = await gateway.connected()
        second = await gateway.session(2)
        await advance(24)
        self.assertEqual((second.received[-1]["type"], second.is_closed, first.is_closed), ("bye", True, False))
        self.assertEqual(len(gateway.sessions), 2)
        await client.close()

    @virtual
    async def test_a_ticket_that_ends_no_later_is_not_used_to_renew(self) -> None:
        gateway = FakeGateway()
        gateway.welcome_members = {"expiresAt": 1_000_000 + 100_000}
        client = gateway.client({**CREDENTIAL, "expiresAt": "1970-01-01T00:18:20.000Z"})
        client.connect()
        await advance(99)
        self.assertEqual(len(gateway.sessions), 1)
        gateway.sessions[0].send_message("error", code="SESSION_EXPIRED", message="over")
        await gateway.session(2)
        await client.close()

    @virtual
    async def test_reconnect_moves_to_another_session_after_its_time(self) -> None:
        gateway = FakeGateway()
        client, first = await gateway.connected()
        first.send_message("reconnect", afterMs=3000)
        await gateway.session(2)
        self.assertEqual(now(), 3)
        await settle()
        self.assertEqual((first.received[-1]["type"], client.state), ("bye", "connected"))
        await client.close()

    @virtual
    async def test_a_failed_renewal_keeps_the_session_and_is_tried_again(self) -> None:
        gateway = FakeGateway()
        client, first = await gateway.connected()
        troubles: list[str] = []
        client.on("trouble", lambda trouble: troubles.append(trouble.reason))
        gateway.refusals = ["refused"] * 3
        await gateway.session(2)
        self.assertEqual((now(), troubles), (86_340 + 0.5 + 1 + 2, ["refused"]))
        self.assertFalse(first.is_closed)
        await client.close()

    @virtual
    async def test_revocation_of_the_old_key_after_a_renewal_stops_nobody(self) -> None:
        gateway = FakeGateway()
        client, first = await gateway.connected()
        client.handle("slow", lambda *_: advance(20))
        first.send_message("call", callId="c" * 22, method="slow", expiresAt=1)
        first.send_message("reconnect", afterMs=0)
        await gateway.session(2)
        await settle()
        first.send_message("error", code="SESSION_REVOKED", message="the old key")
        await advance(1)
        self.assertEqual((client.state, first.is_closed), ("connected", True))
        await client.close()


if __name__ == "__main__":
    unittest.main()

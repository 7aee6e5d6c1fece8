"""Signed messages with members of wrong types: the client drops the connection or ignores them, and never breaks."""
from __future__ import annotations

import asyncio
import random
import unittest
from typing import Any

from fake_gateway import FakeGateway, publication
from virtual_time import settle, virtual

ROUNDS = 1500
SEED = 20_261_130
WRONG: tuple[Any, ...] = (None, True, -1, 0, 1.5, 2**53, 1e300, "", "x" * 300, "👋", [], {}, [None], [[]], [{}], {"a": []})
MEMBER = {"sessionId": "s", "clientId": "c", "attributes": {"a": "b"}}
MESSAGES: tuple[dict[str, Any], ...] = (
    {"type": "publication", "channel": "chat", "epoch": "e", **publication(1, "x", publisher="p")},
    {"type": "subscribed", "re": 2, "channel": "chat", "offset": 1, "epoch": "e", "recovered": True, "publications": [publication(1)]},
    {"type": "unsubscribed", "channel": "chat", "code": "INSUFFICIENT_STATE"},
    {"type": "published", "re": 3, "channel": "chat", "offset": 1, "epoch": "e", "duplicate": True},
    {"type": "validation", "re": 4, "valid": True, "code": "VALID", "serviceId": "s", "maxHwids": 1},
    {"type": "history", "re": 5, "channel": "chat", "epoch": "e", "publications": [publication(1)], "more": False},
    {"type": "presence", "re": 6, "channel": "chat", "count": 1, "sessions": [MEMBER]},
    {"type": "presenceChanged", "channel": "chat", "count": 1, "joined": [MEMBER], "left": [MEMBER]},
    {"type": "sessions", "re": 7, "sessions": [{**MEMBER, "transport": "ws", "openedAt": 1, "lastSeenAt": 1}], "next": "n"},
    {"type": "call", "callId": "c" * 22, "from": "c", "method": "kick", "data": 1, "expiresAt": 1},
    {"type": "called", "re": 8, "sessionId": "s", "data": 1},
    {"type": "error", "re": 3, "code": "CALL_FAILED", "message": "m", "retryAfterMs": 1, "error": {"code": "C", "message": "m"}},
    {"type": "error", "re": 2, "code": "UNAVAILABLE", "message": "m", "retryAfterMs": 1, "outcome": "unknown"},
    {"type": "challenge", "challengeToken": "t" * 43, "expiresIn": 60},
    {"type": "reconnect", "afterMs": 1},
    {"type": "heartbeat", "re": 2, "serverTime": 1},
    {"type": "ack", "re": 2},
)


def mutated(message: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """One or two members, at any depth, are replaced or left out."""
    copy: dict[str, Any] = {name: value for name, value in message.items()}
    for _ in range(draw.choice((1, 1, 2))):
        holder = copy
        name = draw.choice([each for each in holder if each != "type"] or ["type"])
        while isinstance(holder.get(name), (dict, list)) and draw.random() < 0.6:
            inner = holder[name][0] if isinstance(holder[name], list) and holder[name] else holder[name]
            if not isinstance(inner, dict) or not inner:
                break
            inner = dict(inner)
            holder[name] = [inner] if isinstance(holder[name], list) else inner
            holder, name = inner, draw.choice(list(inner))
        if draw.random() < 0.2:
            holder.pop(name, None)
        else:
            holder[name] = draw.choice(WRONG)
    return copy


class MutationsTest(unittest.TestCase):
    @virtual
    async def test_no_signed_message_breaks_the_client(self) -> None:
        draw = random.Random(SEED)
        reasons: list[str] = []
        gateway = FakeGateway()
        gateway.script = lambda _, message: message["type"] not in ("authenticate", "bye")
        client = gateway.client(random=0.01)
        client.on("trouble", lambda trouble: reasons.append(trouble.reason))
        client.on("error", lambda fault: self.fail(repr(fault)))
        client.handle("kick", lambda *_: 1)
        client.connect()
        await settle()
        client.subscribe("chat", lambda _: None, on_presence=lambda _: None)
        for index in range(ROUNDS):
            if client.state == "disconnected":
                client.connect()
            await asyncio.sleep(0.01)
            session = gateway.sessions[-1]
            requests = [
                asyncio.ensure_future(request)
                for request in (
                    client.publish("chat", 1),
                    client.validate(service_id="s", key="k"),
                    client.history("chat"),
                    client.presence("chat"),
                    client.sessions("c"),
                    client.call({"client_id": "c"}, "kick"),
                )
            ]
            await asyncio.sleep(0)
            message = mutated(MESSAGES[index % len(MESSAGES)], draw)
            session.send_message(str(message.pop("type", "ack")), **message)
            await settle()
            for each in requests:
                each.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
        gateway.script = lambda *_: None
        if client.state == "disconnected":
            client.connect()
        await asyncio.sleep(30)
        self.assertEqual(await client.heartbeat(), 1)
        await client.close()


if __name__ == "__main__":
    unittest.main()

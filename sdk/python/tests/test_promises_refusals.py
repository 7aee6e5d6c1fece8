"""Promise 2 of every SDK: one bad request fails alone, locally."""
from __future__ import annotations

import asyncio
import math
import unittest
from typing import Any

from channel_support import joined
from countersign import CallError, RequestError
from fake_gateway import FakeGateway
from virtual_time import virtual


class Promise2OneBadRequestFailsAloneLocally(unittest.TestCase):
    @virtual
    async def test_what_the_gateway_would_refuse_is_not_sent_and_names_its_path(self) -> None:
        client, session, _, _ = await joined(0)
        sent = len(session.received)
        deep: Any = None
        for _ in range(32):
            deep = [deep]
        cases: list[tuple[Any, str]] = [
            ("x" * 32_767, "data"),
            (deep, "data" + "[0]" * 31),
            ({"players": [{}, {"name": "half \ud800"}]}, "data.players[1].name"),
            ({"\ude00": 1}, 'data["\\ude00"]'),
            ({"a": math.nan}, "data.a"),
            ([math.inf], "data[0]"),
            ({"id": 2**60}, "data.id"),
            (b"abc", "data"),
            ({"odd name": bytearray(2)}, 'data["odd name"]'),
            ({"when": object()}, "data.when"),
            ({1: 2}, "data"),
        ]
        for data, path in cases:
            with self.subTest(path=path), self.assertRaises(RequestError) as caught:
                await client.publish("chat", data)
            self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_MESSAGE", path))
            self.assertEqual(caught.exception.outcome, "unsent")
        with self.assertRaisesRegex(RequestError, "base64"):
            await client.publish("chat", memoryview(b"a"))
        self.assertEqual((len(session.received), client.state), (sent, "connected"))
        await client.close()

    @virtual
    async def test_bug_values_of_odd_types_were_changed_before_they_were_checked(self) -> None:
        client, session, _, _ = await joined(0)
        sent = len(session.received)
        odd: list[Any] = [None, ["ab"], "ab", 5]
        for attributes in odd:
            with self.assertRaises(RequestError) as caught:
                await client.set_attributes(attributes)
            self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_MESSAGE", "attributes"))
        with self.assertRaises(CallError) as refused:
            await client.call({"client_id": "game", "clientId": "other"}, "kick")
        self.assertEqual((refused.exception.code, refused.exception.path), ("INVALID_MESSAGE", "to"))
        with self.assertRaises(CallError) as refused:
            await client.call({"client_id": "game"}, "kick", timeout=math.nan)
        self.assertEqual((refused.exception.code, refused.exception.path), ("INVALID_MESSAGE", "timeout"))
        with self.assertRaises(RequestError) as caught:
            await client.sessions("game", after="x" * 65)
        self.assertEqual(caught.exception.path, "after")
        self.assertEqual((len(session.received), client.state), (sent, "connected"))
        await client.close()

    @virtual
    async def test_members_out_of_bounds_are_refused_by_name(self) -> None:
        client, session, _, _ = await joined(0)
        sent = len(session.received)
        requests = {
            "idempotencyKey": client.publish("chat", 1, idempotency_key="k" * 65),
            "key": client.validate(service_id="s", key=""),
            "hwid": client.validate(service_id="s", key="k", hwid="é" * 129),
            "serviceId": client.validate(service_id="-s", key="k"),
            "limit": client.history("chat", limit=101),
            "before": client.history("chat", before={"offset": -1, "epoch": "e"}),
            "clientId": client.sessions("no spaces"),
            "method": client.call({"client_id": "game"}, "no spaces"),
            "to": client.call({"client_id": "game", "session_id": "s" * 22}, "kick"),
            "attributes": client.set_attributes({"": "x"}),
            "timeout": client.heartbeat(timeout=0),
        }
        for path, request in requests.items():
            with self.subTest(path=path), self.assertRaises(RequestError) as caught:
                await request
            self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_MESSAGE", path))
        self.assertEqual(len(session.received), sent)
        await client.close()

    @virtual
    async def test_a_failed_call_is_a_call_error_also_when_it_is_refused_here(self) -> None:
        client, _, _, _ = await joined(0)
        with self.assertRaises(CallError) as caught:
            await client.call({"client_id": "game"}, "kick", {"a": math.nan})
        self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_MESSAGE", "data.a"))
        await client.close()

    @virtual
    async def test_an_invalid_channel_is_refused_with_its_own_code(self) -> None:
        client, session, _, _ = await joined(0)
        for name in ("", "a b", "ü", "x" * 129, "a\n"):
            with self.subTest(name=name), self.assertRaises(RequestError) as caught:
                await client.publish(name, 1)
            self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_CHANNEL", "channel"))
        self.assertEqual(session.of("publish"), [])
        await client.close()

    @virtual
    async def test_a_refused_subscribe_rejects_its_ready_and_may_be_ignored(self) -> None:
        client, session, _, _ = await joined(0)
        ignored = client.subscribe("no spaces", print).ready
        del ignored
        both = client.subscribe("news", print, last=1, recover={"offset": 1, "epoch": "e"})
        with self.assertRaises(RequestError) as caught:
            await both.ready
        self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_MESSAGE", "last"))
        self.assertEqual(len(session.of("subscribe")), 1)
        await client.close()

    @virtual
    async def test_a_request_from_before_the_first_session_is_checked_when_it_opens(self) -> None:
        gateway = FakeGateway()
        gateway.welcome_members = {"limits": {"frameBytes": 4096, "dataBytes": 100, "depth": 4}}
        client = gateway.client()
        client.connect()
        large = asyncio.ensure_future(client.publish("chat", "x" * 99))
        deep = asyncio.ensure_future(client.publish("chat", [[[[1]]]]))
        fits = asyncio.ensure_future(client.publish("chat", [[[1]]]))
        session = await gateway.session(1)
        request = await session.next("publish")
        session.answer(request, "published", channel="chat", offset=1, epoch="e")
        self.assertEqual((await fits).offset, 1)
        for refused in (large, deep):
            with self.assertRaises(RequestError) as caught:
                await refused
            self.assertEqual((caught.exception.code, caught.exception.path), ("INVALID_MESSAGE", "data"))
        await client.close()

if __name__ == "__main__":
    unittest.main()

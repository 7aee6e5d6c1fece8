"""Calls that other sessions make to this one."""
from __future__ import annotations

import asyncio
import unittest
from typing import Any

from countersign import CallError, Client, RequestError
from countersign.served_calls import MAX_RUNNING
from fake_gateway import FakeGateway, FakeSession
from virtual_time import advance, now, settle, virtual

CALL = "c" * 22


def call(session: FakeSession, method: str, number: int = 0, sender: str | None = None, **members: Any) -> str:
    """Calls a method of the client. Returns the callId."""
    members |= {} if sender is None else {"from": sender}
    call_id = f"{CALL}{number:04d}"
    session.send_message("call", callId=call_id, method=method, expiresAt=99, **members)
    return call_id


async def result(session: FakeSession) -> dict[str, Any]:
    """The next callResult, without what all have."""
    message = await session.next("callResult")
    return {name: value for name, value in message.items() if name in ("data", "error")}


class ServedCallsTest(unittest.TestCase):
    @virtual
    async def test_what_a_handler_returns_is_the_answer(self) -> None:
        client, session = await FakeGateway().connected()
        infos: list[Any] = []

        async def kick(data: Any, info: Any) -> Any:
            infos.append(info)
            return {"kicked": data}

        client.handle("kick", kick)
        client.handle("state", lambda data, info: [data, info.from_])
        call_id = call(session, "kick", data="player", sender="panel")
        self.assertEqual(await result(session), {"data": {"kicked": "player"}})
        self.assertEqual((infos[0].from_, infos[0].call_id, infos[0].expires_at), ("panel", call_id, 99))
        call(session, "state", 1)
        self.assertEqual(await result(session), {"data": [None, None]})
        await client.close()

    @virtual
    async def test_each_call_has_its_own_callid_and_runs_once(self) -> None:
        client, session = await FakeGateway().connected()
        seen: list[Any] = []
        client.handle("kick", lambda data, _: seen.append(data))
        ids = [call(session, "kick", number, data=number) for number in range(3)]
        await settle()
        self.assertEqual(([each["callId"] for each in session.of("callResult")], seen), (ids, [0, 1, 2]))
        self.assertEqual([each["data"] for each in session.of("callResult")], [None, None, None])
        await client.close()

    @virtual
    async def test_without_a_handler_the_answer_is_no_handler(self) -> None:
        client, session = await FakeGateway().connected()
        off = client.handle("kick", print)
        off()
        call(session, "kick")
        self.assertEqual((await result(session))["error"]["code"], "NO_HANDLER")
        await client.close()

    @virtual
    async def test_an_exception_is_the_answer_and_is_reported(self) -> None:
        client, session = await FakeGateway().connected()
        sources: list[str] = []
        client.on("error", lambda fault: sources.append(fault.source))

        class Coded(Exception):
            code = "PLAYER_GONE"

        errors: list[Exception] = [ValueError("x" * 600), Coded("left"), CallError("GONE", "left"), KeyError(), Odd("half \ud800")]

        def kick(*_: Any) -> None:
            raise errors.pop(0)

        client.handle("kick", kick)
        for number, expected in enumerate(
            [
                {"code": "HANDLER_FAILED", "message": "x" * 512},
                {"code": "PLAYER_GONE", "message": "left"},
                {"code": "GONE", "message": "left"},
                {"code": "HANDLER_FAILED", "message": "KeyError"},
                {"code": "HANDLER_FAILED", "message": "half ?"},
            ]
        ):
            call(session, "kick", number)
            self.assertEqual(await result(session), {"error": expected})
        await settle()
        self.assertEqual(sources, ["handle:kick"] * 5)
        await client.close()

    @virtual
    async def test_bug_a_call_whose_exception_cannot_be_read_had_no_answer(self) -> None:
        client, session = await FakeGateway().connected()
        sources: list[str] = []
        client.on("error", lambda fault: sources.append(fault.source))

        class Unreadable(Exception):
            def __str__(self) -> str:
                raise ValueError

            @property
            def code(self) -> str:
                raise ValueError

        def kick(*_: Any) -> None:
            raise Unreadable

        client.handle("kick", kick)
        call(session, "kick")
        self.assertEqual(await result(session), {"error": {"code": "HANDLER_FAILED", "message": "Unreadable"}})
        await settle()
        self.assertEqual(sources, ["handle:kick"])
        await client.close()

    @virtual
    async def test_a_result_that_cannot_be_sent_fails_the_call_alone(self) -> None:
        client, session = await FakeGateway().connected()
        faults: list[Any] = []
        client.on("error", lambda fault: faults.append(fault.error))
        results: list[Any] = ["x" * 33_000, b"binary", 7]
        client.handle("state", lambda *_: results.pop(0))
        call(session, "state", 0)
        error = (await result(session))["error"]
        self.assertEqual(error["code"], "HANDLER_FAILED")
        self.assertIn("33,002 bytes; the limit is 32,768", error["message"])
        call(session, "state", 1)
        self.assertIn("base64", (await result(session))["error"]["message"])
        call(session, "state", 2)
        self.assertEqual(await result(session), {"data": 7})
        self.assertEqual([type(each) for each in faults], [RequestError, RequestError])
        await client.close()

    @virtual
    async def test_calls_run_side_by_side_up_to_a_bound_per_method(self) -> None:
        client, session = await FakeGateway().connected()
        go = asyncio.Event()

        async def stuck(*_: Any) -> None:
            await go.wait()

        client.handle("stuck", stuck)
        client.handle("quick", lambda *_: 1)
        for number in range(MAX_RUNNING + 1):
            call(session, "stuck", number)
        self.assertEqual((await result(session))["error"]["code"], "BUSY")
        call(session, "quick", 999)
        self.assertEqual(await result(session), {"data": 1})
        go.set()
        await settle()
        self.assertEqual(len(session.of("callResult")), MAX_RUNNING + 2)
        await client.close()

    @virtual
    async def test_the_session_is_kept_after_a_renewal_until_its_calls_are_answered(self) -> None:
        client, session = await FakeGateway().connected()

        async def slow(*_: Any) -> str:
            await advance(5)
            return "done"

        client.handle("slow", slow)
        call(session, "slow")
        session.send_message("reconnect", afterMs=0)
        again = await session.gateway.session(2)
        await settle()
        self.assertEqual((session.of("bye"), client.session and client.session.session_id[-1]), ([], "2"))
        session.send_message("ping")
        await session.next("heartbeat")
        self.assertEqual(await result(session), {"data": "done"})
        await settle()
        self.assertEqual((len(session.of("bye")), session.is_closed, again.is_closed), (1, True, False))
        await client.close()

    @virtual
    async def test_a_replaced_session_is_kept_for_30_s_at_most(self) -> None:
        client, session = await FakeGateway().connected()
        client.handle("stuck", lambda *_: asyncio.get_running_loop().create_future())
        call(session, "stuck")
        session.send_message("reconnect", afterMs=0)
        await session.gateway.session(2)
        await advance(29)
        self.assertFalse(session.is_closed)
        await advance(2)
        self.assertTrue(session.is_closed)
        await client.close()

    @virtual
    async def test_close_waits_for_running_calls_and_runs_no_further_one(self) -> None:
        client, session = await FakeGateway().connected()

        async def slow(*_: Any) -> str:
            await advance(1)
            return "done"

        client.handle("slow", slow)
        call(session, "slow", 0)
        await settle()
        closing = asyncio.ensure_future(client.close())
        await settle()
        call(session, "slow", 1)
        await closing
        results = session.of("callResult")
        self.assertEqual([each.get("data", each.get("error", {}).get("code")) for each in results], ["CLOSING", "done"])
        self.assertEqual((session.received[-1]["type"], now()), ("bye", 1))

    @virtual
    async def test_a_handler_may_close_the_client(self) -> None:
        client, session = await FakeGateway().connected()
        closed = asyncio.Event()

        async def shutdown(*_: Any) -> None:
            await client.close()
            closed.set()

        client.handle("shutdown", shutdown)
        call(session, "shutdown")
        await closed.wait()
        self.assertEqual((now(), client.state), (0, "disconnected"))

    @virtual
    async def test_bug_the_result_of_a_handler_that_closes_the_client_was_dropped_without_a_word(self) -> None:
        client, session = await FakeGateway().connected()
        faults: list[Any] = []
        client.on("error", lambda fault: faults.append((fault.error.code, fault.error.outcome, fault.source)))

        async def stop(*_: Any) -> str:
            await client.close()
            return "stopped"

        client.handle("stop", stop)
        call(session, "stop")
        await settle()
        self.assertEqual(faults, [("CLOSED", "unsent", "handle:stop")])
        self.assertEqual(session.of("callResult"), [])

    def test_malformed_methods_are_refused(self) -> None:
        client = Client("ws://x", {"clientId": "a", "secret": "b"})
        for method in ("", "no spaces", "x" * 65, "a\n"):
            with self.assertRaises(RequestError):
                client.handle(method, print)


class Odd(Exception):
    """With half of a surrogate pair in its message."""


if __name__ == "__main__":
    unittest.main()

"""Calls, the directory, attributes, presence and history against a real gateway. One that does not know a type of message
answers UNKNOWN_TYPE: then the tests that need it are skipped."""
from __future__ import annotations

import asyncio
import pathlib
import sys
import unittest
from collections.abc import Awaitable, Callable
from typing import Any

from countersign import CallError, CallInfo, Client, Position, PresenceChange, RequestError
from gateway_support import LIMIT, Received, event
from real_gateway import RealGateway

gateway: RealGateway
EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def setUpModule() -> None:
    global gateway
    gateway = RealGateway()
    gateway.start()


def tearDownModule() -> None:
    gateway.close()


async def require(*types: str) -> None:
    """Skips a test if the gateway does not know these types."""
    async with Client(gateway.url, gateway.new_client()) as client:
        requests: dict[str, Callable[[], Awaitable[Any]]] = {
            "sessions": lambda: client.sessions("anyone"),
            "call": lambda: client.call({"client_id": "anyone"}, "kick"),
            "attributes": lambda: client.set_attributes({"a": "b"}),
            "history": lambda: client.history("anything"),
            "presence": lambda: client.presence("anything"),
        }
        for type_ in types:
            try:
                await requests[type_]()
            except RequestError as error:
                if error.code == "UNKNOWN_TYPE":
                    raise unittest.SkipTest(f"the gateway does not know {type_} yet") from None


class CallsTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        await require("sessions", "call", "attributes")

    async def connected(self, attributes: dict[str, str] | None = None, **permissions: Any) -> Client:
        """A client with these permissions."""
        client = Client(gateway.url, gateway.new_client(**permissions), attributes=attributes)
        self.addAsyncCleanup(client.close)
        return await client.connect()

    async def server(self, attributes: dict[str, str] | None = None) -> tuple[Client, str, str]:
        """A game server: its client, clientId and sessionId."""
        client = await self.connected(attributes)
        assert client.session is not None
        return client, client.session.client_id, client.session.session_id

    async def test_a_call_is_answered_by_the_handler(self) -> None:
        server, game, session_id = await self.server()
        panel = await self.connected(call=[f"{game}/*"])
        infos: list[CallInfo] = []

        async def kick(data: Any, info: CallInfo) -> Any:
            infos.append(info)
            return {"kicked": data}

        server.handle("kick", kick)
        self.assertEqual(await panel.call({"session_id": session_id}, "kick", {"player": "ü"}), {"kicked": {"player": "ü"}})
        self.assertEqual(await panel.call({"client_id": game}, "kick"), {"kicked": None})
        assert panel.session is not None
        self.assertEqual(infos[0].from_, panel.session.client_id)
        self.assertGreater(infos[0].expires_at, 1_700_000_000_000)

    async def test_a_call_runs_once_under_its_key(self) -> None:
        server, game, _ = await self.server()
        panel = await self.connected(call=[f"{game}/*"])
        runs: list[int] = []
        server.handle("count", lambda *_: len(runs) if runs.append(1) is None else 0)  # type: ignore[func-returns-value]
        first = await panel.call({"client_id": game}, "count", idempotency_key="once")
        again = await panel.call({"client_id": game}, "count", idempotency_key="once")
        self.assertEqual((first, again, len(runs)), (1, 1, 1))
        with self.assertRaises(CallError) as caught:
            await panel.call({"client_id": game}, "other", idempotency_key="once")
        self.assertEqual(caught.exception.code, "INVALID_MESSAGE")

    async def test_failures_have_their_codes(self) -> None:
        server, game, session_id = await self.server()
        panel = await self.connected(call=[f"{game}/*"])
        released = asyncio.Event()

        async def gone(*_: Any) -> None:
            raise CallError("PLAYER_GONE", "left")

        async def never(*_: Any) -> None:
            await released.wait()

        server.handle("gone", gone)
        server.handle("never", never)
        server.on("error", lambda _: None)
        with self.assertRaises(CallError) as caught:
            await panel.call({"client_id": game}, "gone")
        error = caught.exception
        assert error.error is not None
        self.assertEqual((error.code, error.error.code, error.error.message), ("CALL_FAILED", "PLAYER_GONE", "left"))
        with self.assertRaises(CallError) as caught:
            await panel.call({"client_id": game}, "unknown")
        assert caught.exception.error is not None
        self.assertEqual(caught.exception.error.code, "NO_HANDLER")
        with self.assertRaises(CallError) as caught:
            await panel.call({"client_id": game}, "never", timeout=0.2)
        self.assertEqual((caught.exception.code, caught.exception.outcome), ("CALL_TIMEOUT", "unknown"))
        released.set()
        with self.assertRaises(CallError) as caught:
            await panel.call({"client_id": "elsewhere"}, "kick")
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")
        await server.close()
        with self.assertRaises(CallError) as caught:
            await panel.call({"session_id": session_id}, "kick")
        self.assertEqual(caught.exception.code, "NO_RECEIVER")

    async def test_sessions_show_current_attributes(self) -> None:
        server, game, session_id = await self.server({"placeId": "1"})
        panel = await self.connected(call=[f"{game}/kick"])
        listed = await panel.sessions(game)
        self.assertEqual([each.session_id for each in listed.sessions], [session_id])
        self.assertEqual((listed.sessions[0].attributes, listed.next), ({"placeId": "1"}, None))
        await server.set_attributes({"players": "12"})
        listed = await panel.sessions(game, limit=1)
        self.assertEqual((listed.sessions[0].attributes, listed.sessions[0].transport), ({"players": "12"}, "ws"))
        with self.assertRaises(RequestError) as caught:
            await panel.sessions("elsewhere")
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")

    async def test_the_bot_kicks_a_player_of_the_example_server(self) -> None:
        game = gateway.new_client()
        bot = gateway.new_client(call=[f"{game['clientId']}/kick"])
        server = await self.example(game, "game_server.py", "Builderman", "Guest")
        assert server.stdout is not None
        async with asyncio.timeout(LIMIT):
            self.assertEqual(await server.stdout.readline(), b"2 players are online\n")
        commander = await self.example(bot, "moderation_bot.py", game["clientId"])
        async with asyncio.timeout(LIMIT):
            output, _ = await commander.communicate(b"/servers\n/kick 1 Builderman spamming\n/kick 1 Builderman\n/servers\n/quit\n")
        lines = output.decode().splitlines()
        self.assertRegex(lines[0], r"^  1  2/30 players")
        self.assertRegex(lines[1], r"^server 1: kicked Builderman \(\d+ ms\)$")
        self.assertEqual(lines[2], "failed: the server answered PLAYER_GONE: Builderman is not on this server")
        self.assertRegex(lines[3], r"^  1  1/30 players")

    async def example(self, credential: dict[str, Any], name: str, *words: str) -> asyncio.subprocess.Process:
        """Runs an example with a credential."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / name),
            *("--url", gateway.url),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                "PYTHONPATH": str(EXAMPLES.parent / "src"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "CLIENT_ID": credential["clientId"],
                "KEY_ID": credential["keyId"],
                "CLIENT_SECRET": credential["secret"],
            },
        )

        async def end() -> None:
            if process.returncode is None:
                process.kill()
            await process.wait()

        self.addAsyncCleanup(end)
        return process


class ChannelAdditionsTest(unittest.IsolatedAsyncioTestCase):
    async def connected(self, **permissions: Any) -> Client:
        """A client with these permissions."""
        client = Client(gateway.url, gateway.new_client(**permissions))
        self.addAsyncCleanup(client.close)
        return await client.connect()

    async def test_publications_name_their_publisher(self) -> None:
        await require("history")
        client = await self.connected(subscribe=["news"], publish=["news"])
        publishers: list[str | None] = []
        both = asyncio.Event()

        def note(publication: Any) -> None:
            publishers.append(publication.publisher)
            if len(publishers) == 2:
                both.set()

        await client.subscribe("news", note)
        await client.publish("news", 1)
        gateway.call("POST", "publish", {"channel": "news", "data": 2})
        async with asyncio.timeout(LIMIT):
            await both.wait()
        self.assertEqual(publishers, [client.session.client_id if client.session else "", None])

    async def test_last_gives_a_late_server_the_current_configuration(self) -> None:
        await require("history")
        client = await self.connected(subscribe=["config"], publish=["config"])
        for number in range(1, 6):
            await client.publish("config", number)
        received = Received()
        joined = await client.subscribe("config", received, last=2).ready
        self.assertEqual((await received.until(2), joined.recovered, joined.offset), ([4, 5], False, 5))
        await client.publish("config", 6)
        self.assertEqual(await received.until(3), [4, 5, 6])
        late = Received()
        await client.subscribe("config", late, last=1)
        self.assertEqual(await late.until(1), [6])
        await client.publish("config", 7)
        self.assertEqual((await received.until(4), await late.until(2)), ([4, 5, 6, 7], [6, 7]))

    async def test_history_goes_back_page_by_page(self) -> None:
        await require("history")
        client = await self.connected(subscribe=["log"], publish=["log"])
        for number in range(1, 8):
            await client.publish("log", number)
        newest = await client.history("log", limit=3)
        self.assertEqual(([each.data for each in newest.publications], newest.offset, newest.more), ([5, 6, 7], 7, True))
        first = newest.publications[0]
        older = await client.history("log", limit=10, before=Position(first.offset, first.epoch))
        self.assertEqual(([each.data for each in older.publications], older.more), ([1, 2, 3, 4], False))
        other = await client.history("log", before=Position(3, "another"))
        self.assertEqual((other.publications, other.more, other.epoch), ((), False, newest.epoch))
        with self.assertRaises(RequestError) as caught:
            await client.history("secret")
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")

    async def test_presence_lists_sessions_and_reports_changes(self) -> None:
        await require("presence")
        watcher = await self.connected(subscribe=["lobby*"], presence=["lobby*"])
        changes: list[PresenceChange] = []
        changed: asyncio.Queue[PresenceChange] = asyncio.Queue()

        def note(change: PresenceChange) -> None:
            changes.append(change)
            changed.put_nowait(change)

        await watcher.subscribe("lobby", lambda _: None, on_presence=note)
        visitor = await self.connected(subscribe=["lobby*"])
        await visitor.subscribe("lobby", lambda _: None)
        visitor_id = visitor.session.session_id if visitor.session else ""
        async with asyncio.timeout(LIMIT):
            while visitor_id not in {each.session_id for change in changes for each in change.joined}:
                await changed.get()
        present = await watcher.presence("lobby")
        self.assertEqual(present.count, 2)
        self.assertIn(visitor_id, {each.session_id for each in present.sessions})
        await visitor.close()
        async with asyncio.timeout(LIMIT):
            while visitor_id not in {each.session_id for change in changes for each in change.left}:
                await changed.get()
        visitor.on("trouble", lambda _: None)
        with self.assertRaises(RequestError) as caught:
            await watcher.presence("chat")
        self.assertEqual(caught.exception.code, "PERMISSION_DENIED")

    async def test_presence_without_the_permission_is_refused_as_a_whole(self) -> None:
        await require("presence")
        client = await self.connected(subscribe=["lobby*"])
        trouble = await event(client, "trouble", lambda: client.subscribe("lobby2", print, presence=True))
        self.assertRegex(trouble.reason, "^PERMISSION_DENIED for channel lobby2: .")


if __name__ == "__main__":
    unittest.main()

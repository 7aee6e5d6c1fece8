"""The moderation bot and the game server of the examples."""
from __future__ import annotations

import asyncio
import contextlib
import io
import pathlib
import sys
import unittest
from typing import Any

from fake_gateway import FakeGateway, FakeSession
from virtual_time import now, settle, virtual

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "examples"))

from game_server import serve  # noqa: E402
from moderation_bot import ModerationBot, credential_from  # noqa: E402


def entry(number: int, **attributes: str) -> dict[str, Any]:
    """A game server of the list."""
    return {
        "sessionId": f"server-{number:015d}",
        "clientId": "my-game",
        "transport": "bridge",
        "openedAt": 0,
        "lastSeenAt": 180_000,
        "attributes": attributes,
    }


class ExamplesTest(unittest.TestCase):
    @virtual
    async def test_it_lists_all_servers_and_kicks_on_one(self) -> None:
        client, session = await FakeGateway().connected()
        bot = ModerationBot(client, "my-game")
        answer = asyncio.ensure_future(bot.answer("/servers"))
        first = await session.next("sessions")
        page = [entry(1, players="3", maxPlayers="30", placeVersion="7")]
        session.answer(first, "sessions", sessions=page, next="more")
        second = await session.next("sessions")
        self.assertEqual((first["clientId"], second["after"]), ("my-game", "more"))
        session.answer(second, "sessions", sessions=[entry(2)])
        lines = (await answer).split("\n")
        self.assertRegex(lines[0], r"^  1  3/30 players +version 7 +3 min  server-0+1$")
        self.assertRegex(lines[1], r"^  2  \?/\? players +version \? +3 min  server-0+2$")
        kick = asyncio.ensure_future(bot.answer("/kick 2 Builderman spamming in chat"))
        sent = await session.next("call")
        self.assertEqual((sent["to"], sent["method"]), ({"sessionId": entry(2)["sessionId"]}, "kick"))
        self.assertEqual(sent["data"], {"player": "Builderman", "reason": "spamming in chat"})
        session.answer(sent, "called", sessionId=entry(2)["sessionId"], data="kicked Builderman")
        self.assertEqual(await kick, "server 2: kicked Builderman (0 ms)")
        await client.close()

    @virtual
    async def test_bug_a_game_server_waits_for_a_gateway_that_is_not_reachable(self) -> None:
        gateway = FakeGateway()
        gateway.refusals = ["the gateway cannot be reached: ECONNREFUSED"] * 10
        client = gateway.client()
        client.on("trouble", lambda _: None)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            await client.connect()
            serving = asyncio.ensure_future(serve(client, {"Builderman"}))
            session = await gateway.session(1)
            await settle()
        self.assertGreater(now(), 10)
        self.assertIn("the attributes are not shown yet: TIMEOUT", output.getvalue())
        self.assertEqual(session.received[0]["attributes"]["players"], "1")
        self.assertFalse(serving.done())
        serving.cancel()
        await client.close()

    @virtual
    async def test_failures_are_explained(self) -> None:
        client, session = await FakeGateway().connected()
        bot = ModerationBot(client, "my-game")
        failures: list[tuple[str, dict[str, Any], str]] = [
            ("NO_RECEIVER", {}, "no longer online; nothing happened"),
            ("CALL_TIMEOUT", {"outcome": "unknown"}, "it is not known whether the command ran"),
            ("CALL_FAILED", {"error": {"code": "PLAYER_GONE", "message": "left"}}, "answered PLAYER_GONE: left"),
            ("PERMISSION_DENIED", {}, "failed: PERMISSION_DENIED"),
        ]
        for code, members, expected in failures:
            answer = asyncio.ensure_future(bot.answer("/kick 1 Builderman"))
            await self.listed(session, bot)
            session.fail(await session.next("call"), code, **members)
            self.assertIn(expected, await answer)
        self.assertEqual(await bot.answer("/kick 9 Builderman"), "no server 9: /servers lists 1 to 1")
        self.assertIn("unknown command", await bot.answer("/ban everyone"))
        await client.close()

    @virtual
    async def test_it_reads_players_and_announces_to_one_or_all(self) -> None:
        client, session = await FakeGateway().connected()
        bot = ModerationBot(client, "my-game")
        players = asyncio.ensure_future(bot.answer("/players 2"))
        session.answer(await session.next("sessions"), "sessions", sessions=[entry(1), entry(2)])
        asked = await session.next("call")
        self.assertEqual((asked["to"]["sessionId"], asked["method"]), (entry(2)["sessionId"], "state"))
        session.answer(asked, "called", sessionId=entry(2)["sessionId"], data={"players": ["Ü"]})
        self.assertEqual(await players, 'server 2: {"players": ["Ü"]} (0 ms)')
        everywhere = asyncio.ensure_future(bot.answer("/announce all back soon"))
        session.answer(await session.next("sessions"), "sessions", sessions=[entry(1), entry(2)])
        first, second = await session.next("call"), await session.next("call")
        self.assertEqual([first["data"], second["data"]], [{"text": "back soon"}] * 2)
        session.fail(second, "NO_RECEIVER")
        session.answer(first, "called", sessionId=entry(1)["sessionId"], data={"players": 3})
        lines = (await everywhere).split("\n")
        self.assertEqual(lines[0], 'server 1: {"players": 3} (0 ms)')
        self.assertIn("server 2: failed: that server is no longer online", lines[1])
        one = asyncio.ensure_future(bot.answer("/announce 1 hello"))
        session.answer(await session.next("call"), "called", sessionId=entry(1)["sessionId"], data={"players": 3})
        self.assertEqual(await one, 'server 1: {"players": 3} (0 ms)')
        self.assertEqual(await bot.answer("/announce 3 hello"), "no server 3: /servers lists 1 to 2")
        await client.close()

    async def listed(self, session: FakeSession, bot: ModerationBot) -> None:
        """Answers the list that a first /kick asks for."""
        if not session.of("call"):
            session.answer(await session.next("sessions"), "sessions", sessions=[entry(1)])

    def test_the_credential_comes_from_the_environment(self) -> None:
        credential = credential_from({"CLIENT_ID": "bot", "CLIENT_SECRET": "s", "KEY_ID": ""})
        self.assertEqual((credential.client_id, credential.key_id), ("bot", None))
        with self.assertRaises(SystemExit):
            credential_from({"CLIENT_ID": "bot"})


if __name__ == "__main__":
    unittest.main()

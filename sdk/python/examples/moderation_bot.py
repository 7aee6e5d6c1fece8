#!/usr/bin/env python3
"""A moderation bot without Discord's library: a command line that lists game servers, kicks players and announces.

    export CLIENT_ID=… KEY_ID=… CLIENT_SECRET=…
    python moderation_bot.py my-game                       # then: /servers, /kick 1 Builderman spamming, /help, /quit
    python moderation_bot.py my-game /servers              # one command

`my-game` is the clientId of the game servers. The bot's client needs the `call` permissions `my-game/state`, `my-game/kick`
and `my-game/announce`. The handlers on the game server get nothing, {"player", "reason"} and {"text"}; their results
are shown. examples/live-ops starts game servers for it, and has the same commands as a web page.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from countersign import CallError, Client, Credential, RequestError, SessionEntry

MAX_SERVERS = 500
MAX_OPEN_CALLS = 32
CALL_SECONDS = 5.0


class Refused(Exception):
    """A command that cannot be run, with the reason for the person who typed it."""


class ModerationBot:
    """Answers the commands of moderators about the servers of one game."""

    def __init__(self, client: Client, game: str) -> None:
        self._client = client
        self._game = game
        self._servers: list[SessionEntry] = []

    async def answer(self, command: str) -> str:
        """The answer to one command, for people."""
        name, *words = command.split()
        try:
            if name == "/servers" and not words:
                return await self._list()
            if name == "/kick" and len(words) >= 2:
                return await self._kick(words[0], words[1], " ".join(words[2:]))
            if name == "/players" and len(words) == 1:
                return await self._call(await self._server(words[0]), "state", None)
            if name == "/announce" and len(words) >= 2:
                return await self._announce(words[0], " ".join(words[1:]))
            if name == "/help":
                return (
                    "/servers · /players <number of a server> · /kick <number> <player> [reason]"
                    " · /announce <number, or all> <text> · /quit"
                )
            raise Refused(f"unknown command: {command} (try /help)")
        except Refused as refusal:
            return str(refusal)
        except RequestError as error:
            return f"failed: {explain(error)}"

    async def _list(self) -> str:
        self._servers = await self._load()
        if not self._servers:
            return f"no server of {self._game} is online"
        return "\n".join(f"{number:>3}  {describe(server)}" for number, server in enumerate(self._servers, 1))

    async def _load(self) -> list[SessionEntry]:
        servers: list[SessionEntry] = []
        after: str | None = None
        while len(servers) < MAX_SERVERS:
            page = await self._client.sessions(self._game, limit=100, after=after)
            servers.extend(page.sessions)
            after = page.next
            if after is None:
                break
        return servers

    async def _server(self, number: str) -> int:
        """The place of a server in the list."""
        if not self._servers:
            self._servers = await self._load()
        if not number.isdecimal() or not 1 <= int(number) <= len(self._servers):
            raise Refused(f"no server {number}: /servers lists 1 to {len(self._servers)}")
        return int(number) - 1

    async def _kick(self, number: str, player: str, reason: str) -> str:
        data = {"player": player, "reason": reason or "no reason given"}
        return await self._call(await self._server(number), "kick", data)

    async def _announce(self, number: str, text: str) -> str:
        data = {"text": text}
        if number != "all":
            return await self._call(await self._server(number), "announce", data)
        self._servers = await self._load()
        free = asyncio.Semaphore(MAX_OPEN_CALLS)

        async def announce(index: int) -> str:
            async with free:
                try:
                    return await self._call(index, "announce", data)
                except RequestError as error:
                    return f"server {index + 1}: failed: {explain(error)}"

        return "\n".join(await asyncio.gather(*map(announce, range(len(self._servers))))) or "no server is online"

    async def _call(self, index: int, method: str, data: Any) -> str:
        clock = asyncio.get_running_loop().time
        started = clock()
        to = {"session_id": self._servers[index].session_id}
        result = await self._client.call(to, method, data, timeout=CALL_SECONDS)
        shown = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return f"server {index + 1}: {shown} ({(clock() - started) * 1000:.0f} ms)"


def explain(error: RequestError) -> str:
    """A failure, for people."""
    if isinstance(error, CallError) and error.error is not None:
        return f"the server answered {error.error.code}: {error.error.message}"
    if error.code == "NO_RECEIVER":
        return "that server is no longer online; nothing happened (/servers)"
    if error.outcome == "unknown":
        return f"{error.message}; it is not known whether the command ran"
    return str(error)


def describe(server: SessionEntry) -> str:
    """One line about a server."""
    shown = server.attributes
    players = f"{shown.get('players', '?')}/{shown.get('maxPlayers', '?')} players"
    minutes = max(0, server.last_seen_at - server.opened_at) // 60_000
    return f"{players:<16} version {shown.get('placeVersion', '?'):<6} {minutes:>4} min  {server.session_id}"


def credential_from(environment: Mapping[str, str]) -> Credential:
    """The credential in CLIENT_ID, KEY_ID and CLIENT_SECRET."""
    client_id, secret = environment.get("CLIENT_ID"), environment.get("CLIENT_SECRET")
    if not client_id or not secret:
        raise SystemExit("CLIENT_ID and CLIENT_SECRET must be set (README.md shows how to get them)")
    return Credential(client_id, secret, environment.get("KEY_ID") or None)


async def lines() -> AsyncIterator[str]:
    """The typed lines, until the end of the input or /quit."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "/quit":
            return
        if line.strip():
            yield line.strip()


async def main() -> None:
    """Runs one command, or those of the standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", help="clientId of the game servers")
    parser.add_argument("command", nargs="*", help="one command; without it, commands are read from the input")
    parser.add_argument("--url", default="ws://127.0.0.1:8080/v1/ws")
    options = parser.parse_args()
    async with Client(options.url, credential_from(os.environ), attributes={"role": "moderation bot"}) as client:
        bot = ModerationBot(client, options.game)
        if options.command:
            print(await bot.answer(" ".join(options.command)))
            return
        async for line in lines():
            print(await bot.answer(line), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass

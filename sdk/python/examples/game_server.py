#!/usr/bin/env python3
"""A game server to try the bot with: it keeps a list of players and answers the calls `kick`, `announce` and `state`.

    export CLIENT_ID=my-game KEY_ID=… CLIENT_SECRET=…
    python game_server.py Builderman Guest1234
"""
from __future__ import annotations

import argparse
import asyncio
import os
from typing import Any

from countersign import CallError, CallInfo, Client, RequestError
from moderation_bot import credential_from

MAX_PLAYERS = 30


async def serve(client: Client, players: set[str]) -> None:
    """Answers calls until the program ends."""

    async def show() -> None:
        attributes = {"players": str(len(players)), "maxPlayers": str(MAX_PLAYERS), "placeVersion": "1"}
        try:
            await client.set_attributes(attributes)
        except RequestError as error:
            # The client keeps them for its next session.
            print(f"the attributes are not shown yet: {error}", flush=True)

    async def kick(data: Any, info: CallInfo) -> str:
        player = data.get("player") if isinstance(data, dict) else None
        if player not in players:
            raise CallError("PLAYER_GONE", f"{player} is not on this server")
        players.discard(player)
        print(f"{info.from_ or 'the HTTP API'} kicked {player}: {data.get('reason')}", flush=True)
        await show()
        return f"kicked {player}"

    def announce(data: Any, _info: CallInfo) -> dict[str, int]:
        if not isinstance(data, dict) or not isinstance(data.get("text"), str):
            raise CallError("INVALID_DATA", "text is missing")
        print(f"announced: {data['text']}", flush=True)
        return {"players": len(players)}

    client.handle("kick", kick)
    client.handle("state", lambda _data, _info: {"players": sorted(players)})
    client.handle("announce", announce)
    await show()
    print(f"{len(players)} players are online", flush=True)
    await asyncio.get_running_loop().create_future()


async def main() -> None:
    """Runs until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("players", nargs="*")
    parser.add_argument("--url", default="ws://127.0.0.1:8080/v1/ws")
    options = parser.parse_args()
    async with Client(options.url, credential_from(os.environ)) as client:
        await serve(client, set(options.players))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass

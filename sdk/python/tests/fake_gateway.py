"""A scripted gateway in memory. Its signatures are its own, so that a fault of the client's cannot hide in them."""
from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from countersign import Client
from countersign.platform import Platform
from countersign.sockets import Closed
from virtual_time import settle

URL = "ws://gateway.test/v1/ws"
SECRET = "cs_sk_test"
CREDENTIAL = {"clientId": "game-1", "keyId": "k1", "secret": SECRET}
LIMITS = {"frameBytes": 65536, "dataBytes": 32768, "depth": 32, "channels": 128}


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class FakeSession:
    """One connection, from the gateway's side. `received`: the verified messages in order."""

    def __init__(self, gateway: FakeGateway, on_message: Any, on_close: Any) -> None:
        self.gateway = gateway
        self._on_message = on_message
        self._on_close = on_close
        self.number = len(gateway.sessions) + 1
        self.token = base64.urlsafe_b64encode(self.number.to_bytes(32, "big")).decode().rstrip("=")
        self.received: list[dict[str, Any]] = []
        self.is_closed = False
        self.seq = 0
        self._read = 0
        self._server_key = b""
        self._client_key = b""
        self._arrived = asyncio.Event()

    # ── The socket, as the client sees it ──

    def send(self, text: str) -> None:
        asyncio.get_running_loop().call_soon(self._receive, text)

    def close(self, code: int = 1000) -> None:
        self.is_closed = True

    async def wait_closed(self, seconds: float) -> None:
        return None

    # ── The gateway ──

    def challenge(self) -> None:
        self.send_text(
            json.dumps(
                {"type": "challenge", "protocol": "countersign.v1", "challengeToken": self.token, "expiresIn": 60}
            )
        )

    def _receive(self, text: str) -> None:
        message = json.loads(text)
        if message["type"] == "authenticate":
            keys = [
                mac(SECRET.encode(), f"countersign.v1:{side}:{self.token}:{message['clientNonce']}")
                for side in ("client", "server")
            ]
            self._client_key, self._server_key = keys
        signed = text[:-80] + "}"
        assert text[-66:-2] == mac(self._client_key, signed).hex(), "the client's signature is wrong"
        assert message["seq"] == len(self.received) + 1, "the client's seq is wrong"
        assert "signature" not in json.loads(signed)
        self.received.append(message)
        self._arrived.set()
        self.gateway.on_message(self, message)

    def sign(self, message: dict[str, Any]) -> str:
        text = json.dumps(message, separators=(",", ":"))
        return f'{text[:-1]},"signature":"{mac(self._server_key, text).hex()}"}}'

    def send_message(self, type_: str, **members: Any) -> None:
        """Sends a signed message in sequence."""
        self.seq += 1
        self.send_text(self.sign({"type": type_, "seq": self.seq, **members}))

    def answer(self, request: dict[str, Any], type_: str, **members: Any) -> None:
        self.send_message(type_, re=request["seq"], **members)

    def fail(self, request: dict[str, Any], code: str, **members: Any) -> None:
        self.answer(request, "error", code=code, message="scripted", **members)

    def send_text(self, text: str) -> None:
        if not self.is_closed:
            self._on_message(text)

    def drop(self, reason: str = "the connection was closed: 1006") -> None:
        """The connection breaks."""
        if not self.is_closed:
            self.is_closed = True
            self._on_close(Closed(reason))

    def welcome(self, **members: Any) -> None:
        self.send_message(
            "welcome",
            **{
                "re": 1,
                "protocol": "countersign.v1",
                "sessionId": f"session-{self.number:014d}",
                "clientId": "game-1",
                "keyId": "k1",
                "heartbeatInterval": 15,
                "heartbeatTimeout": 45,
                "serverTime": 1_000_000,
                "expiresAt": 1_000_000 + 86_400_000,
                "limits": LIMITS,
                "subscriptions": [],
                **self.gateway.welcome_members,
                **members,
            },
        )

    async def next(self, type_: str) -> dict[str, Any]:
        """The next message of a type; earlier ones of other types are passed over."""
        async with asyncio.timeout(60):
            while True:
                while self._read < len(self.received):
                    message = self.received[self._read]
                    self._read += 1
                    if message["type"] == type_:
                        return message
                self._arrived.clear()
                await self._arrived.wait()

    def of(self, type_: str) -> list[dict[str, Any]]:
        """All messages of a type."""
        return [each for each in self.received if each["type"] == type_]


class FakeGateway:
    """`on_message` answers; by default it welcomes, and acknowledges `bye` and heartbeats."""

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []
        self.welcome_members: dict[str, Any] = {}
        self.refusals: list[str] = []
        """Reasons for which the next connections fail."""
        self.is_silent = False
        self.script: Callable[[FakeSession, dict[str, Any]], bool | None] = lambda session, message: None
        """Returns True for a message that it has answered."""
        self._opened = asyncio.Event()

    def open_socket(self, url: str, on_message: Any, on_close: Any) -> FakeSession:
        session = FakeSession(self, on_message, on_close)
        loop = asyncio.get_running_loop()
        if self.refusals:
            reason = self.refusals.pop(0)
            loop.call_soon(lambda: on_close(Closed(reason)))
            return session
        self.sessions.append(session)
        self._opened.set()
        if not self.is_silent:
            loop.call_soon(session.challenge)
        return session

    def on_message(self, session: FakeSession, message: dict[str, Any]) -> None:
        if self.script(session, message):
            return
        if message["type"] == "authenticate":
            session.welcome()
        elif message["type"] in ("bye", "unsubscribe", "callResult", "attributes"):
            session.answer(message, "ack")
        elif message["type"] == "heartbeat":
            session.answer(message, "heartbeat", serverTime=1)

    async def session(self, number: int) -> FakeSession:
        """The n-th connection, from 1."""
        async with asyncio.timeout(100_000):
            while len(self.sessions) < number:
                self._opened.clear()
                await self._opened.wait()
        return self.sessions[number - 1]

    def client(self, credential: Any = CREDENTIAL, *, random: float = 1.0, **options: Any) -> Client:
        """A client of this gateway. `random`: what every jitter draws."""
        count = iter(range(10**6))
        platform = Platform(self.open_socket, lambda: random, lambda: f"nonce-{next(count):020d}")
        return Client(URL, credential, _platform=platform, **options)

    async def connected(self, **options: Any) -> tuple[Client, FakeSession]:
        """A connected client and its session."""
        client = self.client(**options)
        await client.connect()
        await settle()
        assert client.state == "connected"
        return client, self.sessions[-1]


def subscribed(session: FakeSession, request: dict[str, Any], offset: int, **members: Any) -> None:
    """Answers a subscribe."""
    session.answer(
        request,
        "subscribed",
        **{"channel": request["channel"], "offset": offset, "epoch": "e", "recovered": False, **members},
    )


def publication(offset: int, data: Any = None, **members: Any) -> dict[str, Any]:
    """An entry of a list of publications."""
    return {"offset": offset, "data": data, "publishedAt": offset, **members}


def publish(session: FakeSession, channel: str, offset: int, epoch: str = "e", data: Any = None) -> None:
    """Sends a publication."""
    session.send_message("publication", channel=channel, epoch=epoch, **publication(offset, data))

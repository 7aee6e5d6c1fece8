"""A small asyncio client of the Countersign protocol, written from PROTOCOL.md alone.

It needs Debian's python3-websockets (10.4) and the standard library. One task uses a session at a time. An ended session
is not opened again: the application reconnects (PROTOCOL §5.3).
"""
import asyncio
import re
import secrets
from typing import NamedTuple, Optional

import websockets

from frames import PROTOCOL, TAIL, TOKEN, Breach, derive, is_int, mac, open_frame, parse, sign, to_text, verify

FRAME_BYTES = 65536  # the default (§11); the welcome may state another
HANDSHAKE_SECONDS = 10  # from opening to a verified welcome (§4.5)
ANSWER_SECONDS = 10  # without a frame after a heartbeat the connection is dropped (§6.1)

SESSION_ID = re.compile(r"[A-Za-z0-9_-]+")

# Codes that end a session (§7.3). Any other, known or not, ends it only if it answers no request.
ENDING = {
    "PROTOCOL_ERROR", "SESSION_REVOKED", "CHALLENGE_FAILED", "FRAME_TOO_LARGE", "INTERNAL", "SIGNATURE_INVALID",
    "HEARTBEAT_LOST", "SEQUENCE_INVALID", "SESSION_EXPIRED", "SLOW_CONSUMER", "DRAINING",
}


class Ended(Exception):
    """The handshake failed or the session ended. Only a signed code can be trusted (§5.3)."""

    def __init__(self, socket, error: Optional[dict] = None, signed: bool = False):
        self.code = error and error.get("code")
        self.error = error
        self.signed = signed
        self.close_code = socket.close_code
        self.close_reason = socket.close_reason
        super().__init__(f"{self.code}, {'signed' if signed else 'unsigned'}, close {self.close_code}")


class Credential(NamedTuple):
    """§3"""

    client_id: str
    secret: str
    key_id: Optional[str] = None


async def connect(url: str, **options):
    """Opens a socket; `url` is the gateway's http:// or https:// URL (§8)."""
    options = {"compression": None, "subprotocols": [PROTOCOL], "max_size": FRAME_BYTES, **options}
    return await websockets.connect(
        url.replace("http", "ws", 1) + "/v1/ws", ping_interval=None, open_timeout=5, close_timeout=5, **options
    )


def read_challenge(text: str) -> str:
    """Returns the token after checking that it may be signed (§4.1)."""
    challenge = parse(text.encode())
    token = challenge.get("challengeToken")
    if challenge["type"] != "challenge" or challenge.get("protocol") != PROTOCOL:
        raise Breach("PROTOCOL_ERROR", "no challenge of this protocol")
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise Breach("PROTOCOL_ERROR", "the challenge has no token to sign")
    return token


class Session:
    """One session over one socket. `sent` and `received` are the last `seq` of each direction (§5.1)."""

    def __init__(self, socket, credential: Credential, token: str):
        self.socket = socket
        self.credential = credential
        self.token = token
        self.nonce = secrets.token_urlsafe(16)
        self.keys = derive(credential.secret, token, self.nonce)
        self.sent = 0
        self.received = 0
        self.welcome: dict = {}
        self._answers: dict = {}

    @classmethod
    async def open(cls, url: str, credential: Credential, **members) -> "Session":
        """Connects and completes the handshake (§4). `members` are added to the authenticate."""
        session = await cls.challenged(url, credential)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await session.authenticate(**members)
        except BaseException:
            await session.socket.close()
            raise
        return session

    @classmethod
    async def challenged(cls, url: str, credential: Credential) -> "Session":
        """Connects and reads the challenge."""
        socket = await connect(url)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                return cls(socket, credential, read_challenge(await socket.recv()))
        except BaseException:
            await socket.close()
            raise

    def authenticate_message(self) -> dict:
        """§4.2, without its signature."""
        client_id, _, key_id = self.credential
        return {
            "type": "authenticate",
            "seq": 1,
            "protocol": PROTOCOL,
            "clientId": client_id,
            **({} if key_id is None else {"keyId": key_id}),
            "challengeToken": self.token,
            "challengeSignature": self.keys.challenge_signature,
            "clientNonce": self.nonce,
        }

    async def authenticate(self, **members) -> dict:
        await self.send_text(to_text({**self.authenticate_message(), **members}))
        return await self.receive_welcome()

    async def receive_welcome(self) -> dict:
        """Verifies the gateway's proof before anything else is sent (§4.5)."""
        self.sent = 1
        frame = (await self._read()).encode()
        try:
            unsigned = parse(frame) if TAIL.fullmatch(frame[-80:]) is None else None
            if unsigned is not None and unsigned["type"] == "error":
                await self._raise_end(unsigned, signed=False)
            self._check_welcome(self._accept(frame))
        except Breach:
            await self.socket.close()
            raise
        return self.welcome

    def _check_welcome(self, welcome: dict) -> None:
        client_id, _, key_id = self.credential
        expected = {"type": "welcome", "re": 1, "protocol": PROTOCOL, "clientId": client_id}
        if key_id is not None:
            expected["keyId"] = key_id
        if any(welcome.get(name) != value for name, value in expected.items()):
            raise Breach("PROTOCOL_ERROR", "the welcome is for another client")
        numbers = ("heartbeatInterval", "heartbeatTimeout", "serverTime", "expiresAt")
        limits = welcome.get("limits") or {}
        if not all(is_int(welcome.get(name), 1) for name in numbers) or not is_int(limits.get("frameBytes"), 1):
            raise Breach("PROTOCOL_ERROR", "the welcome is not complete")
        if not isinstance(welcome.get("sessionId"), str) or not SESSION_ID.fullmatch(welcome["sessionId"]):
            raise Breach("PROTOCOL_ERROR", "the welcome names no session")
        self.welcome = welcome
        self.socket.max_size = limits["frameBytes"]

    async def send_frame(self, frame: str) -> None:
        await self.socket.send(frame)

    async def send_text(self, text: str) -> None:
        """Signs and sends the text of a message."""
        await self.send_frame(sign(self.keys.client, text))

    async def send(self, kind: str, **members) -> int:
        """Sends a request and returns its `seq`."""
        self.sent += 1
        seq = self.sent
        await self.send_text(to_text({"type": kind, "seq": seq, **members}))
        return seq

    async def _read(self) -> str:
        """The next text message. `Ended` without a code if there is none."""
        try:
            text = await self.socket.recv()
        except websockets.ConnectionClosed:
            raise Ended(self.socket) from None
        if not isinstance(text, str):
            await self.socket.close()
            raise Breach("PROTOCOL_ERROR", "a binary message")
        return text

    def _accept(self, frame: bytes) -> dict:
        """Checks 1 to 5 of §2.2."""
        message = open_frame(self.keys.server, frame)
        if not is_int(message.get("seq"), 1):
            raise Breach("PROTOCOL_ERROR", "seq is not an integer from 1")
        if message["seq"] != self.received + 1:
            raise Breach("SEQUENCE_INVALID")
        self.received += 1
        return message

    async def receive_frame(self) -> dict:
        """The next downstream frame, verified. A frame that does not verify ends the connection (§5.3)."""
        frame = (await self._read()).encode()
        try:
            return self._accept(frame)
        except Breach:
            await self.socket.close()
            raise

    async def receive(self) -> dict:
        """The next frame for the application. Answers fresh challenges; raises Ended at the end."""
        while True:
            message = await self.receive_frame()
            kind = message["type"]
            if kind == "error" and ("re" not in message or message.get("code") in ENDING):
                await self._raise_end(message, signed=True)
            if kind != "challenge":
                return message
            await self._prove(message.get("challengeToken"))

    async def _prove(self, token) -> None:
        """Answers a fresh challenge with the secret itself (§6.2)."""
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            await self.socket.close()
            raise Breach("PROTOCOL_ERROR", "the challenge has no token to sign")
        proof = mac(self.credential.secret.encode("ascii"), token.encode("ascii")).hex()
        try:
            await self.send("challengeResponse", challengeToken=token, challengeSignature=proof)
        except websockets.ConnectionClosed:
            pass  # the next read raises Ended, after the frames that arrived before the close

    async def _raise_end(self, error: dict, signed: bool) -> None:
        """Raises Ended after the close, which follows the error (§8)."""
        try:
            await asyncio.wait_for(self.socket.wait_closed(), 5)
        except asyncio.TimeoutError:
            await self.socket.close()
        raise Ended(self.socket, error, signed)

    async def answer(self, seq: int) -> dict:
        """The answer to the request `seq`; answers may come in any order (§5.1)."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while seq not in self._answers:
                message = await self.receive()
                if is_int(message.get("re"), 1):
                    self._answers[message["re"]] = message
        return self._answers.pop(seq)

    async def request(self, kind: str, **members) -> dict:
        return await self.answer(await self.send(kind, **members))

    async def heartbeat(self) -> dict:
        """§6.1"""
        return await self.request("heartbeat")

    async def validate(self, service_id: str, key: str, hwid: Optional[str] = None) -> dict:
        """§7.2: the caller decides by `valid` alone."""
        return await self.request("validate", serviceId=service_id, key=key, **({} if hwid is None else {"hwid": hwid}))

    async def bye(self) -> dict:
        """§7.1: returns the ack after the gateway has closed."""
        ack = await self.request("bye")
        await asyncio.wait_for(self.socket.wait_closed(), 5)
        return ack

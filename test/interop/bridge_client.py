"""A blocking client of the bridge (PROTOCOL §9), written from PROTOCOL.md alone, with the standard library alone.

A session is bound to its id and not to a connection: several threads may exchange in one session at the same time, each
over a connection of its own, and a session may be given another `Link`, to another instance.
"""
import http.client
import json
import secrets
import threading
import time
import urllib.parse
from typing import NamedTuple, Optional

from countersign_client import Credential, read_challenge
from frames import PROTOCOL, TOKEN, Breach, derive, is_int, mac, open_frame, sign, to_text

CHALLENGE = "/v1/bridge/challenge"
SESSIONS = "/v1/bridge/sessions"
HELD_SECONDS = 25  # `waitMax` (§11)
TIMEOUT_SECONDS = HELD_SECONDS + 15
TRIES = 3  # unusable answers in a row before a session is given up (§9.5)


class Lost(Exception):
    """A request or its answer was lost, or the answer cannot be used (§9.2): the same frames go again."""


class Refused(Exception):
    """A status other than 200. Only a signed error that is bound to its own poll counts (§9.3)."""

    def __init__(self, status: int, error: dict, signed: bool):
        super().__init__(f"{status} {error.get('code')}, {'signed' if signed else 'unsigned'}")
        self.status, self.error, self.signed = status, error, signed
        self.code = error.get("code")


class Reply(NamedTuple):
    status: int
    headers: dict
    body: bytes


class Answer(NamedTuple):
    """A complete, valid answer: its frames as received, the new ones decoded, and its `polled`."""

    lines: list
    frames: list
    polled: dict


class Link:
    """Keep-alive connections to one instance, one for each request in flight."""

    def __init__(self, url: str):
        address = urllib.parse.urlsplit(url)
        self._address = (address.hostname, address.port)
        self._idle: list = []

    def post(self, path: str, body=b"", headers: Optional[dict] = None, timeout: float = TIMEOUT_SECONDS) -> Reply:
        """One request. Adds only a length to `headers`; sends an iterator as a chunked body."""
        connection = self._idle.pop() if self._idle else http.client.HTTPConnection(*self._address)
        try:
            connection.timeout = timeout
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            connection.request("POST", path, body, headers or {}, encode_chunked=not isinstance(body, bytes))
            response = connection.getresponse()
            reply = Reply(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Lost(repr(error)) from None
        self._idle.append(connection)
        return reply

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def read_unsigned(body: bytes) -> dict:
    """The body of §4.4, or None if the answer has another form."""
    try:
        return json.loads(body)
    except ValueError:
        return {}


def lines_of(body: bytes) -> list:
    """NDJSON: lines end with LF; one trailing LF is allowed, blank lines are not (§9.1)."""
    return (body[:-1] if body.endswith(b"\n") else body).split(b"\n")


class BridgeSession:
    """One session. `sent` and `received` are the last `seq` of each direction, `polls` the last poll number."""

    def __init__(self, link: Link, credential: Credential, token: str):
        self.link = link
        self.credential = credential
        self.token = token
        self.nonce = secrets.token_urlsafe(16)
        self.keys = derive(credential.secret, token, self.nonce)
        self.sent = 0
        self.received = 0
        self.polls = 0
        self.welcome: dict = {}
        self.frames: list = []  # every frame received, in order, each once
        self._lock = threading.Lock()

    # ── Handshake (§4) ──────────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def challenged(cls, link: Link, credential: Credential) -> "BridgeSession":
        reply = link.post(CHALLENGE)
        if reply.status != 200:
            raise Refused(reply.status, read_unsigned(reply.body), signed=False)
        return cls(link, credential, read_challenge(reply.body.decode()))

    @classmethod
    def open(cls, link: Link, credential: Credential, **members) -> "BridgeSession":
        session = cls.challenged(link, credential)
        session.authenticate(**members)
        return session

    def authenticate_message(self) -> dict:
        client_id, _, key_id = self.credential
        return {
            "type": "authenticate", "seq": 1, "protocol": PROTOCOL, "clientId": client_id,
            **({} if key_id is None else {"keyId": key_id}),
            "challengeToken": self.token, "challengeSignature": self.keys.challenge_signature, "clientNonce": self.nonce,
        }

    def authenticate(self, **members) -> dict:
        frame = sign(self.keys.client, to_text({**self.authenticate_message(), **members}))
        reply = self.link.post(SESSIONS, frame.encode())
        if reply.status != 201:
            raise Refused(reply.status, read_unsigned(reply.body), signed=False)
        return self.receive_welcome(reply.body)

    def receive_welcome(self, body: bytes) -> dict:
        """Verifies the gateway's proof (§4.5)."""
        (line,) = lines_of(body)
        welcome = open_frame(self.keys.server, line)
        client_id, _, key_id = self.credential
        expected = {"type": "welcome", "seq": 1, "re": 1, "protocol": PROTOCOL, "clientId": client_id}
        if key_id is not None:
            expected["keyId"] = key_id
        if any(welcome.get(name) != value for name, value in expected.items()):
            raise Breach("PROTOCOL_ERROR", "the welcome is for another client")
        self.welcome, self.sent, self.received = welcome, 1, 1
        return welcome

    # ── Exchange (§9) ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def path(self) -> str:
        return f"{SESSIONS}/{self.welcome['sessionId']}/exchange"

    def sign(self, message: dict) -> str:
        return sign(self.keys.client, to_text(message))

    def frame(self, kind: str, **members) -> str:
        """Signs the next message. Only these bytes may be sent with its `seq` (§9.4 b)."""
        with self._lock:
            self.sent += 1
            return self.sign({"type": kind, "seq": self.sent, **members})

    def poll_message(self, wait=0, ack: Optional[int] = None, poll: Optional[int] = None) -> dict:
        with self._lock:
            if poll is None:
                self.polls += 1
                poll = self.polls
            return {"type": "poll", "poll": poll, "ack": self.received if ack is None else ack, "wait": wait}

    def send(self, *lines: str, link: Optional[Link] = None, **options) -> Reply:
        """Posts signed lines as they are."""
        return (link or self.link).post(self.path, "\n".join(lines).encode(), **options)

    def exchange(self, *frames: str, wait=0, ack=None, poll=None, link: Optional[Link] = None) -> Answer:
        """One exchange. @throws Refused or Lost"""
        message = self.poll_message(wait, ack, poll)
        return self.read(self.send(*frames, self.sign(message), link=link), message["poll"])

    def read(self, reply: Reply, poll: int) -> Answer:
        if reply.status != 200:
            self._refuse(reply, poll)
        lines = lines_of(reply.body)
        try:
            polled = open_frame(self.keys.server, lines.pop())
            frames = [open_frame(self.keys.server, line) for line in lines]
        except Breach as error:
            raise Lost(str(error)) from None
        flags = (polled.get("more"), polled.get("superseded"))
        if (polled["type"], polled.get("re")) != ("polled", poll) or not all(isinstance(flag, bool) for flag in flags):
            raise Lost("no polled of this poll")
        if "seq" in polled:
            raise Breach("PROTOCOL_ERROR", "a polled has no seq")
        return Answer(lines, self._accept(frames), polled)

    def _accept(self, frames: list) -> list:
        """Drops known frames; a hole counts as a network failure (§9.4 e)."""
        seqs = [frame.get("seq") for frame in frames]
        if not all(is_int(seq, 1) for seq in seqs):
            raise Breach("PROTOCOL_ERROR", "seq is not an integer from 1")
        if any(after != before + 1 for before, after in zip(seqs, seqs[1:])):
            raise Breach("SEQUENCE_INVALID", f"{seqs}")
        with self._lock:
            if seqs and seqs[0] > self.received + 1:
                raise Lost(f"a hole before {seqs[0]}")
            new = [frame for frame in frames if frame["seq"] > self.received]
            self.frames += new
            self.received += len(new)
            return new

    def _refuse(self, reply: Reply, poll: int) -> None:
        try:
            (line,) = lines_of(reply.body)
            error = open_frame(self.keys.server, line)
        except (Breach, ValueError):
            raise Refused(reply.status, read_unsigned(reply.body), signed=False) from None
        if error["type"] != "error" or "seq" in error or error.get("poll", poll) != poll:
            raise Breach("PROTOCOL_ERROR", "a refusal that is not for this poll")
        raise Refused(reply.status, error, signed=True)

    # ── What an application uses ────────────────────────────────────────────────────────────────────────────────────

    def repeat(self, *frames: str, wait=0, link=None) -> Answer:
        """Sends lost frames again, byte for byte, with a new poll (§9.5)."""
        for attempt in range(TRIES):
            try:
                return self.exchange(*frames, wait=wait, link=link)
            except Lost:
                if attempt == TRIES - 1:
                    raise
        raise AssertionError

    def until(self, found, seconds: float = 10, start: int = 0) -> dict:
        """The first frame since `start` that matches; polls until it arrives."""
        deadline = time.monotonic() + seconds
        while True:
            for frame in self.frames[start:]:
                if found(frame):
                    return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not among {[frame['type'] for frame in self.frames[start:]]}")
            self.repeat(wait=min(left, HELD_SECONDS))

    def request(self, kind: str, **members) -> dict:
        """Sends one message; returns its answer, whichever exchange carries it."""
        start = len(self.frames)
        frame = self.frame(kind, **members)
        seq = self.sent
        self.repeat(frame)
        return self.until(lambda each: each.get("re") == seq, start=start)

    def heartbeat(self) -> dict:
        return self.request("heartbeat")

    def prove(self, challenge: dict) -> dict:
        """Answers a fresh challenge with the secret itself (§6.2)."""
        token = challenge.get("challengeToken")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise Breach("PROTOCOL_ERROR", "the challenge has no token to sign")
        proof = mac(self.credential.secret.encode("ascii"), token.encode("ascii")).hex()
        return self.request("challengeResponse", challengeToken=token, challengeSignature=proof)

"""A socket with the session that it opens."""
from __future__ import annotations

from collections.abc import Callable

from .encode import Encoded, Limits, encode_message
from .event_shapes import Welcome
from .session import Session
from .sockets import Socket


class Connection:
    """`on_sent` is called with each frame after it was sent."""

    def __init__(self, session: Session, on_sent: Callable[[str], None]) -> None:
        self.session = session
        self._on_sent = on_sent
        self._socket: Socket | None = None
        self.is_over = False
        """Whether the connection has ended. Its owner then ignores its frames."""
        self.welcome: Welcome | None = None
        self.limits = Limits()
        self.bye_seq: int | None = None
        """Set once `bye` was sent."""

    def attach(self, socket: Socket) -> None:
        """Sets the socket, which makes no calls before that."""
        self._socket = socket

    def open(self, welcome: Welcome) -> None:
        """The session was opened."""
        self.welcome = welcome
        self.limits = Limits.of(welcome.limits)

    def send(self, encoded: Encoded) -> int:
        """Signs and sends a message of the client's own. Returns its `seq`."""
        seq, frame = self.session.sign(encoded)
        self.send_frame(frame)
        return seq

    def send_request(self, encoded: Encoded) -> int:
        """Signs and sends a request. Returns its `seq`. Raises RequestError if its size exceeds a limit."""
        seq, frame = self.session.sign(encoded, self.limits)
        self.send_frame(frame)
        return seq

    def send_frame(self, frame: str) -> None:
        """Sends a signed frame."""
        if self._socket is not None:
            self._socket.send(frame)
        self._on_sent(frame)

    def end(self, code: int = 1000) -> None:
        """Sends queued messages, then closes the socket."""
        self.is_over = True
        if self._socket is not None:
            self._socket.close(code)

    def send_bye(self) -> None:
        """Sends `bye`. The answer ends the session."""
        if not self.is_over and self.bye_seq is None:
            self.bye_seq = self.send(encode_message("bye", {}))

    def end_with_bye(self) -> None:
        """Sends `bye`, then closes the socket."""
        self.send_bye()
        self.end()

    async def wait_closed(self, seconds: float) -> None:
        """Returns once the socket is closed, or after a time."""
        if self._socket is not None:
            await self._socket.wait_closed(seconds)

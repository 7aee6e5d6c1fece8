"""The WebSocket, by the library `websockets`, 10.4 or newer."""
from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import websockets
from websockets.exceptions import ConnectionClosed

from .errors import reason_of
from .network_causes import closed_of
from .signing import PROTOCOL
from .sockets import Closed
from .tasks import start

MAX_MESSAGE_BYTES = 2 * 2**20
"""Bytes of one received message: the largest configurable frame, and a list."""
MAX_QUEUED_FRAMES = 2048
"""Most frames waiting to be written. A gateway that does not read them is given up."""
OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0


class WebSocketTransport:
    """Opens a WebSocket and serves it until its end."""

    def __init__(
        self, url: str, on_message: Callable[[str], None], on_close: Callable[[Closed], None]
    ) -> None:
        self._url = url
        self._on_message = on_message
        self._on_close = on_close
        self._frames: deque[str] = deque()
        self._has_work = asyncio.Event()
        self._close_code: int | None = None
        self._is_open = False
        self._task = start(self._run())

    def send(self, text: str) -> None:
        """Queues one text message."""
        if len(self._frames) >= MAX_QUEUED_FRAMES:
            self._end(Closed(f"the gateway does not read: {MAX_QUEUED_FRAMES:,} frames wait"))
            self._task.cancel()
            return
        self._frames.append(text)
        self._has_work.set()

    def close(self, code: int = 1000) -> None:
        """Sends queued messages, then closes."""
        if self._close_code is not None:
            return
        self._close_code = code
        if self._is_open:
            self._has_work.set()
        else:
            self._task.cancel()

    async def wait_closed(self, seconds: float) -> None:
        """Returns once the socket is closed, or after a time."""
        await asyncio.wait({self._task}, timeout=seconds)

    def _end(self, closed: Closed) -> None:
        if self._close_code is None:
            self._close_code = 1006
            # The owner runs after this frame of the transport, never within one of its own calls.
            asyncio.get_running_loop().call_soon(self._on_close, closed)

    async def _run(self) -> None:
        try:
            # The protocol has its own heartbeats, and frames are too small for compression to pay off.
            socket = await websockets.connect(
                self._url,
                subprotocols=[websockets.Subprotocol(PROTOCOL)],
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                ping_interval=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=CLOSE_SECONDS,
            )
        except Exception as error:
            self._end(closed_of(error))
            return
        self._is_open = True
        writer = start(self._write(socket))
        try:
            self._end(await self._read(socket))
        finally:
            writer.cancel()
            await socket.close()

    async def _read(self, socket: Any) -> Closed:
        try:
            async for message in socket:
                if not isinstance(message, str):
                    return Closed("the gateway sent a binary message")
                if self._close_code is None:
                    self._on_message(message)
        except ConnectionClosed:
            pass
        except Exception as error:
            return Closed(f"the connection failed: {reason_of(error)}")
        code, reason = socket.close_code, socket.close_reason
        return Closed(f"the connection was closed: {code} {reason or ''}".rstrip())

    async def _write(self, socket: Any) -> None:
        try:
            while True:
                await self._has_work.wait()
                self._has_work.clear()
                while self._frames:
                    await socket.send(self._frames.popleft())
                if self._close_code is not None:
                    await socket.close(self._close_code if self._close_code != 1006 else 1000)
                    return
        except ConnectionClosed:
            pass
        except Exception as error:
            self._end(Closed(f"the connection failed: {reason_of(error)}"))
            await socket.close()

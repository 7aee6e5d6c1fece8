"""The WebSocket itself, and the causes of what fails, over a real loopback socket."""
from __future__ import annotations

import asyncio
import socket
import unittest
from collections.abc import Awaitable, Callable
from typing import Any

import websockets

from countersign import Client
from countersign.sockets import Closed
from countersign.transport import MAX_QUEUED_FRAMES, WebSocketTransport

LIMIT = 10


class TransportTest(unittest.IsolatedAsyncioTestCase):
    async def serve(self, handler: Callable[[Any], Awaitable[None]]) -> str:
        """A WebSocket server for one test."""

        async def serve(server_socket: Any, *_: Any) -> None:
            await handler(server_socket)

        server = await websockets.serve(serve, "127.0.0.1", 0, close_timeout=0.1)
        self.addAsyncCleanup(server.wait_closed)
        self.addCleanup(server.close)
        return f"ws://127.0.0.1:{list(server.sockets)[0].getsockname()[1]}/"

    async def end_of(self, url: str, act: Callable[[WebSocketTransport], None] = lambda _: None) -> Closed:
        """How a connection ended."""
        ended: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        transport = WebSocketTransport(url, lambda _: act(transport), ended.set_result)
        async with asyncio.timeout(LIMIT):
            return await ended

    async def test_messages_arrive_in_order_and_close_sends_what_is_queued(self) -> None:
        received: list[str] = []
        done = asyncio.Event()

        async def handler(server_socket: Any) -> None:
            await server_socket.send("hello")
            async for message in server_socket:
                received.append(message)
            done.set()

        url = await self.serve(handler)
        ended: list[Closed] = []

        def start(_: str) -> None:
            for number in range(100):
                transport.send(str(number))
            transport.close()

        transport = WebSocketTransport(url, start, ended.append)
        async with asyncio.timeout(LIMIT):
            await done.wait()
            await transport.wait_closed(LIMIT)
        self.assertEqual((received, ended), ([str(number) for number in range(100)], []))

    async def test_a_close_has_its_code_and_reason(self) -> None:
        async def handler(server_socket: Any) -> None:
            await server_socket.close(4503, "bye")

        closed = await self.end_of(await self.serve(handler))
        self.assertEqual(closed.reason, "the connection was closed: 4503 bye")

    async def test_a_binary_message_is_refused(self) -> None:
        async def handler(server_socket: Any) -> None:
            await server_socket.send(b"binary")
            await server_socket.wait_closed()

        closed = await self.end_of(await self.serve(handler))
        self.assertEqual(closed.reason, "the gateway sent a binary message")

    async def test_a_gateway_that_does_not_read_is_given_up(self) -> None:
        release = asyncio.Event()

        async def handler(server_socket: Any) -> None:
            await server_socket.send("hello")
            await release.wait()

        def flood(transport: WebSocketTransport) -> None:
            for _ in range(MAX_QUEUED_FRAMES + 1):
                transport.send("x")

        closed = await self.end_of(await self.serve(handler), flood)
        release.set()
        self.assertIn("the gateway does not read", closed.reason)

    async def test_causes_are_named(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            closed = await self.end_of(f"ws://{host}:{port}/")
            self.assertEqual(closed.reason, "the gateway cannot be reached: ECONNREFUSED")
        closed = await self.end_of("ws://no-such-host.invalid/")
        self.assertIn("the gateway cannot be reached: ENOTFOUND", closed.reason)

    async def test_a_refused_upgrade_has_its_status_and_retry_after(self) -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = b'{"code":"DRAINING","message":"stopping"}'
            head = f"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        self.addCleanup(server.close)
        closed = await self.end_of(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        self.assertRegex(closed.reason, r"^the gateway refused the connection: HTTP 503( DRAINING)?$")
        self.assertEqual(closed.retry_after, 7)

    async def test_a_client_reports_what_its_socket_reports(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"ws://127.0.0.1:{free.getsockname()[1]}/v1/ws"
        with self.assertLogs("countersign", "WARNING") as logged:
            async with Client(url, {"clientId": "a", "secret": "b"}) as client:
                self.assertEqual(client.state, "connecting")
        self.assertEqual(logged.output, ["WARNING:countersign:the gateway cannot be reached: ECONNREFUSED"])


if __name__ == "__main__":
    unittest.main()

"""A gateway for the tests: `node bin/countersign.mjs serve` with the embedded store, in a folder of its own."""
from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

COMMAND = pathlib.Path(__file__).parents[3] / "bin" / "countersign.mjs"
START_SECONDS = 120
"""The first start may have to build."""
CALL_SECONDS = 10
SETTINGS = {
    "COUNTERSIGN_LOG_LEVEL": "warn",
    "COUNTERSIGN_RATE_LIMIT": "off",
    "COUNTERSIGN_DRAIN_SECONDS": "0",
    "COUNTERSIGN_PRESENCE": "lobby*",
    "COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS": "2",
    "COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS": "13",
    "COUNTERSIGN_FRESH_CHALLENGE_SECONDS": "1",
}


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class RealGateway:
    """It keeps its port and its data over restarts."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="countersign-python-")
        self.port = free_port()
        self.http = f"http://127.0.0.1:{self.port}"
        self.url = f"ws://127.0.0.1:{self.port}/v1/ws"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once the gateway is ready."""
        data = pathlib.Path(self._folder.name) / "data"
        outside = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        self._log = open(pathlib.Path(self._folder.name) / "log", "ab")
        self._process = subprocess.Popen(
            ["node", str(COMMAND), "serve", "--host", "127.0.0.1", "--port", str(self.port)],
            env={**outside, **SETTINGS, "COUNTERSIGN_DATA_DIR": str(data)},
            cwd=self._folder.name,
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the gateway did not start:\n{self.log()}")
            time.sleep(0.05)
        self._token = (data / "admin.token").read_text().strip()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.http}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self) -> str:
        """What it has logged."""
        return (pathlib.Path(self._folder.name) / "log").read_text("utf-8", "replace")[-4000:]

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Ends the process, and waits for that."""
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.wait(30)
            self._process = None
            self._log.close()

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self.stop()
        self._folder.cleanup()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the HTTP API with the admin token. Returns its JSON."""
        request = urllib.request.Request(f"{self.http}/v1/{path}", method=method)
        request.add_header("authorization", f"Bearer {self._token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def new_client(self, **permissions: Any) -> dict[str, Any]:
        """Makes a client. Returns its credential."""
        made: dict[str, Any] = self.call("POST", "admin/clients", permissions)
        return {name: made[name] for name in ("clientId", "keyId", "secret")}

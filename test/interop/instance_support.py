"""What the tests of two instances need to control them.

INTEROP_URL and INTEROP_URL_2: the instances. INTEROP_CONTROL: `POST /<command>` there kills and starts processes (see
gateways.mjs). INTEROP_REDIS_PORT: a Redis that writes to disk only on SAVE.
"""
import http.client
import os
import random
import socket
import time
import urllib.parse
import urllib.request

from bridge_client import Reply
from support import LIMIT, URL

URLS = (URL, os.environ["INTEROP_URL_2"])
HELD = 20
PATIENCE = 30  # seconds for a session to continue after a process died


def control(what: str) -> None:
    request = urllib.request.Request(f"{os.environ['INTEROP_CONTROL']}/{what}", method="POST")
    urllib.request.urlopen(request, timeout=60).close()


def redis_command(line: str) -> str:
    with socket.create_connection(("127.0.0.1", int(os.environ["INTEROP_REDIS_PORT"])), timeout=LIMIT) as connection:
        connection.sendall(line.encode() + b"\r\n")
        return connection.recv(1000).decode()


def ready(url: str) -> int:
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=LIMIT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def until_ready(*urls: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not all(ready(url) == 200 for url in urls):
        if time.monotonic() > deadline:
            raise TimeoutError("not ready again")
        time.sleep(0.1)


class AnyLink:
    """A random instance for each request, as behind a load balancer without sticky sessions."""

    def __init__(self, links):
        self.links = links

    def post(self, *arguments, **options) -> Reply:
        return random.choice(self.links).post(*arguments, **options)

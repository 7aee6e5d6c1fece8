"""Why a connection could not be opened, in one line for people. The texts of libraries differ; causes must not."""
from __future__ import annotations

import errno
import json
import re
import socket
import ssl

from .errors import reason_of
from .sockets import Closed

_ERRNO = re.compile(r"\[Errno (\d+)\]")


def closed_of(error: BaseException) -> Closed:
    """Of an error of `websockets.connect`."""
    response = getattr(error, "response", None)
    # websockets 10.4 puts the status and the headers on the error itself.
    status = getattr(response, "status_code", None) or getattr(error, "status_code", None)
    if isinstance(status, int):
        headers = getattr(response, "headers", None) or getattr(error, "headers", {})
        code = _code_of(getattr(response, "body", None))
        return Closed(f"the gateway refused the connection: HTTP {status}{code}", _retry_after(headers))
    return Closed(f"the gateway cannot be reached: {_cause_of(error)}")


def _code_of(body: object) -> str:
    try:
        answer = json.loads(body) if isinstance(body, (bytes, bytearray)) else None
    except ValueError:
        return ""
    code = answer.get("code") if isinstance(answer, dict) else None
    return f" {code}" if isinstance(code, str) else ""


def _retry_after(headers: object) -> float:
    get = getattr(headers, "get", None)
    value = get("retry-after") if callable(get) else None
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d{1,6}", value) else 0.0


def _cause_of(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"ENOTFOUND ({error.strerror})"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or reason_of(error)}"
    if isinstance(error, TimeoutError):
        return "ETIMEDOUT"
    if isinstance(error, OSError):
        number = error.errno
        if number is None:
            # asyncio joins the errors of several addresses into one text.
            found = _ERRNO.search(str(error))
            number = int(found[1]) if found else None
        if number is not None and number in errno.errorcode:
            return errno.errorcode[number]
    return reason_of(error)

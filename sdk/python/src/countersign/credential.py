"""The credential of the application: a value, or a function that gets one, e.g. a ticket from a backend."""
from __future__ import annotations

import datetime
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .checks import IDENTIFIER, byte_length
from .errors import reason_of

_MAX_SECRET_BYTES = 64


@dataclass(frozen=True)
class Credential:
    """A key of a client, or a ticket. `secret`: the whole secret string, prefix included; never shown.

    `expires_at`: the end of a ticket, as Unix milliseconds or ISO 8601.
    """

    client_id: str
    secret: str = field(repr=False)
    key_id: str | None = None
    expires_at: int | str | None = None

    @property
    def ends_at(self) -> int | None:
        """Unix milliseconds; None for a credential that does not state its expiry."""
        if isinstance(self.expires_at, str):
            try:
                return round(datetime.datetime.fromisoformat(self.expires_at).timestamp() * 1000)
            except ValueError:
                return None
        return self.expires_at


CredentialValue = Credential | Mapping[str, Any]
"""A credential, or the JSON of one with `clientId`, `keyId`, `secret`, `expiresAt` (or these names in snake_case)."""
CredentialOption = CredentialValue | Callable[[], CredentialValue | Awaitable[CredentialValue]]


class NoCredential(Exception):
    """Why there is no credential. The message never contains a secret."""


def _get(value: Mapping[str, Any], camel: str, snake: str) -> Any:
    return value[camel] if camel in value else value.get(snake)


def checked(value: object) -> Credential:
    """Raises NoCredential that names the fault."""
    if isinstance(value, Credential):
        given = value
    elif isinstance(value, Mapping):
        client_id, secret = _get(value, "clientId", "client_id"), value.get("secret")
        if client_id is None or secret is None:
            code, message = value.get("code"), value.get("message")
            answer = f"; the answer was {code}: {message}" if isinstance(code, str) else ""
            raise NoCredential(f"no credential: it has no clientId and secret{answer}")
        key_id, expires_at = _get(value, "keyId", "key_id"), _get(value, "expiresAt", "expires_at")
        given = Credential(client_id, secret, key_id, expires_at)
    else:
        raise NoCredential(f"no credential: expected a Credential or a dict, not {type(value).__name__}")
    for name, text in (("clientId", given.client_id), ("keyId", given.key_id)):
        if name == "keyId" and text is None:
            continue
        if not isinstance(text, str) or IDENTIFIER.fullmatch(text) is None:
            raise NoCredential(f"the {name} of the credential is malformed")
    if not isinstance(given.secret, str) or not given.secret.isascii():
        raise NoCredential("the secret of the credential is malformed")
    if not 1 <= byte_length(given.secret) <= _MAX_SECRET_BYTES:
        raise NoCredential("the secret of the credential is malformed")
    return given


def fault_of(error: BaseException) -> NoCredential:
    """The cause for people. Names the HTTP status that urllib, requests, httpx or aiohttp reports."""
    if isinstance(error, NoCredential):
        return error
    response = getattr(error, "response", None)
    for holder, name in ((error, "code"), (error, "status"), (response, "status_code"), (response, "status")):
        status = getattr(holder, name, None)
        if isinstance(status, int) and 300 <= status <= 599:
            return NoCredential(f"{status} from the ticket endpoint")
    return NoCredential(f"no credential: {reason_of(error)}")


def is_async(function: Callable[[], object]) -> bool:
    """Whether a function is called on the loop; any other runs in a thread, because it may block."""
    call = getattr(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)

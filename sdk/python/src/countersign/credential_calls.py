"""Calls the application's credential function, bounded in time and in number."""
from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

from .credential import Credential, CredentialOption, NoCredential, checked, fault_of, is_async
from .errors import reason_of
from .tasks import start

MAX_HANGING = 4
"""Calls that have not returned after their timeout. Above this number an attempt fails without another call."""


class _Call:
    """One call of the function. It is in a thread while `in_thread`; a thread cannot be cancelled."""

    def __init__(self) -> None:
        self.in_thread = False
        self.is_late = False

    async def run(self, function: Callable[[], Any]) -> object:
        if is_async(function):
            return await function()
        self.in_thread = True
        value = await _in_thread(function)
        self.in_thread = False
        if self.is_late and inspect.iscoroutine(value):
            value.close()
            return None
        return await value if inspect.isawaitable(value) else value


class CredentialCalls:
    """Gets the credential for one attempt after another. A late result is ignored."""

    def __init__(self, option: CredentialOption, timeout: float) -> None:
        self._option = option
        self._timeout = timeout
        self._hanging = 0

    async def obtain(self) -> Credential:
        """Raises NoCredential that names the cause."""
        if not callable(self._option):
            return checked(self._option)
        if self._hanging >= MAX_HANGING:
            raise NoCredential(f"no credential: {MAX_HANGING} calls of the credential function have not returned")
        call = _Call()
        task = start(call.run(self._option))
        self._hanging += 1
        task.add_done_callback(self._returned)
        try:
            # `wait` neither waits for a function that ignores its cancellation, nor shares its errors.
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            call.is_late = not task.done()
            if not call.in_thread:
                task.cancel()
        if call.is_late:
            raise NoCredential(f"the credential did not arrive within {self._timeout:g} s (credential_timeout)")
        try:
            return checked(task.result())
        except asyncio.CancelledError:
            raise NoCredential("no credential: the function was cancelled") from None
        except Exception as error:
            raise fault_of(error) from None

    def _returned(self, task: asyncio.Future[Any]) -> None:
        self._hanging -= 1
        if not task.cancelled():
            task.exception()


async def _in_thread(function: Callable[[], Any]) -> object:
    """Like `asyncio.to_thread`, in a daemon thread: one that never returns does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[object] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: object, error: BaseException | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(value)
        else:
            result.set_exception(error)

    def run() -> None:
        value: object = None
        fault: BaseException | None = None
        try:
            value = context.run(function)
        except BaseException as error:
            # A future takes no StopIteration, and a SystemExit would end the loop instead of this attempt.
            is_plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
            fault = error if is_plain else RuntimeError(reason_of(error))
        try:
            loop.call_soon_threadsafe(settle, value, fault)
        except RuntimeError:
            pass  # The loop is closed, and with it all waiters.

    threading.Thread(target=run, name="countersign-credential", daemon=True).start()
    return await result

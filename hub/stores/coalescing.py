"""Request coalescing: what many callers ask for in one moment is read in one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")


class CoalescedReads(Generic[Value]):
    """What is asked for in one turn of the loop, and while another read is under way, is gathered
    and then read together.

    Promises: an answer is never older than its question. Who is cancelled harms nobody else. A
    read that fails has failed for everybody who waits at that moment, so that nobody waits longer
    than the store's own time limit.

    There is no task behind it: one of those who wait reads for all of them, then hands on.
    """

    def __init__(
        self,
        read: Callable[[list[str]], Awaitable[Mapping[str, Value]]],
        *,
        keys_at_once: int,
    ) -> None:
        self._read = read
        self._keys_at_once = keys_at_once
        self._reading = False
        self._waiting: dict[_Request[Value], None] = {}  # in the order they came

    async def get(self, keys: Collection[str]) -> Mapping[str, Value]:
        """What there is of ``keys``, and perhaps more. Raises what the read raises."""
        request: _Request[Value] = _Request(keys)
        if self._reading:
            self._waiting[request] = None
            found = await self._wait(request)
            if found is not None:
                return found
        self._reading = True
        return await self._read_for_all(request)

    async def _wait(self, request: "_Request[Value]") -> Mapping[str, Value] | None:
        """The answer, or None when it is up to this caller to read."""
        try:
            return await request.answer
        except asyncio.CancelledError:
            self._waiting.pop(request, None)
            if request.is_to_read():
                self._hand_on()
            raise

    async def _read_for_all(self, mine: "_Request[Value]") -> Mapping[str, Value]:
        others: list[_Request[Value]] = []
        try:
            await asyncio.sleep(0)  # who asks in the same turn of the loop is served along with it
            others, keys = self._next_batch(mine)
            found = await self._read(keys)
        except Exception as error:
            for request in (*others, *self._waiting):
                request.fail(error)
            self._waiting.clear()
            raise
        except BaseException:  # this caller was cancelled: another one reads for the rest
            self._waiting = dict.fromkeys(each for each in others if each.waits) | self._waiting
            raise
        finally:
            self._hand_on()
        for request in others:
            request.succeed(found)
        return found

    def _next_batch(self, mine: "_Request[Value]") -> "tuple[list[_Request[Value]], list[str]]":
        """Takes those who are served along with ``mine``, the first ones first, as long as there
        is room for more keys."""
        batch: list[_Request[Value]] = []
        keys = set(mine.keys)
        for request in self._waiting:
            if len(keys) >= self._keys_at_once:
                break
            batch.append(request)
            keys.update(request.keys)
        for request in batch:
            del self._waiting[request]
        return batch, list(keys)

    def _hand_on(self) -> None:
        """Lets the first one who still waits read next."""
        while self._waiting:
            first = next(iter(self._waiting))
            del self._waiting[first]
            if first.waits:
                first.succeed(None)
                return
        self._reading = False


class _Request(Generic[Value]):
    """What one caller waits for. ``answer``: what was found, or None for "read it yourself"."""

    __slots__ = ("answer", "keys")

    def __init__(self, keys: Collection[str]) -> None:
        self.keys = keys
        self.answer: asyncio.Future[Mapping[str, Value] | None] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def waits(self) -> bool:
        """Whether the caller has no answer and was not cancelled."""
        return not self.answer.done()

    def succeed(self, found: Mapping[str, Value] | None) -> None:
        if self.waits:
            self.answer.set_result(found)

    def fail(self, error: Exception) -> None:
        if self.waits:
            self.answer.set_exception(error)

    def is_to_read(self) -> bool:
        """Whether the caller was told to read itself."""
        if self.waits or self.answer.cancelled() or self.answer.exception() is not None:
            return False
        return self.answer.result() is None

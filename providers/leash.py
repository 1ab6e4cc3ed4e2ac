"""Ends answers that are under way when what they rest on has ended: a credential, its user, a provider.

The next call is refused by its admission. What was admitted before is looked at here, all together and once a second,
by each process for its own answers; so it does not matter in which process a right was taken away.
"""

import asyncio
import logging
import time

from django.db import connection

from accounts.authentication import renewed
from accounts.errors import AccountsError, CredentialChanged, NotAuthenticated, NotPermitted
from accounts.principal import Principal
from accounts.revocation import standing_of
from providers.errors import ProviderWithdrawn
from providers.models import Provider
from storage.periodic import Periodic

logger = logging.getLogger("gateway.calls")

_BETWEEN_LOOKS = 1.0  # seconds
_PATIENCE = 2.0  # seconds for telling the client; one that does not read is told nothing

_running: set["Leash"] = set()


class Leash:
    """What an answer hangs on, so that it can be ended from another thread.

    Parameters: principal, whose answer it is. `provider` and `model` are to be kept up to date by whoever holds the
    leash, and `waiting`: the task that waits for the vendor, while one does. Such a wait is cancelled, and the error is
    what it ended with.
    """

    __slots__ = ("_loop", "_task", "begun", "error", "model", "principal", "provider", "waiting")

    def __init__(self, principal: Principal) -> None:
        self.principal = principal
        self.provider = self.model = ""
        self.error: Exception | None = None  # with which it was ended
        self.begun = time.monotonic()
        self.waiting: asyncio.Task[object] | None = None
        self._task: asyncio.Task[object] | None = None
        self._loop = asyncio.get_running_loop()
        _running.add(self)
        watch.start()

    def begin_to_wait(self, task: "asyncio.Task[object] | None") -> None:
        """A task is about to wait for the vendor. Raises the error with which the answer was ended before."""
        if self.error is not None:
            raise self.error
        self.waiting = self._task = task

    def reason(self, failure: BaseException) -> BaseException:
        """Why a wait has failed: the error with which it was ended, if it was, and else the failure itself."""
        if self.error is None or not isinstance(failure, asyncio.CancelledError) or self._task is None:
            return failure
        self._task.uncancel()
        return self.error

    def pull(self, error: Exception) -> None:
        """Ends the answer with an error. To be called from another thread."""
        try:
            self._loop.call_soon_threadsafe(self._pull, error)
        except RuntimeError:  # the loop is closed, and with it the answer
            self.let_go()

    def let_go(self) -> None:
        """The answer is over. Harmless the second time."""
        _running.discard(self)

    def _pull(self, error: Exception) -> None:
        if self.error is not None or self not in _running:
            return
        self.error = error
        if self.waiting is not None:
            self.waiting.cancel()
        self._loop.call_later(_PATIENCE, self._tear)

    def _tear(self) -> None:
        """Cancels what is stuck in sending to a client who does not read."""
        if self in _running and self._task is not None:
            self._task.cancel()


def look() -> None:
    """Ends the answers whose right to go on has ended. Uses the ORM."""
    since = time.monotonic() - _BETWEEN_LOOKS
    leashes = [leash for leash in tuple(_running) if leash.begun < since and leash.error is None]
    if not leashes:
        return
    with connection.cursor() as cursor:
        standing = standing_of(cursor, {leash.principal for leash in leashes})
    enabled = set(Provider.objects.filter(enabled=True).values_list("name", flat=True))
    for leash in leashes:
        flaw = standing.flaw(leash.principal)
        if isinstance(flaw, CredentialChanged):
            flaw = _flaw_of_changed(leash)
        if flaw is not None:
            leash.pull(flaw)
        elif leash.provider and leash.provider not in enabled:
            leash.pull(ProviderWithdrawn(leash.provider))


def _flaw_of_changed(leash: Leash) -> AccountsError | None:
    """Why an answer may not go on whose credential has changed; None if it may, by what the credential is now."""
    try:
        leash.principal = renewed(leash.principal)
    except NotAuthenticated as error:
        return error
    if leash.provider and not leash.principal.may_use(leash.provider, leash.model):
        return NotPermitted("This credential is not good for this provider and model any more.")
    return None


watch = Periodic(
    "revocations", look, "The look for what was revoked", logger, first=_BETWEEN_LOOKS, between=_BETWEEN_LOOKS
)

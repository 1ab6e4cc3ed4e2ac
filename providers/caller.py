"""Who waits for the answer of a request, as far as the gateway must know: whether they are still there.

What serves a request puts its client here before the view runs; the gateway module tells it what goes on and asks it.
"""

from contextvars import ContextVar
from uuid import UUID

from accounts.calls import Hold
from providers.types import OnDisconnect


class Caller:
    """The one who waits for one request's answer. This one never leaves: so it is where nobody could notice.

    left: has gone before the end. call: the id of their call and of its user, once it is admitted. on_disconnect: what
    the provider that is being asked wants done when they leave; until one is asked, there is nothing to read on.
    """

    def __init__(self) -> None:
        self.left = False
        self.call: tuple[UUID, int] | None = None
        self.on_disconnect = OnDisconnect.CANCEL

    def admitted(self, hold: Hold) -> None:
        """Their call is open."""
        self.call = hold.call_id, hold.admission.principal.user_id

    def asks(self, on_disconnect: OnDisconnect) -> None:
        """A provider is about to be asked for them."""
        self.on_disconnect = on_disconnect


READ_ON_SECONDS = 120.0  # how long an answer is read on without its client, at most
READ_ON_BYTES = 32 * 1024 * 1024  # and how much of it
CLIENT_LEFT = "the client left"  # with this message it cancels what serves the client; servers cancel without
current: ContextVar[Caller | None] = ContextVar("caller", default=None)

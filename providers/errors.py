"""What can go wrong with a provider, for every adapter alike.

ProviderError
├── ProviderNotFound        no provider of that name
├── ModelNotFound           no provider serves that model
├── ProviderUnavailable     known, but disabled or without a key
│   └── ProviderWithdrawn   disabled or deleted while it answered
├── RequestNotPossible      the request cannot be sent to this provider as it is
└── UpstreamError           the vendor was asked, or the asking failed
    ├── NotSent             nothing reached the vendor, so asking again is safe
    │   ├── ConnectFailed
    │   ├── ConnectTimeout
    │   └── AddressRefused  the egress guard said no
    ├── NoAnswer            sent, and no answer came: asking again may be billed twice
    │   └── AnswerTimeout
    ├── StatusError         the vendor answered with an error status
    ├── BrokenAnswer        the answer was no answer: HTML, garbage, an error inside a 200
    └── Truncated           the answer ended before its end

The text of an UpstreamError is for the log. What the caller is told stands in web/problems.py and quotes nothing
that came from upstream.
"""


class ProviderError(Exception):
    """Base of all provider errors."""


class ProviderNotFound(ProviderError):
    """There is no provider of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Provider '{name}' not found. GET /api/providers lists those that exist.")


class ModelNotFound(ProviderError):
    """No provider serves that model."""

    def __init__(self, model: str) -> None:
        shown = model if len(model) <= 100 else f"{model[:100]}…"
        super().__init__(f"No provider serves the model '{shown}'. Write `provider/model`; GET /v1/models lists some.")


class ProviderUnavailable(ProviderError):
    """The provider exists and cannot be used now; the message says why and is safe to show."""


class ProviderWithdrawn(ProviderUnavailable):
    """The provider was disabled or deleted while it answered."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Provider '{name}' was disabled while this answer was on its way. What came so far is counted."
        )


class RequestNotPossible(ProviderError):
    """This provider cannot take the request; the message says what to change and is safe to show.

    `status` is the HTTP status that its vendor's own clients know for it.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class UpstreamError(ProviderError):
    """The vendor did not give a usable answer. `retryable`: another try cannot be billed twice."""

    retryable = False


class NotSent(UpstreamError):
    """Nothing was sent."""

    retryable = True


class ConnectFailed(NotSent):
    """No connection: refused, unknown host, TLS failure."""


class ConnectTimeout(NotSent):
    """No connection within the provider's connect timeout."""


class AddressRefused(NotSent):
    """The provider's host is, or resolves to, an address that the egress guard refuses."""

    retryable = False


class NoAnswer(UpstreamError):
    """The request was sent and the connection ended without an answer."""


class AnswerTimeout(NoAnswer):
    """The first byte, the next byte or the end did not come in time."""


class StatusError(UpstreamError):
    """The vendor answered with an error status.

    Parameters: status, the HTTP status; retry_after, the vendor's own wish in seconds or None.
    """

    def __init__(self, status: int, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"upstream status {status}{': ' if detail else ''}{detail}")
        self.status = status
        self.retry_after = retry_after
        self.retryable = status == 429 or status >= 500


class BrokenAnswer(UpstreamError):
    """The vendor's answer is not in its own wire format, or carries an error inside a success."""


class Truncated(UpstreamError):
    """The vendor's answer broke off before its end mark."""

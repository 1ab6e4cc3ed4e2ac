"""What a page of another site may send and read (CORS), header by header."""

from corsheaders.defaults import default_headers

# django-cors-headers knows no wildcards for request headers, so the vendors' SDKs are listed header by header. What is
# listed may be sent, and an SDK that sends anything else is refused by the browser; what goes on to a vendor is not
# decided here. tests/browser/test_sdks.py tries them out.
ALLOWED_HEADERS = (
    *default_headers,
    "x-api-key",
    "x-request-id",
    "idempotency-key",
    "anthropic-version",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-user-profile-id",
    "anthropic-workspace-id",
    "openai-organization",
    "openai-project",
    "openai-beta",
    "x-goog-api-key",
    "x-goog-api-client",
    "x-server-timeout",  # Gemini's
    "xi-api-key",
    "x-addis-client",
    *(
        f"x-stainless-{name}"  # OpenAI's and Anthropic's
        for name in (
            "lang",
            "package-version",
            "os",
            "arch",
            "runtime",
            "runtime-version",
            "retry-count",
            "timeout",
            "helper",
            "helper-method",
            "poll-helper",
            "custom-poll-interval",
        )
    ),
    # ElevenLabs'
    *(f"x-fern-{name}" for name in ("language", "sdk-name", "sdk-version", "runtime", "runtime-version", "platform")),
    # https://docs.fal.ai/documentation/model-apis/common-parameters
    *(
        f"x-fal-{name}"
        for name in (
            "target-url",
            "queue-priority",
            "runner-hint",
            "request-timeout",
            "object-lifecycle-preference",
            "object-lifecycle",
            "no-retry",
            "store-io",
        )
    ),
)
# What the SDKs act on in an answer (ids, when to try again and whether at all), and what a call has cost.
EXPOSED_HEADERS = (
    "x-request-id",
    "x-call-id",
    "x-upstream-request-id",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-fal-request-id",
    "x-fal-request-timeout-type",
    "x-fal-error-type",
    "x-fal-retryable",
    "x-fal-billable-units",
    "character-cost",
    "x-trace-id",
)

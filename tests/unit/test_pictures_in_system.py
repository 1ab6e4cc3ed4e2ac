"""A picture in a system message, to vendors whose instructions are words only."""

import pytest

from providers.adapters import addis_chat, gemini_content
from providers.conversation import GenerateRequest, Message, Picture, Text
from providers.errors import RequestNotPossible
from providers.types import Endpoint

SYSTEM = Message("system", (Text("Like this"), Picture("image/png", "iVBORw0KGgo=")))


@pytest.mark.parametrize("build", [gemini_content.body, addis_chat.chat_body])
def test_it_is_refused(build: object) -> None:
    assert callable(build)
    request = GenerateRequest((SYSTEM, Message("user", "Hello")), model="m")
    with pytest.raises(RequestNotPossible, match="takes only text in a system message"):
        build(Endpoint("vendor", "x", "https://a.example"), request)
    words = GenerateRequest((Message("system", (Text("Brief"),)), Message("user", "Hello")), model="m")
    assert "Brief" in repr(build(Endpoint("vendor", "x", "https://a.example"), words))

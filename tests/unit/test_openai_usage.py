"""What OpenAI reports of sound among its tokens."""

from typing import Any

import pytest

from providers.adapters.openai_usage import usage

CHAT = {"prompt_tokens": 40, "completion_tokens": 30}
SPOKEN: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "both ways": (
        CHAT
        | {
            "prompt_tokens_details": {"audio_tokens": 33, "cached_tokens": 0},
            "completion_tokens_details": {"audio_tokens": 21},
        },
        {"audio_input_tokens": 33.0, "audio_output_tokens": 21.0},
    ),
    "a transcription": (
        {"input_tokens": 40, "output_tokens": 30, "input_token_details": {"audio_tokens": 14, "text_tokens": 0}},
        {"audio_input_tokens": 14.0},
    ),
    "text only": (CHAT | {"prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 4}}, {}),
    "nonsense": (CHAT | {"prompt_tokens_details": {"audio_tokens": "many"}, "completion_tokens_details": []}, {}),
}


@pytest.mark.parametrize(("reported", "measures"), SPOKEN.values(), ids=SPOKEN)
def test_tokens_of_sound(reported: dict[str, Any], measures: dict[str, float]) -> None:
    found = usage(reported)
    assert found is not None
    assert (found.input, found.output, found.measures) == (40, 30, measures)

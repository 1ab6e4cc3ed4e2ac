"""POST /api/upload over real sockets: a form with pictures in, an answer out, and what is no such form."""

from typing import Any

import httpx
import pytest

from providers.api.chat_requests import LARGEST_PICTURE
from tests.addis_upstream import AddisUpstream, asked
from tests.api.apps import PNG, refused, upload
from tests.gateway import Gateway

JPEG = b"\xff\xd8\xff\xe0" + b"--not-a-boundary--\r\n" * 9


def test_pictures_arrive_as_they_were_sent(
    gateway: Gateway, user_token: str, vendor: str, addis: AddisUpstream
) -> None:
    pictures = [("image", ("a.txt", PNG, "text/plain")), ("image", ("b", JPEG))]
    answer = upload(gateway, user_token, {"message": "ምንድን ነው", "target_language": "AM", "provider": vendor}, pictures)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["content"] == "Answer to: ምንድን ነው"
    (sent,) = addis.calls
    names = ["attachment_0", "attachment_1"]
    assert asked(sent) == {
        "prompt": "ምንድን ነው",
        "target_language": "am",
        "generation_config": {"maxOutputTokens": 4096},
        "attachment_field_names": names,
    }
    assert set(sent.form) == {"request_data", *names}
    assert [sent.form[name] for name in names] == [PNG, JPEG]
    assert b'filename="attachment_0.png"\r\nContent-Type: image/png\r\n' in sent.body
    assert b'filename="attachment_1.jpg"\r\nContent-Type: image/jpeg\r\n' in sent.body


@pytest.mark.parametrize(
    ("data", "files", "word"),
    [
        ({"message": "x"}, [("other", ("a.png", PNG))], "image"),
        ({"message": "x", "image": "a picture"}, [("other", ("a.png", PNG))], "file"),
        ({}, [("image", ("a.png", PNG))], "message"),
        ({"message": " "}, [("image", ("a.png", PNG))], "message"),
        ({"message": "x"}, [("image", ("a.png", b"<svg/>", "image/png"))], "JPEG, PNG, WebP"),
        ({"message": "x"}, [("image", ("a.png", b""))], "JPEG, PNG, WebP"),
        ({"message": "x"}, [("image", ("a.webp", b"RIFF\0\0\0\0WAVE"))], "JPEG, PNG, WebP"),
        ({"message": "x"}, [("image", ("a.png", PNG)), ("image", ("b.png", b"no"))], "image"),
        ({"message": "x"}, [("image", ("a.png", PNG))] * 11, "10"),
        ({"message": "x"}, [("image", ("a.png", PNG))] * 101, "form"),
        ({"message": "x"}, [("image", ("a.png", PNG + bytes(LARGEST_PICTURE)))], str(LARGEST_PICTURE)),
        ({"message": "x", "target_language": "1"}, [("image", ("a.png", PNG))], "target_language"),
    ],
)
def test_uploads_that_make_no_sense(
    gateway: Gateway, user_token: str, vendor: str, addis: AddisUpstream, data: Any, files: Any, word: str
) -> None:
    refused(upload(gateway, user_token, {"provider": vendor, **data}, files), word)
    assert not addis.calls


_WHOLE = (
    b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nx\r\n'
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--b--\r\n'
)
_CUT_IN_THE_SECOND = _WHOLE[:-4] + _WHOLE[_WHOLE.rindex(b"\r\nContent-Disposition") : -20]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=b", _WHOLE, 200),
        ("multipart/form-data; boundary=b", _CUT_IN_THE_SECOND, 400),
        ("multipart/form-data; boundary=b", _WHOLE[:-20], 400),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"--b--", 400),
        ("multipart/form-data; boundary=b", b"{}", 400),
        ("multipart/form-data; boundary=c", _WHOLE, 400),
        ("multipart/form-data", _WHOLE, 400),
        ("multipart/form-data; boundary=\xff", _WHOLE, 400),
        ("multipart/form-data; boundary=b; charset=nonsense", _WHOLE, 200),
        ("multipart/mixed; boundary=b", _WHOLE, 400),
        ("application/json", b'{"message": "x"}', 400),
        ("", _WHOLE, 400),
    ],
)
def test_bodies_that_are_no_form(gateway: Gateway, user_token: str, kind: str, body: bytes, status: int) -> None:
    headers = {b"Authorization": f"Bearer {user_token}".encode(), b"Content-Type": kind.encode("latin-1")}
    body = body.replace(b"\r\n\r\nx\r\n", b'\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name="provider"'
                        b"\r\n\r\ndemo\r\n")  # fmt: skip
    answer = httpx.post(f"{gateway.url}/api/upload", content=body, headers=headers)
    if status == 200:
        assert answer.json()["data"]["content"] == "x [picture: image/png]"
    else:
        refused(answer, "")


def test_an_upload_larger_than_what_django_keeps_in_memory(
    gateway: Gateway, user_token: str, vendor: str, addis: AddisUpstream
) -> None:
    large = PNG + bytes(range(256)) * 30_000  # 7.7 MB
    answer = upload(gateway, user_token, {"message": "x", "provider": vendor}, [("image", ("a.png", large))])
    assert answer.status_code == 200, answer.text
    assert addis.calls[0].form["attachment_0"] == large

"""A right that is taken away: the next call is refused by every process, and what is running ends within 5 s."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.apps import PNG
from tests.conftest import PROVIDER_KEY
from tests.gateway import Gateway
from tests.serving import fresh, running
from tests.upstream import Upstream

_WITHIN = 5.0  # seconds, from the revocation to the end of the stream
_PASSWORD = "correct horse battery staple"


@dataclass
class Caller:
    """Somebody with a credential that will be taken away, and how: a piece of Python run in a third process."""

    name: str
    take_away: str
    code: str = "UNAUTHORIZED"
    next_status: int = 401
    path: str = "/api/generate"
    headers: dict[str, str] = field(default_factory=dict)
    provider: str = ""
    said: str = ""  # by the stream, to its end
    lasted: float = 0.0  # seconds from the revocation on

    @property
    def is_streamed(self) -> bool:
        return self.path != "/api/upload"

    @property
    def slow_model(self) -> str:
        """The model whose answer is not over by itself."""
        return "paced" if self.is_streamed else "hold-body"

    def request(self, *, model: str, stream: bool) -> dict[str, Any]:
        """What httpx is to send."""
        if not self.is_streamed:
            fields = {"message": "Hello", "provider": self.provider, "model": model}
            return {"data": fields, "files": {"image": ("a.png", PNG)}}
        return {"json": self._body(model, stream)}

    def _body(self, model: str, stream: bool) -> dict[str, object]:
        if self.path == "/api/generate":
            return {"prompt": "Hello", "provider": self.provider, "model": model, "stream": stream}
        messages = [{"role": "user", "content": "Hello"}]
        return {"messages": messages, "model": f"{self.provider}/{model}", "stream": stream}


_USER = "from accounts.models import User; u = User.objects.get(username={name!r}); "
_SIGN_IN = "from accounts.models import SignIn; SignIn.objects.filter(user__username={name!r}).end()"
_TOKEN = "from accounts.models import ApiToken; ApiToken.objects.get(user__username={name!r}).revoke()"
_ROTATE = (
    "from datetime import timedelta; from accounts.models import ApiToken;"
    " ApiToken.objects.get(user__username={name!r}).rotate(timedelta(0))"
)
_NARROW = (
    "from accounts.models import ApiToken; ApiToken.objects.get(user__username={name!r}).change(providers=['other'])"
)
_DISABLE = _USER + "u.is_active = False; u.save()"
_PROVIDER = "from providers.models import Provider; p = Provider.objects.get(name={provider!r}); "


def _cast() -> list[Caller]:
    return [
        Caller("token", _TOKEN),
        Caller("token-v1", _TOKEN, path="/v1/chat/completions"),
        Caller("user", _DISABLE),
        Caller("deleted-user", _USER + "u.api_tokens.all().delete()"),
        Caller("session", _SIGN_IN),
        Caller("session-password", _USER + "u.set_password('another one, as long'); u.save()"),
        Caller("jwt", _SIGN_IN),
        Caller("jwt-user", _DISABLE),
        Caller("pass", _TOKEN, path="/v1/chat/completions"),
        Caller("rotated", _ROTATE),
        Caller("rotated-pass", _ROTATE, path="/v1/chat/completions"),
        Caller("narrowed", _NARROW, "FORBIDDEN", 403),
        Caller("upload", _TOKEN, path="/api/upload"),
        Caller("provider", _PROVIDER + "p.enabled = False; p.save()", "PROVIDER_UNAVAILABLE", 503),
        Caller("provider-v1", _PROVIDER + "p.enabled = False; p.save()", "", 503, path="/v1/chat/completions"),
        Caller("provider-deleted", _PROVIDER + "p.delete()", "PROVIDER_UNAVAILABLE", 404),
    ]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Gateway]]:
    """Two servers on one database."""
    directory: Path = tmp_path_factory.mktemp("revoking") / "var"
    first = fresh(directory)
    second = Gateway(directory)
    with running(first, second):
        yield first, second


@pytest.fixture(scope="module")
def revoked(processes: tuple[Gateway, Gateway]) -> Iterator[dict[str, Caller]]:
    """All of the cast, after their streams have run, were cut, and have ended."""
    gateway, _ = processes
    upstream = Upstream().start()
    callers = _cast()
    staff = gateway.token("staff", staff=True)
    for caller in callers:
        _equip(gateway, caller, staff, upstream)
    with ThreadPoolExecutor(len(callers)) as threads:
        begun = [threads.submit(_listen, gateway, caller) for caller in callers]
        _wait_for_calls(gateway, len(callers))
        for caller in callers:  # both processes know them well
            for server in processes:
                assert _call(server, caller).status_code == 200, caller.name
        time.sleep(1.2)
        cut_at = time.monotonic()
        gateway.python("\n".join(_script(caller) for caller in callers))
        for caller, ended in zip(callers, begun, strict=True):
            caller.lasted = ended.result(30) - cut_at
    yield {caller.name: caller for caller in callers}
    upstream.stop()


def _script(caller: Caller) -> str:
    return caller.take_away.format(name=caller.name, provider=caller.provider)


def _equip(gateway: Gateway, caller: Caller, staff: str, upstream: Upstream) -> None:
    caller.provider = f"of-{caller.name}"
    provider = {"name": caller.provider, "type": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY}
    more = {"allow_private_network": True, "default_model": "m", "first_byte_timeout": 60, "gap_timeout": 60}
    assert gateway.call(staff, provider | more, "/api/providers").status_code == 201
    kind = caller.name.partition("-")[0]
    if kind in {"session", "jwt"}:
        make = "from accounts.models import User; User.objects.create_user({!r}, password={!r})"
        gateway.python(make.format(caller.name, _PASSWORD))
    if kind == "session":
        caller.headers = _session(gateway, caller.name)
    elif kind == "jwt":
        pair = httpx.post(f"{gateway.url}/api/auth/token", json={"username": caller.name, "password": _PASSWORD})
        caller.headers = {"Authorization": f"Bearer {pair.json()['access']}"}
    elif "pass" in caller.name.split("-"):
        made = gateway.call(gateway.token(caller.name), {"providers": [caller.provider]}, "/api/auth/browser-token")
        caller.headers = {"Authorization": f"Bearer {made.json()['data']['token']}"}
    else:
        caller.headers = {"Authorization": f"Bearer {gateway.token(caller.name)}"}


def _session(gateway: Gateway, name: str) -> dict[str, str]:
    """The headers of a browser in which somebody has signed in."""
    with httpx.Client(base_url=gateway.url) as browser:
        page = browser.get("/login")
        form = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        fields = {"username": name, "password": _PASSWORD, "csrfmiddlewaretoken": form}
        assert browser.post("/login", data=fields, headers={"Referer": gateway.url}).status_code == 302
        cookies = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
        return {"Cookie": cookies, "X-CSRFToken": browser.cookies["csrftoken"]}


def _call(gateway: Gateway, caller: Caller) -> httpx.Response:
    request = caller.request(model="m", stream=False)
    return httpx.post(gateway.url + caller.path, headers=caller.headers, timeout=30, **request)


def _listen(gateway: Gateway, caller: Caller) -> float:
    """Reads the caller's answer to its end; returns when that was."""
    request = caller.request(model=caller.slow_model, stream=True)
    with httpx.stream("POST", gateway.url + caller.path, headers=caller.headers, timeout=30, **request) as response:
        assert response.status_code == (200 if caller.is_streamed else 401), response.read()
        caller.said = "".join(response.iter_text())
    return time.monotonic()


def _wait_for_calls(gateway: Gateway, number: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if gateway.rows("SELECT count(*) FROM accounts_call WHERE state = 'open'") == [(number,)]:
            return
        time.sleep(0.05)
    raise AssertionError("the streams have not begun")


@pytest.mark.parametrize("name", [caller.name for caller in _cast() if caller.is_streamed])
def test_a_running_stream_ends_with_a_reason(revoked: dict[str, Caller], name: str) -> None:
    caller = revoked[name]
    assert caller.lasted < _WITHIN, caller.said
    assert "One" in caller.said
    assert "[DONE]" not in caller.said
    last = json.loads(caller.said.strip().split("\n\n")[-1].partition("data: ")[2])
    assert last["error"]["message"], last
    if caller.path == "/api/generate":
        assert last["error"]["code"] == caller.code


def test_an_upload_under_way_ends_as_refused(revoked: dict[str, Caller]) -> None:
    caller = revoked["upload"]
    assert 0 < caller.lasted < _WITHIN, caller.said
    assert json.loads(caller.said)["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("name", [caller.name for caller in _cast() if caller.name != "deleted-user"])
def test_its_call_is_settled_as_revoked(
    revoked: dict[str, Caller], processes: tuple[Gateway, Gateway], name: str
) -> None:
    one = revoked[name]
    query = (
        f"SELECT state, estimated FROM accounts_call WHERE provider = '{one.provider}' AND model = '{one.slow_model}'"
    )
    deadline = time.monotonic() + 5
    while (found := processes[0].rows(query))[0][0] == "open" and time.monotonic() < deadline:
        time.sleep(0.05)  # nobody waits for a settlement
    assert [(state, bool(estimated)) for state, estimated in found] == [("revoked", True)]


@pytest.mark.parametrize("process", [0, 1])
@pytest.mark.parametrize("name", [caller.name for caller in _cast()])
def test_every_process_refuses_the_next_call(
    revoked: dict[str, Caller], processes: tuple[Gateway, Gateway], name: str, process: int
) -> None:
    assert _call(processes[process], revoked[name]).status_code == revoked[name].next_status

"""What credentials are limited to: scopes, addresses, origins, and that no token reaches farther than its maker."""

import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts import authentication, issuing, passes, tokens
from accounts.errors import NotPermitted
from accounts.models import ApiToken, User
from accounts.principal import CredentialKind, Principal
from accounts.scopes import (
    ENDPOINTS,
    Scope,
    is_within,
    networks,
    validate_addresses,
    validate_endpoints,
    validate_names,
)
from accounts.token_forms import NewTokenForm, endpoint_choices

SCOPES = [
    # limits, provider, model, whether they permit it
    ({}, "any", "any", True),
    ({}, "any", "", True),
    ({"providers": ["a"]}, "a", "any", True),
    ({"providers": ["a"]}, "A", "any", False),
    ({"providers": ["a"]}, "ab", "any", False),
    ({"models": ["m"]}, "a", "m", True),
    ({"models": ["m"]}, "a", "m2", False),
    ({"models": ["m"]}, "a", "", False),
    ({"models": ["m*"]}, "a", "m2", True),
    ({"models": ["m*"]}, "a", "M2", False),
    ({"models": ["*"]}, "a", "anything", True),
    ({"models": ["m.*"]}, "a", "mx", False),
    ({"models": ["*m"]}, "a", "m", False),
    ({"providers": ["a"], "models": ["m"]}, "b", "m", False),
    ({"providers": ["a"], "models": ["m"]}, "a", "n", False),
]


@pytest.mark.parametrize(("limits", "provider", "model", "permitted"), SCOPES)
def test_providers_and_models(limits: dict[str, list[str]], provider: str, model: str, permitted: bool) -> None:
    scope = Scope.of(limits.get("providers", []), limits.get("models", []), [])
    assert scope.permits(provider, model) is permitted
    assert scope.limits is bool(limits)


def test_all_scopes_must_permit() -> None:
    scopes = (Scope.of(["a", "b"], [], ["chat"]), Scope.of(["b", "c"], [], ["chat", "usage"]))
    principal = Principal(1, "u", False, scopes=scopes)
    assert [principal.may_use(name, "m") for name in "abc"] == [False, True, False]
    assert [principal.may_call(name) for name in ("chat", "usage", None)] == [True, False, False]
    assert Principal(1, "u", False).may_call(None)


@pytest.mark.parametrize(
    ("address", "allowed", "within"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["::/0"], False),
        ("2001:db8::5", ["10.0.0.0/8", "2001:db8::/32"], True),
        ("10.0.0.1", [" 10.0.0.1 "], True),
        ("10.0.0.9", ["10.0.0.1/24"], True),
        ("", ["0.0.0.0/0"], False),
        ("unix:", ["0.0.0.0/0"], False),
        ("010.0.0.1", ["10.0.0.1"], False),
    ],
)
def test_addresses(address: str, allowed: list[str], within: bool) -> None:
    assert is_within(address, networks(allowed)) is within


@pytest.mark.parametrize(
    ("validate", "wrong"),
    [
        (validate_names, "a"),
        (validate_names, {"a": 1}),
        (validate_names, [1]),
        (validate_names, [" "]),
        (validate_names, ["a\n"]),
        (validate_names, ["x" * 201]),
        (validate_names, ["x"] * 201),
        (validate_endpoints, ["chats"]),
        (validate_endpoints, [["chat"]]),
        (validate_addresses, ["10.0.0.0/33"]),
        (validate_addresses, ["localhost"]),
    ],
)
def test_what_is_no_limit(validate: Any, wrong: Any) -> None:
    with pytest.raises(ValidationError):
        validate(wrong)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://Example.COM", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://example.com:08443", "https://example.com:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        (" https://example.com ", "https://example.com"),
    ],
)
def test_origins_as_browsers_send_them(written: str, normal: str) -> None:
    assert passes.normal_origin(written) == normal


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "null", "*", "example.com", "//example.com", "https://", "https://example.com/path", "https://a?b"),
        *("https://a#b", "https://user@a", "https://a:b@c", "https://a:99999", "https://a:", "https://bücher.example"),
        *("https://a b", "https://a\nb", "https://a,https://b", "https://[::1", "javascript:alert(1)"),
    ],
)
def test_what_is_no_origin(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        passes.normal_origin(wrong)


NOW = datetime.now(UTC)
LATER, LATEST = NOW + timedelta(hours=1), NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    ("caller", "token", "refused"),
    [
        ({}, {}, False),
        ({"expires_at": LATER.timestamp()}, {}, True),
        ({"expires_at": LATER.timestamp()}, {"expires_at": LATEST}, True),
        ({"expires_at": LATER.timestamp()}, {"expires_at": LATER}, False),
        ({"expires_at": LATER.timestamp(), "kind": CredentialKind.JWT}, {}, False),
        ({"kind": CredentialKind.SESSION}, {}, False),
        ({"addresses": ["10.0.0.0/8"]}, {}, True),
        ({"addresses": ["10.0.0.0/8"]}, {"addresses": ["10.1.0.0/16", "10.0.0.1"]}, False),
        ({"addresses": ["10.0.0.0/8"]}, {"addresses": ["10.1.0.0/16", "11.0.0.1"]}, True),
        ({"addresses": ["10.0.0.0/8"]}, {"addresses": ["10.0.0.0/7"]}, True),
        ({"addresses": ["10.0.0.0/8"]}, {"addresses": ["::ffff:10.0.0.0/104"]}, True),
        ({"addresses": ["10.0.0.0/8", "::1"]}, {"addresses": ["::1"]}, False),
        ({"addresses": ["::/0"]}, {"addresses": ["10.0.0.1"]}, True),
    ],
)
def test_no_token_reaches_farther_than_its_maker(caller: dict[str, Any], token: dict[str, Any], refused: bool) -> None:
    limits = {**caller, "addresses": networks(caller.get("addresses", []))}
    principal = Principal(1, "u", False, token_id=1, **limits)
    try:
        issuing._check_reach(principal, ApiToken(**token))
    except NotPermitted:
        assert refused
    else:
        assert not refused


def test_each_endpoint_has_its_words_and_passes_are_good_for_what_there_is() -> None:
    assert [name for name, _ in endpoint_choices()] == list(ENDPOINTS)
    assert all(str(said) != name for name, said in endpoint_choices())
    assert set(passes.USUAL_ENDPOINTS) < set(ENDPOINTS)
    assert passes.HANDING_OUT in ENDPOINTS


def test_a_form_takes_lines_and_commas(transactional_db: None) -> None:
    form = NewTokenForm(
        {"name": "a", "lasting": "", "addresses": " 10.0.0.1,10.0.0.2\r\n\r\n10.0.0.1 ", "models": "m*"}
    )
    assert form.is_valid(), form.errors
    assert form.cleaned_data["addresses"] == ["10.0.0.1", "10.0.0.2"]
    assert form.cleaned_data["models"] == ["m*"]
    assert form.has_limits()
    assert not NewTokenForm().has_limits()
    assert NewTokenForm({"name": "a", "addresses": "nowhere"}).errors.keys() == {"addresses"}
    assert NewTokenForm({"name": "a", "lasting": "36500"}).errors.keys() == {"lasting"}


def test_digests_are_compared_in_constant_time(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compared, compare = list[tuple[str, str]](), hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    row, clear = ApiToken.objects.issue(User.objects.create_user("somebody"), "a token")
    assert authentication._of_api_token(tokens.digest(clear)).token_id == row.pk
    assert compared == [(tokens.digest(clear), row.digest)]


def test_a_rotated_secret_ends_with_its_grace(transactional_db: None) -> None:
    row, old = ApiToken.objects.issue(User.objects.create_user("somebody"), "a token")
    caller = Principal(row.user.pk, "somebody", False, kind=CredentialKind.SESSION)
    row, new = issuing.rotate(caller, row, timedelta(seconds=60))
    found = authentication._of_api_token(tokens.digest(old))
    assert found.expires_at is not None
    assert 55 < found.expires_at - time.time() <= 60
    assert authentication._of_api_token(tokens.digest(new)).expires_at is None
    row, newest = issuing.rotate(caller, row, timedelta(0))
    assert ApiToken.objects.with_secret(tokens.digest(newest)).count() == 1
    assert not ApiToken.objects.with_secret(tokens.digest(new)).exists()
    assert not ApiToken.objects.with_secret(tokens.digest(old)).exists()

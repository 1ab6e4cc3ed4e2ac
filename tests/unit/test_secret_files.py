"""The process's own secrets: given, or made once for one machine; and the sentence for each that will not do."""

import os
import stat
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from proxyproject.secret_files import encryption_keys, secret_key
from tests.gateway import ROOT

GOOD_SECRET = "k3v9-Qx7Lw2ZpT8sYbN4mJ6hRfD1cGa5uEo0iX"
NAMES = ("SECRET_KEY", "SECRET_KEY_FILE", "GATEWAY_ENCRYPTION_KEYS", "GATEWAY_ENCRYPTION_KEYS_FILE")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    var_dir = tmp_path / "deep" / "var"
    key, keys = secret_key(var_dir, may_make=True), encryption_keys(var_dir, may_make=True)
    assert secret_key(var_dir, may_make=True) == key
    assert encryption_keys(var_dir, may_make=True) == keys
    assert len(key) >= 50
    (only,) = keys
    assert Fernet(only).decrypt(Fernet(only).encrypt(b"x")) == b"x"


def test_each_machine_has_its_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert secret_key(one, may_make=True) != secret_key(other, may_make=True)
    assert encryption_keys(one, may_make=True) != encryption_keys(other, may_make=True)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077], ids=oct)
def test_made_files_are_for_their_owner_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        secret_key(tmp_path, may_make=True)
        encryption_keys(tmp_path, may_make=True)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"secret_key": 0o600, "encryption_keys": 0o600}, "and no draft is left"


# Makes secrets in one directory after another, each at a moment that all makers agree on.
MAKER = """
import sys, time
from pathlib import Path
from proxyproject.secret_files import encryption_keys, secret_key

print("ready", flush=True)
start = float(sys.stdin.readline())
for turn in range(20):
    var_dir = Path(sys.argv[1], str(turn))
    time.sleep(max(0, start + turn * 0.03 - time.time() - 0.01))
    while time.time() < start + turn * 0.03:
        pass
    print(secret_key(var_dir, may_make=True), *encryption_keys(var_dir, may_make=True))
"""


def test_first_runs_at_once_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    makers = [
        subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)
    ]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    start = f"{time.time() + 0.1}\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write(start)
        maker.stdin.flush()
    told = {maker.communicate(timeout=20)[0] for maker in makers}
    assert len(told) == 1
    for turn, line in enumerate(told.pop().splitlines()):
        held = [(tmp_path / str(turn) / name).read_text(encoding="ascii") for name in ("secret_key", "encryption_keys")]
        assert line.split() == held
    assert [maker.returncode for maker in makers] == [0] * 4


def test_a_first_run_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    """In a container every first process has the same id, so a draft must not be named by that alone."""
    for name in ("secret_key", "encryption_keys"):
        (tmp_path / f".{name}.{os.getpid()}").write_text("half a sec", encoding="ascii")
    key, keys = secret_key(tmp_path, may_make=True), encryption_keys(tmp_path, may_make=True)
    assert (tmp_path / "secret_key").read_text(encoding="ascii") == key
    assert (tmp_path / "encryption_keys").read_text(encoding="ascii") == keys[0]
    assert len(list(tmp_path.iterdir())) == 4, "and no other draft is left"


def test_a_place_without_room_keeps_no_draft(tmp_path: Path) -> None:
    code = (
        "import resource; from pathlib import Path; from proxyproject.secret_files import secret_key;"
        "from django.core.exceptions import ImproperlyConfigured as Refused; import signal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try: secret_key(Path(%r), may_make=True)\n"
        "except Refused as refused: print(refused)"
    )
    command = [sys.executable, "-B", "-c", code % str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"VAR_DIR={str(tmp_path)!r} cannot be written (File too large)" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["secret_key", "encryption_keys"])
@pytest.mark.parametrize("held", [b"\xff\xfek\x003\x00", b"caf\xe9" * 20, bytes(range(256))])
def test_a_file_that_is_no_text_is_refused_with_what_to_do(tmp_path: Path, name: str, held: bytes) -> None:
    (tmp_path / name).write_bytes(held)
    with pytest.raises(ImproperlyConfigured) as refused:
        {"secret_key": secret_key, "encryption_keys": encryption_keys}[name](tmp_path, may_make=True)
    told = str(refused.value)
    assert told.startswith(repr(str(tmp_path / name)))
    assert "backup" in told
    assert told.endswith(".")
    assert (tmp_path / name).read_bytes() == held


@pytest.mark.parametrize("name", ["secret_key", "encryption_keys"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ImproperlyConfigured) as refused:
        {"secret_key": secret_key, "encryption_keys": encryption_keys}[name](tmp_path, may_make=True)
    assert str(refused.value).startswith(f"{str(tmp_path / name)!r} cannot be read (Is a directory)")


def test_a_secret_key_in_a_file_may_be_any_text(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text(f"ሰላም {GOOD_SECRET}\n", encoding="utf-8")
    assert secret_key(tmp_path, may_make=True) == f"ሰላም {GOOD_SECRET}"


def test_what_is_given_wins_and_nothing_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    newest, older = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("SECRET_KEY", GOOD_SECRET)
    monkeypatch.setenv("GATEWAY_ENCRYPTION_KEYS", f" {newest} ,{older}, ")
    for may_make in (True, False):
        assert secret_key(tmp_path, may_make=may_make) == GOOD_SECRET
        assert encryption_keys(tmp_path, may_make=may_make) == [newest, older]
    assert list(tmp_path.iterdir()) == []


def test_given_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    for name, value in (("SECRET_KEY", GOOD_SECRET), ("GATEWAY_ENCRYPTION_KEYS", key)):
        (tmp_path / name).write_text(value + "\n", encoding="ascii")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    assert secret_key(tmp_path / "var", may_make=False) == GOOD_SECRET
    assert encryption_keys(tmp_path / "var", may_make=False) == [key]
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("k3v9-Qx7", id="short"),
        pytest.param(GOOD_SECRET[:31], id="short-by-one"),
        pytest.param("a" * 64, id="one-letter"),
        pytest.param("abc" * 20, id="three-letters"),
        pytest.param("django-insecure-" + GOOD_SECRET, id="django-insecure"),
        pytest.param("changeme-" + GOOD_SECRET, id="changeme"),
        pytest.param(GOOD_SECRET + "CHANGE-ME", id="change-me-upper-case"),
        pytest.param("my-secret-key-for-production-2026!!", id="secret"),
        pytest.param("your-key-goes-here-0123456789-abcdef", id="your"),
        pytest.param("example-0123456789-abcdefghijklmnop", id="example"),
        pytest.param("Password-0123456789-abcdefghijklmnop", id="password"),
    ],
)
def test_a_weak_secret_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    monkeypatch.setenv("SECRET_KEY", value)
    for may_make in (True, False):
        with pytest.raises(ImproperlyConfigured) as refused:
            secret_key(tmp_path, may_make=may_make)
        assert "SECRET_KEY is too short or too well known" in str(refused.value)
        assert value not in str(refused.value), "a log is no place for a secret, not even a weak one"


def test_a_weak_secret_key_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("changeme", encoding="ascii")
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        secret_key(tmp_path, may_make=True)


GOOD_KEY = Fernet.generate_key().decode()


@pytest.mark.parametrize(
    ("value", "position"),
    [
        pytest.param("x", 1, id="a-letter"),
        pytest.param("not a key at all", 1, id="words"),
        pytest.param(GOOD_KEY[:-4], 1, id="cut"),
        pytest.param("é" * 44, 1, id="not-ascii"),
        pytest.param(urlsafe_b64encode(b"k" * 16).decode(), 1, id="half-the-bytes"),
        pytest.param(urlsafe_b64encode(bytes(32)).decode(), 1, id="zeros"),
        pytest.param(urlsafe_b64encode(b"kkk" * 10 + b"kk").decode(), 1, id="one-letter"),
        pytest.param(f"{GOOD_KEY},nonsense", 2, id="the-second"),
        pytest.param("A" + GOOD_KEY, 1, id="shifted"),
        pytest.param(GOOD_KEY + GOOD_KEY, 1, id="two-without-a-comma"),
        pytest.param(GOOD_KEY + "x", 1, id="a-letter-after-the-end"),
        pytest.param(f"{GOOD_KEY} {GOOD_KEY}", 1, id="two-with-a-blank"),
    ],
)
def test_a_malformed_encryption_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, position: int
) -> None:
    monkeypatch.setenv("GATEWAY_ENCRYPTION_KEYS", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        encryption_keys(tmp_path, may_make=False)
    assert f"GATEWAY_ENCRYPTION_KEYS: key {position} is " in str(refused.value)
    assert GOOD_KEY not in str(refused.value)


READERS: dict[str, Callable[..., str | list[str]]] = {
    "SECRET_KEY": secret_key,
    "GATEWAY_ENCRYPTION_KEYS": encryption_keys,
}


@pytest.mark.parametrize("name", READERS)
def test_with_a_shared_database_secrets_must_be_given(tmp_path: Path, name: str) -> None:
    READERS[name](tmp_path, may_make=True)
    with pytest.raises(ImproperlyConfigured) as refused:
        READERS[name](tmp_path, may_make=False)
    assert f"{name} is not set" in str(refused.value)


@pytest.mark.parametrize("below", ["file", "file/var", "file/deep/var"])
def test_a_place_that_cannot_be_written(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    for read in READERS.values():
        with pytest.raises(ImproperlyConfigured) as refused:
            read(tmp_path / below, may_make=True)
        assert f"VAR_DIR={str(tmp_path / below)!r} cannot be written" in str(refused.value)


@pytest.mark.parametrize("name", READERS)
def test_the_sentence_shows_a_command_that_works(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        READERS[name](tmp_path, may_make=False)
    command = str(refused.value).partition(f"{name}=$(")[2].rpartition(")")[0]
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(name, made)
        assert made in READERS[name](tmp_path, may_make=False)

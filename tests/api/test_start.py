"""Starting: how fast, what a newcomer is told, and a plain sentence for whatever stands in the way."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.gateway import ROOT, Gateway, free_port


def serve(tmp_path: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`manage.py serve` with settings that must keep it from starting."""
    environment = Gateway(tmp_path / "var").environment | settings
    command = [sys.executable, "manage.py", "serve", "--setup", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)


def seconds_to_status(server: Gateway) -> float:
    started = time.monotonic()
    server.start()
    return time.monotonic() - started


def test_first_and_second_start(tmp_path: Path) -> None:
    server = Gateway(tmp_path / "var")
    try:
        first = seconds_to_status(server)
        told = server.log()
        token = re.search(r"API token +(agw_\w+)", told)
        password = re.search(r"user: admin +password: (\S+)", told)
        curl = re.search(r"^  (curl .*)$", told, re.MULTILINE)
        assert token and password and curl
        pasted = subprocess.run([*shlex.split(curl[1]), "-s"], capture_output=True, text=True, check=True)
        assert '"content":"Hello, gateway"' in pasted.stdout
        with httpx.Client(base_url=server.url) as client:
            page = client.get("/admin/login/")
            form = {"username": "admin", "password": password[1], "csrfmiddlewaretoken": client.cookies["csrftoken"]}
            assert client.post(page.url.path, data=form).status_code == 302
            assert client.get("/admin/").status_code == 200
        for name in ("secret_key", "encryption_keys"):
            assert (server.var_dir / name).stat().st_mode & 0o777 == 0o600
    finally:
        server.stop()
    second = seconds_to_status(server)
    try:
        assert server.call(token[1], {"prompt": "still here"}).status_code == 200
        assert server.log().count("API token") == 1, "shown once"
    finally:
        server.stop()
    assert first < 6
    assert second < 3


def test_shared_database_needs_its_secrets_given(tmp_path: Path) -> None:
    done = serve(tmp_path, DATABASE_URL="postgresql://user:pass@db.example.com/gateway")
    assert done.returncode == 1
    assert done.stderr.startswith("error: SECRET_KEY is not set. With DATABASE_URL set it must be given")
    assert "SECRET_KEY=$(python3 -c" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_port_is_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        done = serve(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is in use. Choose another: make run PORT={port + 1}." in done.stderr
    assert "Traceback" not in done.stderr


def test_var_dir_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = serve(tmp_path, VAR_DIR=str(file / "var"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: VAR_DIR='{file}/var' cannot be written")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DEBUG", "perhaps", "DEBUG='perhaps' is neither yes nor no"),
        ("PORT", "eighty", "PORT='eighty' is not a whole number"),
        ("PORT", "70000", "PORT='70000' is not a whole number of at least 1 and at most 65535"),
        ("DATABASE_URL", "mysql://u:p@h/n", "DATABASE_URL must name a PostgreSQL or SQLite database"),
        ("SECRET_KEY", "changeme", "SECRET_KEY is too short or too well known"),
        ("GATEWAY_ENCRYPTION_KEYS", "short", "GATEWAY_ENCRYPTION_KEYS: key 1 is no Fernet key"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, name: str, value: str, told: str) -> None:
    given = {
        "SECRET_KEY": "k3" * 5 + os.urandom(20).hex(),
        "GATEWAY_ENCRYPTION_KEYS": "qfLw7k0dJw3m2mZ0b5N3m1pQe8aYx4tRk9uVh6sCg1Y=",
    }
    done = serve(tmp_path, **(given | {name: value}))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {told}")
    assert "Traceback" not in done.stderr


def test_an_old_python_is_told_so() -> None:
    """This interpreter, made to say that it is an old one: not every machine has one that is."""
    pretend = "import runpy, sys; sys.version_info = (3, 10, 13, 'final', 0); runpy.run_path('manage.py')"
    done = subprocess.run([sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: Python 3.11 or newer is needed; this is Python 3.10.\n")


def test_issue_token_prints_a_token_and_nothing_else(gateway: Gateway) -> None:
    printed = gateway.manage("issue_token", "newcomer", "--create")
    assert re.fullmatch(r"agw_\w{46}\n", printed)
    with pytest.raises(RuntimeError, match=r"There is no user .nobody.\. Add --create to make one"):
        gateway.manage("issue_token", "nobody")


def test_bootstrap_is_harmless_the_second_time(gateway: Gateway) -> None:
    before = gateway.rows("select count(*) from accounts_user")
    assert "nothing was made" in gateway.manage("bootstrap")
    assert gateway.rows("select count(*) from accounts_user") == before


def test_other_servers_can_load_the_application(tmp_path: Path) -> None:
    """They import it by name, before anybody has said which settings there are."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import proxyproject.asgi"],
        cwd=ROOT,
        env=environment | {"VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr

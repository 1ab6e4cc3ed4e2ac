"""The project's settings for tests inside the process: the same, but nothing of a real installation is touched."""

import os
import tempfile
from importlib import import_module

os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="gateway-tests-")
for _name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "GATEWAY_ENCRYPTION_KEYS", "HOST", "PORT", "DEBUG"):
    os.environ.pop(_name, None)

_project = import_module("proxyproject.settings")  # reads the environment that was prepared above

globals().update({name: getattr(_project, name) for name in dir(_project) if name.isupper()})
if _url := os.environ.get("TEST_DATABASE_URL"):  # its test database is made beside it, and dropped at the end
    _databases = import_module("proxyproject.databases")
    DATABASES = {"default": _databases.database_settings(_url, _project.VAR_DIR)}
else:
    # A file, not memory: the ledger's writer and the reading thread have connections of their own.
    DATABASES = {"default": {**_project.DATABASES["default"], "TEST": {"NAME": str(_project.VAR_DIR / "test.sqlite3")}}}

"""`manage.py check --deploy` under the settings of a production server, warnings counted as failures.

python -m checks.deployment
"""

import base64
import os
import secrets
import subprocess
import sys
import tempfile


def main() -> int:
    with tempfile.TemporaryDirectory() as var_dir:
        environment = {
            **os.environ,
            "VAR_DIR": var_dir,
            "HOST": "gateway.example.com",
            "ALLOWED_HOSTS": "gateway.example.com",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "GATEWAY_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        }
        command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

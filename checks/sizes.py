"""Fails when a source file or a function has outgrown its limit: then a noun is missing. There is no way to excuse one.

python -m checks.sizes
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST_FILE = 300  # lines
LONGEST_FUNCTION = 50  # lines
_COUNTED = {".py", ".js", ".css", ".html"}
_NOT_OURS = ("/migrations/", "/vendor/")


def tracked_files() -> list[Path]:
    """The files of the project, as git sees them: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    return [Path(name) for name in listed.stdout.splitlines() if Path(name).is_file()]


def complaints(path: Path) -> Iterator[str]:
    """What is too long in one file."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{path}: {lines} lines, {LONGEST_FILE} at most"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, {LONGEST_FUNCTION} at most"


def main() -> int:
    files = [p for p in tracked_files() if p.suffix in _COUNTED and not any(part in f"/{p}" for part in _NOT_OURS)]
    found = [complaint for path in files for complaint in complaints(path)]
    print("\n".join(found) or f"{len(files)} files within {LONGEST_FILE} lines, functions within {LONGEST_FUNCTION}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

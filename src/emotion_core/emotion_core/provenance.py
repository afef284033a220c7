"""What made a figure: commit and versions."""

import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def commit() -> str:
    """Give the commit of this code, with '-dirty' when it was changed since; '' outside a checkout."""
    try:
        return subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'],
            cwd=Path(__file__).resolve().parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ''


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Give the versions of Python and of those of these libraries that are installed under that name."""
    found = {'python': platform.python_version()}
    for name in libraries:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # the distribution's own, under another name
            continue
    return found

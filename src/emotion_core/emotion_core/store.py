"""Where models live: bundled with the packages, fetched into the user's store, or any folder."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module, util
from pathlib import Path

import requests

from emotion_core.errors import ModelError
from emotion_core.model_card import CARD_FILE, MODEL_FILE, ImageInput, ModelCard, sha256_of

BUNDLING_PACKAGES = ('emotion_face', 'emotion_speech')
CHUNK = 1 << 16  # bytes
TIMEOUT_S = 10.0  # to connect, and between two chunks


@dataclass(frozen=True)
class Fetchable:
    """A public model that ``fetch`` knows."""

    url: str
    card: ModelCard


FETCHABLE = {
    'yunet': Fetchable(
        url='https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx',
        card=ModelCard(
            name='yunet',
            task='face_detection',
            input=ImageInput(width=0, height=0, color='bgr'),  # any size
            sha256='8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4',
            labels=('face',),
            description='YuNet face detector with five landmarks, from opencv_zoo',
            licence='MIT',
        ),
    )
}


def default_root() -> Path:
    """Give the user's store: $EMOTION_MODELS, or ~/.cache/emotion_ros/models."""
    configured = os.environ.get('EMOTION_MODELS')
    if configured:
        return Path(configured).expanduser()
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(cache).expanduser() / 'emotion_ros' / 'models'


def bundled_folders() -> list[Path]:
    """Give the ``models`` folders inside the packages that ship weights."""
    found = (util.find_spec(package) for package in BUNDLING_PACKAGES)
    return [Path(import_module(spec.name).__file__).parent / 'models' for spec in found if spec is not None]


class ModelStore:
    """Finds models by name; fetched ones hide bundled ones of the same name."""

    def __init__(self, root: Path | None = None, bundled: Sequence[Path] | None = None):
        """
        Look in these folders.

        :param root: The user's store; by default ``default_root()``.
        :param bundled: Folders with shipped models; by default ``bundled_folders()``.
        """
        self.root = default_root() if root is None else Path(root)
        self._bundled = bundled_folders() if bundled is None else list(bundled)

    def find(self, name: str) -> Path:
        """
        Give the folder of a model.

        :param name: A model's name, or a path to its folder.
        :raises ModelError: when there is none, naming those there are.
        """
        if os.sep in name:
            folder = Path(name).expanduser()
            ModelCard.load(folder)
            return folder
        for parent in (self.root, *self._bundled):
            if name and (parent / name / CARD_FILE).is_file():
                return parent / name
        known = ', '.join(sorted(self.list())) or 'none'
        hint = f' (`./emotion models fetch {name}` gets it)' if name in FETCHABLE else ''
        raise ModelError(f"no model '{name}'{hint}; there are: {known}")

    def list(self) -> dict[str, Path]:
        """Give all models by name; a folder with a damaged card is listed too, and fails in ``verify``."""
        found: dict[str, Path] = {}
        for parent in (*reversed(self._bundled), self.root):
            if parent.is_dir():
                found |= {card.parent.name: card.parent for card in sorted(parent.glob(f'*/{CARD_FILE}'))}
        return found

    def verify(self, name: str) -> ModelCard:
        """
        Check that a model's file is the one that its card describes.

        :raises ModelError: when it is not.
        """
        folder = self.find(name)
        card = ModelCard.load(folder)
        path = folder / MODEL_FILE
        if not path.is_file():
            raise ModelError(f"model '{name}': '{path}' is missing")
        digest = sha256_of(path)
        if digest != card.sha256:
            raise ModelError(f"model '{name}': '{path}' has sha256 {digest[:16]}…, its card says {card.sha256[:16]}…")
        return card

    def fetch(
        self, name: str, file: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Path:
        """
        Bring a public model into the store; the store is left as it was when that fails.

        :param name: One of FETCHABLE.
        :param file: A copy that was already downloaded, instead of the network.
        :param progress: Called with bytes so far and in all (0: unknown).
        :return: The model's folder.
        :raises ModelError: for an unknown name, no network, or a file with another hash.
        """
        if name not in FETCHABLE:
            raise ModelError(f"no model '{name}' to fetch; there are: {', '.join(sorted(FETCHABLE))}")
        try:
            return self._fetch(name, FETCHABLE[name], file, progress)
        except OSError as error:
            raise ModelError(f"cannot write to the store '{self.root}': {error.strerror}") from error

    def _fetch(self, name: str, wanted: Fetchable, file: Path | None, progress: Callable[[int, int], None]) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        partial = self.root / f'{name}.partial'
        if file is not None:
            if not Path(file).is_file():
                raise ModelError(f"there is no file '{file}'")
            shutil.copyfile(file, partial)
        else:
            _download(wanted.url, partial, progress)
        digest = sha256_of(partial)
        if digest != wanted.card.sha256:
            partial.unlink()
            raise ModelError(
                f"'{file or wanted.url}' has sha256 {digest[:16]}…, not the expected {wanted.card.sha256[:16]}…: "
                'it was not put into the store'
            )
        with tempfile.TemporaryDirectory(dir=self.root, prefix='.new-') as new:
            folder = Path(new) / name
            folder.mkdir()
            partial.rename(folder / MODEL_FILE)
            replace(wanted.card, training={'source': wanted.url}).save(folder)
            shutil.rmtree(self.root / name, ignore_errors=True)
            folder.rename(self.root / name)
        return self.root / name


def _download(url: str, partial: Path, progress: Callable[[int, int], None]) -> None:
    """Download to ``partial``, going on where an earlier try stopped."""
    have = partial.stat().st_size if partial.exists() else 0
    try:
        with requests.get(
            url, stream=True, timeout=TIMEOUT_S, headers={'Range': f'bytes={have}-'} if have else {}
        ) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # it was complete already
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            have = have if resumed else 0
            total = have + int(response.headers.get('Content-Length', 0))
            with open(partial, 'ab' if resumed else 'wb') as out:
                for chunk in response.iter_content(CHUNK):
                    out.write(chunk)
                    have += len(chunk)
                    progress(have, total)
    except requests.RequestException as error:
        raise ModelError(
            f'cannot download {url} ({type(error).__name__}): is there a network? The models that are there stay in use'
        ) from error

"""Where models live: bundled with the packages, fetched into the user's store, or any folder."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import requests

from emotion_core.errors import ModelError
from emotion_core.model_card import CARD_FILE, MODEL_FILE, ImageInput, ModelCard, sha256_of

if TYPE_CHECKING:
    from emotion_core.onnx_model import OnnxModel

BUNDLING_PACKAGES = ('emotion_face', 'emotion_speech')
CHUNK = 1 << 16  # bytes
TIMEOUT_S = 10.0  # to connect, and between two chunks
NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]*')
ZOO = 'https://github.com/opencv/opencv_zoo/raw/main/models'


@dataclass(frozen=True)
class Fetchable:
    """A public model that ``fetch`` knows."""

    url: str
    card: ModelCard


FETCHABLE = {
    'yunet': Fetchable(
        url=f'{ZOO}/face_detection_yunet/face_detection_yunet_2023mar.onnx',
        card=ModelCard(
            name='yunet',
            task='face_detection',
            input=ImageInput(width=0, height=0, color='bgr'),  # any size
            sha256='8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4',
            labels=('face',),
            description='YuNet face detector with five landmarks, from opencv_zoo',
            licence='MIT',
        ),
    ),
    'fer_mobilefacenet': Fetchable(
        url=f'{ZOO}/facial_expression_recognition/facial_expression_recognition_mobilefacenet_2022july.onnx',
        card=ModelCard(
            name='fer_mobilefacenet',
            task='fer',
            # Preprocessing and labels: facial_fer_model.py beside the file.
            input=ImageInput(width=112, height=112, color='rgb', mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
            sha256='4f61307602fc089ce20488a31d4e4614e3c9753a7d6c41578c854858b183e1a9',
            labels=('angry', 'disgust', 'fearful', 'happy', 'neutral', 'sad', 'surprised'),
            description='MobileFaceNet trained with Progressive Teacher (Jiang and Deng 2021), from opencv_zoo',
            licence='Apache-2.0',
            limits='Trained on faces that were aligned tighter to five landmarks than the crops of this project; its '
            'accuracy on these crops is not known, and its probabilities are not calibrated. Do not use it to judge, '
            'select, monitor or diagnose people.',
        ),
    ),
}


def cache_folder() -> Path:
    """Give where the project keeps what can be fetched again: ~/.cache/emotion_ros."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'emotion_ros'


def default_root() -> Path:
    """Give the user's store: $EMOTION_MODELS, or ~/.cache/emotion_ros/models."""
    configured = os.environ.get('EMOTION_MODELS')
    if configured:
        return Path(configured).expanduser()
    return cache_folder() / 'models'


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
        Check that a model's file is the one that its card describes, and that it loads and runs.

        :raises ModelError: when it is not, or does not.
        """
        folder = self.find(name)
        card = ModelCard.load(folder)
        path = folder / MODEL_FILE
        if not path.is_file():
            raise ModelError(f"model '{name}': '{path}' is missing")
        digest = sha256_of(path)
        if digest != card.sha256:
            raise ModelError(f"model '{name}': '{path}' has sha256 {digest[:16]}…, its card says {card.sha256[:16]}…")
        _run(folder)
        return card

    def fetch(
        self, name: str, file: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Path:
        """
        Bring a public model into the store, in place of an older copy; the store is left as it was when that fails.

        :param name: One of FETCHABLE.
        :param file: A copy that was already downloaded, instead of the network.
        :param progress: Called with bytes so far and in all (0: unknown).
        :return: The model's folder.
        :raises ModelError: for an unknown name, no network, or a file with another hash.
        """
        if name not in FETCHABLE:
            raise ModelError(f"no model '{name}' to fetch; there are: {', '.join(sorted(FETCHABLE))}")
        url = FETCHABLE[name].url
        card = replace(FETCHABLE[name].card, training={'source': url})
        if file is not None:
            return self.put(Path(file), card, replaces=True)
        partial = self.root / f'{name}.partial'  # stays when the download stops, for the next try to go on
        with self._writing():
            self.root.mkdir(parents=True, exist_ok=True)
            _download(url, partial, progress)
        try:
            return self.put(partial, card, origin=url, replaces=True)
        finally:
            partial.unlink()

    def put(self, file: Path, card: ModelCard, origin: str = '', replaces: bool = False) -> Path:
        """
        Copy an ONNX file into the store, under the name of its card; the store is left as it was when that fails.

        :param card: Without a sha256 it takes that of the file. Where it says logits and the file gives probabilities,
            it is put right.
        :param origin: What the file is called in messages, by default its path.
        :param replaces: Whether it may take the place of a model of that name.
        :return: The model's folder.
        :raises ModelError: when the file is missing, has another hash, or is not what the card says.
        """
        origin = origin or str(file)
        try:
            digest = sha256_of(file)
        except FileNotFoundError as error:
            raise ModelError(f"there is no file '{origin}'") from error
        except OSError as error:
            raise ModelError(f"'{origin}' cannot be read: {error.strerror}") from error
        if card.sha256 and digest != card.sha256:
            raise ModelError(
                f"'{origin}' has sha256 {digest[:16]}…, not the expected {card.sha256[:16]}…: "
                'it was not put into the store'
            )
        with self.new(card.name, replaces) as folder:
            shutil.copyfile(file, folder / MODEL_FILE)
            replace(card, sha256=digest).save(folder)
        return self.root / card.name

    @contextmanager
    def new(self, name: str, replaces: bool = False) -> Iterator[Path]:
        """
        Give an empty folder to write model and card to; it becomes the model ``name`` when the block ends well.

        Until then, and for good when the block or the check after it fails, the store is as it was.

        :param replaces: Whether the model may take the place, or hide, one of that name.
        :raises ModelError: for a name that is taken or cannot be one, for a model that a node could not load, or when
            the store cannot be written.
        """
        if not NAME.fullmatch(name):
            raise ModelError(f"'{name}' cannot be the name of a model: use letters, digits, '_', '-' and '.'")
        if not replaces and name in self.list():
            raise ModelError(f"there is a model '{name}' already: choose another with --name, or replace it: --replace")
        with self._writing():
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.root, prefix='.new-') as work:
                folder, old, target = Path(work) / name, Path(work) / '.old', self.root / name
                folder.mkdir()
                try:
                    yield folder
                    model = _run(folder)
                except ModelError as error:
                    raise ModelError(str(error).replace(f'{folder}{os.sep}', '')) from error  # it will be gone
                if model and model.card.output == 'logits' and model.gives_probabilities():
                    replace(model.card, output='probabilities').save(folder)
                if target.exists():
                    target.rename(old)
                try:
                    folder.rename(target)
                except OSError:
                    if old.exists():
                        old.rename(target)
                    raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ModelError(f"cannot write to the store '{self.root}': {error.strerror or error}") from error


def _run(folder: Path) -> 'OnnxModel | None':
    """
    Load a model as a node will, and run it once.

    :return: The model; None for a face detector.
    :raises ModelError: when that fails.
    """
    # ONNX Runtime takes its time, and listing does not need it.
    card = ModelCard.load(folder)
    if card.task == 'face_detection':
        from emotion_core.yunet import YuNet

        YuNet(folder)(np.zeros((320, 320, 3), np.uint8), 0.5)
        return None
    from emotion_core.onnx_model import OnnxModel

    model = OnnxModel(folder, card.task)
    model.check_numbers()
    return model


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

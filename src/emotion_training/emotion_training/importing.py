"""
Models that others made, brought into the store: recognised, given a card, converted, checked, calibrated.

Nothing here needs torch; what does is in ``importing_convert``, loaded for sources that are no ONNX file.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from emotion_core.emotions import EMOTIONS, to_emotion
from emotion_core.errors import ModelError
from emotion_core.model_card import CARD_FILE, MODEL_FILE, ModelCard, sha256_of
from emotion_core.store import FETCHABLE, ModelStore
from emotion_training.corpus_source import IS_POINTER, POINTER

CONFIG_FILE = 'config.json'  # of a Hugging Face model
WEIGHT_SUFFIXES = ('.pth', '.pt', '.bin', '.ckpt', '.safetensors')
WEIGHT_MAGIC = (b'PK\x03\x04', b'\x80')  # how a file of torch.save begins: a zip archive, formerly a bare pickle
HUB_ID = re.compile(r'[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*')
KNOWN_SOURCES = (
    'a torchvision ResNet-50 (.pth), a folder or hub id of Hugging Face (image or audio classification), a WavLM '
    'folder with its .pth, or an ONNX file with a card'
)

Tell = Callable[[str], None]  # is told each step, and what the user should know


@dataclass(frozen=True)
class Wish:
    """What the user wants imported, and how."""

    source: str  # a file, a folder or the id of a model on the Hugging Face hub
    name: str = ''  # in the store; by default that of the card, file or folder
    labels: tuple[str, ...] = ()  # of the outputs in order; by default what the model itself says
    label_map: dict[str, str] = field(default_factory=dict)  # foreign label -> emotion; '' drops it
    card: Path | None = None  # of an ONNX file
    sha256: str = ''  # that the file must have
    replaces: bool = False  # whether a model of that name may be replaced
    data: Path | None = None  # to calibrate on
    command: str = ''  # for the card


class Found(NamedTuple):
    """What a source is."""

    kind: str  # 'onnx', 'weights', 'huggingface' or 'hub'
    path: Path  # the file, or the folder; of a hub id the id
    card: Path | None = None  # of an ONNX file


def import_model(store: ModelStore, wish: Wish, tell: Tell, get_torch: Callable[[], None] = lambda: None) -> Path:
    """
    Import a model; the store is left as it was when that fails.

    :param get_torch: Called before torch and transformers are needed.
    :return: Its folder in the store.
    :raises EmotionError: when the source is none of KNOWN_SOURCES, is damaged, holds code, has other outputs than
        labels or another hash, or when the converted model differs from the original.
    """
    found = recognise(wish)
    check_hash(found.path, wish.sha256)
    card = _card_of(found, wish) if found.kind == 'onnx' else None
    wish = replace(wish, name=wish.name or (card.name if card else default_name(found)))
    with store.new(wish.name, wish.replaces) as folder:
        if card is None:
            get_torch()
            from emotion_training.importing_convert import convert

            card = convert(found, wish, folder, tell)
        else:
            tell(f'Copying {found.path.name}')
            card = replace(card, name=wish.name, sha256=sha256_of(found.path))
            shutil.copyfile(found.path, folder / MODEL_FILE)
            card.save(folder)
            _check_loads(found.path, folder)
        for sentence in _about_labels(card):
            tell(sentence)
        if wish.data is not None:
            from emotion_training.importing_calibration import calibrate

            for sentence in calibrate(folder, wish.data, wish.command):
                tell(sentence)
    return store.root / wish.name


def _check_loads(source: Path, folder: Path) -> None:
    """Raise ModelError for an ONNX file that cannot be loaded, by the name that the user knows it by."""
    from emotion_core.onnx_model import open_session  # ONNX Runtime takes its time

    try:
        open_session(folder / MODEL_FILE, threads=1)
    except ModelError as error:
        raise ModelError(str(error).replace(str(folder / MODEL_FILE), str(source))) from error


def recognise(wish: Wish) -> Found:
    """
    Say what a source is, by what is there and how it begins.

    :raises ModelError: when it is nothing that can be imported.
    """
    if not wish.source.strip():
        raise ModelError(f'there is nothing to import: name {KNOWN_SOURCES}')
    path = Path(wish.source).expanduser()
    if wish.card is not None and not path.is_dir() and path.suffix != '.onnx':
        raise ModelError(f"--card is for an ONNX file, and '{path}' is none")
    if path.is_dir():
        return _recognise_folder(path, wish.card)
    if path.is_file():
        _check_content(path)
        if path.suffix == '.onnx':
            return Found('onnx', path, wish.card)
        if _begins_like_weights(path):
            return Found('weights', path)
        raise ModelError(f"'{path}' is none of the models that can be imported: {KNOWN_SOURCES}")
    if HUB_ID.fullmatch(wish.source) and path.suffix not in (*WEIGHT_SUFFIXES, '.onnx') and not path.parent.is_dir():
        return Found('hub', Path(wish.source))
    raise ModelError(f"there is no file or folder '{path}'")


def _recognise_folder(folder: Path, card: Path | None) -> Found:
    if (folder / MODEL_FILE).is_file():
        _check_content(folder / MODEL_FILE)
        beside = folder / CARD_FILE
        return Found('onnx', folder / MODEL_FILE, card or (beside if beside.is_file() else None))
    named = folder.resolve() if folder.name in ('', '..') else folder
    weights = [named.parent / f'{named.name}.pth', *sorted(folder.glob('*.pth'))]  # beside the folder, or in it
    found = [file for file in weights if file.is_file()]
    for file in (*found, *folder.glob('*.safetensors'), *folder.glob('*.bin')):
        _check_content(file)
    if len(found) > 1:
        raise ModelError(f"'{folder}' goes with several files of weights: name one, such as '{found[0]}'")
    if found:
        return Found('weights', found[0])
    if (folder / CONFIG_FILE).is_file():
        return Found('huggingface', folder)
    raise ModelError(
        f"'{folder}' holds no model: neither {MODEL_FILE} with {CARD_FILE}, nor {CONFIG_FILE} of Hugging Face, nor .pth"
    )


def _check_content(path: Path) -> None:
    """Raise ModelError when a file is empty, or stands for one that Git LFS has not brought."""
    start = _start(path, len(POINTER))
    if not start:
        raise ModelError(f"'{path}' is empty: get it again")
    if start == POINTER:
        raise ModelError(f"'{path}' {IS_POINTER}")


def _begins_like_weights(path: Path) -> bool:
    start = _start(path, 9)
    # safetensors: the length of a JSON header in 8 bytes, then the header.
    return start.startswith(WEIGHT_MAGIC) or (path.suffix == '.safetensors' and start[8:] == b'{')


def _start(path: Path, count: int) -> bytes:
    """Give the first bytes of a file; raises ModelError when it cannot be read."""
    try:
        with open(path, 'rb') as file:
            return file.read(count)
    except OSError as error:
        raise ModelError(f"'{path}' cannot be read: {error.strerror}") from error


def check_hash(path: Path, sha256: str) -> None:
    """Raise ModelError when a file has another hash than it must have; '' is any."""
    if not sha256:
        return
    if not path.is_file():
        raise ModelError(f"'{path}' is no single file: --sha256 cannot be checked")
    digest = sha256_of(path)
    if digest != sha256.lower():
        raise ModelError(f"'{path}' has sha256 {digest[:16]}…, not {sha256[:16]}… as expected: it was not imported")


def default_name(found: Found) -> str:
    """Give the name that a model has in the store when the user gives none."""
    path = found.path.parent if found.path.name == MODEL_FILE else found.path
    stem = path.name if path.is_dir() or found.kind == 'hub' else path.stem
    return re.sub(r'[^A-Za-z0-9_.-]+', '_', path.resolve().name if stem in ('', '..') else stem).lstrip('_.-')


def _card_of(found: Found, wish: Wish) -> ModelCard:
    """Give the card of an ONNX file: the user's, or that of a public model with that hash."""
    if found.card is None:
        digest = sha256_of(found.path)
        for known in FETCHABLE.values():
            if known.card.sha256 == digest:
                return _with_labels(replace(known.card, training={'source': known.url}), wish)
            if Path(known.url).name == found.path.name:
                raise ModelError(
                    f"'{found.path}' has sha256 {digest[:16]}…, not the {known.card.sha256[:16]}… of the public file "
                    f'of that name: `./emotion models fetch {known.card.name}` gets it, or describe yours with --card'
                )
        raise ModelError(
            f"'{found.path}' needs a card that says its task, labels and input: --card {CARD_FILE}, like "
            f"'{ModelStore().find('fer_compact') / CARD_FILE}'"
        )
    card = ModelCard.read(found.card)
    check_hash(found.path, card.sha256)
    return _with_labels(card, wish)


def _with_labels(card: ModelCard, wish: Wish) -> ModelCard:
    if card.task == 'face_detection':
        return card
    labels = wish.labels or card.labels
    return replace(card, labels=labels, label_map=settle_label_map(labels, card.label_map | wish.label_map))


def settle_label_map(labels: Sequence[str], label_map: dict[str, str]) -> dict[str, str]:
    """
    Say of each foreign label that is not known by its name which emotion it is, and drop those without a counterpart.

    What is dropped is renormalised away, as disgust is.

    :param labels: Of the outputs, in order.
    :param label_map: What the user says; '' drops a label.
    :return: Foreign label -> emotion or '', for the card.
    :raises ModelError: when the user maps a label that there is not, or to what is no emotion; when two outputs have
        one label; or when fewer than two emotions are left.
    """
    if unknown := sorted(label_map.keys() - set(labels)):
        raise ModelError(f"no output has the label '{unknown[0]}'; the labels are: {_shown(labels)}")
    if len(set(labels)) < len(labels):
        raise ModelError(f'two outputs have one label: {_shown(labels)}')
    for label, emotion in label_map.items():
        if emotion and emotion not in EMOTIONS:
            raise ModelError(f"'{label}' cannot be mapped to '{emotion}': it is none of {', '.join(EMOTIONS)}")
    settled = dict(label_map)
    for label in labels:
        try:
            label_map.get(label) or to_emotion(label)
        except ModelError:
            settled.setdefault(label, '')
    if len(emotions_of(labels, settled)) < 2:
        raise ModelError(
            f'the labels {_shown(labels)} are not those of emotions: give them in the order of the outputs with '
            '--labels, or say with --label-map which emotion each is'
        )
    return settled


def emotions_of(labels: Sequence[str], label_map: dict[str, str]) -> set[str]:
    """Give the emotions that a model with these labels can say."""
    mapped = (label_map.get(label, label) for label in labels)
    return {emotion for emotion in (to_emotion(name) if name else None for name in mapped) if emotion}


def check_outputs(source: str, outputs: int, labels: Sequence[str]) -> None:
    """Raise ModelError when a model has not one output for each label."""
    if outputs != len(labels):
        raise ModelError(
            f"'{source}' has {outputs} outputs, not the {len(labels)} of {_shown(labels)}: give all {outputs} labels "
            'in the order of the outputs, such as --labels angry,disgust,…'
        )


def _about_labels(card: ModelCard) -> Iterator[str]:
    """Give what the user should check before trusting the labels."""
    if card.task == 'face_detection':
        return
    yield f'Labels, in the order of the outputs: {", ".join(card.labels)}'
    if dropped := [label for label in card.labels if not emotions_of([label], card.label_map)]:
        yield f'Dropped, the rest renormalised: {", ".join(dropped)}'
    if missing := [name for name in EMOTIONS if name not in emotions_of(card.labels, card.label_map)]:
        yield f'It never says: {", ".join(missing)}'


def _shown(labels: Sequence[str]) -> str:
    return ', '.join(labels[:8]) + (', …' if len(labels) > 8 else '')

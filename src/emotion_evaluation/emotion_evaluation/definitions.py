"""Definitions of the message types that are installed here, as a bag carries them."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from emotion_evaluation.errors import BagError

# What the recognisers read and write, beside what rosbags knows.
OURS = (
    'audio_common_msgs/msg/AudioData',
    'audio_common_msgs/msg/AudioDataStamped',
    'audio_common_msgs/msg/AudioInfo',
    'emotion_msgs/msg/EmotionProbs',
    'emotion_msgs/msg/FaceEmotions',
    'emotion_msgs/msg/FusedEmotion',
    'emotion_msgs/msg/GroundTruth',
    'emotion_msgs/msg/SpeechActivity',
)


def installed_types(names: Iterable[str]) -> Typestore:
    """
    Give a store of these types and of all that they are made of, from the ``.msg`` files that are installed.

    :param names: As in 'sensor_msgs/msg/Image'.
    :raises BagError: for a type that is not installed.
    """
    store = get_typestore(Stores.EMPTY)
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in store.fielddefs:
            continue
        types = get_types_from_msg(_definition_file(name).read_text(encoding='utf-8'), name)
        store.register(types)
        for _, fields in types.values():
            waiting += [part for field in fields for part in _names_in(field[1]) if part not in store.fielddefs]
    return store


def message_class(name: str) -> type:
    """
    Give the Python class of a type.

    :raises BagError: when it is not installed.
    """
    package, _, message = name.partition('/msg/')
    try:
        return getattr(import_module(f'{package}.msg'), message)
    except (ImportError, AttributeError, ValueError) as error:
        raise BagError(f"type '{name}' is not installed here ({error})") from error


@cache
def known_types() -> Typestore:
    """Give a store of the common types and of ours, for bags without definitions."""
    store = get_typestore(Stores.ROS2_JAZZY)
    ours = installed_types(OURS)
    store.register({name: fields for name, fields in ours.fielddefs.items() if name not in store.fielddefs})
    return store


def _definition_file(name: str) -> Path:
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    package, kind, message = name.split('/')
    try:
        path = Path(get_package_share_directory(package)) / kind / f'{message}.msg'
    except PackageNotFoundError as error:
        raise BagError(f"type '{name}' is not installed here: its package '{package}' is missing") from error
    if not path.is_file():
        raise BagError(f"type '{name}' is not installed here: package '{package}' has no {kind}/{message}.msg")
    return path


def _names_in(description: tuple) -> list[str]:
    """Give the message types in the description of a field, as rosbags has it."""
    kind, value = description
    if kind == Nodetype.NAME:
        return [value]
    return _names_in(value[0]) if kind in (Nodetype.ARRAY, Nodetype.SEQUENCE) else []

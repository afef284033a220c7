"""What the fields of a card in JSON must be, so that what is wrong is named when the card is read."""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from emotion_core.errors import ModelError


def check_fields(value: dict[str, Any], kind: type, where: str = '') -> None:
    """
    Check what is to become a card or its input.

    :param kind: The dataclass that it is to become.
    :param where: What stands behind a field's name in a sentence, such as " of 'input'".
    :raises ModelError: for a field that is missing, not known, or of another type or range than NEEDS says.
    """
    known = [item.name for item in fields(kind)]
    for name, item in value.items():
        if name not in known:
            raise ModelError(f'there is no field {name!r}{where}; there are: {", ".join(known)}')
        what, is_right = NEEDS.get(name, TEXT)
        if not is_right(item):
            raise ModelError(f'{name!r}{where} is {json.dumps(item)[:80]}, {what} is needed')
    needed = [item.name for item in fields(kind) if item.default is item.default_factory is MISSING]
    if lacking := [repr(name) for name in needed if name not in value]:
        raise ModelError(f'it lacks {" and ".join(lacking)}{where}')


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_above_0(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and value >= 0


def _are(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: isinstance(values, list) and len(values) > 0 and all(map(is_right, values))


def _maps_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


TEXT = 'a text', lambda value: isinstance(value, str)
OBJECT = 'an object', lambda value: isinstance(value, dict)
NEEDS = {  # field of a card or of its input -> what it needs, and the test of it; of all others TEXT
    'name': ('a name', lambda value: isinstance(value, str) and value != ''),
    'input': OBJECT,
    'labels': ('a list of texts', _are(TEXT[1])),
    'label_map': ('an object of texts', _maps_texts),
    'output': ("'logits' or 'probabilities'", lambda value: value in ('logits', 'probabilities')),
    'temperature': ('a number above 0', _is_above_0),
    'warm_temperature': ('a number above 0 or null', lambda value: value is None or _is_above_0(value)),
    'reliability': ('an object or null', lambda value: value is None or isinstance(value, dict)),
    'training': OBJECT,
    'metrics': OBJECT,
    'width': ('a whole number', _is_count),  # 0: any
    'height': ('a whole number', _is_count),
    'mean': ('a list of numbers', _are(_is_number)),
    'std': ('a list of numbers above 0', _are(_is_above_0)),
    'sample_rate': ('a whole number above 0', lambda value: _is_count(value) and value > 0),
    'min_seconds': ('a number above 0', _is_above_0),
    'max_seconds': ('a number above 0', _is_above_0),
}

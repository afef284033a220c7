"""What got better or worse since an earlier evaluation."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_evaluation.errors import BagError
from emotion_evaluation.measure import ROWS

HIGHER, LOWER = 1, -1  # which is better
THRESHOLD = 0.02
RELATIVE = 10  # a figure that is no share may get worse by so many times the threshold, relative to what it was
# Or relative to this, where it was less: changes a minute, seconds, milliseconds.
LEAST = {'flicker': 5.0, 'seconds': 0.5, 'p95': 20.0}

# Place in the JSON file -> which is better, and whether it is a share.
FIGURES: dict[tuple[str, ...], tuple[int, bool]] = {('with_face',): (HIGHER, True)}
for _row in ROWS:
    _place = ('against_truth', 'rows', _row)
    FIGURES |= {
        (*_place, 'accuracy'): (HIGHER, True),
        (*_place, 'macro_f1'): (HIGHER, True),
        (*_place, 'coverage'): (HIGHER, True),
        (*_place, 'calibration_error'): (LOWER, True),
        (*_place, 'flicker'): (LOWER, False),
        (*_place, 'lock', 'share'): (HIGHER, True),
        (*_place, 'lock', 'seconds'): (LOWER, False),
    }
FIGURES |= {('live', name, 'p95'): (LOWER, False) for name in ('face_ms', 'speech_ms')}


@dataclass(frozen=True)
class Change:
    """One figure, before and now."""

    name: str
    before: float | None
    now: float | None
    better: float  # by how much, in its own unit; negative: worse
    is_past: bool  # worse by more than the threshold


def load(path: Path) -> dict[str, Any]:
    """
    Read an earlier evaluation.

    :raises BagError: when it is none.
    """
    try:
        old = json.loads(Path(path).read_text(encoding='utf-8'))
    except OSError as error:
        raise BagError(f"cannot read '{path}' to compare with: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BagError(f"'{path}' is no evaluation to compare with: it is no JSON ({error})") from error
    bags = old.get('bags') if isinstance(old, dict) else None
    if not isinstance(_get(old, ('all', 'bags')), int) or not isinstance(bags, list):
        raise BagError(f"'{path}' is no evaluation to compare with: it holds no figures of bags")
    return old


def other_bags(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say which bags were evaluated only one of both times; '' when they are the same."""
    old_bags, new_bags = (
        {str(bag['sha256']): str(bag.get('bag')) for bag in table['bags'] if isinstance(bag, dict) and 'sha256' in bag}
        for table in (old, new)
    )
    parts = []
    for what, here, there in (('only then', old_bags, new_bags), ('only now', new_bags, old_bags)):
        if names := [name for digest, name in here.items() if digest not in there]:
            shown = ', '.join(names[:3]) + (f' and {len(names) - 3} more' if len(names) > 3 else '')
            parts.append(f'{what} {shown}')
    return '; '.join(parts)


def compare(old: dict[str, Any], new: dict[str, Any], threshold: float = THRESHOLD) -> list[Change]:
    """
    List the figures that both have, or only one of them.

    :param threshold: A share may get worse by so much; other figures relative to what they were, by RELATIVE times it.
    """
    changes = []
    for place, (direction, is_share) in FIGURES.items():
        before, now = _get(old['all'], place), _get(new['all'], place)
        if before is None and now is None:
            continue
        name = ' '.join(part for part in place if part not in ('against_truth', 'rows')).replace('_', ' ')
        if before is None or now is None:
            changes.append(Change(name, before, now, 0.0, now is None))
            continue
        better = direction * (now - before)
        allowed = threshold if is_share else threshold * RELATIVE * max(abs(before), LEAST[place[-1]])
        changes.append(Change(name, before, now, round(better, 4), better < -allowed - 1e-9))
    return changes


def _get(table: Any, place: tuple[str, ...]) -> float | None:
    for part in place:
        if not isinstance(table, dict) or part not in table:
            return None
        table = table[part]
    return table if isinstance(table, int | float) else None

"""Writes the section on robustness of docs/evaluation.md from docs/evaluation/robustness.json."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emotion_core.metrics import FEW
from emotion_evaluation.robustness import PLAIN, ROWS

HEADING = '## Robustness'
FIGURES = 'evaluation/robustness.json'  # beside the page


def render(table: dict[str, Any]) -> str:
    """
    Give the section as Markdown.

    :param table: As ``./emotion evaluate --robustness`` writes it.
    """
    return '\n'.join(_lines(table)) + '\n'


def replaced(page: str, table: dict[str, Any]) -> str:
    """Give a page with its section written anew."""
    return re.sub(rf'^{HEADING}\n.*?(?=^## |\Z)', lambda _: render(table) + '\n', page, flags=re.DOTALL | re.MULTILINE)


def _lines(table: dict[str, Any]) -> Iterator[str]:
    cells, default = table['cells'], table['default']
    yield f'{HEADING}\n'
    models = ', '.join(table['made']['models'].values())
    majority = table['majority']['macro_f1']
    narrow = ', and are too narrow for so few' if table['speakers'] < FEW else ''
    yield (
        f'{table["pairs"]} pairs of a face (FER2013 PrivateTest) and a voice (half RAVDESS actors 21 to 24, half nEMO '
        f'KD0 and WR0) of one label, the same in all {len(cells)} cells; {models}. Macro-F1 in percent. Each emotion '
        f'is as frequent as the others: chance is {_percent(table["chance"])} % of accuracy, and saying always the '
        f'same has {_percent(majority)} % of macro-F1. Intervals draw the {table["speakers"]} speakers{narrow}.\n'
    )
    yield (
        f'| cell | {" | ".join(ROWS)} | over the better (95 %) | over fixed | calibration error % | explained by |\n'
        f'|---|{"---|" * (len(ROWS) + 4)}'
    )
    for name, cell in cells.items():
        low, high = cell['over_single_interval']
        reasons = f'face {cell["face_weight"]:.2f}: {cell["reasons"]["face"]}; voice: {cell["reasons"]["speech"]}'
        yield (
            f'| {name} | {" | ".join(_percent(cell["rows"][row]["macro_f1"]) for row in ROWS)} '
            f'| {_points(cell["over_single"])} ({_points(low)} to {_points(high)}) | {_points(cell["over_fixed"])} '
            f'| {_percent(cell["rows"][default]["calibration_error"])} | {reasons} |'
        )
    yield '\n| target | reached | |\n|---|---|---|'
    for target in table['targets']:
        missed = f': {", ".join(target["missed"])}' if target.get('missed') else ''
        verdict = 'met' if target['met'] else f'missed{missed}'
        yield f'| {target["target"]} | {_percent(target["reached"])} | {verdict} |'
    clean, *degraded = cells.values()
    leads = (sum(cell[f'over_{name}'] for cell in degraded) / len(degraded) for name in ('fixed', PLAIN))
    fixed, plain = (_points(lead) for lead in leads)
    yield (
        f'\n`fixed` is the mean of the same distributions, flat where an input is bad. Over `{PLAIN}`, '
        f'the mean of what both classifiers say by themselves, the product gains {plain} points on average over the '
        f'degraded cells (over `fixed` {fixed}), and {_points(clean[f"over_{PLAIN}"])} in the clean cell.'
    )
    yield (
        f'\nOf {table["pairs"]} distributions that are exactly right the calibration error would come out as '
        f'{_percent(clean["calibration_error_if_calibrated"])} % in the clean cell.\n'
    )
    yield f'| voices of | pairs | cells | {" | ".join(ROWS)} |\n|---|---|---|{"---|" * len(ROWS)}'
    for corpus, part in table['by_corpus'].items():
        for title in ('clean', 'degraded'):
            row = ' | '.join(_percent(part[title][name]) for name in ROWS)
            yield f'| {corpus} | {part["n"]} | {title} | {row} |'
    yield '\n```bash'
    yield table['made']['command']
    yield '```'


def _percent(value: float) -> str:
    return f'{100 * value:.1f}'


def _points(value: float) -> str:
    return f'{100 * value:+.1f}'


if __name__ == '__main__':
    docs = Path('docs')
    page = docs / 'evaluation.md'
    page.write_text(replaced(page.read_text(), json.loads((docs / FIGURES).read_text())))

"""Writes docs/models.md from the cards of the models that ship."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emotion_core import metrics
from emotion_core.emotions import EMOTIONS
from emotion_core.model_card import CARD_FILE, MODEL_FILE, ModelCard
from emotion_core.store import bundled_folders
from emotion_training.report import SOURCES, by_group, describe_input

WEAK_RECALL = 0.5  # a class of which the model recognises less is a weak one
HEADER = f"""# Models

Generated from the cards of the models that ship: `python -m emotion_training.model_docs > docs/models.md`.

Figures are on test data of which nothing was learned; two settings of the voice model were chosen when some were known,
see [src/emotion_training/LOG.md](../src/emotion_training/LOG.md). An interval is the 95 % of a bootstrap that draws
whole speakers, or pictures, with replacement. A class is called weak where the model
recognises less than {100 * WEAK_RECALL:.0f} % of it.
Beside each figure stands what guessing gives: always the majority class, and chance.
[src/emotion_training/README.md](../src/emotion_training/README.md) tells how the models came about.
"""


def cards() -> list[tuple[Path, ModelCard]]:
    """Give folder and card of each model in the packages."""
    return [
        (path.parent, ModelCard.load(path.parent))
        for folder in bundled_folders()
        for path in sorted(folder.glob(f'*/{CARD_FILE}'))
    ]


def test_groups(card: ModelCard) -> dict[str, dict[str, Any]]:
    """Give the figures on each group of the test data, the whole first; of a model that knows voices those warm too."""
    warm = card.metrics.get('warm', {})
    of_one = warm.get('one_emotion', {})
    return {
        f'{name.replace("_", " ")}{suffix}': value
        for step, suffix in (
            (card.metrics.get('test', {}), ''),
            (warm, f', a voice heard {warm.get("heard_before")} times before'),
            (of_one, f', a voice heard {of_one.get("heard_before")} times before, always with the same emotion'),
        )
        for name, value in by_group(step).items()
    }


def weak_classes(figures: dict[str, Any]) -> list[str]:
    """
    Name the classes of which less than WEAK_RECALL is recognised, the weakest first.

    :param figures: Of one group, with 'recall' by class, see ``metrics.report``.
    """
    return sorted(
        (name for name, recall in figures['recall'].items() if recall < WEAK_RECALL), key=figures['recall'].get
    )


def describe(folder: Path, card: ModelCard) -> Iterator[str]:
    """Give the lines of one model."""
    groups = test_groups(card)
    megabytes = (folder / MODEL_FILE).stat().st_size / 1e6
    parameters = f', {card.training["parameters"]:,} parameters' if 'parameters' in card.training else ''
    yield f'## {card.name}\n'
    yield f'{card.description} It takes: {describe_input(card)}. {megabytes:.1f} MB{parameters}.\n'
    if card.metrics.get('int8', {}).get('ships'):
        accuracy, taken = (card.metrics['int8'][key] for key in ('accuracy', 'milliseconds'))
        yield (
            f'Its large layers are in int8: accuracy on validation {accuracy["int8"]:.3f}, {taken["int8"]:.1f} ms of '
            f'one thread; in float32 {accuracy["float32"]:.3f} and {taken["float32"]:.1f} ms there.\n'
        )
    yield f'`{MODEL_FILE}`: sha256 `{card.sha256}`\n'
    yield f'**Licence.** {card.licence}\n'
    yield '**Training data.**\n'
    yield from (f'* {source}' for source in card.training['data'])
    yield f'\n**Split.** {card.training["split"]}'
    for unit in ('images', 'clips'):
        if unit in card.training:
            sides = ', '.join(f'{count:,} {side}' for side, count in card.training[unit].items())
            yield f'{unit.capitalize()}: {sides}.'
    yield '\n**Figures.**\n'
    sources = f'{SOURCES[card.task]}s'
    yield f'| test data | n | {sources} | accuracy | macro-F1 | calibration error | always the majority | chance |'
    yield '|---|---|---|---|---|---|---|---|'
    for name, figures in groups.items():
        majority = figures['majority']
        yield (
            f'| {name} | {figures["n"]} | {figures.get("interval", {}).get("sources", 1)} '
            f'| {_with_interval(figures, "accuracy")} '
            f'| {_with_interval(figures, "macro_f1")} | {figures["calibration_error"]:.3f} '
            f'| {majority["label"]}: {majority["accuracy"]:.3f} / {majority["macro_f1"]:.3f} '
            f'| {figures["chance"]["accuracy"]:.3f} |'
        )
    if few := metrics.caution(groups.values(), sources):
        yield f'\n{few}'
    if 'warm' in card.metrics:
        count = card.metrics['warm']['orders']
        yield f'\nOf a voice heard before each clip counts up to {count} times, once in each of {count} random orders.'
    yield '\n**Classes.** How much of each is recognised (recall):\n'
    yield f'| test data | {" | ".join(EMOTIONS)} |\n|---|{"---|" * len(EMOTIONS)}'
    for name, figures in groups.items():
        recall = (f'{figures["recall"][label]:.2f}' if label in figures['recall'] else '' for label in EMOTIONS)
        yield f'| {name} | {" | ".join(recall)} |'
    for name, figures in groups.items():
        weak = ', '.join(f'{label} ({figures["recall"][label]:.2f})' for label in weak_classes(figures))
        yield f'\nWeak on {name}: {weak or "none"}.'
    if 'not_a_face' in card.metrics:
        told = card.metrics['not_a_face']
        yield (
            f'\n**What is no face.** Of {told["mistakes"]} mistakes of a detector, in {told["photographs"]["test"]} '
            f'photographs without people of which nothing was learned, {100 * told["mistakes_dropped"]:.1f} % are '
            f'dropped; of {told["faces"]:,} test faces {100 * told["faces_kept"]:.1f} % are kept. '
            f'AUROC {told["auroc"]:.3f}.'
        )
    if 'reliability' in card.metrics:
        fit = card.metrics['reliability']
        yield (
            f'\n**Quality.** The chance of being right that the model expects from quality terms, on people or '
            f'pictures that the fit has not seen: AUROC {fit["auroc"]:.2f}, Brier score {fit["brier"]:.3f} '
            f'({fit["brier_of_base_rate"]:.3f} without the terms), n = {fit["n"]}.'
        )
        yield from _describe_scaling(card)
    for title, text in (
        ('Under-represented', card.under_represented),
        ('Limits', card.limits),
        ('Must not be used for', card.not_for),
    ):
        yield f'\n**{title}.** {text}'
    yield '\n**To make it again.** DATA is the folder of the corpora, RUNS any folder:\n'
    yield '```bash'
    yield card.training['command']
    package = folder.parents[1].name
    for step in ('test', 'reliability'):
        if step in card.metrics:
            yield f'{card.metrics[step]["command"]} --export-to src/{package}/{package}/models/{folder.name}'
    yield '```\n'


def _describe_scaling(card: ModelCard) -> Iterator[str]:
    """Say what quality and emotion make of a distribution, and what that is worth."""
    scaling, figures = card.reliability.scaling, card.metrics['reliability']['scaling']
    prior = 'about uniform then' if any(scaling.biases) else "the model's own, for there are no biases"
    yield (
        f'\n**Trust.** On corrupted input, of people or pictures that the fit has not seen, the truth is most probable '
        f'when a distribution is corrected {figures["chosen"]}: log P times an exponent (here where quality is as on '
        f'average) plus a bias. The prior is {prior}.\n'
    )
    yield f'| | {" | ".join(EMOTIONS)} |\n|---|{"---|" * len(EMOTIONS)}'
    for name, values in (('exponent', scaling.exponents), ('bias', scaling.biases)):
        yield f'| {name} | {" | ".join(f"{value:.2f}" for value in values)} |'
    yield '\n| corrected | log-loss | calibration error | macro-F1 |\n|---|---|---|---|'
    for name, row in figures['held_out'].items():
        yield f'| {name} | {row["log_loss"]:.3f} | {row["calibration_error"]:.3f} | {row["macro_f1"]:.3f} |'


def _with_interval(figures: dict[str, Any], name: str) -> str:
    if 'interval' not in figures:
        return f'{figures[name]:.3f}'
    low, high = figures['interval'][name]
    return f'{figures[name]:.3f} ({low:.3f} to {high:.3f})'


def render() -> str:
    """Give the whole page."""
    return '\n'.join([HEADER, *(line for model in cards() for line in describe(*model))]).rstrip() + '\n'


if __name__ == '__main__':
    print(render(), end='')

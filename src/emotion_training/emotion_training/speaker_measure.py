"""
Calibration and figures of a model that compares a voice with what it said before; needs no torch.

It listens the way a node does: through the same memory, to the utterances of one speaker after the other.

Calibration needs people whom the model has not learned from, more than there are to validate on. So the first member of
the ensemble has never heard some of the training speakers. What is right for that member is measured on them and on the
validation speakers; how the whole differs from its first member is measured on the validation speakers alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from emotion_core import metrics
from emotion_core.emotions import softmax
from emotion_core.onnx_model import EMBEDDING, OnnxModel
from emotion_core.reliability import logit
from emotion_speech.speaker import REFERENCE, VOICE, Heard, SpeakerModel, voice_quality
from emotion_training.calibration import fit_temperature
from emotion_training.personalise_head import Head
from emotion_training.recipe import Corrupted, HeldOut
from emotion_training.scaling_fit import Worse

WARM = 10  # utterances after which a voice counts as known in the figures
FEW = 4  # utterances of one emotion after which a voice counts as heard in that one alone
ORDERS = 3  # random ones in which each speaker's test utterances are heard
MEETING = 12  # utterances of a speaker after which the curve begins anew
CURVE = (0, 1, 2, 3, 5, 8)  # first number of utterances heard before, of each point
TURN = 5  # utterances before another speaker speaks, in the figures of the change
TURNS = 10  # for each pair of speakers


class Members(NamedTuple):
    """The last layer of an ensemble over the embeddings of its members, side by side."""

    head: Head
    count: int

    def first(self, heard: Heard) -> np.ndarray:
        """Give the logits (6,) of the first member; its bias is the mean of all."""
        width = self.head.weight.shape[1] // self.count
        return self.count * self.head.weight[:, :width] @ heard.outputs[EMBEDDING][0, :width] + self.head.bias


def knows_voices(model: OnnxModel) -> bool:
    """Tell whether a model compares a voice with what it said before."""
    return REFERENCE in model.other_inputs


def hear_alone(model: OnnxModel, batches: Sequence[np.ndarray]) -> list[Heard]:
    """Listen to each utterance as the first of its speaker."""
    listener = SpeakerModel(model, adapt=False)
    return [listener(batch) for batch in batches]


def hear_in_turn(model: OnnxModel, batches: Sequence[np.ndarray], speakers: np.ndarray, seed: int) -> list[Heard]:
    """
    Listen to one speaker after the other, to the utterances of each in random order, without pauses.

    :param speakers: (n,) who says each batch.
    :return: What was heard, in the order of the batches.
    """
    heard: list[Heard | None] = [None] * len(batches)
    for row in _turns(speakers, seed):
        if row is None:
            listener = SpeakerModel(model)
            continue
        heard[row] = listener(batches[row])
        listener.remember(heard[row])
    return heard


def places(speakers: np.ndarray, seed: int) -> np.ndarray:
    """Give how many utterances of the same speaker ``hear_in_turn`` hears before each one, (n,)."""
    place, count = np.empty(len(speakers), int), 0
    for row in _turns(speakers, seed):
        if row is None:
            count = 0
            continue
        place[row], count = count, count + 1
    return place


def _turns(speakers: np.ndarray, seed: int) -> list[int | None]:
    """Give the rows in the order in which they are heard, None where another speaker begins."""
    rng = np.random.default_rng(seed)
    order: list[int | None] = []
    for speaker in np.unique(speakers):
        order += [None, *rng.permutation(np.flatnonzero(speakers == speaker)).tolist()]
    return order


def calibrate(model: OnnxModel, data: HeldOut, members: Members) -> dict[str, float]:
    """
    Fit the temperatures for a voice heard for the first time, and for one that is known.

    :return: The fields of the card that hold them.
    """
    validation = ~data.only_first

    def temperatures(kind: str, rows: np.ndarray) -> tuple[float, float]:
        def logits(heard: list[Heard]) -> np.ndarray:
            return np.array([members.first(one) if kind == 'first' else one.outputs['logits'][0] for one in heard])

        truth = data.labels[rows]
        cold = fit_temperature(logits(alone)[rows], truth)
        known = np.array([one.speaker.known for one in in_turn])[rows]
        return cold, fit_temperature(logits(in_turn)[rows], truth, cold, known)

    alone = hear_alone(model, data.batches)
    in_turn = hear_in_turn(model, data.batches, data.sources, 0)
    everyone = np.ones(len(data.labels), bool)
    cold, warm = (
        first * whole / part
        for first, whole, part in zip(
            temperatures('first', everyone), temperatures('whole', validation), temperatures('first', validation)
        )
    )
    return {'temperature': round(cold, 4), 'warm_temperature': round(warm, 4)}


def meetings(speakers: np.ndarray, seed: int) -> np.ndarray:
    """Divide the utterances of each speaker at random into meetings of MEETING; gives the name of each one's, (n,)."""
    return np.array([f'{speaker} {place // MEETING}' for speaker, place in zip(speakers, places(speakers, seed))])


def warm_figures(model: OnnxModel, data: HeldOut) -> dict[str, Any]:
    """
    Report on each group of held-out data once a voice is known, and how that comes about.

    :return: By group the figures after WARM utterances or more; in 'curve' the accuracy of each group by how many
        utterances were heard before, in many short meetings with each speaker; in 'change' how well it is told that
        another speaker speaks; in 'one_emotion' the figures after FEW utterances or more, all of the same emotion.
    """
    labels, sources = np.tile(data.labels, ORDERS), np.tile(data.sources, ORDERS)
    groups = {name: np.tile(rows, ORDERS) for name, rows in data.groups.items()}
    probabilities, place = _hear(model, data.batches, [data.sources] * ORDERS)
    met, early = _hear(model, data.batches, [meetings(data.sources, seed) for seed in range(ORDERS)])
    right = met.argmax(axis=1) == labels
    curve = {
        name: [
            {'heard_before': first, 'n': int(rows.sum()), 'accuracy': round(float(right[rows].mean()), 4)}
            for first, after in zip(CURVE, (*CURVE[1:], MEETING))
            for rows in [inside & (early >= first) & (early < after)]
            if rows.any()
        ]
        for name, inside in groups.items()
    }
    moods = np.char.add(np.char.add(data.sources.astype(str), ' '), data.labels.astype(str))
    in_one_mood, heard_so = _hear(model, data.batches, [moods] * ORDERS)

    def figures(probabilities: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
        return {
            name: metrics.report(labels[rows], probabilities[rows], sources[rows])
            for name, inside in groups.items()
            for rows in [inside & chosen]
            if rows.any()
        }

    return {
        **figures(probabilities, place >= WARM),
        'heard_before': WARM,
        'orders': ORDERS,
        'one_emotion': {**figures(in_one_mood, heard_so >= FEW), 'heard_before': FEW},
        'curve': curve,
        'change': change_figures(model, data),
    }


def _hear(model: OnnxModel, batches: Sequence[np.ndarray], speakers: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Hear the batches once by each division into speakers; gives all probabilities, and how many were heard before."""
    heard = [one for seed, names in enumerate(speakers) for one in hear_in_turn(model, batches, names, seed)]
    place = np.concatenate([places(names, seed) for seed, names in enumerate(speakers)])
    return np.array([one.probabilities for one in heard]), place


def change_figures(model: OnnxModel, data: HeldOut) -> dict[str, Any]:
    """
    Measure how well it is told that somebody else speaks, on pairs of speakers of one corpus who take turns once.

    :return: 'false': share of the utterances of the same voice that were taken for another's; 'first', 'second',
        'third': share of the changes that were told by then; 'accuracy' of all utterances after a change, beside
        that of the same ones heard alone, and as if the first speaker went on and no change were told.
    """
    rng = np.random.default_rng(0)
    names = np.unique(data.sources)
    rows_of = {name: np.flatnonzero(data.sources == name) for name in names}
    false, told, right, right_alone, right_mixed = [], [], [], [], []
    for one in names:
        for other in names:
            if one == other or one.split('/')[0] != other.split('/')[0]:
                continue
            for _ in range(TURNS):
                listener = SpeakerModel(model)
                crowd = listener.nobody  # both, taken for one
                begins = None  # utterance of the other at which the change was told
                for place, name in enumerate([one] * TURN + [other] * TURN):
                    row = rng.choice(rows_of[name])
                    batch, label = data.batches[row], data.labels[row]
                    heard = listener(batch)
                    listener.remember(heard)
                    mixed = listener.compare(batch, crowd)
                    crowd = crowd.after(mixed.outputs[VOICE])
                    is_new = place > 0 and heard.speaker.heard == 0
                    if place >= TURN:
                        if is_new and begins is None:
                            begins = place - TURN
                        elif begins is not None:
                            false.append(is_new)
                        right.append(heard.probabilities.argmax() == label)
                        right_mixed.append(mixed.probabilities.argmax() == label)
                        alone = listener.compare(batch, listener.nobody)
                        right_alone.append(alone.probabilities.argmax() == label)
                    elif place > 0:
                        false.append(is_new)
                told.append(np.inf if begins is None else begins)

    def share(values: Sequence[bool]) -> float:
        return round(float(np.mean(values)), 4)

    told = np.array(told)
    return {
        'false': share(false),
        'first': share(told <= 0),
        'second': share(told <= 1),
        'third': share(told <= 2),
        'accuracy': {'n': len(right), 'after': share(right), 'alone': share(right_alone), 'mixed': share(right_mixed)},
        'changes': len(told),
        'utterances_before': TURN,
    }


def judge(model: OnnxModel, data: Corrupted, members: Members) -> tuple[Worse, np.ndarray, float]:
    """
    Listen to corrupted utterances, each alone and after others of its speaker that are corrupted in the same way.

    :return: What the first member says, as sure of itself as it should be beside the whole; the kinds of corruption
        (n,); and how much more often the whole is right on the people whom no member has learned from [log-odds].
    """
    surroundings = np.array([f'{group} {kind}' for group, kind in zip(data.groups, data.kinds)])
    heard = hear_alone(model, data.batches) + hear_in_turn(model, data.batches, surroundings, 0)
    labels, weights, validation = (np.tile(one, 2) for one in (data.labels, data.weights, ~data.only_first))
    temperature = SpeakerModel(model).temperature
    temperatures = np.array([[temperature(one.speaker)] for one in heard])
    first = np.array([members.first(one) for one in heard]) / temperatures
    whole = np.array([one.outputs['logits'][0] for one in heard]) / temperatures
    surer, sure = (fit_temperature(logits[validation], labels[validation]) for logits in (first, whole))
    odds = [
        np.average(logits[validation].argmax(axis=1) == labels[validation], weights=weights[validation])
        for logits in (whole, first)
    ]
    terms = [terms | voice_quality(one.speaker) for terms, one in zip(data.terms * 2, heard)]
    return (
        Worse(softmax(first, surer / sure), terms, labels, np.tile(data.groups, 2), weights),
        np.tile(data.kinds, 2),
        logit(odds[0]) - logit(odds[1]),
    )

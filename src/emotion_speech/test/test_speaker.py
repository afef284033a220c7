"""The memory of a voice, around a stand-in of a model whose voice is the mean of the samples."""

from types import SimpleNamespace

import numpy as np
import pytest

from emotion_core.errors import ModelError
from emotion_speech.speaker import CHANGE, HEARD, MOST_HEARD, REFERENCE, VOICE, SpeakerModel

S = 10**9
OTHER = 100.0  # a voice further from the reference than this is another's


class Model:
    """Says how far a voice is from the reference, the way a model that knows voices does."""

    card = SimpleNamespace(name='stand-in', temperature=2.0, warm_temperature=1.0)
    output_names = ('logits', VOICE, CHANGE)

    def __init__(self, **others: tuple[int, ...]):
        self.other_inputs = others or {REFERENCE: (1, 1), HEARD: (1,)}
        self.runs: list[tuple[float, float]] = []  # reference and heard

    def run(self, batch, names, **others):
        reference, heard = (float(others.get(name, np.zeros(1)).ravel()[0]) for name in (REFERENCE, HEARD))
        self.runs.append((reference, heard))
        voice = batch.mean(axis=1, keepdims=True)
        change = (np.abs(voice[:, 0] - reference) - OTHER) * (heard > 0)
        outputs = {'logits': np.eye(6)[:1] * 3, VOICE: voice, CHANGE: change}
        return {name: outputs[name] for name in names}

    def probabilities(self, outputs, temperature):
        exponent = np.exp(outputs / temperature)
        return exponent / exponent.sum(axis=1, keepdims=True)


def say(voice: float) -> np.ndarray:
    return np.full((1, 4), voice, np.float32)


def listen(model: SpeakerModel, *voices: float, start_s: float = 0.0, every_s: float = 2.0) -> list[int]:
    """Hear one-second utterances; gives how many were known before each."""
    known = []
    for number, voice in enumerate(voices):
        begin = int((start_s + every_s * number) * S)
        heard = model(say(voice), begin)
        model.remember(heard, begin + S)
        known.append(heard.speaker.heard)
    return known


def test_reference_is_the_mean_of_what_was_heard():
    model = Model()
    assert listen(SpeakerModel(model), 1.0, 4.0, 7.0, 4.0) == [0, 1, 2, 3]
    assert model.runs == [(0.0, 0), (1.0, 1), (2.5, 2), (4.0, 3)]


def test_order_does_not_matter_until_old_utterances_fade():
    rng = np.random.default_rng(0)
    voices = rng.normal(0, 10, MOST_HEARD)
    references = []
    for order in (voices, voices[::-1], rng.permutation(voices)):
        model = Model()
        listen(SpeakerModel(model), *order, 0.0)
        references.append(model.runs[-1])
    assert references == [pytest.approx(references[0], abs=1e-4)] * 3


def test_memory_follows_a_voice_that_changes_slowly():
    model = Model()
    listener = SpeakerModel(model)
    known = listen(listener, *np.linspace(0, 400, 401))
    assert max(known) == MOST_HEARD and known[-1] == MOST_HEARD  # never taken for another's
    reference, heard = model.runs[-1]
    assert heard == MOST_HEARD and 0 < 400 - reference < OTHER


def test_updates_change_nothing():
    model = Model()
    listener = SpeakerModel(model)
    listen(listener, 1.0, 3.0)
    for _ in range(5):
        listener(say(50.0), 5 * S)
    listener.remember(listener(say(2.0), 5 * S), 6 * S)
    assert model.runs[-1] == (2.0, 2)


def test_another_voice_is_heard_as_a_first_one_and_takes_the_place_of_the_one_before():
    model = Model()
    assert listen(SpeakerModel(model), 1.0, 2.0, 500.0, 501.0, 1.0) == [0, 1, 0, 1, 0]
    assert model.runs[-3:] == [(500.0, 1), (500.5, 2), (0.0, 0)]


def test_update_of_another_voice_leaves_the_memory_as_it_was():
    model = Model()
    listener = SpeakerModel(model)
    listen(listener, 1.0, 2.0)
    assert listener(say(500.0), 4 * S).speaker.heard == 0
    assert listener(say(1.5), 4 * S).speaker.heard == 2


@pytest.mark.parametrize('silence_s, known', [(9.9, [2, 3]), (10.1, [0, 1])])
def test_long_silence_is_the_end_of_a_speaker(silence_s, known):
    listener = SpeakerModel(Model(), forget_after_s=10.0)
    listen(listener, 1.0, 2.0)
    assert listen(listener, 1.0, 2.0, start_s=3.0 + silence_s) == known


def test_stamps_that_fall_back_are_the_end_of_a_speaker_and_jitter_is_not():
    listener = SpeakerModel(Model())
    listen(listener, 1.0, 2.0, start_s=100.0)
    assert listener(say(1.0), int(102.6 * S)).speaker.heard == 2  # the last ended at 103 s
    assert listener(say(1.0), 5 * S).speaker.heard == 0


def test_without_adaptation_each_utterance_is_a_first_one():
    model = Model()
    assert listen(SpeakerModel(model, adapt=False), 1.0, 500.0, 1.0) == [0, 0, 0]
    assert model.runs == [(0.0, 0)] * 3


def test_forget_makes_the_next_utterance_a_first_one():
    listener = SpeakerModel(Model())
    listen(listener, 1.0, 2.0)
    listener.forget()
    assert listen(listener, 1.0, start_s=5.0) == [0]


def test_voice_of_no_number_is_not_remembered():
    listener = SpeakerModel(Model())
    assert listen(listener, 1.0, np.nan, 1.0) == [0, 1, 1]


def test_temperature_moves_from_cold_to_warm():
    listener = SpeakerModel(Model())
    spoken = []
    for number in range(4):
        heard = listener(say(1.0), 2 * number * S)
        listener.remember(heard, (2 * number + 1) * S)
        spoken.append(listener.temperature(heard.speaker))
    assert spoken == pytest.approx([2.0, 1.5, 4 / 3, 1.25])
    assert heard.probabilities.sum() == pytest.approx(1)


def test_model_that_knows_no_voices_hears_each_utterance_alone():
    model = Model(unrelated=(1,))
    listener = SpeakerModel(model)
    heard = listener(say(1.0))
    listener.remember(heard)
    assert heard.speaker is None and listener(say(1.0)).speaker is None
    assert listener.temperature(None) == 2.0 and set(heard.outputs) == {'logits'}


def test_model_that_takes_a_reference_and_gives_no_voice_is_refused():
    model = Model()
    model.output_names = ('logits',)
    with pytest.raises(ModelError, match="'stand-in' takes a 'reference'"):
        SpeakerModel(model)

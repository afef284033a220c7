import numpy as np
import pytest

from emotion_core.emotions import EMOTIONS, LabelMap, normalise, softmax, to_emotion, top
from emotion_core.errors import ModelError
from emotion_msgs.msg import EmotionProbs


def test_order_is_the_one_of_the_message():
    assert [getattr(EmotionProbs, name.upper()) for name in EMOTIONS] == list(range(6))


@pytest.mark.parametrize(
    'name, emotion',
    [
        ('Anger', 'angry'),
        ('joy', 'happy'),
        ('calm', 'neutral'),
        ('disgust', None),
        ('surprised', 'surprise'),
        (' SAD ', 'sad'),
    ],
)
def test_foreign_names(name, emotion):
    assert to_emotion(name) == emotion


@pytest.mark.parametrize('name', ['bored', '', ' '])
def test_unknown_name_says_what_to_do(name):
    with pytest.raises(ModelError, match=f"unknown emotion '{name}'.*label_map"):
        to_emotion(name)


def test_disgust_is_dropped_and_the_rest_renormalised():
    labels = ('anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness', 'surprise')
    mapped = LabelMap(labels)(np.array([[0.1, 0.5, 0.1, 0.1, 0.1, 0.05, 0.05]]))
    np.testing.assert_allclose(mapped, [[0.2, 0.2, 0.2, 0.2, 0.1, 0.1]])


def test_labels_that_mean_the_same_are_added():
    np.testing.assert_allclose(
        LabelMap(('calm', 'neutral', 'happy'))(np.array([0.3, 0.3, 0.4])), [0, 0, 0.4, 0.6, 0, 0]
    )


def test_label_map_of_the_card_wins():
    np.testing.assert_allclose(
        LabelMap(('bored', 'x', 'happy'), {'bored': 'neutral', 'x': ''})(np.array([0.2, 0.5, 0.3])),
        [0, 0, 0.6, 0.4, 0, 0],
    )


def test_softmax_is_stable_and_cooler_with_temperature():
    hot, cool = softmax(np.array([1000.0, 999.0])), softmax(np.array([1000.0, 999.0]), temperature=4)
    assert hot[0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert 0.5 < cool[0] < hot[0]


def test_nothing_becomes_uniform():
    np.testing.assert_allclose(normalise(np.zeros(6)), np.full(6, 1 / 6))


def test_top():
    assert top(np.array([0.1, 0.0, 0.5, 0.2, 0.2, 0.0]), 3) == [('happy', 0.5), ('neutral', 0.2), ('sad', 0.2)]

from emotion_core.stamps import NS_PER_S
from emotion_view.pairing import PENDING_FRAMES, Pairing


def test_frame_waits_for_its_faces():
    pairing = Pairing()
    for stamp in (1, 2, 3):
        assert list(pairing.add(stamp, f'frame {stamp}')) == []
    assert pairing.pop(2) == 'frame 2'
    assert pairing.pop(1) is None, 'earlier ones are given up'
    assert pairing.pop(3) == 'frame 3'


def test_frame_whose_faces_do_not_come_is_shown_without():
    pairing = Pairing()
    assert list(pairing.add(0, 'old')) == []
    assert list(pairing.add(NS_PER_S + 1, 'new')) == ['old']
    many = [shown for stamp in range(2 * PENDING_FRAMES) for shown in pairing.add(2 * NS_PER_S + stamp, stamp)]
    assert len(many) == PENDING_FRAMES + 1

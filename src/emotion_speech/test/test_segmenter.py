from emotion_speech.segmenter import Segmentation, Segmenter, Span

FRAME_S = 0.1
SETTINGS = Segmentation(min_speech=0.2, pre_roll=0.3, hang_over=0.3, max_segment=2.0, update_period=0.5)


def spans(pattern: str, settings: Segmentation = SETTINGS) -> list[Span]:
    """Push a frame of 0.1 s per sign: '#' a voice, 'o' a voice in doubt (0.4), '.' none."""
    segmenter = Segmenter(settings, FRAME_S)
    given = [segmenter.push({'#': 0.9, 'o': 0.4, '.': 0.1}[sign]) for sign in pattern]
    return [span for span in given if span is not None]


def finals(pattern: str, settings: Segmentation = SETTINGS) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in spans(pattern, settings) if span.is_final]


def test_a_segment_has_pre_roll_and_a_short_tail():
    assert finals('.....####......') == [(2, 10)]


def test_pre_roll_does_not_reach_before_the_stream_or_into_the_last_segment():
    assert finals('####......') == [(0, 5)]
    assert finals('####...####......') == [(0, 5), (5, 12)]


def test_a_pause_shorter_than_the_hang_over_does_not_split():
    assert finals('####..####......') == [(0, 11)]


def test_a_click_is_no_speech():
    assert spans('....#.......#......') == []


def test_a_voice_in_doubt_continues_speech_and_does_not_start_it():
    assert spans('..oooooooo......') == []
    assert finals('##oooo....') == [(0, 7)]


def test_updates_come_every_period_and_at_each_pause():
    updates = [(span.start, span.end) for span in spans('############.....') if not span.is_final]
    assert updates == [(0, 5), (0, 10), (0, 13)]


def test_the_final_span_was_looked_at_when_the_pause_began():
    pause, final = spans('....####......')[-2:]
    assert (pause.start, pause.end, pause.voice_end) == (final.start, final.end, final.voice_end) == (1, 9, 8)
    assert not pause.is_final and final.is_final


def test_long_speech_is_split_without_losing_or_repeating_a_frame():
    assert finals('#' * 50 + '.....') == [(0, 20), (20, 40), (40, 51)]


def test_flush_ends_what_is_going_on():
    segmenter = Segmenter(SETTINGS, FRAME_S)
    for _ in range(4):
        segmenter.push(0.9)
    assert segmenter.segment_frames == 4
    assert segmenter.flush() == Span(0, 4, 4, is_final=True)
    assert segmenter.flush() is None
    assert segmenter.segment_frames == 0


def test_somebody_is_known_to_speak_from_the_confirmation_to_the_end_also_across_a_split():
    segmenter, told = Segmenter(SETTINGS, FRAME_S), []
    for sign in '..' + '#' * 21 + '....':
        segmenter.push(0.9 if sign == '#' else 0.1)
        told.append((segmenter.speaking, segmenter.segment_frames))
    assert told[:4] == [(False, 0), (False, 0), (False, 0), (True, 4)]
    assert told[18:22] == [(True, 19), (True, 0), (True, 1), (True, 2)]
    assert told[-1] == (False, 0)

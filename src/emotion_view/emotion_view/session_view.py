"""The views of a session: a ring that fills, a dimmed picture with a level meter, face beside voice."""

from collections.abc import Sequence

import numpy as np

from emotion_core.emotions import EMOTIONS
from emotion_view.canvas import (
    FACE_COLOR,
    FUSED_COLOR,
    MUTED_COLOR,
    SPEAKING_COLOR,
    SPEECH_COLOR,
    TEXT_COLOR,
    Canvas,
)
from emotion_view.scene import FaceView, Opinion, SessionView

QUIET_DBFS, LOUD_DBFS = -60.0, -10.0  # ends of the level meter
DIM = 0.3
BESIDE_PANEL = ('hold', 'locked')  # stages in which the usual panel is shown; the others take the whole picture
EDGE = 24


def loudness(level_dbfs: float) -> float:
    """Give a level as a share of the level meter, [0, 1]."""
    return float(np.clip((level_dbfs - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS), 0, 1))


def draw_ring(canvas: Canvas, view: SessionView, faces: Sequence[FaceView]) -> None:
    """Draw the progress of the lock around the subject's face; the face's own label goes over it."""
    color = FUSED_COLOR if view.stage == 'locked' else FACE_COLOR
    for face in faces:
        if face.subject_id == view.subject_id:
            x, y, w, h = (value / canvas.scale for value in face.box)
            canvas.ring(x + w / 2, y + h / 2, 0.5 * float(np.hypot(w, h)) + 12, view.progress, color)


def draw_session(canvas: Canvas, view: SessionView, width: float) -> None:
    """
    Draw over the picture with its panel, which is empty in stages that take the whole picture.

    :param width: Of the frame without the panel.
    """
    if view.stage in BESIDE_PANEL:
        canvas.fill(0, canvas.height - 46, width, 46, (0, 0, 0))
        canvas.centred(view.prompt, width / 2, canvas.height - 16, 0.85, TEXT_COLOR, width - 2 * EDGE)
    elif view.stage == 'listen':
        _draw_listen(canvas, view)
    elif view.stage == 'result':
        _draw_result(canvas, view)
    else:
        canvas.dim(DIM)
        canvas.centred(view.prompt, canvas.width / 2, canvas.height / 2, 1.0, TEXT_COLOR, canvas.width - 2 * EDGE)


def _draw_listen(canvas: Canvas, view: SessionView) -> None:
    canvas.dim(DIM)
    middle, width = canvas.width / 2, canvas.width * 0.6
    if view.face:
        text = f'{view.face.label} {view.face.confidence:.0%}'
        canvas.centred(text, middle, canvas.height * 0.25, 0.8, FACE_COLOR, width)
    canvas.centred(view.prompt, middle, canvas.height * 0.48, 1.6, TEXT_COLOR, canvas.width - 2 * EDGE)
    color = SPEAKING_COLOR if view.speaking else MUTED_COLOR
    canvas.bar(middle - width / 2, canvas.height * 0.58, width, 18, loudness(view.level_dbfs), color)
    if not view.speaking and view.seconds_left >= 0:
        canvas.centred(f'{view.seconds_left:.0f} s', middle, canvas.height * 0.72, 0.7, MUTED_COLOR, width)


def _draw_result(canvas: Canvas, view: SessionView) -> None:
    canvas.dim(DIM)
    half = canvas.width / 2
    canvas.fill(half - 1, EDGE, 2, canvas.height * 0.74 - EDGE, MUTED_COLOR)
    _draw_half(canvas, 0, half, 'FACE', view.face, FACE_COLOR)
    _draw_half(canvas, half, half, 'VOICE', view.speech, SPEECH_COLOR)
    if view.fused:
        text = f'both: {view.fused.label} {view.fused.confidence:.0%}'
        canvas.centred(text, half, canvas.height * 0.87, 1.2, FUSED_COLOR, canvas.width - 2 * EDGE)
    canvas.centred(view.prompt, half, canvas.height - 18, 0.55, MUTED_COLOR, canvas.width - 2 * EDGE)


def _draw_half(
    canvas: Canvas, x: float, width: float, title: str, opinion: Opinion | None, color: tuple[int, int, int]
) -> None:
    canvas.centred(title, x + width / 2, 48, 0.9, color, width - 2 * EDGE)
    if opinion is None:
        canvas.centred('nothing', x + width / 2, 100, 0.8, MUTED_COLOR, width - 2 * EDGE)
        return
    text = f'{opinion.label} {opinion.confidence:.0%}'
    canvas.centred(text, x + width / 2, 96, 1.2, TEXT_COLOR, width - 2 * EDGE)
    if opinion.reason:
        canvas.centred(opinion.reason, x + width / 2, 120, 0.5, MUTED_COLOR, width - 2 * EDGE)
    bar_x, bar_width = x + EDGE + 92, width - 2 * EDGE - 92 - 52
    for row, (emotion, p) in enumerate(zip(EMOTIONS, opinion.probabilities)):
        y = 146 + row * 34
        canvas.text(emotion, x + EDGE, y + 14, 0.6, TEXT_COLOR if emotion == opinion.label else MUTED_COLOR)
        canvas.bar(bar_x, y, bar_width, 18, float(p), color)
        canvas.text(f'{p:4.0%}', bar_x + bar_width + 4, y + 14, 0.5, TEXT_COLOR)

"""Draws a scene on a frame: boxes, labels, bars, weights, and who is speaking."""

import cv2
import numpy as np

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_view.canvas import (
    EMPTY_COLOR,
    FACE_COLOR,
    FUSED_COLOR,
    MUTED_COLOR,
    SPEAKING_COLOR,
    SPEECH_COLOR,
    TEXT_COLOR,
    Canvas,
)
from emotion_view.game_view import draw_game
from emotion_view.scene import FaceView, FusedView, Hearing, Scene
from emotion_view.session_view import BESIDE_PANEL, draw_ring, draw_session, loudness

PANEL_WIDTH = 204
ROW_HEIGHT = 25
BAR_HEIGHT = 5
MARGIN = 8


def draw(frame: np.ndarray, scene: Scene) -> np.ndarray:
    """
    Draw a scene.

    :param frame: uint8 of shape (height, width, 3), BGR; not changed.
    :return: A new picture: the frame with its faces marked, and a panel beside it, so wider than the frame.
    """
    canvas = Canvas(frame.copy())
    if scene.game:
        canvas.widen(PANEL_WIDTH)
        draw_game(canvas, scene.game, scene.faces, canvas.width - PANEL_WIDTH)
        return canvas.frame
    if scene.session and scene.session.stage not in BESIDE_PANEL:
        canvas.widen(PANEL_WIDTH)
        draw_session(canvas, scene.session, canvas.width - PANEL_WIDTH)
        return canvas.frame
    if scene.session:
        draw_ring(canvas, scene.session, scene.faces)
    for face in scene.faces:
        _draw_face(
            canvas,
            face,
            speaking=bool(scene.hearing and scene.hearing.speaking) and face.subject_id == scene.speaker_id,
        )
    panel_x = canvas.width
    canvas.widen(PANEL_WIDTH)
    y = _draw_bars(canvas, panel_x, scene.fused)
    y = _draw_weights(canvas, panel_x, y, scene.fused)
    _draw_hearing(canvas, panel_x, scene.hearing)
    if scene.session:
        draw_session(canvas, scene.session, panel_x)
    return canvas.frame


def _draw_face(canvas: Canvas, face: FaceView, speaking: bool) -> None:
    x, y, width, height = face.box
    color = SPEAKING_COLOR if speaking else FACE_COLOR
    thickness = max(canvas.px(2), 1)
    cv2.rectangle(canvas.frame, (x, y), (x + width, y + height), (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.rectangle(canvas.frame, (x, y), (x + width, y + height), color, thickness, cv2.LINE_AA)
    text = f'{face.subject_id}  {face.label} {face.confidence:.0%}' + ('  speaking' if speaking else '')
    left, top = x / canvas.scale, y / canvas.scale
    tag_y = top - 18 if top >= 18 else top + height / canvas.scale + 2
    tag_width = canvas.text_width(text, 0.42) + 10
    left = max(min(left, canvas.width - tag_width), 1)  # all of it is in the picture
    canvas.fill(left - 1, tag_y, tag_width, 18, color)
    canvas.text(text, left + 4, tag_y + 13, 0.42, (0, 0, 0))


def _draw_bars(canvas: Canvas, x: float, view: FusedView | None) -> float:
    title = (
        'waiting...'
        if view is None
        else view.label
        if view.label == UNCERTAIN
        else f'{view.label} {view.confidence:.0%}'
    )
    canvas.text(title, x + MARGIN, 28, 0.72, TEXT_COLOR, bold=True)
    if view and view.subject_id:
        canvas.text(
            view.subject_id, canvas.width - MARGIN - canvas.text_width(view.subject_id, 0.36), 12, 0.36, MUTED_COLOR
        )
    bar_x, bar_width = x + 70, PANEL_WIDTH - 70 - 40
    sources = ((view.face, FACE_COLOR), (view.speech, SPEECH_COLOR), (view.fused, FUSED_COLOR)) if view else ()
    y = 44.0
    for index, emotion in enumerate(EMOTIONS):
        canvas.text(emotion, x + MARGIN, y + 12, 0.42, TEXT_COLOR if view and emotion == view.label else MUTED_COLOR)
        canvas.fill(bar_x, y, bar_width, 3 * BAR_HEIGHT + 2, EMPTY_COLOR)
        for row, (probabilities, color) in enumerate(sources):
            if probabilities is not None:
                canvas.fill(
                    bar_x, y + row * (BAR_HEIGHT + 1), bar_width * float(probabilities[index]), BAR_HEIGHT, color
                )
        shown = view and (view.face if view.fused is None else view.fused)
        if shown is not None:
            canvas.text(f'{shown[index]:4.0%}', bar_x + bar_width + 5, y + 12, 0.38, TEXT_COLOR)
        y += ROW_HEIGHT
    for text, color, offset in (('face', FACE_COLOR, 0), ('voice', SPEECH_COLOR, 52), ('fused', FUSED_COLOR, 112)):
        canvas.fill(x + MARGIN + offset, y + 3, 8, 8, color)
        canvas.text(text, x + MARGIN + offset + 12, y + 11, 0.38, MUTED_COLOR)
    return y + 26


def _draw_weights(canvas: Canvas, x: float, y: float, view: FusedView | None) -> float:
    width = PANEL_WIDTH - 2 * MARGIN
    canvas.text('weights', x + MARGIN, y + 8, 0.38, MUTED_COLOR)
    y += 14
    canvas.fill(x + MARGIN, y, width, 10, EMPTY_COLOR)
    if view is None:
        return y + 24
    canvas.fill(x + MARGIN, y, width * view.face_weight, 10, FACE_COLOR)
    canvas.fill(x + MARGIN + width * view.face_weight, y, width * view.speech_weight, 10, SPEECH_COLOR)
    y += 26
    for name, weight, reason, color in (
        ('face', view.face_weight, view.face_reason, FACE_COLOR),
        ('voice', view.speech_weight, view.speech_reason, SPEECH_COLOR),
    ):
        canvas.text(f'{name} {weight:.2f}', x + MARGIN, y, 0.42, color)
        y += 15
        for line in canvas.wrap(reason, width, 0.36)[:3]:
            canvas.text(line, x + MARGIN, y, 0.36, MUTED_COLOR)
            y += 13
        y += 6
    return y


def _draw_hearing(canvas: Canvas, x: float, hearing: Hearing | None) -> None:
    y = canvas.height - 34
    width = PANEL_WIDTH - 2 * MARGIN
    if hearing is None:
        canvas.text('no sound', x + MARGIN, y + 6, 0.42, MUTED_COLOR)
        return
    color = SPEAKING_COLOR if hearing.speaking else MUTED_COLOR
    canvas.text('speaking' if hearing.speaking else 'listening', x + MARGIN, y + 6, 0.42, color)
    canvas.bar(x + MARGIN, y + 14, width, 8, loudness(hearing.level_dbfs), color)

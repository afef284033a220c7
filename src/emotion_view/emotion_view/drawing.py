"""Draws a scene on a frame: boxes, labels, bars, weights, and who is speaking."""

import cv2
import numpy as np

from emotion_core.emotions import EMOTIONS, UNCERTAIN
from emotion_view.scene import FaceView, FusedView, Hearing, Scene

# Colours that colour-blind people tell apart (Okabe and Ito 2008), as BGR.
FACE_COLOR = (233, 180, 86)
SPEECH_COLOR = (0, 159, 230)
FUSED_COLOR = (255, 255, 255)
SPEAKING_COLOR = (0, 159, 230)
TEXT_COLOR = (255, 255, 255)
MUTED_COLOR = (190, 190, 190)
PANEL_COLOR = (28, 24, 22)
FONT = cv2.FONT_HERSHEY_SIMPLEX

DESIGN_HEIGHT = 480  # the sizes below are for a frame this high and grow with it
PANEL_WIDTH = 204
ROW_HEIGHT = 25
BAR_HEIGHT = 5
MARGIN = 8
QUIET_DBFS, LOUD_DBFS = -60.0, -10.0  # ends of the level meter


class _Canvas:
    """A frame with sizes in design pixels."""

    def __init__(self, frame: np.ndarray):
        self.frame = frame
        self.scale = max(frame.shape[0] / DESIGN_HEIGHT, 0.5)

    @property
    def width(self) -> float:
        return self.frame.shape[1] / self.scale

    @property
    def height(self) -> float:
        return self.frame.shape[0] / self.scale

    def widen(self, width: float) -> None:
        self.frame = cv2.copyMakeBorder(self.frame, 0, 0, 0, self.px(width), cv2.BORDER_CONSTANT, value=PANEL_COLOR)

    def px(self, value: float) -> int:
        return round(value * self.scale)

    def fill(self, x: float, y: float, width: float, height: float, color: tuple[int, int, int]) -> None:
        if width > 0:
            right, bottom = max(self.px(x + width) - 1, self.px(x)), max(self.px(y + height) - 1, self.px(y))
            cv2.rectangle(self.frame, (self.px(x), self.px(y)), (right, bottom), color, -1)

    def text(self, text: str, x: float, y: float, size: float, color: tuple[int, int, int], bold: bool = False) -> None:
        thickness = max(round((2 if bold else 1) * self.scale), 1)
        cv2.putText(self.frame, text, (self.px(x), self.px(y)), FONT, size * self.scale, color, thickness, cv2.LINE_AA)

    def text_width(self, text: str, size: float, bold: bool = False) -> float:
        thickness = max(round((2 if bold else 1) * self.scale), 1)
        return cv2.getTextSize(text, FONT, size * self.scale, thickness)[0][0] / self.scale

    def wrap(self, text: str, width: float, size: float) -> list[str]:
        lines = ['']
        for word in text.split():
            longer = f'{lines[-1]} {word}'.strip()
            if lines[-1] and self.text_width(longer, size) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines


def draw(frame: np.ndarray, scene: Scene) -> np.ndarray:
    """
    Draw a scene.

    :param frame: uint8 of shape (height, width, 3), BGR; not changed.
    :return: A new picture: the frame with its faces marked, and a panel beside it, so wider than the frame.
    """
    canvas = _Canvas(frame.copy())
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
    return canvas.frame


def _draw_face(canvas: _Canvas, face: FaceView, speaking: bool) -> None:
    x, y, width, height = face.box
    color = SPEAKING_COLOR if speaking else FACE_COLOR
    thickness = max(canvas.px(2), 1)
    cv2.rectangle(canvas.frame, (x, y), (x + width, y + height), (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.rectangle(canvas.frame, (x, y), (x + width, y + height), color, thickness, cv2.LINE_AA)
    text = f'{face.subject_id}  {face.label} {face.confidence:.0%}' + ('  speaking' if speaking else '')
    left, top = x / canvas.scale, y / canvas.scale
    tag_y = top - 18 if top >= 18 else top + height / canvas.scale + 2
    canvas.fill(left - 1, tag_y, canvas.text_width(text, 0.42) + 10, 18, color)
    canvas.text(text, left + 4, tag_y + 13, 0.42, (0, 0, 0))


def _draw_bars(canvas: _Canvas, x: float, view: FusedView | None) -> float:
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
        canvas.fill(bar_x, y, bar_width, 3 * BAR_HEIGHT + 2, (70, 64, 60))
        for row, (probabilities, color) in enumerate(sources):
            if probabilities is not None:
                canvas.fill(
                    bar_x, y + row * (BAR_HEIGHT + 1), bar_width * float(probabilities[index]), BAR_HEIGHT, color
                )
        if view and view.fused is not None:
            canvas.text(f'{view.fused[index]:4.0%}', bar_x + bar_width + 5, y + 12, 0.38, TEXT_COLOR)
        y += ROW_HEIGHT
    for text, color, offset in (('face', FACE_COLOR, 0), ('voice', SPEECH_COLOR, 52), ('fused', FUSED_COLOR, 112)):
        canvas.fill(x + MARGIN + offset, y + 3, 8, 8, color)
        canvas.text(text, x + MARGIN + offset + 12, y + 11, 0.38, MUTED_COLOR)
    return y + 26


def _draw_weights(canvas: _Canvas, x: float, y: float, view: FusedView | None) -> float:
    width = PANEL_WIDTH - 2 * MARGIN
    canvas.text('weights', x + MARGIN, y + 8, 0.38, MUTED_COLOR)
    y += 14
    canvas.fill(x + MARGIN, y, width, 10, (70, 64, 60))
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


def _draw_hearing(canvas: _Canvas, x: float, hearing: Hearing | None) -> None:
    y = canvas.height - 34
    width = PANEL_WIDTH - 2 * MARGIN
    if hearing is None:
        canvas.text('no sound', x + MARGIN, y + 6, 0.42, MUTED_COLOR)
        return
    color = SPEAKING_COLOR if hearing.speaking else MUTED_COLOR
    canvas.text('speaking' if hearing.speaking else 'listening', x + MARGIN, y + 6, 0.42, color)
    level = float(np.clip((hearing.level_dbfs - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS), 0, 1))
    canvas.fill(x + MARGIN, y + 14, width, 8, (70, 64, 60))
    canvas.fill(x + MARGIN, y + 14, width * level, 8, color)

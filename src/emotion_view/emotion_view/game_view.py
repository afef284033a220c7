"""The head-up display of the game: player boxes, the target in large, countdown, score bars, who wins."""

from collections.abc import Sequence

import cv2

from emotion_view.canvas import EMPTY_COLOR, FUSED_COLOR, MUTED_COLOR, TEXT_COLOR, Canvas
from emotion_view.scene import FaceView, GameView, PlayerView

# Okabe and Ito's bluish green and reddish purple, as BGR: neither face, voice nor each other.
PLAYER_COLORS = ((115, 158, 0), (167, 121, 204))
TIE = 3
MARGIN = 12
TOP = 64  # height of the strip with the target
DIM = 0.35


def draw_game(canvas: Canvas, view: GameView, faces: Sequence[FaceView], width: float) -> None:
    """
    Draw the game on a frame with an empty panel beside it.

    :param width: Of the frame without the panel.
    """
    for number, (player, color) in enumerate(zip(view.players, PLAYER_COLORS), start=1):
        for face in faces:
            if face.subject_id == player.subject_id:
                _draw_box(canvas, face, player, color, is_turn=view.turn in (0, number))
    is_over = view.stage == 'gameover'
    if is_over or view.paused:
        picture = canvas.frame[:, : canvas.px(width)]
        picture[:] = cv2.convertScaleAbs(picture, alpha=DIM)
    middle = width / 2
    canvas.fill(0, 0, width, TOP, (0, 0, 0))
    if view.stage == 'countdown':
        canvas.centred(view.target.upper(), middle, 46, 1.5, TEXT_COLOR, width - 2 * MARGIN)
        canvas.centred(f'{int(view.seconds_left + 0.999)}', middle, canvas.height * 0.62, 5.0, TEXT_COLOR, width)
    elif view.stage == 'playing':
        canvas.centred(view.target.upper(), middle, 46, 1.5, TEXT_COLOR, width - 160)
        canvas.text(f'{view.seconds_left:4.1f}', width - 70, 40, 0.8, TEXT_COLOR, bold=True)
    else:
        canvas.centred(view.prompt, middle, 44, 1.0, TEXT_COLOR, width - 2 * MARGIN)
    if view.stage == 'playing' and (view.paused or view.turn):
        canvas.centred(view.prompt, middle, canvas.height - 66, 1.0, TEXT_COLOR, width - 2 * MARGIN)
    if view.stage in ('score', 'gameover') and view.winner in (1, 2, TIE):
        _draw_winner(canvas, view, middle, width)
    if view.stage in ('playing', 'score'):
        _draw_bars(canvas, view, width)
    _draw_board(canvas, view, width)


def _draw_box(canvas: Canvas, face: FaceView, player: PlayerView, color: tuple[int, int, int], is_turn: bool) -> None:
    x, y, width, height = face.box
    thickness = max(canvas.px(4 if is_turn else 1), 1)
    cv2.rectangle(canvas.frame, (x, y), (x + width, y + height), (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.rectangle(canvas.frame, (x, y), (x + width, y + height), color, thickness, cv2.LINE_AA)
    left, top = x / canvas.scale, y / canvas.scale
    canvas.fill(left - 2, top - 24, canvas.text_width(player.name, 0.6, bold=True) + 12, 24, color)
    canvas.text(player.name, left + 4, top - 7, 0.6, (0, 0, 0), bold=True)


def _draw_bars(canvas: Canvas, view: GameView, width: float) -> None:
    """Draw what each shows now, with a mark at the best second, from the middle outwards."""
    y, length = canvas.height - 40, width / 2 - 2 * MARGIN
    canvas.fill(0, y - 10, width, 50, (0, 0, 0))
    for player, color, x, direction in zip(view.players, PLAYER_COLORS, (width / 2 - 6, width / 2 + 6), (-1, 1)):
        for share, part in ((1.0, EMPTY_COLOR), (min(player.probability, 1.0), color)):
            canvas.fill(x - length * share if direction < 0 else x, y, length * share, 16, part)
        mark = x + direction * length * player.score
        canvas.fill(mark - 2, y - 4, 4, 24, FUSED_COLOR)
        text = f'best {player.score:.2f}'
        at = MARGIN if direction < 0 else width - MARGIN - canvas.text_width(text, 0.45)
        canvas.text(text, at, y + 32, 0.45, TEXT_COLOR)


def _draw_winner(canvas: Canvas, view: GameView, middle: float, width: float) -> None:
    if view.winner == TIE:
        text, color = 'TIE', TEXT_COLOR
    else:
        text, color = f'{view.players[view.winner - 1].name.upper()} WINS', PLAYER_COLORS[view.winner - 1]
    y = canvas.height - 66 if view.stage == 'score' else canvas.height * 0.55
    canvas.centred(text, middle, y, 2.0, color, width - 2 * MARGIN)


def _draw_board(canvas: Canvas, view: GameView, x: float) -> None:
    """Draw the panel: round, and what each has."""
    left, right = x + MARGIN, canvas.width - MARGIN
    title = f'round {view.round} of {view.rounds}' if view.round else 'two players'
    canvas.text(title, left, 32, 0.65, TEXT_COLOR, bold=True)
    for player, color, y in zip(view.players, PLAYER_COLORS, (76, 236)):
        canvas.fill(left, y - 16, 6, 96, color)
        canvas.text(player.name, left + 14, y, 0.6, color, bold=True)
        status = '' if player.present else 'away'
        canvas.text(status, right - canvas.text_width(status, 0.5), y, 0.5, MUTED_COLOR)
        for row, (name, value) in enumerate(
            (
                ('rounds won', f'{player.rounds_won}'),
                ('this round', f'{player.score:.2f}'),
                ('total', f'{player.total:.2f}'),
            )
        ):
            canvas.text(name, left + 14, y + 28 + 24 * row, 0.48, MUTED_COLOR)
            canvas.text(value, right - canvas.text_width(value, 0.55), y + 28 + 24 * row, 0.55, TEXT_COLOR)

"""
Make the assets of the demo scenario again: the portrait with its mask, and the speech.

Needs scikit-image, OpenCV, soundfile, and the program espeak-ng; run it in the folder of the package:
``python3 tools/make_assets.py emotion_drivers/assets``.
"""

import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import soundfile

# Outlines in pixels of the portrait: everything outside OUTER is background, everything inside INNER is the person,
# and GrabCut decides between.
OUTER = [
    [
        (140, 80),
        (145, 30),
        (190, 5),
        (260, 5),
        (310, 60),
        (310, 130),
        (315, 210),
        (350, 250),
        (372, 330),
        (385, 340),
        (440, 335),
        (480, 365),
        (505, 420),
        (508, 511),
        (20, 511),
        (18, 400),
        (30, 300),
        (60, 240),
        (100, 205),
        (105, 180),
        (140, 140),
    ],
]
INNER = [
    [
        (165, 60),
        (200, 35),
        (255, 35),
        (285, 70),
        (280, 100),
        (265, 130),
        (250, 175),
        (300, 240),
        (330, 300),
        (340, 345),
        (330, 400),
        (320, 500),
        (60, 500),
        (40, 400),
        (55, 300),
        (90, 240),
        (130, 210),
        (125, 190),
        (160, 165),
        (185, 180),
        (180, 120),
        (165, 95),
    ],
    [(120, 195), (150, 158), (190, 160), (255, 180), (300, 230), (295, 270), (200, 300), (120, 250)],
    [(300, 430), (340, 370), (400, 352), (450, 365), (485, 420), (495, 505), (290, 505)],
]
SMALLEST_HOLE = 800  # pixels; smaller ones are filled

# name -> words per minute, pitch (0 to 99), pitch range in SSML, text
SPEECH = {
    'glad': (170, 75, '+100%', 'Hello! How wonderful to see you! I am so glad that you are here!'),
    'weary': (115, 25, '-80%', 'I am not so sure. It has been a long, long day.'),
    'plain': (150, 35, '-60%', 'The report is on the table, next to the door.'),
    'startled': (200, 95, '+150%', 'Wait! What was that? Did you hear it too?'),
}
VOICE = 'en-us+Annie'
PEAK = 0.5  # of full scale


def make_portrait(folder: Path) -> None:
    """Write the portrait and the mask of the person in it."""
    image = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    labels = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(labels, [np.array(outline) for outline in OUTER], cv2.GC_PR_FGD)
    for outline in INNER:  # one by one: fillPoly leaves out where two overlap
        cv2.fillPoly(labels, [np.array(outline)], cv2.GC_FGD)
    cv2.setRNGSeed(0)
    cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    mask = cv2.medianBlur(np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8), 7)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    mask = np.where(parts == 1 + stats[1:, cv2.CC_STAT_AREA].argmax(), 255, 0).astype(np.uint8)
    count, holes, stats, _ = cv2.connectedComponentsWithStats(255 - mask)
    for hole in range(1, count):
        if stats[hole, cv2.CC_STAT_AREA] < SMALLEST_HOLE:
            mask[holes == hole] = 255
    mask = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3), np.uint8)), (0, 0), 1.5)
    cv2.imwrite(str(folder / 'portrait.jpg'), image, [cv2.IMWRITE_JPEG_QUALITY, 92])
    cv2.imwrite(str(folder / 'portrait_mask.png'), mask)


def make_speech(folder: Path) -> None:
    """Write the utterances."""
    for name, (speed, pitch, pitch_range, text) in SPEECH.items():
        ssml = f'<speak><prosody range="{pitch_range}">{text}</prosody></speak>'
        wave = subprocess.run(
            ['espeak-ng', '-m', '-v', VOICE, '-s', str(speed), '-p', str(pitch), '--stdout', ssml],
            check=True,
            capture_output=True,
        ).stdout
        samples, rate = soundfile.read(io.BytesIO(wave))
        loud = np.flatnonzero(np.abs(samples) > 0.01)
        samples = samples[loud[0] : loud[-1]]
        samples *= PEAK / np.abs(samples).max()
        soundfile.write(folder / f'{name}.ogg', samples, rate, format='OGG', subtype='VORBIS')
        print(f'{name}: {len(samples) / rate:.1f} s')


if __name__ == '__main__':
    make_portrait(Path(sys.argv[1]))
    make_speech(Path(sys.argv[1]))

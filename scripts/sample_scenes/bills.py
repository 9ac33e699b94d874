"""What is printed on the posters: headlines, a picture, small lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gantrans.draws import uniform

from .canvas import Canvas, outline_of
from .texture import Colour, lit, mix, ramp, rgb, smoothstep

Frame = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Bill:
    """What a poster says and its colours."""

    title: str
    under: str
    lines: tuple[str, ...]
    foot: str
    paper: Colour
    ink: Colour
    accent: Colour
    picture: str


BILLS = (
    Bill("JAZZ", "ON THE RIVER", ("Friday 14 June", "doors open at 8"), "Pier 9 - free entry",
         rgb("f0dfb4"), rgb("1d2a44"), rgb("d9482b"), "sun"),
    Bill("ALPS", "BY NIGHT TRAIN", ("Daily at ten, platform 3", "beds and breakfast"), "Tickets 42.50",
         rgb("e9ece2"), rgb("14384f"), rgb("e3a52b"), "peak"),
    Bill("LOST CAT", "answers to MIMI", ("grey, one white paw", "last seen in Mill Lane"), "Call 555 0187",
         rgb("f6f2e6"), rgb("2b2523"), rgb("b3261e"), "cat"),
    Bill("REGATTA", "SUMMER 1936", ("Sixteen crews, one cup", "music at noon"), "Harbour Club",
         rgb("f3e4c4"), rgb("123b46"), rgb("c8432f"), "sail"),
)  # fmt: skip


def printed(rng: np.random.Generator, wide: float, tall: float, bill: Bill) -> Canvas:
    """The bill by itself: paper, border, words, picture."""
    sheet = Canvas(round(wide), round(tall), bill.paper)
    fibre = sheet.noise(rng, 30, 5, gain=0.6)
    sheet.wash(smoothstep(0.4, 0.9, fibre), mix(bill.paper, rgb("8a6a3a"), 0.4), 0.5)
    middle, room = sheet.width / 2, sheet.width - 14
    for inset, thick in ((3.0, 1.2), (5.2, 0.5)):
        corners = [(inset, inset), (sheet.width - inset, inset), (sheet.width - inset, sheet.height - inset)]
        sheet.line([*corners, (inset, sheet.height - inset), (inset, inset)], thick, bill.ink)
    sheet.text((middle, 19), bill.title, 25, bill.accent, bold=0.8, fit=room)
    sheet.text((middle, 36), bill.under, 10.5, bill.ink, bold=0.2, fit=room)
    rows = 11.5 * len(bill.lines)
    top, bottom = 44.0, sheet.height - 27 - rows
    PICTURES[bill.picture](sheet, rng, (9, top, sheet.width - 9, bottom), bill)
    for index, words in enumerate(bill.lines):
        sheet.text((middle, bottom + 8 + 11.5 * index), words, 9.5, bill.ink, fit=room, bold=0.08)
    sheet.box(7, sheet.height - 21, sheet.width - 7, sheet.height - 8, bill.ink)
    sheet.text((middle, sheet.height - 14.5), bill.foot, 9.5, bill.paper, fit=room - 4, bold=0.1)
    return sheet


def _sun(sheet: Canvas, rng: np.random.Generator, frame: Frame, bill: Bill) -> None:
    """Sun rays over waves, with a trumpet's bell of rings."""
    left, top, right, bottom = frame
    x, y, radius = (left + right) / 2, bottom - 12, (bottom - top) * 0.42
    sheet.box(*frame, mix(bill.paper, bill.accent, 0.25))
    for ray in range(0, 36, 2):
        low, high = (np.pi * (1 + k / 36) for k in (ray, ray + 1))
        reach = np.hypot(right - left, bottom - top)
        points = [
            (x, y),
            (x + reach * np.cos(low), y + reach * np.sin(low)),
            (x + reach * np.cos(high), y + reach * np.sin(high)),
        ]
        inside = [(float(np.clip(u, left, right)), float(np.clip(v, top, bottom))) for u, v in points]
        sheet.polygon(inside, bill.accent, 0.55)
    for ring, share in enumerate((1.0, 0.78, 0.56, 0.34)):
        half = [(u, min(v, bottom)) for u, v in outline_of((x, y), (radius * share, radius * share))]
        sheet.polygon(half, (bill.accent, bill.paper)[ring % 2])
    sheet.box(left, bottom - 12, right, bottom, bill.ink)
    phase = uniform(rng, 0, 6.28)
    for wave in range(3):
        across = np.linspace(left, right, 40)
        points = [
            *zip(across, bottom - 10 + 3.6 * wave + 1.1 * np.sin(across * 0.5 + phase + wave), strict=True)
        ]
        sheet.line(points, 0.8, bill.paper, 0.8)


def _peak(sheet: Canvas, rng: np.random.Generator, frame: Frame, bill: Bill) -> None:
    """A snow peak under the moon, a lit train at its foot."""
    left, top, right, bottom = frame
    wide, tall = right - left, bottom - top
    sheet.box(*frame, lambda _, y: ramp((y - top) / tall, (bill.ink, mix(bill.ink, bill.paper, 0.55))))
    for _ in range(26):
        sheet.ellipse(
            (uniform(rng, left, right), uniform(rng, top, top + tall * 0.5)), (0.5, 0.5), bill.paper
        )
    sheet.ellipse((right - wide * 0.2, top + tall * 0.2), (5, 5), bill.accent)
    tip = (left + wide * 0.45, top + tall * 0.14)
    sheet.polygon([tip, (right, bottom), (left, bottom)], mix(bill.ink, bill.paper, 0.28))
    sheet.polygon([tip, (left + wide * 0.5, bottom), (left, bottom)], mix(bill.ink, bill.paper, 0.5))
    ridge = [
        (left + wide * s, top + tall * t)
        for s, t in ((0.28, 0.46), (0.36, 0.4), (0.43, 0.5), (0.5, 0.38), (0.58, 0.47), (0.66, 0.45))
    ]
    sheet.polygon([tip, *ridge[::-1]], (1, 1, 1))
    sheet.box(left, bottom - 9, right, bottom, mix(bill.ink, (0, 0, 0), 0.4))
    sheet.box(left + 6, bottom - 14, right, bottom - 5, bill.accent)
    for x in np.arange(left + 9, right - 4, 6.5):
        sheet.box(x, bottom - 12, x + 4, bottom - 8.5, rgb("fff3c4"))


def _cat(sheet: Canvas, rng: np.random.Generator, frame: Frame, bill: Bill) -> None:
    """A cat's face with whiskers, as from a photograph."""
    left, top, right, bottom = frame
    x, y, size = (left + right) / 2, (top + bottom) / 2 + 3, (bottom - top) * 0.36
    sheet.box(*frame, ramp(sheet.noise(rng, 20, 4), (rgb("6d8f9c"), rgb("d5c9a8"))))
    stripes = 0.75 + 0.3 * np.sin(sheet.noise(rng, 16, 3) * 42)
    fur = lit(rgb("8d8a88"), stripes + 0.25 * (sheet.noise(rng, 2, 2) - 0.5))
    for side in (-1, 1):
        ear = [(x + side * size * s, y - size * t) for s, t in ((0.3, 0.75), (0.95, 1.35), (1.0, 0.3))]
        sheet.polygon(ear, fur)
        sheet.polygon(
            [((u * 2 + x + side * size * 0.75) / 3, (v * 2 + y - size * 0.8) / 3) for u, v in ear],
            rgb("d79a94"),
        )
    sheet.ellipse((x, y), (size * 1.12, size * 0.95), fur)
    sheet.ellipse((x, y + size * 0.4), (size * 0.5, size * 0.36), rgb("ece7e0"))
    for side in (-1, 1):
        eye = (x + side * size * 0.45, y - size * 0.12)
        sheet.ellipse(eye, (size * 0.25, size * 0.2), rgb("b7c93f"))
        sheet.ellipse(eye, (size * 0.08, size * 0.19), (0.05, 0.05, 0.05))
        sheet.ellipse((eye[0] - 0.8, eye[1] - 1), (0.7, 0.7), (1, 1, 1))
        for lift in (-0.12, 0.02, 0.16):
            sheet.line(
                [
                    (x + side * size * 0.35, y + size * 0.42),
                    (x + side * size * 1.5, y + size * (0.4 + lift * 2)),
                ],
                0.5,
                (1, 1, 1),
            )
    sheet.polygon(
        [(x - size * 0.12, y + size * 0.22), (x + size * 0.12, y + size * 0.22), (x, y + size * 0.36)],
        rgb("c0706c"),
    )
    sheet.line(
        [(x - size * 0.2, y + size * 0.52), (x, y + size * 0.36), (x + size * 0.2, y + size * 0.52)],
        0.7,
        bill.ink,
    )


def _sail(sheet: Canvas, rng: np.random.Generator, frame: Frame, bill: Bill) -> None:
    """Three sails in flat poster colours over hatched water."""
    left, top, right, bottom = frame
    wide, tall = right - left, bottom - top
    sea = bottom - tall * 0.28
    sheet.box(
        left,
        top,
        right,
        sea,
        lambda _, y: ramp((y - top) / (sea - top), (mix(bill.ink, bill.paper, 0.35), bill.paper)),
    )
    sheet.box(left, sea, right, bottom, bill.ink)
    for share, size, colour in ((0.25, 0.6, bill.paper), (0.78, 0.7, rgb("e8b64a")), (0.5, 1.0, bill.accent)):
        x, high = left + wide * share, tall * 0.82 * size
        foot = sea + tall * 0.12 * size
        sheet.polygon([(x, foot - high), (x, foot - 4), (x - high * 0.36, foot - 4)], colour)
        sheet.polygon(
            [(x + 1.5, foot - high * 0.85), (x + 1.5, foot - 4), (x + high * 0.3, foot - 4)],
            mix(colour, (1, 1, 1), 0.35),
        )
        sheet.polygon(
            [
                (x - high * 0.34, foot - 3),
                (x + high * 0.36, foot - 3),
                (x + high * 0.24, foot + 2),
                (x - high * 0.26, foot + 2),
            ],
            (0.07, 0.07, 0.09),
        )
    for _ in range(30):
        x, y = uniform(rng, left, right - 8), uniform(rng, sea + 2, bottom - 1)
        sheet.line([(x, y), (x + uniform(rng, 3, 8), y)], 0.6, bill.paper, 0.6)


PICTURES = {"sun": _sun, "peak": _peak, "cat": _cat, "sail": _sail}

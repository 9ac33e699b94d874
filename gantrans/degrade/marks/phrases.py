"""What marks say: names, dates, copyright lines, warnings."""

from __future__ import annotations

import numpy as np

from gantrans import draws
from gantrans.degrade.base import draw_choice

_WORDS = (
    "sample", "preview", "draft", "proof", "demo", "copy", "archive", "studio", "photo", "gallery", "press",
    "north", "river", "stone", "light", "harbour", "garden", "autumn", "market", "orchard", "window",
    "meadow", "station", "silver", "canvas", "winter", "coast", "village", "bridge", "summer",
)  # fmt: skip
_SENTENCES = ("All rights reserved", "Do not copy", "For review only", "Not for sale", "Preview only")
_VERDICTS = (
    "PAID", "PROOF", "COPY", "DRAFT", "VOID", "SAMPLE", "APPROVED", "RECEIVED", "ARCHIVE", "CHECKED",
    "REJECTED",
)  # fmt: skip


def draw_text(rng: np.random.Generator) -> str:
    """A word, a name, a date, a number, an address or a warning."""
    year = draws.integer(rng, 1996, 2029)
    month, day = draws.integer(rng, 1, 12), draws.integer(rng, 1, 28)
    first, second = draw_choice(rng, _WORDS), draw_choice(rng, _WORDS)
    number = draws.integer(rng, 0, 9999)
    return draw_choice(
        rng,
        (
            first.upper(),
            first.capitalize(),
            f"{first.capitalize()} {second.capitalize()}",
            f"© {year} {first.capitalize()} {second.capitalize()}",
            f"© {first}{second}.example",
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}.{month:02d}.{year}",
            f"'{year % 100:02d} {month:2d} {day:2d}",
            f"IMG_{number:04d}",
            f"No. {number}",
            draw_choice(rng, _SENTENCES),
        ),
    )


def draw_name(rng: np.random.Generator) -> str:
    """What a watermark says: a studio or its address."""
    first, second = draw_choice(rng, _WORDS), draw_choice(rng, _WORDS)
    names = (
        f"{first}{second}",
        f"{first.upper()} {second.upper()}",
        f"{first}{second}.example",
        first.upper(),
    )
    return draw_choice(rng, (*names, f"© {first.capitalize()} {second.capitalize()}"))


def draw_verdict(rng: np.random.Generator) -> str:
    """What a rubber stamp says in its middle."""
    return draw_choice(rng, _VERDICTS)


def draw_legend(rng: np.random.Generator) -> str:
    """What runs round a seal: a place, twice with a dot between or once."""
    first, second = draw_choice(rng, _WORDS).upper(), draw_choice(rng, _WORDS).upper()
    return draw_choice(
        rng, (f"{first} {second} · ", f"{first} · {second} · ", f"OFFICE OF {first} {second} · ")
    )


def draw_date(rng: np.random.Generator) -> str:
    """As a camera of the eighties and nineties burns it in: the year's last two digits first, mostly."""
    year, month, day = draws.integer(rng, 84, 109) % 100, draws.integer(rng, 1, 12), draws.integer(rng, 1, 28)
    hour, minute = draws.integer(rng, 0, 23), draws.integer(rng, 0, 59)
    forms = (
        f"'{year:02d} {month:2d} {day:2d}",
        f"{month:2d} {day:2d} '{year:02d}",
        f"{day:2d} {hour:2d}:{minute:02d}",
    )
    return draw_choice(rng, forms)

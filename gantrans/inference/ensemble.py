"""The eight flips and turns of a picture, whose answers turned back and averaged are better than one alone
(geometric self-ensemble, Lim et al. 2017, section 3.4)."""

from __future__ import annotations

import numpy as np

Turn = tuple[int, bool]  # quarter turns, after a flip left to right or not
TURNS: tuple[Turn, ...] = tuple((quarters, flipped) for flipped in (False, True) for quarters in range(4))


def turned(picture: np.ndarray, turn: Turn) -> np.ndarray:
    """The picture (H, W, C) flipped, where `turn` says so, then turned by quarters.

    A view: what is written into it lies in the picture, turned back.
    """
    quarters, flipped = turn
    return np.rot90(picture[:, ::-1] if flipped else picture, quarters)

"""Words that many messages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def close_to(name: str, accepted: Iterable[str]) -> str:
    """ "did you mean x? accepted are x, y, z" for a misspelled name; the hint only if one is near."""
    names = sorted(accepted)
    near = difflib.get_close_matches(name, names, 1)
    return (f"did you mean {near[0]}? " if near else "") + f"accepted are {', '.join(names)}"

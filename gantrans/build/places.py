"""Where the catalogue and the sample images are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def conf_dir() -> Path:
    """The folder of the config files that come with gantrans."""
    return _first(_PACKAGE / "conf", _PACKAGE.parent / "conf")


def sample_dir() -> Path:
    """The folder of the sample images."""
    return _first(_PACKAGE / "data_sample", _PACKAGE.parent / "data" / "sample")


def _first(*candidates: Path) -> Path:
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        f"gantrans is installed incompletely: none of {', '.join(map(str, candidates))} exists"
    )

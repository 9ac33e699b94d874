"""What the networks' constructors accept, in one table: a bundle that someone sent sets these values too."""

from __future__ import annotations

from typing import Any

NORMS = ("batch", "instance", "none")
RANGES = {
    "in_channels": (1, 64),
    "out_channels": (1, 64),
    "width": (1, 1024),
    "depth": (2, 12),
    "blocks": (0, 64),
    "downs": (0, 4),
    "layers": (1, 6),
    "scales": (2, 4),
    "growth": (1, 256),
    "working_px": (0, 8192),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "norm": NORMS,
    "scale": (1, 2, 3, 4, 8),
    "upsample": ("pixelshuffle", "resize"),
    "encoder": ("plain", "resnet34"),
}
SWITCHES = ("dropout", "residual", "spectral", "antialias", "attention", "pretrained", "translucent")


def checked(**arguments: Any) -> dict[str, Any]:
    """The arguments as they are, once all are found acceptable; a network keeps them as `self.arguments`.

    Raises ValueError naming the argument, what was found and what is accepted, before anything is allocated.
    """
    for name, value in arguments.items():
        _check(name, value)
    surplus = arguments["in_channels"] - arguments["out_channels"] if arguments.get("residual") else 0
    if surplus not in (0, 1):  # 1: a mask, the last channel of the input
        raise ValueError(
            f"residual=true adds the output to the input: in_channels={arguments['in_channels']} and "
            f"out_channels={arguments['out_channels']} must be equal (or a mask be the one channel more); "
            "use residual=false"
        )
    return arguments


def _check(name: str, value: Any) -> None:
    if name in SWITCHES:
        if not isinstance(value, bool):
            raise ValueError(f"{name}={value!r}: accepted are true and false")
    elif name in CHOICES:
        accepted = CHOICES[name]
        if isinstance(value, bool) or value not in accepted:
            raise ValueError(f"{name}={value!r}: accepted are {', '.join(map(str, accepted))}")
    elif name == "saturation":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 4:
            raise ValueError(f"{name}={value!r}: accepted are numbers from 0 to 4")
    else:
        low, high = RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name}={value!r}: accepted are whole numbers from {low} to {high}")

"""`gantrans VERB --help`: what the verb does, examples, every key with its default, choices, exit codes.

All but the examples comes from the verb's own file in conf/, so that it cannot fall behind.
"""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

from gantrans.cli.keys import GROUPS, Key, names, whole

FLAGS = "--help, --cfg job, --config-dir DIR, --multirun"
EXAMPLES = {
    "train": (
        ("train", "the demo, on sample images"),
        ("train experiment=restore data.root=PAIRS", "learn from pairs"),
        ("train experiment=cyclegan data.root=HORSES data.targets=ZEBRAS", "two folders without pairs"),
        ("train experiment=restore data.root=PAIRS train.total=30min", "for half an hour"),
        ("train -m experiment=restore data.root=PAIRS train.lr=1e-4,1e-3", "a sweep: two runs"),
    ),
    "check": (
        ("check data.root=PAIRS", "would training start?"),
        ("check data.root=HORSES data.targets=ZEBRAS", "the same of two folders without pairs"),
        ("check data.root=PAIRS fix=true", "list the files that stand in the way"),
    ),
    "pairs": (
        ("pairs source=PHOTOS out=PAIRS recipe=crappify", "make pairs"),
        ("pairs source=PHOTOS recipe=oldphoto preview=true", "look first: one PNG, step by step"),
        ("pairs source=PHOTOS out=PAIRS recipe=my.yaml variants=4 tile=512", "a recipe of yours"),
    ),
    "match-recipe": (("match-recipe source=BAD clean=CLEAN out=my.yaml", "write the recipe"),),
    "translate": (
        ("translate model=RUN source=PHOTOS out=RESULTS", "a folder"),
        ("translate model=RUN source=photo.jpg out=RESULTS ensemble=true", "one picture, at its best"),
        ("translate model=RUN source=PHOTOS out=BACK direction=to_source", "the way back, of CycleGAN"),
    ),
    "stylize": (("stylize content=PHOTO style=PAINTING out=RESULT.png size=768", "larger"),),
    "evaluate": (
        ("evaluate model=RUN source=BAD targets=TRUTH", "a model"),
        ("evaluate outputs=RESULTS targets=TRUTH", "pictures of any program"),
    ),
    "report": (
        ("report RUN", "one run"),
        ("report RUN OTHER out=page.html", "two, side by side"),
    ),
    "demo-ui": (("demo-ui model=RUN", "drop a photo, see the result beside it"),),
    "import": (("import latest_net_G.pth out=MODEL", "then translate model=MODEL"),),
    "export": (
        ("export model=RUN out=model.onnx", "for ONNX Runtime"),
        ("export model=RUN out=latest_net_G.pth", "for the pix2pix and CycleGAN code"),
    ),
}
EXIT = {
    0: "done",
    1: "a bug of ours",
    2: "usage or config",
    3: "no usable data",
    4: "model or checkpoint refused",
    5: "disk full or I/O",
    6: "run folder busy",
    7: "diverged",
    130: "interrupted (143: by SIGTERM)",
}
_NEVER = {"pairs": (4,), "match-recipe": (4,), "check": (4,)}  # these read no model
_ONLY_TRAIN = (6, 7)


def help_text(verb: str, conf: Path) -> str:
    """The page of `verb`, whose file lies in the folder `conf`."""
    page, width = whole(verb, conf), min(max(shutil.get_terminal_size((112, 24)).columns, 80), 120)
    lines = list(page.head)
    if verb in EXAMPLES:
        lines += ["", "examples:", *_table(EXAMPLES[verb], width, "    gantrans ")]
    lines += ["", "keys, their defaults and what they do:"]
    lines += _keys(page.keys, width)
    if page.groups:
        lines += [
            "",
            "choices: files of conf/, each with keys of its own (--cfg job shows them)",
        ]
        for group in sorted(page.groups, key=lambda group: GROUPS.index(group.name)):
            lines += ["", *textwrap.wrap(f"{group.name}={group.value}: {group.about}".rstrip(": "), width)]
            lines += _table(tuple(names(group.name, conf).items()), width, "    ")
    codes = [
        code
        for code in EXIT
        if code not in (*_NEVER.get(verb, ()), *(() if verb == "train" else _ONLY_TRAIN))
    ]
    said = "exit codes: " + ", ".join(f"{code} {EXIT[code]}" for code in codes)
    lines += ["", f"also: {FLAGS}", *textwrap.wrap(said, width, subsequent_indent=" " * 12)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _keys(keys: list[Key], width: int) -> list[str]:
    """One line a key, or more where its comment is long; a section is a line of its own."""
    plain = [key for key in keys if not key.section]
    name = max(len(key.name) for key in plain)
    value = min(max(len(_shown(key)) for key in plain), 12)
    lines: list[str] = []
    section = ""
    for key in keys:
        top = key.name.split(".")[0] if key.section or "." in key.name else ""
        if key.section and "." not in key.name:
            lines += ["", *_wrapped(f"{key.name}:", key.about, width, len(key.name) + 2)]
        elif not key.section:
            lines += [""] * (top != section and not top)
            first = f"    {key.name:<{name}}  {_shown(key):<{value}}"
            lines += _wrapped(first, key.about, width, 8 + name + value)
        section = top
    return lines


def _shown(key: Key) -> str:
    return "needed" if key.value == "???" else key.value


def _table(rows: tuple[tuple[str, str], ...], width: int, before: str) -> list[str]:
    column = min(max(len(name) for name, _ in rows), 66) + len(before)
    return [line for name, about in rows for line in _wrapped(f"{before}{name}", about, width, column + 2)]


def _wrapped(first: str, about: str, width: int, indent: int) -> list[str]:
    """`first`, and `about` in a column that begins at `indent`."""
    if len(first) >= indent:
        return [first, *_column(about, width, indent)]
    lines = _column(about, width, indent)
    return [f"{first:<{indent}}{lines[0].lstrip()}", *lines[1:]] if lines else [first]


def _column(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * indent, subsequent_indent=" " * indent)

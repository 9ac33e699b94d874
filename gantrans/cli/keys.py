"""A light reader of conf/*.yaml, for help and shell completion: keys, defaults, comments and choices.

It reads the layout of our own files (two spaces a level, a comment beside its key or on the lines below),
and imports nothing, so that `--help` and completion come at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("experiment", "recipe", "generator", "discriminator", "method")
_LINE = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_][\w-]*):(?: +(?P<rest>.*))?$")
_CHOICE = re.compile(r"^(?P<indent> *)- (?:override )?/?(?P<key>\w+)(?:: (?P<rest>.*))?$")
_NAMES = re.compile(r"[\w.-]*\w(?: \| [\w.-]*\w)+")
_SENTENCE = re.compile(r"(?<=[.!?])(?<!et al\.) (?=\S)")


@dataclass
class Key:
    """One key of a verb: dotted `name`, `value` as the file has it ("" for a section), and its comment."""

    name: str
    value: str
    about: str
    section: bool = False

    @property
    def accepted(self) -> list[str]:
        """The values that the comment lists, as `auto | cpu | cuda`, or those of a switch."""
        if self.value in ("true", "false"):
            return ["true", "false"]
        bare = re.sub(r" ?\([^()]*\)", "", self.about)
        found = next((m[0].split(" | ") for m in _NAMES.finditer(bare)), [])
        value = self.value.strip('"')
        return found if value in found else []


@dataclass
class Page:
    """One file: the comment at its head, the groups it chooses from, and its keys in order."""

    head: list[str]
    groups: list[Key]
    keys: list[Key]
    parents: list[str]


def read(path: Path) -> Page:
    """The page of a verb's file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    page = Page([line.removeprefix("#").removeprefix(" ") for line in lines[:first]], [], [], [])
    sections: list[tuple[int, str]] = []
    in_defaults, last = False, None
    for line in lines[first:]:
        if line.lstrip().startswith("#"):
            if last is not None:
                last.about = f"{last.about} {line.strip().lstrip('# ')}".strip()
            continue
        if line == "defaults:":
            in_defaults = True
            continue
        in_defaults = in_defaults and line.startswith(" ")
        if in_defaults:
            last = _group(page, line)
        elif found := _LINE.match(line):
            last = _key(page, sections, found)
    return page


def _group(page: Page, line: str) -> Key | None:
    found = _CHOICE.match(line)
    if found is None:
        return None
    value, about = _parted(found["rest"] or "")
    if found["key"] in GROUPS:
        page.groups.append(Key(found["key"], value, re.sub(r" *\(conf/\w+/\)", "", about)))
        return page.groups[-1]
    if not value and not found["key"].endswith(("schema", "_self_")):
        page.parents.append(found["key"])
    return None


def _key(page: Page, sections: list[tuple[int, str]], found: re.Match[str]) -> Key:
    indent = len(found["indent"])
    while sections and sections[-1][0] >= indent:
        sections.pop()
    value, about = _parted(found["rest"] or "")
    name = ".".join([*(key for _, key in sections), found["key"]])
    if not value:
        sections.append((indent, found["key"]))
    page.keys.append(Key(name, value, about, section=not value))
    return page.keys[-1]


def _parted(rest: str) -> tuple[str, str]:
    """Value and comment of what stands behind a key."""
    value, _, about = f" {rest}".partition(" #")
    return value.strip(), about.strip()


def whole(verb: str, conf: Path) -> Page:
    """The page of a verb with the keys that its file takes over from another, as check does from train."""
    page = read(conf / f"{verb}.yaml")
    for parent in page.parents:
        more = whole(parent, conf)
        page.groups += [group for group in more.groups if group.name not in {g.name for g in page.groups}]
        page.keys += more.keys
    return page


def names(group: str, conf: Path) -> dict[str, str]:
    """Each choice of a group, and what its file says of it in one sentence."""
    return {path.stem: _said(path) for path in sorted((conf / group).glob("*.yaml"))}


def _said(path: Path) -> str:
    """The first sentence at the head of a file, past its commands."""
    head: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        command = line.startswith(("# @", "# gantrans ", "#  "))
        if not command:
            head.append(line.lstrip("# "))
    return _SENTENCE.split(" ".join(head))[0].rstrip(".")

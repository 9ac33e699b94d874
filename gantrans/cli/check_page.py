"""The page that `gantrans check` prints, and the same for programs."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.build.check import Account
    from gantrans.check.scan import Facts

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # in a file's name, as a newline
_SHOWN = 5  # names of a kind on the page; the JSON has them all


def page(config: DictConfig, account: Account, about: str, listed: tuple[Path, str] | None) -> str:
    """One page of text, a label before each line."""
    lines = [
        ("data", f"{config.data.root} as experiment {config.task} reads it: layout {account.survey.layout}"),
        *_counts(account, about),
        *_unusable(account),
        *_kinds(account),
        *_labels(account),
        *_twins(account),
        *(
            ("note", f"{a} and {b} share {n} names and look like pairs, but are not read as such; call them "
             "source/ and target/ to have them read so")
            for a, b, n in account.lookalikes
        ),
        *_speed(account),
        *_verdict(account, listed),
    ]  # fmt: skip
    return "\n".join(f"{label:<10}{_CONTROL.sub(_escaped, text)}" for label, text in lines)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _counts(account: Account, about: str) -> Iterator[tuple[str, str]]:
    if about:
        yield "images", about
    counts = Counter((account.splits[p], role) for _, role, files in _parts(account) for p in files)
    text = ", ".join(f"{split} {role} {n}" for (split, role), n in sorted(counts.items()))
    yield "files", f"{len(account.facts)} looked at: {text or 'none in any split'}"


def _parts(account: Account) -> Iterator[tuple[str, str, list[Path]]]:
    for split, roles in account.survey.splits.items():
        for role, files in roles.items():
            yield split, role, files


def _unusable(account: Account) -> Iterator[tuple[str, str]]:
    if account.survey.layout == "paired":
        alone = sum("partner" in reason for reason in account.unusable.values())
        yield "pairing", f"{len(account.survey.pairs)} pairs; {alone or 'no'} files without their partner"
    for label, found in (("unusable", account.unusable), ("unread", account.noticed)):
        what = (
            "files stand in the way" if label == "unusable" else "damaged files, which training does not read"
        )
        if found:
            yield label, f"{len(found)} {what}:"
            yield from (("", f"{path} {reason}") for path, reason in list(found.items())[:_SHOWN])
            if len(found) > _SHOWN:
                yield "", f"and {len(found) - _SHOWN} more: json=FILE and fix=FILE have them all"


def _sound(account: Account) -> list[Facts]:
    return [f for f in account.facts.values() if f.problem is None]


def _kinds(account: Account) -> Iterator[tuple[str, str]]:
    sound = {path: f for path, f in account.facts.items() if f.problem is None}
    if not sound:
        return
    by_area = sorted((f.size[0] * f.size[1], f.size, str(path)) for path, f in sound.items())
    (_, least, small), (_, middle, _), (_, most, large) = (by_area[i] for i in (0, len(by_area) // 2, -1))
    span = (
        f"smallest {_wh(least)} ({_name(small)}), median {_wh(middle)}, largest {_wh(most)} ({_name(large)})"
    )
    yield "sizes", span if len({f.size for f in sound.values()}) > 1 else f"all {_wh(middle)}"
    usual, count = Counter(f.size for f in sound.values()).most_common(1)[0]
    odd = [path for path, f in sound.items() if f.size not in (usual, usual[::-1])]
    if odd and count >= 0.8 * len(sound):
        yield "", f"{len(odd)} are not {_wh(usual)} as the others are: {_names(odd)}"
    formats = Counter(f.format for f in sound.values())
    modes = Counter(f"{f.mode} {f.depth} bit" for f in sound.values())
    yield "kinds", f"{_tally(formats)}; {_tally(modes)}"
    special = {
        "alpha, laid over white": [p for p, f in sound.items() if f.alpha],
        "turned by EXIF": [p for p, f in sound.items() if f.turned],
        "CMYK, made RGB without its profile": [p for p, f in sound.items() if f.mode == "CMYK"],
        "palette, read as its colours": [p for p, f in sound.items() if f.mode == "P"],
    }
    yield from (("", f"{len(files)} {what}: {_names(files)}") for what, files in special.items() if files)


def _labels(account: Account) -> Iterator[tuple[str, str]]:
    """Class ids by role, where every file of the role looks like a label map."""
    for role in ("source", "target", "images", "unpaired"):
        found = [account.facts[path] for path in account.survey.of_role(role)]
        ids = [f.ids for f in found if f.problem is None]
        if ids and all(i is not None for i in ids):
            union = sorted({value for i in ids if i for value in i})
            shown = ", ".join(map(str, union[:40])) + (", ..." if len(union) > 40 else "")
            yield "labels", f"{role} images look like label maps of {len(union)} class ids: {shown}"


def _twins(account: Account) -> Iterator[tuple[str, str]]:
    if not account.twins:
        yield "twins", "none: no two images are the same or alike"
        return
    exact, across = sum(t.exact for t in account.twins), [t for t in account.twins if t.across]
    yield "twins", (f"{exact} groups of the same bytes, {len(account.twins) - exact} of alike images; "
                    f"{len(across)} across splits")  # fmt: skip
    for twin in account.twins[:_SHOWN]:
        where = f" in {' and '.join(twin.splits)}" if twin.across else ""
        yield "", f"{'same' if twin.exact else 'alike'}{where}: {_names(twin.files)}"


def _speed(account: Account) -> Iterator[tuple[str, str]]:
    seconds, sound = sum(f.seconds for f in _sound(account)), _sound(account)
    text = (
        f"{len(sound) / seconds:.0f} images/s read and decoded by one core" if seconds else "nothing to time"
    )
    if account.examples_per_s:
        rate, cores = account.examples_per_s, os.cpu_count() or 1
        text += (f"; {rate:.0f} training examples/s and core. A device that takes more than "
                 f"{rate * cores:.0f} images/s waits for the {cores} cores of this machine, until "
                 "data.cache_mib holds the images")  # fmt: skip
    yield "speed", text


def _verdict(account: Account, listed: tuple[Path, str] | None) -> Iterator[tuple[str, str]]:
    yield "verdict", "training would not get through" if account.refusal else "training would start"
    if listed:
        file, still = listed
        yield "fix", f"{file} lists the {len(account.unusable)} files; " + (
            f"data.quarantine={file} alone is not enough: {still}" if still
            else f"with data.quarantine={file} training would start")  # fmt: skip


def as_json(config: DictConfig, account: Account) -> str:
    """All that was found, of every file."""
    files = {
        str(path): {k.rstrip("_"): v for k, v in asdict(f).items()} | {"split": account.splits.get(path)}
        for path, f in account.facts.items()
    }
    twins = [{"files": list(map(str, t.files)), "exact": t.exact, "splits": t.splits} for t in account.twins]
    return json.dumps(
        {
            "root": config.data.root,
            "layout": account.survey.layout,
            "pairs": len(account.survey.pairs),
            "would_start": account.refusal is None,
            "because": str(account.refusal) if account.refusal else None,
            "unusable": {str(path): reason for path, reason in account.unusable.items()},
            "unread": {str(path): reason for path, reason in account.noticed.items()},
            "twins": twins,
            "examples_per_second_and_core": account.examples_per_s,
            "files": files,
        },
        indent=1,
    ) + "\n"  # fmt: skip


def _wh(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _name(path: str) -> str:
    return Path(path).name


def _names(paths: Iterable[Path]) -> str:
    named = [str(path) for path in paths]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


def _tally(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {what}" for what, n in counts.most_common())

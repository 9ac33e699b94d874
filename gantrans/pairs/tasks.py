"""What is to be done with each file: its name, its split, and what earlier runs know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gantrans import draws
from gantrans.data.splits import split_of
from gantrans.errors import DataError
from gantrans.imaging.listing import is_image_name
from gantrans.pairs import prints as pairs_prints
from gantrans.pairs.group import Groups, Place
from gantrans.pairs.index import Index
from gantrans.pairs.making import Making
from gantrans.pairs.plan import Identity, Share
from gantrans.pairs.prints import FLAT, KNOWN, Prints
from gantrans.pairs.worker import CHANGED, Entry, Result, Task, rejected

_NEVER = "-"  # no digest begins like that


@dataclass(frozen=True)
class Plan:
    """All that is known before the work begins; `names` of all images of the listing, by key."""

    listing: list[str]
    share: Share
    known: Index
    identity: Identity
    names: Mapping[str, str]

    @staticmethod
    def of(listing: list[str], share: Share, known: Index, identity: Identity, making: Making) -> Plan:
        """Raises DataError naming pairs whose originals are gone."""
        gone = sorted(known.used.keys() - set(listing))
        if gone:
            raise DataError(
                f"{len(gone)} originals of existing pairs are gone: {', '.join(gone[:5])}"
                f"{', ...' if len(gone) > 5 else ''}; put them back, or delete their pairs and their lines "
                "in manifest.jsonl, or give another out="
            )
        names = Names([name for name in listing if is_image_name(name)], known.used, making)
        return Plan(listing, share, known, identity, names)

    def images(self) -> Iterator[str]:
        """Those of the share."""
        return (key for key in self.share.of(self.listing) if is_image_name(key))

    def split_of(self, key: str) -> str:
        return split_of(key, self.identity.splits, self.identity.seed)

    def look(self, key: str) -> Task:
        return Task(key, self.names[key], "", self.known.used.get(key, ()), look=True)

    def task(self, key: str, near: Near | None) -> Task:
        used = self.known.used.get(key, ())
        rejected = next(iter(self.known.rejected.get(key, ())), None)
        plain = Task(key, self.names[key], self.split_of(key), used, rejected)
        return plain if near is None else near.settled(plain)

    def not_images(self) -> Iterator[Result]:
        """The files of the share that are rejected for their names alone."""
        others = (key for key in self.share.of(self.listing) if not is_image_name(key))
        return (rejected(key, _suffix_reason(key)) for key in others)


@dataclass(frozen=True)
class Near:
    """What the fingerprints say; `dead`: images that could not even be looked at."""

    prints: Prints
    groups: Groups
    dead: Mapping[str, Result] = field(default_factory=dict)

    def refused(self, key: str) -> Result | None:
        place = self.groups.places.get(key)
        if place is None or not place.torn:
            return self.dead.get(key)
        return rejected(
            key,
            f"looks like pairs of several splits ({', '.join(place.torn)}); delete all but one of them and "
            "their lines in manifest.jsonl, or give another out=",
        )

    def settled(self, task: Task) -> Task:
        """With the split of its group, unless its pairs exist: those stay."""
        at = self.prints.number(task.key)
        assert at is not None
        seen = self.prints.digest_of(at) if self.prints.state[at] in (FLAT, KNOWN) else _NEVER
        place = self.groups.places.get(task.key, Place(task.split, None))
        if task.used and task.used[0]["original_sha256"].startswith(seen):
            place = Place(task.used[0]["split"], task.used[0].get("group"))
        told = {"fingerprint": self.prints.print_of(at)} | ({"group": place.group} if place.group else {})
        return Task(task.key, task.name, place.split, task.used, task.rejected, seen=seen, told=told)

    def hear(self, out: Path, label: str, result: Result) -> None:
        """If the image is not what was looked at, the next run shall look again."""
        if result.kind == "rejected" and result.entry["reason"] == CHANGED:
            at = self.prints.number(result.entry["key"])
            assert at is not None
            pairs_prints.forget(out, label, result.entry["key"], self.prints.digest_of(at))


def _suffix_reason(key: str) -> str:
    suffix = PurePosixPath(key).suffix
    return (
        f"its suffix {suffix} is not an image's"
        if suffix
        else "has no suffix, so it is not taken for an image"
    )


class Names(Mapping[str, str]):
    """Key -> NAME.png (or .jpg, .webp), never two alike, on disks that do not tell A from a either.

    NAME is the stem; where that is taken, as for a.png beside a.jpg, the later in order keeps its whole name,
    a.png.png. Pairs that exist keep the names they have. Only names that differ from the rule are held.
    """

    def __init__(self, images: list[str], used: Mapping[str, tuple[Entry, ...]], making: Making) -> None:
        self._images, self._suffix, self._making = images, f".{making.format}", making
        self._special: dict[str, str] = {}
        folders = {folder for key in images for folder in PurePosixPath(key).parents}
        self._taken = {_mark(str(folder).casefold()) for folder in folders}
        for key, entries in used.items():
            name = making.base(entries[0]["target"].split("/", 2)[2])
            self._give(key, name)
        for key in images:
            if key in used:
                continue
            name = self._plain(key)
            if self._mark(name) in self._taken:
                name = key + self._suffix
            while self._mark(name) in self._taken:
                name += self._suffix
            self._give(key, name)
        self._taken.clear()

    def __getitem__(self, key: str) -> str:
        return self._special.get(key) or self._plain(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def _plain(self, key: str) -> str:
        return str(PurePosixPath(key).with_suffix(self._suffix))

    def _give(self, key: str, name: str) -> None:
        self._taken.add(self._mark(name))
        if name != self._plain(key):
            self._special[key] = name

    def _mark(self, name: str) -> int:
        return _mark(self._making.family(name))


def _mark(name: str) -> int:
    """63 bits of what names must not share. If by chance two were the same, a name would be longer."""
    return draws.seed_of("name", name)

"""Validation where there is no target to compare with: round trips, signs of health, and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gantrans.data.unpaired import ImageSet
from gantrans.imaging import colour, ranges, sheet
from gantrans.inference.predictor import Predictor
from gantrans.metrics.health import Health
from gantrans.training.distances import Distances
from gantrans.training.validate import PairValidation, Predictors, spread
from gantrans.training.validate_look import beside
from gantrans.training.watch import Watch

OTHER = {"to_target": "to_source", "to_source": "to_target"}
TITLES = ["input", "output", "and back"]


@dataclass(frozen=True)
class UnpairedValidation:
    """Images of each way's starting kind: {"to_target": sources, "to_source": targets}, by split.

    `most` of val are measured for each way, `probes` of each split drawn. A checkpoint can be chosen by
    `distances` of outputs from real images alone; without them by nothing.
    style: the picture in whose look the outputs are, (H, W, 3) uint8, where there is one.
    """

    train: dict[str, ImageSet]
    val: dict[str, ImageSet]
    most: int
    probes: int
    distances: Distances | None = None
    style: np.ndarray | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.distances.names if self.distances else ()

    @property
    def lower(self) -> tuple[str, ...]:
        return self.metrics

    @property
    def images(self) -> int:
        return min(self.most, max(len(images) for images in self.val.values()))

    def measure(self, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        """For each way that has a generator the signs of health (metrics/health.py), and cycle_l1 where both
        have: mean |there and back - input|, 0 to 1. Those of the way back end in _to_source. `distances` are
        of the outputs from as many real images of their kind, and *_input those of the sources."""
        found: dict[str, float] = {}
        self._see_real()
        for way in predictors:
            health, cycles = Health(), []
            images = self.val[way]
            for index in spread(len(images), self.most):
                given, output, back = _translated(images, index, way, predictors)
                health.add(ranges.to_x01(given), ranges.to_x01(output))
                if self.distances:
                    self.distances.made(way, output)
                if back is not None:
                    cycles.append(float(np.abs(ranges.to_x01(back) - ranges.to_x01(given)).mean()))
                if watch is not None:
                    _tell(watch, way, images.items[index].key, (given, output, back), cycles)
            values = health.result() | ({"cycle_l1": float(np.mean(cycles))} if cycles else {})
            values |= self.distances.of_made(way, OTHER[way]) if self.distances else {}
            suffix = "" if way == "to_target" else f"_{way}"
            found |= {name + suffix: value for name, value in values.items()}
        if self.distances:
            before = self.distances.of_real("to_target", "to_source")
            found |= {f"{name}_input": value for name, value in before.items()}
        return found

    def _see_real(self) -> None:
        if self.distances is None:
            return
        self.distances.start()
        for way, images in self.val.items():
            self.distances.real(way, (images.whole(i) for i in spread(len(images), self.most)))
        self.distances.say_few()

    def strips(self, predictors: Predictors) -> dict[str, np.ndarray]:
        """Input | output, and back again where there is a way; a row an image, one way below the other. The
        style, where there is one, comes behind the input."""
        found = {}
        for name, sets in (("val", self.val), ("train", self.train)):
            rows, titles, names = _rows(sets, predictors, self.probes, name)
            if self.style is not None:
                rows = [[row[0], beside(self.style, row[0]), *row[1:]] for row in rows]
                titles = [titles[0], "style", *titles[1:]]
            found[name] = sheet.grid(rows, titles, names)
        return found


@dataclass(frozen=True)
class HybridValidation:
    """The pairs as ever, and a strip of real images that have no target."""

    pairs: PairValidation
    unpaired: ImageSet

    @property
    def images(self) -> int:
        return self.pairs.images

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.pairs.metrics

    @property
    def lower(self) -> tuple[str, ...]:
        return self.pairs.lower

    def measure(self, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        """What PairValidation measures, and the signs of health of the real images, ending in _unpaired."""
        health = Health()
        for index in spread(len(self.unpaired), self.pairs.most):
            given = self.unpaired.whole(index)
            health.add(ranges.to_x01(given), ranges.to_x01(predictors["to_target"](given)))
        real = {f"{name}_unpaired": value for name, value in health.result().items()}
        return self.pairs.measure(predictors, watch) | real

    def strips(self, predictors: Predictors) -> dict[str, np.ndarray]:
        """The strips of the pairs, and "unpaired": real images and their outputs; below them, where a
        degradation is learned, clean images, what it makes of them, and that restored."""
        rows, _, names = _rows({"to_target": self.unpaired}, predictors, self.pairs.probes, "unpaired")
        rows = [row[:2] for row in rows]
        val = self.pairs.val
        for index in spread(len(val), self.pairs.probes) if "to_source" in predictors else []:
            clean = val.whole(index)[1]
            spoilt = predictors["to_source"](clean)
            rows.append([sheet.to_u8_rgb(p) for p in (clean, spoilt, predictors["to_target"](spoilt))])
            names.append(f"clean, to source: {val.items[index].key}")
        titles = TITLES[: max(map(len, rows))]
        return self.pairs.strips(predictors) | {"unpaired": sheet.grid(rows, titles, names)}


def _tell(
    watch: Watch,
    way: str,
    key: str,
    shown: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    cycles: list[float],
) -> None:
    """Outputs are compared with real images of their kind; the worst are those that come back worst."""
    given, output, back = shown
    watch.titles = TITLES
    if back is not None:
        pictures = (given, output, back)
        name = f"{way.replace('_', ' ')}: {key}"
        watch.image(name, {"cycle_l1": cycles[-1]}, lambda: [_shown(p) for p in pictures])
    start, made = ("source", "target") if way == "to_target" else ("target", "source")
    watch.pixels(f"{start}_real", given)
    watch.pixels(f"{made}_output", output)


def _shown(pixels: np.ndarray) -> np.ndarray:
    return colour.to_rgb(sheet.to_u8_rgb(pixels))


def _translated(
    images: ImageSet, index: int, way: str, predictors: Predictors
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    given = images.whole(index)
    output = predictors[way](given)
    back: Predictor | None = predictors.get(OTHER[way])
    return given, output, None if back is None else back(output)


def _rows(
    sets: dict[str, ImageSet], predictors: Predictors, probes: int, name: str
) -> tuple[list[list[np.ndarray]], list[str], list[str]]:
    """The pictures, column titles and row names of a strip."""
    rows, names = [], []
    for way, index in _probes(sets, predictors, probes):
        images = sets[way]
        shown = [p for p in _translated(images, index, way, predictors) if p is not None]
        rows.append([_shown(p) for p in shown])
        names.append(f"{name}, {way.replace('_', ' ')}: {images.items[index].key}")
    return rows, TITLES[: max(map(len, rows))], names


def _probes(sets: dict[str, ImageSet], predictors: Predictors, probes: int) -> Iterator[tuple[str, int]]:
    for way in (way for way in sets if way in predictors):
        for index in spread(len(sets[way]), probes):
            yield way, index

"""Applies a generator to one picture of any size. Validation, samples and `translate` all go through here,
so what training reports is what a user gets."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from gantrans.bundles.bundle import Card
from gantrans.core.device import HALF, Core
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import ranges
from gantrans.inference import memory, tiles
from gantrans.inference.ensemble import TURNS
from gantrans.inference.receptive import Reach, grid_of, reach_of
from gantrans.inference.rendering import render, stacked
from gantrans.inference.source import Output, Source
from gantrans.nets.norm import set_norm_statistics, whole_picture_norms

MEASURED_PX = 96  # a side; on smaller pictures, layers of a quarter of it choose other ways to convolve


class Predictor:
    """pixels (H, W, C) uint8 or uint16 -> pixels (H * scale, W * scale, C') of the same dtype.

    Label maps, on either side, are (H, W, 1) uint8: the class of each pixel.

    tile: None, whole while it fits memory, else in tiles that do; 0, always whole; else in tiles of about so
    many pixels a side, and around them what the network looks at. Tiles change no pixel by more than 1e-3 of
    the range, unless a message says so. ensemble: the mean over the eight flips and turns of the picture.
    """

    def __init__(
        self, network: nn.Module, card: Card, core: Core, *, tile: int | None = None, ensemble: bool = False
    ) -> None:
        if tile is not None and tile < 0:
            raise ConfigError(
                f"tile={tile}: accepted are pixels, 0 (never in tiles) and null (as memory allows)"
            )
        self.network = core.place(network).eval()
        self.card = card
        self.core = core
        self.tile, self.ensemble = tile, ensemble
        self.passes = 0  # over the last picture: more than one where norms look at all of a tiled one
        self._told: set[str] = set()
        self._bytes_per_px: float | None = None
        self._on_cpu: Predictor | None = None
        set_norm_statistics(self.network, card.norm_statistics)

    def __call__(self, pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Translate one picture. Values outside the range are clipped, then rounded to the nearest level.

        mask (H, W, 1) uint8, 0 untouched to 255 hidden: what models with one need, else ValueError, as for a
        class that the model does not know. Where it is 0, the pixels are the source's, bit for bit, if the
        card says outside="copy". Where memory runs out: smaller tiles, then the CPU; DataError where neither
        helps.
        """
        source, most_px = Source(self.card, pixels, mask), None
        while True:
            layout, _ = self._layout(source, most_px)
            try:
                return self._translated(source, most_px)
            except (RuntimeError, MemoryError) as error:
                if not memory.is_full(error):
                    raise
            if self.core.device.type == "cuda":
                torch.cuda.empty_cache()
            tileable = reach_of(self.network) if self.tile != 0 else Reach(reason="tile=0 forbids parts")
            if tileable.halo is not None and layout.largest_px > 4 * tileable.step**2:
                most_px = layout.largest_px // 2
                self._say("smaller", "memory ran out; going on in smaller tiles")
            elif self.core.device.type != "cpu":
                self._say("cpu", "memory of the device ran out; going on on the CPU")
                return self._elsewhere()(pixels, mask)
            else:
                raise DataError(
                    f"{pixels.shape[1]}x{pixels.shape[0]} pixels do not fit memory and cannot be cut smaller "
                    f"({tileable.reason or 'one tile is the least'}); make it smaller"
                )

    def batch(
        self, pixels: Sequence[np.ndarray], masks: Sequence[np.ndarray | None] | None = None
    ) -> list[np.ndarray]:
        """Several pictures, each as if alone; those of one size are translated in one go where they fit."""
        masks = [None] * len(pixels) if masks is None else masks
        sources = [Source(self.card, one, mask) for one, mask in zip(pixels, masks, strict=True)]
        alike = len({(source.height, source.width) for source in sources}) == 1 and not self.ensemble
        if len(pixels) > 1 and alike and self._fits(sources):
            try:
                made = self._answer([source.all() for source in sources])
                return [self._output(s, y).finish() for s, y in zip(sources, made, strict=True)]
            except (RuntimeError, MemoryError) as error:
                if not memory.is_full(error):
                    raise
            self._say("batch", "memory ran out; going on with one picture at a time")
        return [self(one, mask) for one, mask in zip(pixels, masks, strict=True)]

    def predict_x01(self, source_x01: Tensor) -> Tensor:
        """A batch (N, C, H, W) in [0, 1] -> the same range, clipped, float32, on the run's device."""
        with torch.inference_mode(), self.core.autocast:
            x11 = ranges.x11_from_x01(source_x01.to(self.core.device))
            needed = source_x01[:, 0].numel() * (self._bytes_per_px or memory.USUAL_BYTES_PER_PX)
            del source_x01  # a tile's room, where nobody else holds it
            with memory.tidied(self.network, needed if self.core.device.type == "cpu" else 0):
                output = self.network(x11.contiguous(memory_format=self.core.memory_format))
        return ranges.x01_from_x11(output.float()).clamp_(0, 1)

    def _answer(self, parts: list[np.ndarray]) -> np.ndarray:
        return self.predict_x01(stacked(parts)).permute(0, 2, 3, 1).cpu().numpy()

    def _translated(self, source: Source, most_px: int | None) -> np.ndarray:
        layout, _ = self._layout(source, most_px)
        turns = TURNS if self.ensemble else TURNS[:1]
        scale = self.card.scale if self.card.enlarges else 1
        channels = self.card.channels(self.card.target_mode)
        summed = self.ensemble or not layout.exact
        output = Output(source, source.height * scale, source.width * scale, channels, summed=summed)
        self.passes = 0
        for turn in turns:
            part = source.turned(turn) if self.ensemble else source
            layout, reach = self._layout(part, most_px)
            self.passes += render(
                self.network,
                self._answer,
                part,
                layout,
                reach,
                output,
                turn,
                half=self.core.precision in HALF,
                share=1 / len(turns),
            )
        return output.finish()

    def _output(self, source: Source, y01: np.ndarray) -> Output:
        height, width, channels = y01.shape
        output = Output(source, height, width, channels, summed=False)
        output.put(y01, slice(height), slice(width))
        return output

    def _layout(self, source: Source, most_px: int | None) -> tuple[tiles.Layout, Reach]:
        """How the source is cut, after it was padded as that asks for."""
        height, width = source.height, source.width
        wanted = self.tile is not None and max(height, width) > self.tile > 0
        small = most_px is None and not wanted and (self.tile == 0 or self._fits([source]))
        reach = Reach() if small else reach_of(self.network)
        if reach.halo is None:
            if not small:
                self._say("whole", f"this model {reach.reason}: pictures are not cut into tiles")
            source.pad_to(Reach())
            return tiles.whole(height, width), Reach()
        source.pad_to(reach)
        if wanted and most_px is None:
            assert self.tile is not None
            return tiles.fixed(*source.padded, self.tile, reach), reach
        layout = tiles.fitting(*source.padded, most_px or self._most_px(), reach)
        if not layout.exact:
            self._say(
                "faded",
                f"memory for tiles of {layout.largest_px} pixels only, this model looks {reach.halo} far: "
                f"tiles see {layout.halo} and fade into each other, so that results differ slightly",
            )
        elif len(layout.tiles) > 1 and whole_picture_norms(self.network):
            self._say(
                "passes",
                "too large for memory at once, and normalised as a whole: "
                "tiles are gone through several times (tile=0 takes more memory instead)",
            )
        return layout, reach

    def _fits(self, sources: Sequence[Source]) -> bool:
        pixels = sum(source.height * source.width for source in sources)
        budget = memory.budget_bytes(self.core.device)
        return pixels * memory.MOST_BYTES_PER_PX <= budget or pixels <= self._most_px()

    def _most_px(self) -> int:
        if self._bytes_per_px is None:
            channels = self.card.channels(self.card.source_mode) + (self.card.mask == "input")
            side = max(MEASURED_PX, 2 * grid_of(self.network)[0])
            self._bytes_per_px = memory.bytes_per_px(self.network, self.predict_x01, channels, side)
        return int(memory.budget_bytes(self.core.device) / (self._bytes_per_px * memory.OVERHEAD))

    def _elsewhere(self) -> Predictor:
        """This predictor on the CPU. A copy: in training the network itself belongs to captured graphs."""
        if self._on_cpu is None:
            precision = "bf16" if self.core.precision == "bf16" else "fp32"
            core = replace(self.core, device=torch.device("cpu"), precision=precision, channels_last=False)
            self._on_cpu = type(self)(
                copy.deepcopy(self.network).cpu(), self.card, core, tile=self.tile, ensemble=self.ensemble
            )
        return self._on_cpu

    def _say(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            print(text, file=sys.stderr)

"""The types of the engine's keys. Values and comments live in conf/*.yaml; a leaf that is a class of its own
(generator, method, ...) is checked against that class's signature instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from gantrans.build.schema_train import TrainSchema


@dataclass
class PairsAugment:
    flip_x: bool = MISSING
    flip_y: bool = MISSING
    rotate_deg: float = MISSING
    scale: Any = MISSING
    shear_deg: float = MISSING
    warp: float = MISSING


@dataclass
class PairsRay:
    address: str | None = MISSING
    tasks: int | None = MISSING


@dataclass
class CheckSchema(TrainSchema):
    fix: Any = MISSING  # true, false or a file
    json: str | None = MISSING
    near_bits: int = MISSING


@dataclass
class PairsSchema:
    source: str = MISSING
    out: str | None = MISSING
    preview: bool = MISSING
    recipe: Any = MISSING
    seed: int = MISSING
    size: int | None = MISSING
    workers: int | None = MISSING
    shard: str | None = MISSING
    launcher: str = MISSING
    ray: PairsRay = field(default_factory=PairsRay)
    timeout_s: float | None = MISSING
    shards: Any = MISSING  # a number, a word or null
    splits: dict[str, float] = MISSING
    near_bits: int | None = MISSING
    variants: int = MISSING
    tile: int | None = MISSING
    overlap: int = MISSING
    augment: PairsAugment = field(default_factory=PairsAugment)
    format: str = MISSING
    quality: int = MISSING
    png_level: int = MISSING
    plugins: list[str] = MISSING


@dataclass
class MatchRecipeSchema:
    source: str = MISSING
    clean: str | None = MISSING
    out: str = MISSING
    images: int = MISSING
    json: str | None = MISSING
    overwrite: bool = MISSING


@dataclass
class TranslateSchema:
    style: str | None = MISSING
    model: str = MISSING
    source: str = MISSING
    masks: str | None = MISSING
    masks_out: str | None = MISSING
    out: str = MISSING
    format: str = MISSING
    quality: int = MISSING
    metadata: str = MISSING
    overwrite: bool = MISSING
    direction: str = MISSING
    tile: int | None = MISSING
    ensemble: bool = MISSING
    device: str = MISSING
    precision: str = MISSING


@dataclass
class StylizeSchema:
    content: str = MISSING
    style: str = MISSING
    out: str = MISSING
    size: int | None = MISSING
    style_scale: float = MISSING
    steps: int = MISSING
    content_weight: float = MISSING
    style_weight: float = MISSING
    tv_weight: float = MISSING
    features: str = MISSING
    weights: str | None = MISSING
    colour: str = MISSING
    start: str = MISSING
    seed: int = MISSING
    overwrite: bool = MISSING
    device: str = MISSING


@dataclass
class EvaluateSchema:
    model: str | None = MISSING
    source: str | None = MISSING
    outputs: str | None = MISSING
    targets: str = MISSING
    metrics: list[str] | None = MISSING
    weights: str | None = MISSING
    fid_resize: str = MISSING
    scale: Any = MISSING  # auto or a number
    shave: Any = MISSING  # auto or a number
    paired: bool = MISSING
    labels: int | None = MISSING
    ignore: int | None = MISSING
    out: str | None = MISSING
    json: str | None = MISSING
    worst: int = MISSING
    ensemble: bool = MISSING
    direction: str = MISSING
    device: str = MISSING
    precision: str = MISSING


@dataclass
class ImportSchema:
    file: str = MISSING
    out: str = MISSING
    direction: str = MISSING
    norm_statistics: str = MISSING
    task: str = MISSING
    overwrite: bool = MISSING


@dataclass
class ExportSchema:
    model: str = MISSING
    out: str = MISSING
    direction: str = MISSING
    format: str = MISSING
    style: str | None = MISSING
    overwrite: bool = MISSING


@dataclass
class ReportSchema:
    out: str | None = MISSING
    overwrite: bool = MISSING


@dataclass
class DemoUiSchema:
    model: str = MISSING
    port: int | None = MISSING
    open: bool = MISSING
    longest: int = MISSING
    device: str = MISSING
    precision: str = MISSING


@cache
def register() -> None:
    """Make the schemas known to Hydra (once), by the names that conf/*.yaml list first in their defaults."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainSchema)
    store.store(name="check_schema", node=CheckSchema)
    store.store(name="pairs_schema", node=PairsSchema)
    store.store(name="match_recipe_schema", node=MatchRecipeSchema)
    store.store(name="translate_schema", node=TranslateSchema)
    store.store(name="stylize_schema", node=StylizeSchema)
    store.store(name="evaluate_schema", node=EvaluateSchema)
    store.store(name="import_schema", node=ImportSchema)
    store.store(name="export_schema", node=ExportSchema)
    store.store(name="report_schema", node=ReportSchema)
    store.store(name="demo_ui_schema", node=DemoUiSchema)

"""Masks: no covered pixel is lost on the way, what is not covered stays as it was, and both are measured."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from gantrans.build.config import compose_verb
from gantrans.build.data import build_data
from gantrans.build.method import build_method
from gantrans.build.run_data import RunData
from gantrans.bundles.bundle import Card, load_bundle, save_bundle
from gantrans.core.device import open_core
from gantrans.data import masks
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.pixels import resized
from gantrans.data.readers import DegradeClean
from gantrans.degrade.recipe import Recipe
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.inference.predictor import Predictor
from gantrans.losses.pixel import l1, weighted_l1
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.methods.superres import SuperRes
from gantrans.metrics.pairwise import psnr, psnr_where
from gantrans.nets import catalogue
from gantrans.nets.augmenter import POLICIES
from gantrans.nets.init import init_weights
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.unet import UNet
from gantrans.types import Batch
from tests.conftest import TINY, Cli, draw_picture

RUN = ["train.total=2step", "train.save_every=2step", "val.every=2step", "val.images=2"]


class Box:
    """A grey box over a part of the picture, drawn anew for each image."""

    scale, takes_u8 = 1, True

    def sample(self, rng: np.random.Generator) -> dict:
        return {"at": [float(v) for v in rng.random(2)]}

    def _where(self, height: int, width: int, params: dict) -> tuple[slice, slice]:
        top, left = (int(v * side * 0.7) for v, side in zip(params["at"], (height, width), strict=True))
        return slice(top, top + max(2, height // 5)), slice(left, left + max(2, width // 5))

    def forward(self, pixels: np.ndarray, params: dict) -> np.ndarray:
        out = pixels.copy()
        out[self._where(*pixels.shape[:2], params)] = 130 if pixels.dtype == np.uint8 else 0.5
        return out

    def mask(self, height: int, width: int, params: dict) -> np.ndarray:
        mask = np.zeros((height, width), np.uint8)
        mask[self._where(height, width, params)] = 255
        return mask


RECIPE = Recipe("box", Box(), "0" * 16)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Six pairs of unequal sizes, covered in part, with their masks, in train/ and val/."""
    root = tmp_path / "pairs"
    for i in range(6):
        clean = draw_picture(i, 40 + i, 44 + 2 * i)
        params = Box().sample(np.random.default_rng(i))
        parts = {"source": Box().forward(clean, params), "target": clean,
                 "mask": Box().mask(*clean.shape[:2], params)}  # fmt: skip
        for role, picture in parts.items():
            folder = root / ("val" if i > 3 else "train") / role / "sub"
            folder.mkdir(parents=True, exist_ok=True)
            write(folder / f"{i}.png", picture)
    return root


def agree(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> bool:
    """Whether source and target are equal wherever the mask is 0."""
    return bool((source == target)[mask[..., 0] == 0].all())


GEOMETRIES = [
    Augment(crop=24),
    Augment(crop=24, resize=29),
    Augment(crop=24, resize=63, quarter_turns=True),
    Augment(crop=24, rotate_deg=40, scale=(0.8, 1.3), warp=0.1),
]


@pytest.mark.parametrize("augment", GEOMETRIES)
def test_outside_of_the_mask_nothing_differs_after_any_geometry(tmp_path: Path, augment: Augment) -> None:
    write(tmp_path / "a.png", draw_picture(3, 41, 50))
    item = Item("a.png", tmp_path / "a.png", tmp_path / "a.png")
    data = PairDataset([item], DegradeClean(RECIPE, 1, masks=True), augment, seed=1, mask="input")
    covered = 0
    for epoch in range(40):
        source, target = data.pair(epoch, 0)
        assert source.shape[2] == 4
        mask = source[..., 3:]
        assert agree(source[..., :3], target, mask)
        covered += np.count_nonzero(mask)
    assert 0 < covered < 40 * 24 * 24 * 0.5


def test_a_resize_that_forgets_the_reach_of_its_filter_is_found() -> None:
    """The property above would catch a mask that is brought to size by its nearest pixels."""
    clean, params = draw_picture(3, 41, 50), {"at": [0.4, 0.4]}
    mask = Box().mask(41, 50, params)[..., None]
    source, target = resized(Box().forward(clean, params), 20, 24), resized(clean, 20, 24)
    assert agree(source, target, masks.resized(mask, 20, 24))
    assert not agree(source, target, mask[np.arange(20) * 41 // 20][:, np.arange(24) * 50 // 24])


@pytest.mark.parametrize("size", [(7, 9), (40, 50), (64, 111), (1, 1)])
def test_no_covered_pixel_is_lost_by_resizing(size: tuple[int, int]) -> None:
    for row, column in ((0, 0), (20, 31), (39, 49)):
        mask = np.zeros((40, 50, 1), np.uint8)
        mask[row, column] = 1
        small = masks.resized(mask, *size)
        assert small.shape == (*size, 1)
        assert small[row * size[0] // 40, column * size[1] // 50] > 0
    assert masks.resized(np.full((40, 50, 1), 255, np.uint8), *size).min() == 255
    assert masks.resized(np.zeros((40, 50, 1), np.uint8), *size).max() == 0


def test_deep_and_coloured_masks_keep_their_least_level() -> None:
    deep = np.array([[[0], [1], [257], [65535]]], np.uint16)
    assert masks.of_pixels(deep)[0, :, 0].tolist() == [0, 1, 1, 255]
    assert masks.of_pixels(np.array([[[0, 0, 1]]], np.uint8)).item() == 1  # luma would round it to 0
    attached = masks.attached(np.zeros((1, 4, 3), np.uint16), masks.of_pixels(deep))
    assert attached.dtype == np.uint16 and attached[0, :, 3].tolist() == [0, 257, 257, 65535]


def test_jitter_and_recolouring_leave_masks_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.png", draw_picture(3, 41, 50))
    item = Item("a.png", tmp_path / "a.png", tmp_path / "a.png")
    reader = DegradeClean(RECIPE, 1, masks=True)
    one, other = (
        PairDataset([item], reader, Augment(crop=24, jitter_source=j), seed=1, mask="input").pair(0, 0)[0]
        for j in (0, 0.5)
    )
    assert np.array_equal(one[..., 3], other[..., 3]) and not np.array_equal(one, other)
    x = torch.rand(2, 4, 8, 8)
    torch.manual_seed(0)
    changed, pictures = POLICIES["colour"]([x])[0], x[:, :3].clone()
    torch.manual_seed(0)
    assert torch.equal(changed[:, 3], x[:, 3])
    assert torch.equal(changed[:, :3], POLICIES["colour"]([pictures])[0])


@pytest.mark.parametrize(
    ("source", "mask"),
    [("source", "mask"), ("train/A", "train/mask"), ("A/train", "mask/train"), ("trainA", "train_mask"),
     ("train_input", "train_mask")],
)  # fmt: skip
def test_masks_lie_beside_their_sources(tmp_path: Path, source: str, mask: str) -> None:
    picture = draw_picture(1, 8, 8)
    for folder in (source, mask):
        (tmp_path / folder / "sub").mkdir(parents=True)
        write(tmp_path / folder / "sub" / "a.b.png", picture)
    path = tmp_path / source / "sub" / "a.b.png"
    (found,) = masks.with_masks([Item("sub/a.b", path, path)])
    assert found.mask == tmp_path / mask / "sub" / "a.b.png"
    assert masks.with_masks([Item("sub/other", path, path)])[0].mask is None


def options(root: Path, *more: str) -> list[str]:
    return [*TINY, f"data.root={root}", *more]


def built(root: Path, *more: str) -> RunData:
    return build_data(compose_verb("train", options(root, *more)), "pairs")


def test_missing_and_wrong_masks_are_named_before_training(pairs: Path) -> None:
    assert built(pairs, "data.mask=input").train.masked(0)[2] is not None  # type: ignore[attr-defined]
    gone = pairs / "train" / "mask" / "sub" / "1.png"
    gone.unlink()
    with pytest.raises(DataError, match=r"1 of 6 pairs have no mask.*train.mask.sub.1\.png"):
        built(pairs, "data.mask=input")
    assert len(built(pairs).train) == 4  # not needed
    write(gone, draw_picture(1, 9, 9)[..., :1])
    with pytest.raises(DataError, match=r"1\.png is 9x9 but"):
        built(pairs)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["data.mask=yes"], "accepted are input, none"),
        (["data.outside=keep"], "accepted are copy, output"),
        (["data.mask=input", "data.source_mode=grey"], "use data.outside=output"),
    ],
)
def test_what_does_not_go_together_is_refused(pairs: Path, more: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        built(pairs, *more)


def test_other_data_has_no_masks_to_tell(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the recipe blur covers nothing"):
        built(photos, "data.mask=input", "recipe=blur")
    (tmp_path / "both").mkdir()
    for i in range(2):
        write(tmp_path / "both" / f"{i}.png", draw_picture(i, 40, 80))
    with pytest.raises(ConfigError, match="have no masks"):
        built(tmp_path / "both", "data.mask=input", "data.layout=side_by_side")
    config = compose_verb("train", options(tmp_path, "data.mask=input"))
    with pytest.raises(ConfigError, match="without partners"):
        build_data(config, "unpaired")


def test_psnr_inside_and_outside_make_up_the_whole() -> None:
    a, b = torch.rand(2, 3, 9, 9, generator=torch.manual_seed(0)), torch.rand(2, 3, 9, 9)
    where = torch.rand(2, 1, 9, 9) > 0.6
    everywhere = torch.ones_like(where)
    assert torch.allclose(psnr_where(a, b, everywhere), psnr(a, b))
    share = where.float().mean((1, 2, 3))
    inside, outside = (10 ** (-psnr_where(a, b, w) / 10) for w in (where, ~where))
    assert torch.allclose(share * inside + (1 - share) * outside, 10 ** (-psnr(a, b) / 10))
    assert psnr_where(torch.where(where, b, a), b, where).tolist() == [100, 100]
    assert psnr_where(a, b, ~everywhere).isnan().all()


def test_covered_pixels_count_as_often_as_asked() -> None:
    source = torch.full((1, 4, 4, 4), -1.0)
    source[:, 3, :, :2] = -1 + 1 / 127.5  # level 1 counts as covered
    output, target = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    halves = [l1(output[..., s], target[..., s]) for s in (slice(0, 2), slice(2, 4))]
    found = Pix2Pix(mask_weight=5.0)._distance(output, target, source)
    assert torch.allclose(found, (5 * halves[0] + halves[1]) / 2)
    assert torch.equal(Pix2Pix()._distance(output, target, source), l1(output, target))
    assert torch.allclose(weighted_l1(output, target, torch.ones(1, 1, 4, 4)), l1(output, target))
    with pytest.raises(ValueError, match=r"set data\.mask=input"):
        Pix2Pix(mask_weight=5.0).check({"source": (1, 32), "target": (3, 32)})
    Pix2Pix(mask_weight=5.0).check({"source": (3, 32), "target": (3, 32)})
    Pix2Pix(mask_weight=5.0).check({"source": (4, 32), "target": (3, 32)})


def metrics_of(run: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["split"] == "val"][-1]


@pytest.fixture
def run(pairs: Path, cli: Cli) -> Path:
    """A run of two steps that knows the masks."""
    folder = pairs.parent / "run"
    answer = cli("train", *options(pairs, *RUN, "data.mask=input", "train.lr=0.05"), f"run.dir={folder}")
    assert answer.code == 0, answer.err
    return folder


def test_a_run_with_masks_goes_all_the_way(run: Path, pairs: Path, tmp_path: Path, cli: Cli) -> None:
    found = metrics_of(run)
    assert found["psnr_outside"] == 100 and 0 < found["psnr_inside"] < 60
    network, card = load_bundle(run)
    assert (card.mask, card.outside, network.arguments["in_channels"]) == ("input", "copy", 4)  # type: ignore[index]
    assert cli("resume", run, "data.mask=none").code == 2
    assert cli("resume", run, "train.total=3step").code == 0
    val, out = pairs / "val", tmp_path / "out"
    refused = cli("translate", f"model={run}", f"source={val / 'source'}", f"out={out}")
    assert refused.code == 2 and "give masks=DIR" in refused.err
    gone = val / "mask" / "sub" / "5.png"
    gone.rename(tmp_path / "5.png")
    given = ("translate", f"model={run}", f"source={val / 'source'}", f"out={out}", f"masks={val / 'mask'}")
    answer = cli(*given)
    assert answer.code == 3 and "1 translated, 1 failed" in answer.out and "5.png: no mask" in answer.err
    source, made = read(val / "source/sub/4.png").pixels, read(out / "sub/4.png").pixels
    mask = masks.read_mask(val / "mask/sub/4.png")
    assert agree(made, source, mask)
    assert (made != source)[mask[..., 0] > 0].any()
    lossy = cli(*given, "format=jpg")
    assert lossy.code == 2 and "format=jpg: changes what lies outside" in lossy.err
    write(gone, draw_picture(1, 9, 9)[..., :1])
    assert "5.png is 9x9" in cli(*given).err


def test_outside_is_copied_or_not_as_asked(run: Path, pairs: Path, cli: Cli) -> None:
    other = pairs.parent / "other"
    more = ("data.mask=input", "data.outside=output", "train.lr=0.05", f"run.dir={other}")
    assert cli("train", *options(pairs, *RUN, *more)).code == 0
    assert metrics_of(other)["psnr_outside"] < 99 < metrics_of(run)["psnr_outside"]
    assert load_bundle(other)[1].outside == "output"


def test_a_run_that_is_not_told_is_measured_all_the_same(pairs: Path, cli: Cli) -> None:
    blind = pairs.parent / "blind"
    assert cli("train", *options(pairs, *RUN), f"run.dir={blind}").code == 0
    assert {"psnr_inside", "psnr_outside", "psnr_inside_input"} <= metrics_of(blind).keys()
    assert load_bundle(blind)[1].mask == "none"
    for path in pairs.rglob("mask/sub/*.png"):
        path.unlink()
    plain = pairs.parent / "plain"
    assert cli("train", *options(pairs, *RUN), f"run.dir={plain}").code == 0
    assert "psnr_inside" not in metrics_of(plain)
    assert {k: v for k, v in metrics_of(blind).items() if "side" not in k} == metrics_of(plain)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_predictor_copies_exactly_in_any_depth(dtype: type) -> None:
    torch.manual_seed(0)
    network = UNet(4, 3, width=2, depth=3, residual=True)
    init_weights(network, "pytorch", 0.02)
    torch.nn.init.normal_(network.head.bias, std=1.0)
    card = Card(catalogue.describe(network), mask="input", outside="copy")
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (17, 19, 3), dtype=dtype)
    mask = np.zeros((17, 19, 1), np.uint8)
    mask[3:9, 4:11] = [[[1]]]
    made = Predictor(network, card, open_core("cpu"))(pixels, mask)
    assert made.dtype == dtype and agree(made, pixels, mask)
    assert (made != pixels)[3:9, 4:11].any()
    with pytest.raises(ValueError, match="none was given"):
        Predictor(network, card, open_core("cpu"))(pixels)


def test_a_model_without_masks_changes_only_what_is_masked(pairs: Path, tmp_path: Path, cli: Cli) -> None:
    network = UNet(width=2, depth=3, residual=False)
    save_bundle(tmp_path / "bundle", network, Card(catalogue.describe(network)))
    source = tmp_path / "in"
    source.mkdir()
    write(source / "4.jpg", read(pairs / "val/source/sub/4.png").pixels)
    masked = f"masks={pairs / 'val/mask/sub'}"
    answer = cli(
        "translate", f"model={tmp_path / 'bundle'}", f"source={source}", f"out={tmp_path / 'o'}", masked
    )
    assert answer.code == 0, answer.err
    was, made = read(source / "4.jpg").pixels, read(tmp_path / "o" / "4.png").pixels  # not a JPEG: exact
    assert agree(made, was, masks.read_mask(pairs / "val/mask/sub/4.png"))
    assert not np.array_equal(made, was)


def test_without_a_mask_the_weight_is_on_what_differs() -> None:
    """Weight w on a share s of pixels with error e, nothing elsewhere: L1 is w s e."""
    target = torch.zeros(1, 3, 8, 8)
    source = target.clone()
    source[:, 1, :2] = 0.5  # one channel of a quarter of the rows
    found = Pix2Pix(mask_weight=5.0)._distance(target + 0.2, target, source)
    torch.testing.assert_close(found, torch.tensor(0.2 * (5 * 0.25 + 0.75)))


# --- what a user gets is what the losses see


class Fixed(torch.nn.Module):
    """Makes the same picture whatever it is shown, and says so to who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = torch.nn.Parameter(torch.rand(1, 3, 8, 8, generator=torch.manual_seed(3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.picture.expand(len(x), -1, -1, -1)


def holed() -> Batch:
    """A hole, its soft edge of level 1 of 255, and known pixels; the source lies about what is under it."""
    rng = torch.manual_seed(0)
    target, mask = torch.rand(2, 3, 8, 8, generator=rng) * 2 - 1, torch.full((2, 1, 8, 8), -1.0)
    mask[..., 2:5, 2:5], mask[..., 5, 2:5] = 1.0, -1 + 1 / 127.5
    source = torch.where(mask > -1, torch.zeros(()), target)
    return Batch(torch.cat([source, mask], 1), target)


SEEING = {"pix2pix": lambda **k: Pix2Pix(**k), "superres": lambda **k: SuperRes(lambda_gan=0.0, **k)}


@pytest.mark.parametrize("name", SEEING)
def test_every_loss_sees_the_picture_that_the_predictor_will_give(name: str) -> None:
    """Output.put copies where the mask is 0 exactly, so a pixel of level 1 is the network's already."""
    batch, networks = holed(), {"generator": Fixed()}
    made, seen = networks["generator"](batch.source), batch.source[:, 3:] > -1
    output = SEEING[name](copies=True).forward(networks, batch)["output"]
    assert torch.equal(output, torch.where(seen, made, batch.target))
    assert torch.equal(SEEING[name]().forward(networks, batch)["output"], made)
    assert seen[0, 0, 5, 2] and not seen[0, 0, 6, 2]


def known_pixels_teach(method: Pix2Pix) -> bool:
    """Whether the generator is asked for anything where its output will not be looked at."""
    batch, networks = holed(), {"generator": Fixed(), "discriminator": PatchGAN(7, 2, 1, "none")}
    loss, _ = method.loss(method.phases[-1], networks, batch, method.forward(networks, batch))
    (gradient,) = torch.autograd.grad(loss, networks["generator"].picture)  # type: ignore[arg-type]
    hole = (batch.source[:1, 3:] > -1).expand(1, 3, -1, -1)
    assert gradient[hole].all()
    return bool(gradient[~hole].any())


def test_nothing_is_learned_where_the_source_is_copied() -> None:
    assert not known_pixels_teach(Pix2Pix(copies=True))
    assert known_pixels_teach(Pix2Pix())  # what would paste in the predictor only


def test_the_method_copies_where_the_bundle_will() -> None:
    config = compose_verb("train", ["data.root=x", "method=superres"])
    for mask, outside in itertools.product(masks.USES, masks.OUTSIDE):
        config.data.mask, config.data.outside = mask, outside
        method = build_method(config)
        assert method.copies is ((mask, outside) == ("input", "copy"))  # type: ignore[attr-defined]
    OmegaConf.update(config, "method.copies", value=True, force_add=True)
    with pytest.raises(ConfigError, match=r"method\.copies: is set by the run itself"):
        build_method(config)

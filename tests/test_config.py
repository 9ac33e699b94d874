"""Every key does something, and every mistake is answered with the key and what is accepted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gantrans.build.config import compose_verb
from tests.conftest import TINY, Cli


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("train.batch_sise=3", "did you mean batch_size?"),
        ("train.batch_size=many", "train.batch_size: Value 'many'"),
        ("train.batch_size=0", "train.batch_size=0: accepted: 1 or more"),
        ("generator.widht=3", "did you mean width?"),
        ("+generator.radius=3", "UNet has no parameter 'radius'"),
        ("generator.width=wide", "width='wide': accepted are whole numbers"),
        ("generator._target_=os.system", "_target_=os.system: accepted are gantrans.nets.unet.UNet"),
        ("method.gan=wgan", "accepted are vanilla, lsgan, hinge"),
        ("experiment=restor", "did you mean restore?"),
        ("recipe=crapify", "did you mean crappify?"),
        ("recipe=nowhere.yaml", "recipe=nowhere.yaml: cannot be read"),
        ("train.total=5", "200ep (epochs)"),
        ("val.every=2h", "only train.total takes a time"),
        ("core.device=tpu", "accepted are auto, cpu, cuda"),
        ("core.precision=fp8", "accepted are auto, fp32, bf16, fp16"),
        ("core.processes=2", "use 1"),
        ("train.schedule=step", "accepted: constant, cosine, linear"),
        ("val.best=fid", "accepted: None, psnr, ssim"),
        ("data.layout=triples", "auto, paired, side_by_side, clean"),
        ("nonsense", "takes key=value"),
        ("--verbose", "takes key=value"),
        ("seed=[1", "write overrides as key=value"),
    ],
)
def test_a_mistake_names_the_key_and_what_is_accepted(
    photos: Path, tmp_path: Path, cli: Cli, argument: str, said: str
) -> None:
    run = tmp_path / "run"
    answer = cli(
        "train", "experiment=restore", f"data.root={photos}", f"run.dir={run}", "augment.crop=32", argument
    )
    assert answer.code == 2, answer
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert not run.exists(), "a refused command leaves no folder behind"


def test_missing_keys_are_named_with_what_they_want(cli: Cli) -> None:
    answer = cli("train", "experiment=restore")
    assert answer.code == 2
    assert "data.root=... (a folder of clean images" in answer.err
    answer = cli("pairs", "source=x")
    assert answer.code == 2
    assert "out=..." in answer.err


def test_unknown_verbs_and_help(cli: Cli) -> None:
    assert cli("trian").code == 2
    assert "did you mean train?" in cli("trian").err
    for verb in ("train", "pairs", "translate", "resume"):
        answer = cli(verb, "--help")
        assert answer.code == 0
        assert verb in answer.out
    assert "augment:" in cli("train", "--help").out
    shown = cli("train", "--cfg", "job", "train.total=7ep")
    assert shown.code == 0
    assert "total: 7ep" in shown.out


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys; from gantrans.cli.main import main; main(['--help']); main(['train', '--help']);"
        "sys.exit('torch' in sys.modules or 'hydra' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    odd = str(tmp_path / "a b (1), it's [x]=y ü")
    assert compose_verb("train", ["experiment=restore", f"data.root={odd}"]).data.root == odd
    assert compose_verb("train", ["experiment=restore", f"run.dir={odd}", "data.root=x"]).run.dir == odd


# What each key changes is read off a short run: losses, validation, checkpoints or the plan.
EFFECTS = [
    "seed=5",
    "data.val_fraction=0.2",
    "data.source_mode=grey",
    "augment.resize=70",
    "augment.crop=36",
    "augment.flip=false",
    "augment.quarter_turns=true",
    "augment.rotate_deg=20",
    "augment.scale=[0.8,1.2]",
    "augment.warp=0.1",
    "augment.jitter_source=0.3",
    "augment.jitter_target=0.3",
    "train.total=3step",
    "train.stop_at=1step",
    "train.batch_size=1",
    "train.lr=0.01",
    "train.betas=[0.9,0.99]",
    "train.schedule=constant",
    "train.flat=1.0",
    "train.warmup=3",
    "train.ema=0",
    "train.keep_last=4",
    "val.every=2step",
    "val.images=2",
    "val.probes=2",
    "val.norm_statistics=image",
    "log.every=2step",
    "recipe=blur",
    "generator.width=3",
    "generator.depth=5",
    "generator.norm=instance",
    "generator.dropout=false",
    "generator=resnet_6blocks",
    "discriminator.width=3",
    "discriminator.layers=2",
    "discriminator.norm=none",
    "discriminator=pixel",
    "method.gan=hinge",
    "method.lambda_l1=10",
    "method.lambda_gan=0",
    "init.kind=xavier",
    "init.gain=0.1",
    "core.precision=bf16",
    "task=other",
]
BASE = [
    "train.total=4step",
    "train.save_every=1step",
    "val.every=1step",
    "log.every=1step",
    "data.val_fraction=0.5",
    "generator.residual=false",
]


def outcome(run: Path) -> tuple[str, ...]:
    """All that a run shows for itself, without times."""
    strip = max((run / "samples").iterdir()).read_bytes()
    bundle = (run / "bundle" / "bundle.json").read_text()
    saved = sorted(p.name for p in (run / "checkpoints").iterdir())
    return (run / "metrics.jsonl").read_text(), str(hash(strip)), bundle, str(saved)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    from PIL import Image

    from gantrans.cli.main import main
    from tests.conftest import draw_picture

    folder = tmp_path_factory.mktemp("effects")
    (folder / "photos").mkdir()
    for i in range(6):
        Image.fromarray(draw_picture(i, 60, 64)).save(folder / "photos" / f"{i}.png")
    assert main(["train", *TINY, *BASE, f"data.root={folder / 'photos'}", f"run.dir={folder / 'base'}"]) == 0
    assert main(["train", *TINY, *BASE, f"data.root={folder / 'photos'}", f"run.dir={folder / 'again'}"]) == 0
    assert outcome(folder / "base") == outcome(folder / "again")
    return folder, outcome(folder / "base")


@pytest.mark.parametrize("override", EFFECTS)
def test_each_key_has_an_effect(
    base: tuple[Path, tuple[str, ...]], tmp_path: Path, cli: Cli, override: str
) -> None:
    folder, plain = base
    run = tmp_path / "run"
    group = [override] if override.count("=") == 1 and "." not in override else []
    keys = [k for k in TINY if not (group and k.startswith(override.partition("=")[0]))]
    answer = cli("train", *keys, *BASE[: -1 if group else None], *group, *([] if group else [override]),
                 f"data.root={folder / 'photos'}", f"run.dir={run}")  # fmt: skip
    assert answer.code == 0, answer.err
    assert outcome(run) != plain


def test_the_effects_table_is_complete() -> None:
    """Every typed key is in the table, or is named here with the test that shows its effect."""
    elsewhere = {
        "run.dir", "plugins", "data.root", "data.layout", "data.side", "data.swap", "data.target_mode",
        "data.workers", "train.save_every", "val.best", "core.device",
        "core.deterministic", "core.threads", "core.processes",
    }  # fmt: skip
    from omegaconf import DictConfig, OmegaConf

    config = compose_verb("train", [])

    def leaves(node: DictConfig, prefix: str = "") -> set[str]:
        found = set()
        for key in node:
            value = OmegaConf.select(node, str(key))
            name = f"{prefix}{key}"
            found |= leaves(value, name + ".") if isinstance(value, DictConfig) else {name}
        return found

    typed = {
        k for k in leaves(config) if k.split(".")[0] not in ("recipe", "generator", "discriminator", "method")
    }
    tested = {e.partition("=")[0] for e in EFFECTS}
    assert typed - tested - elsewhere == set()


def test_core_keys_act() -> None:
    import torch

    from gantrans.build.training import build_core

    before = torch.get_num_threads()
    try:
        config = compose_verb("train", [*TINY, "data.root=x", "core.threads=2", "core.deterministic=true"])
        core = build_core(config)
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()
        assert core.device.type == "cpu"
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(False)


def test_a_users_own_classes_need_plugins_and_no_fork(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom torch import nn\n"
        "class Darken:\n    scale = 1\n"
        "    def __init__(self, by: float = 0.5): self.by = by\n"
        "    def sample(self, rng): return {'by': self.by}\n"
        "    def forward(self, x01, params): return (x01 * params['by']).astype(np.float32)\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, in_channels, out_channels, width=4):\n"
        "        super().__init__(); self.a = nn.Conv2d(in_channels, out_channels, 3, padding=1)\n"
        "    def forward(self, x): return self.a(x)\n"
    )
    (tmp_path / "dark.yaml").write_text("name: dark\nsteps:\n  - mine.Darken: {by: 0.25}\n")
    monkeypatch.chdir(tmp_path)
    options = ["train", *[t for t in TINY if not t.startswith("generator")], f"data.root={photos}",
               "recipe=dark.yaml", "run.dir=run", "generator.width=4"]  # fmt: skip
    refused = cli(*options)
    assert refused.code == 2
    assert "mine.Darken" in refused.err
    allowed = cli(*options, "plugins=[mine]")
    assert allowed.code == 0, allowed.err
    sent = cli("resume", "run")
    assert sent.code == 2
    assert "plugins=[mine]" in sent.err
    assert cli("resume", "run", "plugins=[mine]", "train.total=8step").code == 0

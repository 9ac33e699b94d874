"""Every key does something, and every mistake is answered with the key and what is accepted."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from gantrans.build.config import compose_verb
from gantrans.cli.board_runs import find
from gantrans.cli.main import VERBS
from gantrans.errors import Interrupted
from tests.conftest import TINY, Cli, some

MISTAKES = [
    ("train.batch_sise=3", "did you mean batch_size?"),
    ("train.batch_size=many", "train.batch_size=many: accepted are whole numbers"),
    ("train.batch_size=0", "train.batch_size=0: accepted: 1 or more"),
    ("generator.widht=3", "did you mean width?"),
    ("+generator.radius=3", "UNet has no parameter 'radius'"),
    ("generator.width=wide", "width='wide': accepted are whole numbers"),
    ("generator._target_=os.system", "_target_=os.system: accepted are gantrans.nets.unet.UNet"),
    ("method.gan=wgna", "accepted are vanilla, lsgan, hinge, wgan"),
    ("experiment=restor", "did you mean restore?"),
    ("recipe=crapify", "did you mean crappify?"),
    ("recipe=nowhere.yaml", "recipe=nowhere.yaml: cannot be read"),
    ("train.total=5", "200ep (epochs)"),
    ("val.every=2h", "only train.total takes a time"),
    ("core.device=tpu", "accepted are auto, cpu, cuda"),
    ("core.precision=fp8", "accepted are auto, fp32, tf32, bf16, fp16"),
    (
        "core.processes=3",
        "cannot share it evenly (core.processes=3, core.nodes=1); use train.batch_size=6 or 9",
    ),
    ("train.schedule=step", "accepted are constant, cosine, linear"),
    ("val.best=fid", "accepted are psnr, ssim, what val.metrics adds, and null"),
    ("data.cache_mib=-1", "data.cache_mib=-1: accepted: 0 (none) or more MiB, or null"),
    ("data.resampler=cv2", "accepted are pillow, torch"),
    ("data.layout=triples", "auto, clean, paired, shards, side_by_side, unpaired"),
    ("nonsense", "takes key=value"),
    ("--verbose", "takes key=value"),
    ("val.every=[1", "input '[1'; write overrides as key=value"),
    ("seed=${nowhere}", "seed: Interpolation key 'nowhere' not found"),
    ("data.root=", "data.root= is empty; needed is a folder"),
    ("run.dir=", "run.dir= is empty; needed is a folder"),
]


@pytest.mark.parametrize(("argument", "said"), some(MISTAKES, every=2))
def test_a_mistake_names_the_key_and_what_is_accepted(
    photos: Path, tmp_path: Path, cli: Cli, argument: str, said: str
) -> None:
    run = tmp_path / "run"
    answer = cli(
        "train", "experiment=restore", f"data.root={photos}", f"run.dir={run}", "augment.crop=32", argument
    )
    assert answer.code == 2, answer
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1, answer.err
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
    for verb in VERBS:
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


def test_paths_are_taken_as_they_are() -> None:
    odd = [
        "a b (1), it's [x]=y ü",
        "~/x",
        "C:\\photos\\",
        "a\\'b\\\\",
        "1e3",
        "007",
        "true",
        'say "it"',
        "'tis",
    ]
    keys = ("data.root", "data.targets", "data.unpaired", "data.quarantine", "run.dir", "train.init_from")
    for verb, places, words in (
        ("train", keys, odd[:6]),
        ("train", keys, odd[3:]),
        ("translate", ("source", "out", "model", "masks"), odd[::2]),
    ):
        given = dict(zip(places, words, strict=False))
        config = compose_verb(verb, [f"{key}={word}" for key, word in given.items()])
        assert {key: OmegaConf.select(config, key) for key in given} == given


def test_the_home_folder_is_known_where_config_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("name: mine\nsteps: []\n")
    (tmp_path / "it's/recipe").mkdir(parents=True)
    (tmp_path / "it's/recipe/own.yaml").write_text("name: own\nsteps: []\n")
    assert compose_verb("pairs", ["recipe=~/mine.yaml"]).recipe.name == "mine"
    assert compose_verb("pairs", ["recipe=own"], "~/it's").recipe.name == "own"


def test_broken_files_and_values_are_told_in_one_line(photos: Path, tmp_path: Path, cli: Cli) -> None:
    own, run = tmp_path / "own.yaml", tmp_path / "run"
    (tmp_path / "recipe").mkdir()
    own.write_text("steps:\n  - jpeg: [1\n")
    (tmp_path / "recipe" / "sick.yaml").write_text("steps: [1\n")
    run.mkdir()
    saved = OmegaConf.to_yaml(compose_verb("train", [*TINY, f"data.root={photos}"]))

    def refused(said: str, *args: str | Path, config: str = saved) -> None:
        (run / "config.yaml").write_text(config)
        answer = cli(*args)
        assert answer.code == 2, answer
        assert len(answer.err.splitlines()) == 1, answer.err
        assert said in answer.err, answer.err
        assert answer.err.count(said) == 1

    refused(f"recipe={own}: not valid YAML: expected ',' or ']'", "pairs", f"recipe={own}")
    refused("sick.yaml: not valid YAML: expected", "pairs", "recipe=sick", "--config-dir", tmp_path)
    own.write_bytes(b"name: \xff\n")
    refused(f"recipe={own}: cannot be read", "pairs", f"recipe={own}")
    own.write_text("17")
    refused(f"recipe={own}: ", "pairs", f"recipe={own}")
    refused("train.total=[: not a value: ", "resume", run, "train.total=[")
    refused("seed: Interpolation key 'nowhere' not found", "resume", run, "seed=${nowhere}")
    refused("data.root= is empty", "resume", run, "data.root=")
    refused(f"{run / 'config.yaml'}: not valid YAML: ", "resume", run, config="seed: [1\n")
    refused("train.batch_size=x: accepted are whole numbers", "resume", run, config="train: {batch_size: x}")
    refused("unknown key train.rate", "resume", run, config=saved.replace("  lr: ", "  rate: "))
    less = "".join(line for line in saved.splitlines(keepends=True) if "  root: " not in line)
    refused(f"{run / 'config.yaml'}: lacks data.root", "resume", run, config=less)
    less = OmegaConf.to_yaml({key: value for key, value in OmegaConf.create(saved).items() if key != "train"})
    refused(f"{run / 'config.yaml'}: lacks all of train, which", "resume", run, config=less)


def test_a_run_of_an_older_version_takes_the_defaults_of_later_keys(
    photos: Path, tmp_path: Path, cli: Cli
) -> None:
    whole = OmegaConf.to_yaml(compose_verb("train", [*TINY, f"data.root={photos}"]))
    config = OmegaConf.create(whole)
    del config["bundle"], config.log["width"], config.train["freeze"]
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(config))
    answer = cli("resume", tmp_path, "--cfg", "job")
    assert answer.code == 0, answer.err
    assert OmegaConf.create(answer.out) == OmegaConf.create(whole)
    assert answer.err == (
        "note      begun by an older version; what it did not know is as usual: "
        "bundle.licence=unspecified, log.width=1024, train.freeze=null\n"
    )
    told = cli("resume", tmp_path, "--cfg", "job", "log.width=99", "bundle.licence=CC0")
    assert "as usual: train.freeze=null\n" in told.err, "what is given is no default"
    assert "width: 99" in told.out


def test_a_sweep_makes_one_run_for_each_value(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "soft.yaml").write_text("name: soft\nsteps:\n  - gaussian_blur: {sigma_px: 1}\n")
    spaced = photos.rename(tmp_path / "my photos")
    arguments = (*(t for t in TINY if not t.startswith("train.total")), "train.total=1step", "run.dir=null",
                 f"data.root={spaced}", "seed=1,2", "recipe=soft.yaml")  # fmt: skip
    before = sys.argv
    answer = cli("train", "-m", *arguments)
    assert answer.code == 0, answer
    (sweep,) = Path("runs").iterdir()
    runs = sorted(sweep.glob("run-*/config.yaml"))
    assert [*find([sweep])] == ["run-0", "run-1"], "and so `gantrans board` finds them"
    configs = [OmegaConf.load(path) for path in runs]
    assert sorted(c.seed for c in configs) == [1, 2]
    assert all(c.recipe.name == "soft" for c in configs)
    assert sys.argv is before
    assert "HYDRA_FULL_ERROR" not in os.environ
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my photos", "runs", "soft.yaml"]


SWEEPS = [
    (["data.root=nowhere"], 3, "data error"),
    (["data.root=PHOTOS", "run.dir=one"], 6, "already holds a run"),
    (["data.root=PHOTOS", "train.batch_sise=3"], 2, "did you mean batch_size?"),
    (
        ["data.root=PHOTOS", "train.batch_size=1,many"],
        2,
        "train.batch_size=many: accepted are whole numbers",
    ),
    (["data.root=PHOTOS", "train.schedule=step"], 2, "accepted are constant"),
    (["data.root=PHOTOS", "val.every=[1"], 2, "write overrides as key=value"),
    (["data.root=PHOTOS", "recipe=a.yaml,b.yaml"], 2, "one recipe file"),
    (["data.root=PHOTOS", "hydra/launcher=nowhere"], 2, "no such hydra/launcher"),
    (["data.root=PHOTOS", "--cfg", "job"], 2, "leave out --multirun"),
    (["seed=3"], 2, "missing: data.root"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), some(SWEEPS))
def test_a_sweep_fails_as_a_single_run_does(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    given = [a.replace("PHOTOS", str(photos)) for a in arguments]
    swept = [] if "seed=3" in arguments else ["seed=1,2"]
    answer = cli("train", "--multirun", *TINY, "train.stop_at=1step", *swept, *given)
    assert answer.code == code, answer
    assert said in answer.err.splitlines()[-1]
    assert "Traceback" not in answer.err
    assert not (tmp_path / "multirun").exists()


def test_an_interrupt_ends_the_whole_sweep(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def interrupted(config: DictConfig, _: list[str]) -> None:
        begun.append(config.seed)
        raise Interrupted("saved", signal_number=15)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gantrans.cli.train.launch", interrupted)
    assert cli("train", "-m", "seed=1,2").code == 143
    assert begun == [1]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(errno.ENOSPC, "No space left", "x/y"), 5, "x/y: No space left; free some space"),
        (OSError(errno.ENOSPC, "No space left"), 5, "the disk: No space left; free"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "x"), 5, "x: Not a directory; choose another"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), 5, "x: File name too long"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x"), 5, "x: Is a directory"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 5, "x: No such file"),
        (FileNotFoundError(errno.ENOENT, "No such file"), 1, "mistake of gantrans"),
        (RuntimeError("CUDA out of memory. Tried 2 GiB. Blah"), 1, "CUDA out of memory; lower train.batch_s"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9"), 1, "or use core.device=cpu"),
        (MemoryError(), 1, "out of memory: no more to be had; lower"),
        (RuntimeError("shapes"), 1, "mistake of gantrans"),
    ],
)
def test_what_escapes_is_told_apart(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, said: str
) -> None:
    def fail(_: list[str]) -> None:
        raise error

    monkeypatch.setattr("gantrans.cli.train.run", fail)
    answer = cli("train")
    assert answer.code == code
    assert said in answer.err
    assert (len(answer.err.splitlines()) == 1) == ("mistake" not in said)


# What each key changes is read off a short run: losses, validation, checkpoints or the plan.
EFFECTS = [
    "seed=5",
    "data.val_fraction=0.2",
    "data.source_mode=grey",
    "data.degrade=device",
    "val.metrics=[psnr_y]",
    "augment.resize=70",
    "augment.crop=36",
    "augment.flip=false",
    "augment.quarter_turns=true",
    "augment.rotate_deg=20",
    "augment.scale=[0.8,1.2]",
    "augment.warp=0.1",
    "augment.jitter_source=0.3",
    "augment.jitter_target=0.3",
    "train.total=2step",
    "train.stop_at=1step",
    "train.batch_size=1",
    "train.lr=0.01",
    "train.betas=[0.9,0.99]",
    "train.schedule=constant",
    "train.flat=1.0",
    "train.warmup=3",
    "train.ema=0",
    "train.keep_last=3",
    "val.every=2step",
    "val.images=2",
    "val.probes=2",
    "val.norm_statistics=image",
    "log.every=2step",
    "core.kernels=plain",
    "recipe=blur",
    "generator.width=3",
    "generator.depth=5",
    "generator.norm=instance",
    "generator.dropout=false",
    "generator=resnet_6blocks generator.width=2 generator.norm=batch generator.dropout=true",
    "discriminator.width=3",
    "discriminator.layers=2",
    "discriminator.norm=none",
    "discriminator=pixel discriminator.width=2 discriminator.norm=batch",
    "discriminator=unet discriminator.width=2 discriminator.spectral=false",
    "method=pix2pix method.gan=lsgan",  # leaves lambda_gan
    "method.gan=hinge",
    "method.lambda_l1=10",
    "method.lambda_gan=0",
    "init.kind=xavier",
    "init.gain=0.1",
    "core.precision=bf16",
    "method.lambda_features=10",
    "discriminator.spectral=true",
    "discriminator.antialias=true",
    "adversary.smooth=0.2",
    "adversary.r1=1",
    "adversary.gradient_penalty=1",
    "adversary.augment=[translation]",
    "train.stages=[{generator:1},{both:1}]",
]
BASE = [
    "train.total=3step",
    "train.save_every=1step",
    "val.every=3step",
    "log.every=1step",
    "data.val_fraction=0.5",
    "generator.residual=false",
]


def outcome(run: Path) -> tuple[str, bytes, list[str]]:
    """What a run did, not what it was told: numbers, newest pictures and which checkpoints it kept."""
    strip = max((run / "samples").iterdir()).read_bytes()
    saved = sorted(p.name for p in (run / "checkpoints").iterdir())
    return (run / "metrics.jsonl").read_text(), strip, saved


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, bytes, list[str]]]:
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


def with_effect(effect: str) -> list[str]:
    """The overrides of the base run with those of `effect`; a group chosen anew replaces all of its keys."""
    words = effect.split()
    group = words[0].partition("=")[0] if "." not in words[0].partition("=")[0] else None
    kept = [k for k in [*TINY, *BASE] if group is None or k.partition("=")[0].partition(".")[0] != group]
    return [*kept, *words]


@pytest.mark.parametrize("effect", some(EFFECTS))
def test_each_key_has_an_effect(
    base: tuple[Path, tuple[str, bytes, list[str]]], tmp_path: Path, cli: Cli, effect: str
) -> None:
    folder, plain = base
    run = tmp_path / "run"
    answer = cli("train", *with_effect(effect), f"data.root={folder / 'photos'}", f"run.dir={run}")
    assert answer.code == 0, answer.err
    assert outcome(run) != plain


def test_a_label_changes_nothing_but_the_label(
    base: tuple[Path, tuple[str, bytes, list[str]]], tmp_path: Path, cli: Cli
) -> None:
    """The effects test could fail: a key without effect leaves the outcome as it is."""
    folder, plain = base
    run = tmp_path / "run"
    answer = cli("train", *with_effect("task=other"), f"data.root={folder / 'photos'}", f"run.dir={run}")
    assert answer.code == 0
    assert outcome(run) == plain
    assert json.loads((run / "bundle" / "bundle.json").read_text())["task"] == "other"
    assert json.loads((folder / "base" / "bundle" / "bundle.json").read_text())["task"] == "restore"


def test_checkpoints_are_as_far_apart_as_asked(photos: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    keys = ["train.total=5step", "train.save_every=2step", "val.every=9step", "train.keep_last=9"]
    assert cli("train", *TINY, *keys, f"data.root={photos}", f"run.dir={run}").code == 0
    assert sorted(p.stem for p in (run / "checkpoints").glob("*.pt")) == [
        "step-000002", "step-000004", "step-000005",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "effect", some(e for e in EFFECTS if re.match(r"(generator|discriminator|method)=", e))
)
def test_a_group_is_compared_with_its_equal(effect: str) -> None:
    """Keys that both choices have are equal, so that the choice itself must be what shows."""
    group = effect.partition("=")[0]
    before, after = (compose_verb("train", o)[group] for o in ([*TINY, *BASE], with_effect(effect)))
    shared = {k for k in before if k in after and before[k] != after[k]}
    assert len(shared) == 1, shared
    assert shared == {"lambda_gan" if group == "method" else "_target_"}


def test_the_effects_table_is_complete() -> None:
    """Every typed key is in the table, or here with the test that shows its effect."""
    elsewhere = {
        "task": "test_a_label_changes_nothing_but_the_label",
        "bundle.licence": "test_a_bundle_says_what_it_is",
        "plugins": "test_a_users_own_classes_need_plugins_and_no_fork",
        "run.dir": "test_a_folder_holds_one_run_and_one_process",
        "data.root": "test_no_data_is_said_plainly",
        "data.layout": "test_side_by_side_halves",
        "data.side": "test_side_by_side_halves",
        "scale": "test_superres_goes_all_the_way",
        "data.classes": "test_keys_that_do_not_fit_are_answered_in_a_line",
        "data.palette": "test_photos_to_coloured_labels_go_all_the_way",
        "data.ignore": "test_values_that_stand_for_no_class",
        "val.weights": "test_a_run_is_measured_by_other_metrics_too",
        "data.mask": "test_a_run_with_masks_goes_all_the_way",
        "data.outside": "test_outside_is_copied_or_not_as_asked",
        "data.swap": "test_swap_exchanges_halves_and_is_refused_for_clean_images",
        "data.target_mode": "test_swap_and_modes",
        "data.targets": "test_two_folders_anywhere",
        "data.unpaired": "test_a_batch_of_the_hybrid_holds_pairs_that_agree_and_real_images",
        "adversary.r1_every": "test_how_often_the_restraints_act",
        "adversary.augment_p": "test_how_often_the_restraints_act",
        "data.quarantine": "test_check_and_train_agree_and_a_list_mends",
        "data.resampler": "test_resamplers_differ_by_little",
        "data.cache_mib": "test_the_cache_changes_no_byte",
        "data.workers": "test_workers_and_starting_point_change_nothing",
        "train.save_every": "test_checkpoints_are_as_far_apart_as_asked",
        "train.profile": "test_a_profile_is_a_trace_that_opens_and_changes_nothing",
        "log.worst": "test_pictures_are_few_and_small",
        "log.width": "test_pictures_are_few_and_small",
        "val.best": "test_another_metric_chooses_anew",
        "core.device": "test_core_keys_act",
        "core.compile": "test_compiling_is_in_place_and_copies_are_plain",
        "core.graph": "test_why_a_step_is_not_captured",
        "core.recompute": "test_recomputing_is_asked_for_in_a_run",
        "train.init_from": "test_a_run_goes_on_from_another_runs_weights",
        "train.freeze": "test_a_run_freezes_then_unfreezes_and_resumes_bit_for_bit",
        "train.lr_decay_by_depth": "test_a_run_freezes_then_unfreezes_and_resumes_bit_for_bit",
        "train.accumulate": "test_a_run_in_parts_is_another_run_with_batch_norm_and_resumes",
        "core.deterministic": "test_core_keys_act",
        "core.threads": "test_core_keys_act",
        "core.processes": "test_two_processes_learn_what_one_does_at_the_same_batch",
        "core.sync_norm": "test_synchronised_norm_is_asked_for_by_its_key",
        "core.restarts": "test_killed_processes_start_again_and_lose_nothing",
        "core.nodes": "test_two_launchers_meet",
        "core.rendezvous": "test_two_launchers_meet",
        "core.run_id": "test_where_machines_meet",
    }
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
    assert typed - tested - elsewhere.keys() == set()
    assert elsewhere.keys() & tested == set()
    sources = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in elsewhere.values() if f"def {name}(" not in sources] == []


def test_how_often_the_restraints_act(
    base: tuple[Path, tuple[str, bytes, list[str]]], tmp_path: Path, cli: Cli
) -> None:
    folder, _ = base

    def numbers(run: str, *more: str) -> str:
        keys = [*TINY, *BASE, f"data.root={folder / 'photos'}", f"run.dir={tmp_path / run}", *more]
        keys += ["train.total=2step", "val.every=9step"]
        assert cli("train", *keys).code == 0
        return outcome(tmp_path / run)[0]

    both = ["adversary.r1=1", "adversary.augment=[cutout]", "adversary.r1_every=1", "adversary.augment_p=0.2"]
    plain = numbers("plain", *both)
    assert numbers("lazy", *both, "adversary.r1_every=2") != plain
    assert numbers("often", *both, "adversary.augment_p=1") != plain
    assert "D_augment_p" in numbers("ada", *both, "adversary.augment_p=null")


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

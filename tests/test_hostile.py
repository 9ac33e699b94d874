"""Files from strangers: bundles, checkpoints and names of classes. Each is refused with file and reason, runs
nothing, and costs less than a second."""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import json
import os
import pickle
import random
import re
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from omegaconf import OmegaConf
from PIL import Image

from gantrans.build.config import compose_verb
from gantrans.build.factory import make
from gantrans.build.method import METHODS
from gantrans.bundles.bundle import JSON, Card, load_bundle, save_bundle
from gantrans.errors import CheckpointError, ConfigError
from gantrans.nets import catalogue
from gantrans.nets.catalogue import DISCRIMINATORS, GENERATORS
from gantrans.nets.superres import SRResNet
from gantrans.nets.unet import UNet
from gantrans.training import checkpoint
from tests.conftest import TINY, Cli, draw_picture

SECONDS = 1.0  # of the processor, as others may be at work beside us
torch.manual_seed(0)
NETWORK = UNet(width=2, depth=2)
STATE = {key: value.clone() for key, value in NETWORK.state_dict().items()}
KEY = "head.weight"
CANARY = Path("canary")


class Offender:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(CANARY),)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(call: Callable[[], object], *said: str) -> str:
    """The one line with which `call` is refused, within the time, and without a canary."""
    begun = time.process_time()
    with pytest.raises(CheckpointError) as error:
        call()
    assert time.process_time() - begun < SECONDS
    assert not CANARY.exists()
    text = str(error.value)
    for part in said:
        assert part in text
    assert text.isprintable(), "one line, and nothing that a terminal obeys"
    assert len(text) < 600
    return text


def saved(content: object, **how: Any) -> bytes:
    torch.save(content, stream := io.BytesIO(), **how)
    return stream.getvalue()


def deflated(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as old, \
         zipfile.ZipFile(stream := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as new:  # fmt: skip
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return stream.getvalue()


# --- bundles


def bundle(change: Callable[[dict[str, Any]], object] | None = None, weights: bytes | None = None) -> Path:
    """A sound bundle, then its bundle.json changed in place, or its weights replaced, with their sha256."""
    folder = Path("b")
    save_bundle(folder, NETWORK, Card(catalogue.describe(NETWORK)))
    about = json.loads((folder / JSON).read_text())
    if weights is not None:
        (folder / about["weights"]["file"]).write_bytes(weights)
        about["weights"]["sha256"] = hashlib.sha256(weights).hexdigest()
    if change is not None:
        change(about)
    (folder / JSON).write_text(json.dumps(about))
    return folder


def test_the_sound_one_is_taken() -> None:
    network, card = load_bundle(bundle())
    assert torch.equal(network.state_dict()[KEY], STATE[KEY])
    assert card.licence == "unspecified"


def put(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(about: dict[str, Any]) -> None:
        for name in path[:-1]:
            about = about[name]
        about[path[-1]] = to

    return change


def argument(name: str, to: Any) -> Callable[[dict[str, Any]], None]:
    return put("network", "arguments", name, to=to)


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


CARDS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (put("format", to="other/1"), "not a bundle of this version"),
    "no format": (lambda a: a.pop("format"), "not a bundle of this version"),
    "format of another type": (put("format", to=["gantrans-bundle/1"]), "not a bundle of this version"),
    "one key more": (put("on_load", to="import os"), "unknown key on_load"),
    "a key for terminals": (put("\x1b[31m\n", to=1), "unknown key \\x1b[31m\\n"),
    "no network": (lambda a: a.pop("network"), "lacks network"),
    "network is a text": (put("network", to="UNet"), "network='UNet'; accepted"),
    "network with _target_": (put("network", "_target_", to="os.system"), "and nothing else"),
    "os.system": (put("network", "name", to="os.system"), "name='os.system': accepted are UNet"),
    "a class elsewhere": (put("network", "name", to="gantrans.nets.unet.UNet"), "accepted are UNet"),
    "dunder": (put("network", "name", to="__import__"), "accepted are UNet"),
    "name is a list": (put("network", "name", to=["UNet"]), "accepted: an object with name and arguments"),
    "a discriminator": (put("network", to={"name": "PatchGAN", "arguments": {}}), "PatchGAN is no generator"),
    "arguments are a list": (put("network", "arguments", to=[1]), "accepted: an object with name"),
    "an argument more": (argument("callback", "os.system"), "unknown argument 'callback'"),
    "self": (argument("self", 1), "unknown argument 'self'"),
    "width of a billion": (argument("width", 10**9), "whole numbers from 1 to 1024"),
    "width without end": (argument("width", 10**400), "network: width=1000000"),
    "depth of a million": (argument("depth", 10**6), "whole numbers from 2 to 12"),
    "negative": (argument("width", -1), "whole numbers from 1 to 1024"),
    "width is a text": (argument("width", "64"), "width='64'"),
    "width is true": (argument("width", True), "width=True"),
    "width is a float": (argument("width", 2.0), "width=2.0"),
    "width is NaN": (argument("width", float("nan")), "width=nan"),
    "norm is a list": (argument("norm", ["batch"]), "norm=['batch']"),
    "norm is nested": (argument("norm", nested(300)), "norm="),
    "norm is code": (argument("norm", "__import__('os').mkdir('canary')"), "accepted are batch"),
    "other channels": (argument("in_channels", 4), "rgb does not go with in_channels=4"),
    "channels are true": (put("network", "arguments", "in_channels", to=True), "in_channels=True"),
    "too many parameters": (
        put("network", "arguments", to={"width": 1024, "depth": 12}), "parameters; at most"),
    "mode": (put("source_mode", to="cmyk"), "source_mode='cmyk'; accepted: 'rgb'"),
    "mode is a list": (put("source_mode", to=["rgb"]), "source_mode=['rgb']; accepted"),
    "scale is true": (put("scale", to=True), "scale=True; accepted: whole numbers from 1 to 16"),
    "scale of a billion": (put("scale", to=10**9), "scale=1000000000"),
    "scale is a float": (put("scale", to=1.0), "scale=1.0"),
    "range": (put("value_range", to=[0, 255]), "value_range=[0, 255]"),
    "range is NaN": (put("value_range", to=[float("nan"), 1]), "value_range=[nan, 1]"),
    "metrics are texts": (put("metrics", to={"psnr": "30"}), "metrics={'psnr': '30'}"),
    "a metric is NaN": (put("metrics", to={"psnr": float("nan")}), "finite numbers; leave out what is NaN"),
    "a metric is infinite": (put("metrics", to={"fid": float("-inf")}), "metrics={'fid': -inf}"),
    "a metric without end": (put("metrics", to={"fid": 10**400}), "finite numbers; leave out"),
    "NaN among facts": (put("provenance", to={"step": [float("nan")]}), "provenance={'step': [nan]}"),
    "ignore": (put("ignore", to=[True]), "ignore=[True]"),
    "classes": (put("classes", to=10**9), "classes=1000000000"),
    "licence": (put("licence", to={"url": 1}), "licence={'url': 1}"),
    "a task of a million letters": (put("task", to="x" * 10**5), "task='xxx"),
    "provenance": (put("provenance", to="run"), "provenance='run'"),
    "no weights": (lambda a: a.pop("weights"), "weights must give a .safetensors file"),
    "weights above": (put("weights", "file", to="../w.safetensors"), "by its name alone"),
    "weights at the root": (put("weights", "file", to="/etc/w.safetensors"), "by its name alone"),
    "weights on Windows": (put("weights", "file", to="..\\w.safetensors"), "by its name alone"),
    "weights with NUL": (put("weights", "file", to="w\0.safetensors"), "by its name alone"),
    "weights are hidden": (put("weights", "file", to=".safetensors"), "by its name alone"),
    "weights are pickled": (put("weights", "file", to="w.pth"), "by its name alone"),
    "weights are elsewhere": (put("weights", "file", to="http:x.safetensors"), "by its name alone"),
    "weights are not there": (put("weights", "file", to="w.safetensors"), "cannot be read: No such file"),
    "sha256": (put("weights", "sha256", to="0" * 64), "damaged: its sha256"),
    "sha256 is a number": (put("weights", "sha256", to=0), "and its sha256"),
}  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_cards_that_no_bundle_of_ours_has(name: str) -> None:
    change, said = CARDS[name]
    folder = bundle(change)
    refused(lambda: load_bundle(folder), "b/", said)


TEXTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "lists in lists": (lambda: b"[" * 100_000, "nested too deep"),
    "objects in objects": (lambda: b'{"a":' * 100_000, "nested too deep"),
    "deep but whole": (lambda: b"[" * 400_000 + b"]" * 400_000, "nested too deep"),
    "a number of many digits": (lambda: b'{"format": ' + b"9" * 10**5 + b"}", "not readable as JSON"),
    "a key twice": (lambda: b'{"format": "gantrans-bundle/1", "format": 1}', "'format' is there twice"),
    "nothing": (lambda: b"", "not readable as JSON"),
    "a list": (lambda: b"[]", "not a bundle of this version"),
    "other bytes": (lambda: b"\xff\xfe\x00", "not readable as JSON"),
    "a pickle": (lambda: pickle.dumps(Offender()), "not readable as JSON"),
    "YAML": (lambda: b"!!python/object/apply:os.mkdir [canary]", "not readable as JSON"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_no_card(name: str) -> None:
    make_text, said = TEXTS[name]
    (bundle() / JSON).write_bytes(make_text())
    refused(lambda: load_bundle(Path("b")), "b/bundle.json", said)


def test_a_card_of_a_hundred_megabytes_is_not_read() -> None:
    with (bundle() / JSON).open("r+b") as stream:
        stream.truncate(10**8)
    refused(lambda: load_bundle(Path("b")), "b/bundle.json: has 100,000,000 bytes; at most")


def tensors(**changed: torch.Tensor | None) -> bytes:
    state = {**STATE, **{k.replace("__", "."): v for k, v in changed.items()}}
    return safetensors.torch.save({k: v for k, v in state.items() if v is not None})


def header(change: Callable[[dict[str, Any]], object], *, length: int | None = None) -> bytes:
    """Sound weights under another header; `length`: what its first eight bytes claim."""
    data = tensors()
    end = 8 + int.from_bytes(data[:8], "little")
    about = json.loads(data[8:end])
    change(about)
    text = json.dumps(about).encode()
    return (length or len(text)).to_bytes(8, "little") + text + data[end:]


SOUND = tensors()
WEIGHTS: dict[str, tuple[bytes, str]] = {
    "a pickle": (pickle.dumps(Offender()) + bytes(len(SOUND)), "not a safetensors file"),
    "a checkpoint": (saved({"x": Offender(), **STATE}), ""),
    "a zip bomb": (deflated(saved({"x": torch.zeros(10**7)})), "not a safetensors file"),
    "half of it": (SOUND[: len(SOUND) // 2], "it is cut short"),
    "all but a byte": (SOUND[:-1], "not a safetensors file"),
    "nothing": (b"", "it is cut short"),
    "a header of 2^63 bytes": (header(dict, length=2**63), "not a safetensors file"),
    "a header beyond the end": (header(dict, length=10**9), "not a safetensors file"),
    "a header of no bytes": (bytes(8) + SOUND[8:], "not a safetensors file"),
    "two in one place": (
        header(lambda h: h["up.0.conv.weight"].update(data_offsets=h[KEY]["data_offsets"])),
        "not a safetensors file"),
    "offsets beyond the end": (
        header(lambda h: h[KEY].update(data_offsets=[0, 10**12])), "not a safetensors file"),
    "offsets backwards": (header(lambda h: h[KEY].update(data_offsets=[8, 0])), "not a safetensors file"),
    "a shape of 10^18": (header(lambda h: h[KEY].update(shape=[10**9, 10**9])), "not a safetensors file"),
    "a negative shape": (header(lambda h: h[KEY].update(shape=[-1])), "not a safetensors file"),
    "a type that is none": (header(lambda h: h[KEY].update(dtype="PY")), "not a safetensors file"),
    "a key twice": (SOUND[:8] + SOUND[8:].replace(b'"head.bias"', b'"head.biax"'), "head.bia"),
    "one more": (tensors(extra=torch.zeros(2)), "first extra: found (2,) float32, expected nothing"),
    "one less": (tensors(head__weight=None, pad=torch.zeros(10**4)), "tensors do not fit UNet"),
    "a shape": (tensors(head__weight=STATE[KEY].flatten()), "first head.weight: found"),
    "a type": (tensors(head__weight=STATE[KEY].double()), "float64, expected"),
    "integers": (tensors(head__weight=STATE[KEY].int()), "int32, expected"),
    "NaN": (tensors(head__weight=STATE[KEY] * torch.nan), "head.weight holds NaN"),
    "infinite": (tensors(head__weight=STATE[KEY] / 0), "head.weight holds NaN or infinite"),
    "a name for terminals": (tensors(**{"\x1b[31m\n": torch.zeros(1)}), "\\x1b[31m\\n"),
    "another network's": (safetensors.torch.save(UNet(width=3, depth=2).state_dict()), "do not fit UNet"),
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_no_bundle_of_ours_has(name: str) -> None:
    data, said = WEIGHTS[name]
    folder = bundle(weights=data)
    refused(lambda: load_bundle(folder), "b/generator-", said)


def test_a_link_to_itself_is_no_file() -> None:
    folder = bundle()
    weights = next(folder.glob("*.safetensors"))
    weights.unlink()
    weights.symlink_to(weights.name)
    refused(lambda: load_bundle(folder), "b/generator-", "is no file")


def test_what_lies_outside_or_never_ends_is_not_read() -> None:
    folder = bundle()
    weights = next(folder.glob("*.safetensors"))
    outside = weights.rename("secret.safetensors")
    weights.symlink_to(outside.resolve())
    refused(lambda: load_bundle(folder), "is a link that leads out of its folder")
    weights.unlink()
    weights.symlink_to("/dev/zero")
    refused(lambda: load_bundle(folder), "is a link that leads out")
    weights.unlink()
    os.mkfifo(weights)
    refused(lambda: load_bundle(folder), "is no file")
    weights.unlink()
    weights.mkdir()
    refused(lambda: load_bundle(folder), "is no file")
    weights.rmdir()
    with outside.open("r+b") as stream:
        stream.truncate(10**12)  # a terabyte of nothing
    outside.rename(weights)
    refused(lambda: load_bundle(folder), "has 1,000,000,000,000 bytes")
    (folder / JSON).rename("card.json")
    (folder / JSON).symlink_to(Path("card.json").resolve())
    refused(lambda: load_bundle(folder), "bundle.json: is a link that leads out of its folder")


VALUES = (None, True, -1, 0, 3, 10**9, 10**30, 0.5, float("inf"), "", "x" * 3000, "os.system", [], [[]],
          [1, "a"], {}, {"_target_": "os.system"}, {"a": {"b": []}})  # fmt: skip


def test_no_value_anywhere_makes_more_than_a_refusal() -> None:
    """Four hundred cards, each with one to three values exchanged: taken, or refused in a line."""
    rng = random.Random(5)
    folder, refusals = bundle(), 0
    text = (folder / JSON).read_text()
    begun = time.process_time()
    for _ in range(400):
        about = json.loads(text)
        for _ in range(rng.randint(1, 3)):
            node, arguments = about, about["network"]
            places = [about, about["weights"]]
            if isinstance(arguments, dict):
                places += [arguments, arguments["arguments"]] if "arguments" in arguments else [arguments]
            node = rng.choice([p for p in places if isinstance(p, dict) and p])
            key = rng.choice(list(node))
            node[key] = copy.deepcopy(rng.choice(VALUES))
            if not isinstance(about.get("weights"), dict) or not isinstance(about.get("network"), dict):
                break
        if rng.random() < 0.3 and isinstance(about.get("network"), dict):
            about["network"]["name"] = rng.choice(list(catalogue.CLASSES))
        (folder / JSON).write_text(json.dumps(about))
        try:
            load_bundle(folder)
        except CheckpointError as error:
            refusals += 1
            assert str(error).isprintable()
    assert refusals > 280
    assert time.process_time() - begun < 8


def test_every_argument_of_every_network_has_bounds() -> None:
    """What a stranger may ask of each class, for its own arguments: nothing large is ever made."""
    for name, cls in catalogue.CLASSES.items():
        for key in catalogue.inspect.signature(cls).parameters:
            for value in (10**9, -1, 10**30, "x" * 2000, ["batch"], {"a": 1}, float("nan")):
                begun = time.process_time()
                with pytest.raises((ValueError, TypeError)):
                    if key == "weights":  # a path, which a bundle may not give: see load_bundle
                        raise ValueError
                    catalogue.build({"name": name, "arguments": {key: value}})
                assert time.process_time() - begun < SECONDS, (name, key, value)


def test_a_bundle_names_no_file_to_read() -> None:
    given = {
        "name": "PretrainedUNet",
        "arguments": {"width": 8, "pretrained": True, "weights": "/etc/passwd"},
    }
    folder = bundle(put("network", to=given))
    refused(lambda: load_bundle(folder), "pretrained does not describe a network")


def test_what_a_card_leaves_out_is_what_the_network_takes() -> None:
    network = SRResNet(width=2, blocks=1)  # scale=2, which its card does not say
    save_bundle(Path("s"), network, Card(catalogue.describe(network), scale=2))
    about = json.loads(Path("s/bundle.json").read_text())
    del about["network"]["arguments"]["scale"]
    Path("s/bundle.json").write_text(json.dumps(about))
    assert load_bundle(Path("s"))[1].enlarges
    Path("s/bundle.json").write_text(json.dumps({**about, "scale": 1}))
    refused(lambda: load_bundle(Path("s")), "does not go with a network that enlarges 2 times")


def test_the_command_line_says_it_in_a_line(cli: Cli) -> None:
    bundle(argument("width", 10**9))
    Image.fromarray(draw_picture(1)).save("in.png")
    for words in ("translate model=b source=in.png out=o", "export model=b out=x.onnx"):
        answer = cli(*words.split())
        assert (answer.code, answer.err.count("\n")) == (4, 1)
        assert "b/bundle.json: network: width=1000000000" in answer.err


# --- checkpoints


def step_of(content: object, step: int = 3, **how: Any) -> Path:
    """A folder with one checkpoint, as its author would mark it."""
    folder = Path("checkpoints")
    folder.mkdir()
    data = content if isinstance(content, bytes) else saved(content, **how)
    (folder / "step-000003.pt").write_bytes(data)
    marker = {"step": step, "sha256": hashlib.sha256(data).hexdigest(), "metrics": {}}
    (folder / "step-000003.json").write_text(json.dumps(marker))
    return folder


def run_state(**changed: Any) -> dict[str, Any]:
    own = {
        "networks": {"G": dict(STATE)},
        "optimizers": {"G": {"state": {}, "param_groups": [{"params": [0], "lr": 1e-3}]}},
        "averages": {"G": dict(STATE)},
        "scaler": {},
        "step": 3,
        "total": 10,
        "seconds": 1.0,
        "budget": None,
        "best": {"metric": "psnr", "value": 20.0, "step": 3},
        "data": "",
        "origin": {},
        "meter": {"sums": {"l1": torch.zeros(())}, "counts": {"l1": 1}},
    }
    return {**own, **changed}


def shared_a_billion_times() -> list[Any]:
    found: list[Any] = [1]
    for _ in range(30):
        found = [found, found, found]
    return found


def in_networks(value: Any) -> dict[str, Any]:
    return run_state(networks={"G": {**STATE, KEY: value}})


CHECKPOINTS: dict[str, tuple[Any, str]] = {
    "code": (run_state(data=Offender()), "holds a pickled object ("),
    "code in weights": (in_networks(Offender()), "holds a pickled object ("),
    "a bare pickle": (pickle.dumps(Offender()), "no archive of torch.save"),
    "before PyTorch 1.6": (saved(run_state(), _use_new_zipfile_serialization=False), "no archive"),
    "a whole module": (saved(NETWORK), "holds a pickled object (gantrans.nets.unet.UNet)"),
    "a zip bomb": (deflated(saved(in_networks(torch.zeros(10**7)))), "unpacks to 40,"),
    "cut short": (saved(run_state())[:-100], "not a readable checkpoint"),
    "a list": ([1], "holds a list"),
    "a bundle's weights": (dict(STATE), "networks: found of type NoneType"),
    "networks are a list": (run_state(networks=[1]), "networks: found of type list"),
    "a network is a text": (run_state(networks={"G": "x"}), "networks.G: found of type str"),
    "NaN": (in_networks(STATE[KEY] * torch.nan), "networks.G.head.weight holds NaN"),
    "infinite averages": (run_state(averages={"G": {KEY: STATE[KEY] / 0}}), "averages.G.head.weight holds"),
    "stride 0": (in_networks(torch.zeros(1).expand(10**10)), "claims a shape larger"),
    "meta": (in_networks(torch.zeros(10**10, device="meta")), "is a tensor without data"),
    "sparse": (in_networks(torch.eye(2).to_sparse()), "or a sparse one"),
    "a billion in a list": (run_state(data=shared_a_billion_times()), "lies too deep"),
    "another step": (run_state(step=10**9), "step=1000000000, and its marker says 3"),
    "step is a text": (run_state(step="3"), "step=3, and its marker says 3"),
    "total is a list": (run_state(total=[1]), "total=[1]"),
    "seconds are infinite": (run_state(seconds=float("inf")), "seconds=inf"),
    "best": (run_state(best={"metric": 1}), "best: needed are"),
    "meter": (run_state(meter={"sums": [], "counts": {}}), "meter: needed are"),
    "counts": (run_state(meter={"sums": {}, "counts": {"x": 1e300}}), "meter.counts: needed are"),
    "optimizers": (run_state(optimizers={"G": {"state": [], "param_groups": []}}), "optimizers.G: needed"),
    "rate": (run_state(optimizers={"G": {"state": {}, "param_groups": [{"params": [], "lr": "x"}]}}), "lr=x"),
    "origin": (run_state(origin={"x": torch.zeros(1)}), "origin: needed are plain values"),
    "others": (run_state(others={"a": 1}), "others: needed is a list"),
    "a set": (run_state(data={1, 2}), "is of type set"),
}  # fmt: skip


def test_the_sound_checkpoint_is_taken() -> None:
    saved_as, state, damaged = checkpoint.load_newest(step_of(run_state()))
    assert (saved_as.step, state["step"], damaged) == (3, 3, [])


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints_that_no_run_of_ours_left(name: str) -> None:
    content, said = CHECKPOINTS[name]
    folder = step_of(content)
    refused(lambda: checkpoint.load_newest(folder), "checkpoints/step-000003.pt", said)


@pytest.mark.parametrize(
    "marker", [b"[" * 10**5, b" " * 10**7, b'{"step": 1e999, "sha256": "", "metrics": {}}']
)
def test_markers_that_none_of_ours_is(marker: bytes) -> None:
    folder = step_of(run_state())
    (folder / "step-000003.json").write_bytes(marker)
    refused(lambda: checkpoint.load_newest(folder), "no valid checkpoint to resume from")


def test_the_canary_could_have_sung() -> None:
    torch.load(io.BytesIO(saved(run_state(data=Offender()))), weights_only=False)
    assert CANARY.exists()


# --- names of classes

NAMES = [
    "os.system", "os.mkdir", "posix.system", "nt.system", "subprocess.Popen", "subprocess.run", "pty.spawn",
    "builtins.eval", "builtins.exec", "builtins.__import__", "__builtin__.eval", "eval", "exec", "__import__",
    "__main__.main", "pickle.loads", "marshal.loads", "importlib.import_module", "runpy.run_path",
    "torch.hub.load", "torch.load", "torch.ops.load_library", "torch.utils.cpp_extension.load",
    "torch.nn.Module", "torch.nn.Conv2d", "hydra.utils.instantiate", "hydra._internal.utils._locate",
    "omegaconf.OmegaConf.load", "shutil.rmtree", "pathlib.Path", "pathlib.Path.mkdir", "open", "io.open",
    "ctypes.CDLL", "webbrowser.open", "socket.socket", "urllib.request.urlopen", "code.interact",
    "gantrans.nets.unet.os.system", "gantrans.nets.unet.torch.hub.load", "gantrans.nets.unet.nn.Module",
    "gantrans.nets.unet.UNet.__init__", "gantrans.nets.unet.UNet.__init__.__globals__",
    "gantrans.nets.unet.UNet.__class__", "gantrans.nets.unet.UNet.forward", "gantrans.nets.unet._down",
    "gantrans.nets.unet.UNet.", ".gantrans.nets.unet.UNet", "gantrans..nets.unet.UNet", "gantrans.nets.unet",
    "gantrans.nets.unet.UNet\n", " gantrans.nets.unet.UNet", "gantrans.nets.unet.unet",
    "GANTRANS.nets.unet.UNet",
    "gantrans.nets.unet.UN\u0435t", "gantrans.nets.unet.UNet\u200b", "gantrans\uff0enets.unet.UNet",
    "gantrans/nets/unet.UNet", "gantrans.nets.unet:UNet", "gantrans.nets.resnet.UNet", "UNet", "unet.UNet",
    "gantrans.build.factory.import_plugin", "gantrans.build.factory.make",
    "gantrans.build.config.load_config",
    "gantrans.training.run_folder.RunFolder", "gantrans.bundles.bundle.load_bundle",
    "gantrans.cli.main.main",
    "gantrans.nets.features.FeatureNet", "gantrans.nets.norm.BatchNorm",
    "gantrans.imaging.write.write_atomic",
    "tests.test_hostile.Offender", "", ".", "..", "*", "None", "os.system;os.mkdir", "os.mkdir('canary')",
    "lambda: 1", "!!python/name:os.system", "file:///etc/passwd", "../../etc/passwd", "%s%s%n", "\x1b[31m",
]  # fmt: skip
ODD: list[Any] = [["os.system"], {"_target_": "os.system"}, 1, True, None, 1.5, b"os.system", [[]]]
GROUPS = {"generator": GENERATORS, "discriminator": DISCRIMINATORS, "method": METHODS}
SAFE = {"generator": UNet, "discriminator": DISCRIMINATORS[0], "method": METHODS[0]}


def test_there_are_sixty_of_them() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 60


@pytest.mark.parametrize("group", GROUPS)
def test_a_name_makes_one_of_ours_or_nothing(group: str) -> None:
    """Whatever was imported before stays all that is: no name is ever followed."""
    before = set(sys.modules)
    for name in [*NAMES, *ODD]:
        with pytest.raises(ConfigError) as error:
            make({"_target_": name}, group, GROUPS[group], [])
        assert f"{group}._target_=" in str(error.value), name
        assert str(error.value).isprintable()
    assert set(sys.modules) == before
    assert not CANARY.exists()


WORDS = ("_partial_", "_args_", "_recursive_", "_convert_")


@pytest.mark.parametrize("group", GROUPS)
def test_arguments_are_values(group: str) -> None:
    name = f"{SAFE[group].__module__}.{SAFE[group].__qualname__}"
    bad = {"_target_": "os.mkdir", "_args_": ["canary"]}
    for values in ({"width": bad}, {"a": [{"b": bad}]}, *({word: True} for word in WORDS)):
        with pytest.raises(ConfigError, match=group):
            make({"_target_": name, **values}, group, GROUPS[group], [])
    assert not CANARY.exists()


def test_plugins_give_their_own_classes_only() -> None:
    Path("mine_own.py").write_text(
        "from subprocess import Popen\nimport os\nclass Net: pass\n_x = os.system\n"
    )
    assert make({"_target_": "mine_own.Net"}, "generator", (), ["mine_own"]).__class__.__name__ == "Net"
    for name, said in (
        ("mine_own.Popen", "Popen is of subprocess, which mine_own only imports"),
        ("mine_own.os", "has no class 'os'"),
        ("mine_own._x", "has no class '_x'"),
        ("mine_own.os.system", "accepted are"),
        ("mine_own.Net.__init__", "accepted are"),
        ("subprocess.Popen", "accepted are"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            make({"_target_": name, "args": ["mkdir", "canary"]}, "generator", (), ["mine_own"])
    assert not CANARY.exists()
    sys.path.remove(str(Path.cwd()))
    del sys.modules["mine_own"]


def quoted(name: str) -> str:
    return json.dumps(name)  # which is YAML, too


@pytest.mark.parametrize("name", NAMES[:: len(NAMES) // 3])
def test_config_files_and_the_command_line(cli: Cli, name: str) -> None:
    """A group file of the user's own, a key, and a run folder that someone sent: the same refusal."""
    Path("conf/generator").mkdir(parents=True)
    Path("conf/generator/own.yaml").write_text(f"_target_: {quoted(name)}\nwidth: 2\n")
    Path("photos").mkdir()
    for number in range(2):
        Image.fromarray(draw_picture(number)).save(f"photos/{number}.png")
    keys = ["train", *TINY, "data.root=photos", "run.dir=run"]
    keys = [k for k in keys if not k.startswith("generator")]
    answer = cli(*keys, "--config-dir", "conf", "generator=own")
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer.err
    assert "generator._target_=" in answer.err
    sent(lambda text: text.replace("gantrans.nets.unet.UNet", quoted(name)))
    answer = cli("resume", "sent")
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer.err
    assert "generator._target_=" in answer.err
    assert not CANARY.exists()
    assert not Path("run").exists()


@functools.cache
def honest() -> str:
    return OmegaConf.to_yaml(compose_verb("train", [*TINY, "data.root=photos"]), resolve=True)


def sent(change: Callable[[str], str]) -> Path:
    """A run folder whose config.yaml its author changed."""
    text = honest()
    Path("sent").mkdir(exist_ok=True)
    changed = change(text)
    assert changed != text
    Path("sent/config.yaml").write_text(changed)
    return Path("sent")


FOREIGN: dict[str, tuple[Callable[[str], str], str]] = {
    "a secret": (lambda t: t.replace("task: restore", "task: ${oc.env:SECRET}"), "task: ${oc.env:SECRET}"),
    "with a default": (lambda t: t.replace("seed: 0", "seed: ${oc.env:SECRET,1}"), "seed: ${oc.env:"),
    "in a list": (lambda t: t.replace("plugins: []", 'plugins: ["${oc.env:SECRET}"]'), "plugins[0]: ${oc"),
    "in a name": (lambda t: t.replace("gantrans.nets.unet.UNet", "${oc.env:SECRET}"), "generator._target_:"),
    "decoded": (lambda t: t.replace("task: restore", "task: ${oc.decode:'1'}"), "asks for a value from"),
    "nested": (lambda t: t.replace("task: restore", "task: ${${task}:SECRET}"), "asks for a value from"),
    "another key": (lambda t: t.replace("task: restore", "task: ${data.root}"), "asks for a value from"),
    "ours": (lambda t: t.replace("task: restore", "task: '${sample_data:}'"), "asks for a value from"),
    "an alias": (lambda t: t + "x: &a [1]\ny: [*a, *a]\n", "*a stands for another part"),
    "a tag": (lambda t: t + "x: !!python/object/apply:os.mkdir [canary]\n", "not valid YAML"),
    "too deep": (lambda t: t + "x: " + "[" * 20_000, "nested too deep"),
    "a megabyte": (lambda t: t + "#" * 2**20, "has more than 1,048,576 bytes"),
    "plugins": (lambda t: t.replace("plugins: []", "plugins: [antigravity]"), "add plugins=[antigravity]"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_run_folder_of_someone_else(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its config is never a program: nothing is looked up, imported or made, and no secret is written."""
    monkeypatch.setenv("SECRET", "hunter2")
    change, said = FOREIGN[name]
    folder, modules = sent(change), set(sys.modules)
    for words in (("resume", folder), ("resume", folder, "--cfg", "job")):
        answer = cli(*words)
        assert (answer.code, answer.err.count("\n")) == (2, 1), answer.err
        assert said in answer.err
        assert "hunter2" not in answer.out + answer.err
    assert not CANARY.exists()
    assert "antigravity" not in set(sys.modules) - modules
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_recipe_of_someone_else(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    Path("photos").mkdir()
    Image.fromarray(draw_picture(1)).save("photos/a.png")
    steps = [
        *(f"- {quoted(name)}: {{}}" for name in NAMES[::20]),
        "- _target_: os.system",
        "- jpeg: {_target_: os.mkdir, _args_: [canary]}",
        "- jpeg: {quality: '${oc.env:SECRET}'}",
        "- jpeg: {quality: '${${x}:SECRET}'}",
        "- '${oc.env:SECRET}': {}",
        "- jpeg: {quality: '${oc.select:nowhere,${oc.env:SECRET}}'}",
        "- !!python/object/apply:os.mkdir [canary]",
    ]
    for step in steps:
        Path("own.yaml").write_text(f"name: own\nx: oc.env\nsteps:\n  {step}\n")
        answer = cli("pairs", "source=photos", "out=pairs", "recipe=own.yaml", "workers=1")
        assert (answer.code, answer.err.count("\n")) == (2, 1), (step, answer)
        assert "hunter2" not in answer.out + answer.err
    assert not CANARY.exists()
    assert not Path("pairs").exists()
    Path("own.yaml").write_text("name: own\nsteps:\n  - jpeg: {quality: '${oc.select:nowhere,33}'}\n")
    assert compose_verb("pairs", ["recipe=own.yaml"]).recipe.steps[0].jpeg.quality == 33

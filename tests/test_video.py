"""A video goes through `translate` frame by frame. Without ffmpeg at hand a script plays its part, which
answers as ffmpeg does and writes down what it was asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gantrans.bundles.bundle import Card, save_bundle
from gantrans.inference import video
from gantrans.nets import catalogue
from gantrans.nets.unet import UNet
from tests.conftest import Cli, draw_picture

FRAMES, HEIGHT, WIDTH = 4, 10, 12
FAKE = f"""#!{sys.executable}
import json, os, sys
args, here = sys.argv[1:], os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "asked.jsonl"), "a") as log:
    log.write(json.dumps(args) + "\\n")
clip = next(a for i, a in enumerate(args) if args[i - 1] == "-i" and a.startswith("file:"))[5:]
frames = open(clip, "rb").read()
if args[-1].startswith("file:") and "-y" in args:
    data = sys.stdin.buffer.read()
    if b"no disk" in frames:
        sys.exit("av_interleaved_write_frame(): No space left on device\\nConversion failed!")
    if b"no codec" in frames:
        sys.exit("Unknown encoder 'libx264'")
    open(args[-1][5:], "wb").write(data)
elif b"no video" in frames:
    sys.exit(f"{{clip}}: Invalid data found when processing input")
elif "yuv4mpegpipe" in args:
    sys.stdout.buffer.write(b"YUV4MPEG2 W{WIDTH} H{HEIGHT} F30000:1001 Ip A1:1 C444\\nFRAME\\n" + bytes({3 * WIDTH * HEIGHT}))
elif "rawvideo" in args:
    sys.stdout.buffer.write(frames[: {3 * WIDTH * HEIGHT * FRAMES}])
    if b"a bit damaged" in frames:
        print("error while decoding MB 3 4", file=sys.stderr)
    sys.exit(b"very damaged" in frames)
else:
    print("  Duration: 00:00:01.50, start\\n  Stream #0:0: Video: h264, yuv420p, {WIDTH}x{HEIGHT}", file=sys.stderr)
    sys.exit(1)
"""  # noqa: E501


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = UNet(width=2, depth=2, norm="none", residual=True)
    save_bundle(tmp_path / "bundle", network, Card(catalogue.describe(network), scale=2))
    return tmp_path / "bundle"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "ffmpeg").write_text(FAKE)
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder / "asked.jsonl"


def clip(path: Path, more: bytes = b"") -> np.ndarray:
    frames = np.stack([draw_picture(i, HEIGHT, WIDTH) for i in range(FRAMES)])
    path.write_bytes(frames.tobytes() + more)
    return frames


def test_every_frame_goes_through_in_order(bundle: Path, tmp_path: Path, cli: Cli, fake: Path) -> None:
    source, out = tmp_path / "-a clip: 1.mp4", tmp_path / "out"
    frames = clip(source)
    arguments = ("translate", f"model={bundle}", f"source={source}", f"out={out}", "quality=100")
    answer = cli(*arguments)
    assert answer.code == 0, answer.err
    assert f"{FRAMES} frames translated" in answer.out
    made = np.frombuffer((out / source.name).read_bytes(), np.uint8).reshape(-1, 2 * HEIGHT, 2 * WIDTH, 3)
    assert made.shape[0] == FRAMES
    smaller = made.reshape(FRAMES, HEIGHT, 2, WIDTH, 2, 3).mean((2, 4))
    assert np.abs(smaller - frames).mean() < 6
    encode = json.loads(fake.read_text().splitlines()[-1])
    asked = " ".join(encode)
    for words in (f"-video_size {2 * WIDTH}x{2 * HEIGHT} -framerate 30000/1001", "-map 1:a? -c:a copy",
                  "-map_metadata -1", "-crf 12", "-pix_fmt yuv420p"):  # fmt: skip
        assert words in asked
    for line in map(json.loads, fake.read_text().splitlines()):
        assert all(line[i - 2] == "file,pipe" for i, word in enumerate(line) if word == f"file:{source}")
    assert "kept" in cli(*arguments).out
    assert "quality was 100, now 95" in cli(*arguments[:-1]).err
    assert sorted(p.name for p in out.iterdir()) == [source.name, "translate.jsonl"]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"no video", 3, "ffmpeg finds no video in it: "),
        (b"no disk", 5, "out/clip.mkv: cannot be written: the disk is full; free some space"),
        (
            b"no codec",
            3,
            "clip.mkv: ffmpeg failed to write OUT/clip.mkv: Unknown encoder 'libx264'; see whether",
        ),
        (b"very damaged", 3, "ffmpeg failed"),
        (b"a bit damaged", 0, "went on: error while decoding MB 3 4"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_what_ffmpeg_says_is_told_and_no_half_stays(
    bundle: Path, tmp_path: Path, cli: Cli, content: bytes, code: int, said: str
) -> None:
    source, out = tmp_path / "clip.mkv", tmp_path / "out"
    clip(source, content)
    answer = cli("translate", f"model={bundle}", f"source={source}", f"out={out}")
    assert answer.code == code
    assert said.replace("OUT", str(out)) in answer.err
    assert len(answer.err.splitlines()) == 1
    left = sorted(p.name for p in out.rglob("*"))
    assert left == ([] if code else ["clip.mkv", "translate.jsonl"])


def test_without_ffmpeg_there_is_one_clear_line(
    bundle: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    clip(tmp_path / "clip.mp4")
    answer = cli("translate", f"model={bundle}", f"source={tmp_path / 'clip.mp4'}", f"out={tmp_path / 'out'}")
    assert answer.code == 2
    assert "a video needs ffmpeg, which is not on the PATH; install it" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg on the PATH")
@pytest.mark.parametrize("size", ["64x48", "65x49"])
def test_with_ffmpeg_itself_colours_rate_and_sound_stay(tmp_path: Path, size: str) -> None:
    source, target = tmp_path / "clip.mkv", tmp_path / "out" / "clip.mkv"
    make = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=s={size}:r=30000/1001:d=1"]
    sound = ["-f", "lavfi", "-i", "sine=d=1", "-pix_fmt", "yuv444p", "-c:a", "aac"]
    subprocess.run([*make, *sound, "-metadata", "location=+48.1+11.5/", str(source)], check=True)
    count, said = video.translate_video(source, target, lambda frame: frame, 5)
    assert (count, said) == (30, "")
    was, now = (video.look("ffmpeg", path) for path in (source, target))
    assert (was.width, was.height, was.rate) == (now.width, now.height, now.rate)
    told = subprocess.run(["ffmpeg", "-i", str(target)], capture_output=True, text=True, check=False).stderr
    assert "Audio: aac" in told
    assert "48.1" not in told
    raw = [
        subprocess.run(video._decoder("ffmpeg", one), capture_output=True, check=True).stdout
        for one in (was, now)
    ]
    before, after = (np.frombuffer(data, np.uint8).astype(int) for data in raw)
    assert np.abs((after - before).mean()) < 1.5, "no matrix was mistaken for another"

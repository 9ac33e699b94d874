"""A video through the same network, frame by frame: ffmpeg (ffmpeg.org) decodes and encodes, sound is copied.

Frames are 8-bit RGB, turned upright, at the constant rate of the file; the result is tagged BT.709, so that a
player shows the colours that the network made.
"""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
from tqdm import tqdm

from gantrans.errors import DataError
from gantrans.imaging.write import TEMPORARY, storage_error
from gantrans.inference.ffmpeg import QUIET, close, find_ffmpeg, given, last_line, running, url

SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp"}
)
_KEPT = {".mp4", ".mov", ".m4v", ".mkv", ".webm"}  # containers that are written; others become .mkv
_ONE_FRAME = ("-map", "0:v:0", "-frames:v", "1", "-pix_fmt", "yuv444p", "-f", "yuv4mpegpipe")
_HD_ROWS = 720  # from here on a video that does not say so is BT.709, as players take it

Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Clip:
    """A video: what `frames` yields of it, (height, width, 3) at `rate` (a fraction) a second."""

    path: Path
    width: int
    height: int
    rate: str
    aspect: str  # of a pixel, as 1:1
    matrix: str | None  # how colours lie in it, where the file does not say and we must
    seconds: float | None

    @property
    def count(self) -> int | None:
        """About how many frames there are."""
        above, below = map(int, self.rate.split("/"))
        return None if self.seconds is None else round(self.seconds * above / below)


def is_video(path: Path) -> bool:
    """Whether the name says so."""
    return path.suffix.lower() in SUFFIXES


def output_path(source: Path, out: Path) -> Path:
    """Where the result goes: the same name, in a container that is written."""
    return out / (source.name if source.suffix.lower() in _KEPT else source.stem + ".mkv")


def crf_of(quality: int) -> int:
    """The encoder's 0 (best) to 51 for a quality of 1 to 100: 12 at 100, 16 at 95, 32 at 75."""
    return min(51, round(12 + 0.8 * (100 - quality)))


def translate_video(source: Path, target: Path, convert: Convert, crf: int) -> tuple[int, str]:
    """Write `target` from the frames of `source`. `convert`: (H, W, 3) uint8 -> (H', W', 3 or 1) uint8 of one
    size. `crf`: 0 (best) to 51. `target` is whole or not there. Returns the number of frames, and what ffmpeg
    had to say of a file that it could read nonetheless, or "".

    Raises DataError for a file that ffmpeg cannot read or write, StorageError, ConfigError without ffmpeg.
    """
    ffmpeg = find_ffmpeg()
    clip = look(ffmpeg, source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target.parent, error) from error
    temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(8)}{target.suffix}")
    try:
        told = _piped(ffmpeg, clip, temporary, target, convert, crf)
        temporary.replace(target)
    except OSError as error:
        raise storage_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return told


def look(ffmpeg: str, path: Path) -> Clip:
    """What the video at `path` is, by its first frame as y4m (exact rate, size after turning). Raises
    DataError."""
    first = subprocess.run([ffmpeg, *QUIET, *given(path), *_ONE_FRAME, "-"], capture_output=True, check=False)
    header = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+) [^\n]*?A(\d+:\d+)", first.stdout)
    if header is None:
        raise DataError(f"{path}: ffmpeg finds no video in it{last_line(first.stderr)}")
    told = subprocess.run(
        [ffmpeg, "-nostdin", "-hide_banner", *given(path)], capture_output=True, check=False
    )
    banner = told.stderr.decode("utf-8", "replace")
    length = re.search(r"Duration: (\d+):(\d+):(\d+\.?\d*)", banner)
    seconds = None if length is None else int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3])
    video = next((line for line in banner.splitlines() if "Video:" in line), "")
    named = re.search(r"bt709|bt470bg|smpte170m|smpte240m|bt2020|fcc|gbr", video)
    width, height, above, below = (int(header[i]) for i in range(1, 5))
    matrix = "bt709" if named is None and height >= _HD_ROWS else None
    aspect = "1:1" if header[5] == b"0:0" else header[5].decode()
    return Clip(path, width, height, f"{above}/{below}", aspect, matrix, seconds)


def _piped(
    ffmpeg: str, clip: Clip, temporary: Path, target: Path, convert: Convert, crf: int
) -> tuple[int, str]:
    with running(_decoder(ffmpeg, clip), clip.path, stdout=subprocess.PIPE) as decoding:
        assert decoding.process.stdout is not None
        frames = _frames(decoding.process.stdout, clip)
        first = next(frames, None)
        if first is None:
            raise DataError(f"{clip.path}: ffmpeg finds no frame in it; fetch it again")
        made = convert(first)
        command = _encoder(ffmpeg, clip, made.shape[:2], temporary, crf)
        with running(command, clip.path, target=target, stdin=subprocess.PIPE) as encoding:
            assert encoding.process.stdin is not None
            bar = tqdm(frames, "translating", clip.count, disable=None, unit="frame", initial=1)
            count = _fed(encoding.process.stdin, made, map(convert, bar))
    return count, decoding.said


def _fed(stdin: IO[bytes], first: np.ndarray, others: Iterable[np.ndarray]) -> int:
    """Hand frames to the encoder; fewer where it has ended, and its last words say why."""
    count = 0
    for made in chain([first], others):
        pixels = made if made.shape[2] == 3 else made.repeat(3, axis=2)
        try:
            stdin.write(np.ascontiguousarray(pixels).data)
        except BrokenPipeError:
            break
        count += 1
    close(stdin)
    return count


def _frames(stdout: IO[bytes], clip: Clip) -> Iterator[np.ndarray]:
    size = clip.width * clip.height * 3
    while len(data := stdout.read(size)) == size:
        yield np.frombuffer(data, np.uint8).reshape(clip.height, clip.width, 3)


def _decoder(ffmpeg: str, clip: Clip) -> list[str]:
    matrix = [] if clip.matrix is None else ["-vf", f"scale=in_color_matrix={clip.matrix}"]
    out = ["-map", "0:v:0", *matrix, "-r", clip.rate, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    return [ffmpeg, *QUIET, *given(clip.path), *out]


def _encoder(ffmpeg: str, clip: Clip, size: tuple[int, int], target: Path, crf: int) -> list[str]:
    height, width = size
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", clip.rate]
    halved = height % 2 == 0 and width % 2 == 0  # 4:2:0 has even sides only
    web = target.suffix.lower() == ".webm"
    codec = ["libvpx-vp9", "-b:v", "0"] if web else ["libx264", "-preset", "medium"]
    told = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    colours = f"scale=out_color_matrix=bt709:out_range=tv,{told},setsar={clip.aspect.replace(':', '/')}"
    return [
        *(ffmpeg, *QUIET, *raw, "-i", "pipe:0", *given(clip.path)),
        *("-map", "0:v:0", "-map", "1:a?", "-c:a", "copy", "-map_metadata", "-1", "-map_chapters", "-1"),
        *("-c:v", *codec, "-crf", str(crf), "-pix_fmt", "yuv420p" if halved else "yuv444p"),
        *("-vf", colours, "-y", url(target)),
    ]

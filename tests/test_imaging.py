"""imaging: what is read is what the file says; what cannot be is refused by name; nothing is half written."""

from __future__ import annotations

import errno
import io
import os
import pickle
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gantrans.errors import DataError, StorageError
from gantrans.imaging import colour, decode, filters, jpeg, ranges, sheet
from gantrans.imaging import png as fast_png
from gantrans.imaging import read as reading
from gantrans.imaging import write as writing
from gantrans.imaging.listing import list_files, list_images
from gantrans.imaging.read import Header, UnreadableImage, probe, read
from gantrans.imaging.write import write, write_atomic

U8, U16 = np.uint8, np.uint16


def noise(shape: tuple[int, ...], dtype: type = U8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def matches(path: Path) -> reading.Picture:
    """The picture, after checking that the header alone promised exactly it."""
    picture = read(path)
    height, width, channels = picture.pixels.shape
    assert probe(path) == Header(width, height, channels, picture.depth, picture.alpha is not None)
    return picture


def test_imaging_never_imports_torch() -> None:
    names = "colour, decode, filters, listing, ranges, read, sheet, why, write"
    code = f"import sys; from gantrans.imaging import {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- reading: what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
@pytest.mark.parametrize("dtype", [U8, U16])
def test_write_then_read_is_the_identity_or_a_clear_refusal(
    tmp_path: Path, suffix: str, channels: int, with_alpha: bool, dtype: type
) -> None:
    path = tmp_path / f"a{suffix}"
    pixels, alpha = noise((9, 14, channels), dtype), noise((9, 14), dtype, 1) if with_alpha else None
    grey_alpha = channels == 1 and with_alpha
    deep_needs_png = dtype is U16 and suffix != ".png" and (suffix != ".tif" or grey_alpha)
    if deep_needs_png or (with_alpha and suffix == ".bmp"):
        with pytest.raises(ValueError, match=r"use \.png"):
            write(path, pixels, alpha, quality=100)
        assert not list(tmp_path.iterdir())
        return
    write(path, pixels, alpha, quality=100)
    picture = matches(path)
    expected = colour.to_rgb(pixels) if suffix == ".webp" else pixels  # WebP has no grey
    assert picture.pixels.dtype == dtype
    np.testing.assert_array_equal(picture.pixels, expected)
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("level", [0, 1, 6])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (9, 1, 3), (17, 23, 4), (31, 12, 2)])
@pytest.mark.parametrize("dtype", [U8, U16])
def test_every_png_that_is_written_is_read_by_pillow_or_us_as_it_was(
    tmp_path: Path, level: int, shape: tuple[int, ...], dtype: type
) -> None:
    pixels = np.random.default_rng(3).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    path = tmp_path / "a.png"
    path.write_bytes(fast_png.encode(pixels, level))
    back = read(path)
    joined = back.pixels if back.alpha is None else np.dstack([back.pixels, back.alpha])
    np.testing.assert_array_equal(joined, pixels)


def test_a_png_filter_that_predicts_from_the_wrong_pixel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise((8, 8, 3))
    monkeypatch.setattr(fast_png, "_UP", 1)  # says that each byte is told by the one to its left
    with Image.open(io.BytesIO(fast_png.encode(pixels, 1))) as planted:
        assert not np.array_equal(np.asarray(planted), pixels)


def png(header: tuple[int, ...], rows: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG from its IHDR fields and filtered rows, written independently of the code under test."""
    ihdr = chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    idat = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + ihdr + before + idat + after + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(pixels: np.ndarray, before: bytes = b"") -> bytes:
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png((width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0), rows, before)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_every_bit(tmp_path: Path, channels: int) -> None:
    path, pixels = tmp_path / "a.png", noise((7, 5, channels), U16)
    path.write_bytes(png16(pixels))
    picture = matches(path)
    joined = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    np.testing.assert_array_equal(joined, pixels)
    np.testing.assert_array_equal(read(path, path.read_bytes()).pixels, picture.pixels)


def test_interlaced_16_bit_png(tmp_path: Path) -> None:
    pixels = noise((8, 8, 3), U16)
    passes = [
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    ]
    parts = [pixels[top::down, left::right] for top, down, left, right in passes]  # Adam7
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts for row in part)
    (tmp_path / "a.png").write_bytes(png((8, 8, 16, 2, 0, 0, 1), rows))
    np.testing.assert_array_equal(matches(tmp_path / "a.png").pixels, pixels)


def tiff(pixels: np.ndarray, *, order: str = "<", deflate: bool = False, **overrides: int) -> bytes:
    """A one-strip TIFF, written independently of Pillow; `overrides` are tags by number, as t274=6."""
    height, width, channels = pixels.shape
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if deflate else data
    bits = pixels.dtype.itemsize * 8
    tags: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (bits,) * channels, 259: (8 if deflate else 1,),
        262: (2 if channels >= 3 else 1,), 277: (channels,), 278: (height,), 279: (len(data),), 273: (0,),
    }  # fmt: skip
    if channels == 4:
        tags[338] = (2,)  # unassociated alpha
    tags |= {int(name[1:]): (value,) for name, value in overrides.items()}
    start = 8 + 2 + 12 * len(tags) + 4
    extra = b""
    entries = b""
    for tag, values in sorted(tags.items()):
        if tag == 273:
            values = (start + 8,)  # the strip follows the only array that does not fit its entry
        if len(values) > 2:
            extra = struct.pack(f"{order}{len(values)}H", *values).ljust(8, b"\0")
            entries += struct.pack(f"{order}HHII", tag, 3, len(values), start)
        else:
            kind, form = (4, "I") if tag in (273, 279) else (3, "H")
            packed = struct.pack(f"{order}{len(values)}{form}", *values).ljust(4, b"\0")
            entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    return head + entries + b"\0\0\0\0" + extra.ljust(8, b"\0") + data


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
def test_16_bit_tiff_keeps_every_bit(tmp_path: Path, channels: int, order: str, deflate: bool) -> None:
    path, pixels = tmp_path / "a.tif", noise((7, 5, channels), U16)
    path.write_bytes(tiff(pixels, order=order, deflate=deflate))
    picture = matches(path)
    joined = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    np.testing.assert_array_equal(joined, pixels)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 300, 3), (31, 2, 4)])
def test_16_bit_tiff_of_ours_is_what_others_read(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    pixels, path = noise(shape, U16), tmp_path / "a.tif"
    write(path, pixels[..., :3], pixels[..., 3] if shape[2] == 4 else None)
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    np.testing.assert_array_equal(found[..., [2, 1, 0, 3][: shape[2]]], pixels)


def test_tiff_where_white_is_zero(tmp_path: Path) -> None:
    for dtype in (U8, U16):
        pixels = noise((4, 6, 1), dtype)
        (tmp_path / "a.tif").write_bytes(tiff(pixels, t262=0))
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, np.iinfo(dtype).max - pixels)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["jpg", "png", "late.png", "webp", "tif", "deep.png", "deep.tif"])
def test_exif_orientation_is_applied_and_probed(tmp_path: Path, turn: int, form: str) -> None:
    """A picture stored with orientation `turn` reads as Pillow's own exif_transpose shows it."""
    from PIL import ImageOps

    stored = np.kron(noise((3, 4, 3), seed=5), np.ones((16, 16, 1), U8))  # even under JPEG's 8x8 blocks
    image = Image.fromarray(stored)
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"a.{form}"
    if form == "late.png" or form == "deep.png":
        data = chunk(b"eXIf", exif.tobytes()[6:])
        deep = form == "deep.png"
        rows = b"".join(b"\0" + row.astype(">u2" if deep else "u1").tobytes() for row in stored)
        header = (64, 48, 16 if deep else 8, 2, 0, 0, 0)
        path.write_bytes(png(header, rows, data if deep else b"", b"" if deep else data))
    elif form == "deep.tif":
        path.write_bytes(tiff(stored.astype(U16), t274=turn))
    elif form == "tif":
        path.write_bytes(tiff(stored, t274=turn))
    else:
        image.save(path, exif=exif, quality=100)
    image.info.clear()
    image.getexif()[0x0112] = turn
    upright = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    pixels = matches(path).pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels - upright).mean() < (12 if form in ("jpg", "webp") else 1e-9)


def test_palette_transparency_colour_key_and_modes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    paletted = Image.fromarray(noise((6, 8, 1))[..., 0] % 3).convert("P")
    paletted.putpalette([10, 20, 30, 200, 100, 0, 7, 8, 9])
    index = np.asarray(paletted)
    paletted.save(path)
    picture = matches(path)
    np.testing.assert_array_equal(
        picture.pixels[index == 1], np.broadcast_to([200, 100, 0], ((index == 1).sum(), 3))
    )
    assert picture.alpha is None
    paletted.save(path, transparency=1)
    picture = matches(path)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, np.where(index == 1, 0, 255))

    deep = noise((6, 8, 3), U16)
    path.write_bytes(png16(deep, before=chunk(b"tRNS", struct.pack(">HHH", *deep[2, 3]))))
    alpha = matches(path).alpha
    assert alpha is not None and alpha[2, 3] == 0 and (alpha == 65535).sum() == alpha.size - 1

    forms = {"1": "png", "L": "tif", "LA": "png", "CMYK": "tif", "YCbCr": "jpg", "LAB": "tif", "RGBA": "tif"}
    for mode, form in forms.items():
        made = (
            Image.new("LAB", (16, 16), 90)
            if mode == "LAB"
            else Image.fromarray(noise((16, 16, 3))).convert(mode)
        )
        made.save(tmp_path / f"b.{form}")
        channels = 1 if mode in ("1", "L", "LA") else 3
        assert matches(tmp_path / f"b.{form}").pixels.shape == (16, 16, channels), mode


def test_mpo_gives_its_first_picture_and_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    first, second = (Image.fromarray(np.full((16, 24, 3), level, U8)) for level in (40, 200))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    assert abs(int(matches(tmp_path / "a.jpg").pixels.mean()) - 40) < 3
    first.save(tmp_path / "b.jpg", format="PNG")
    np.testing.assert_array_equal(matches(tmp_path / "b.jpg").pixels, np.asarray(first))


def test_32_bit_integers_are_kept_only_where_they_fit(tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", np.array([[0, 300], [65535, 7]], np.int32)
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(matches(path).pixels[..., 0], values)
    Image.fromarray(values + 1).save(path)
    with pytest.raises(UnreadableImage, match="65536"):
        read(path)


# --- reading: what is refused -------------------------------------------------------------------------------


def encoded(form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise((40, 40, 3))).save(stream, format=form, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def animation(form: str) -> bytes:
    frames = [Image.fromarray(noise((16, 16, 3), seed=i)) for i in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, format=form, save_all=True, append_images=frames[1:])
    return stream.getvalue()


def huge_png() -> bytes:
    return png((20000, 20000, 8, 0, 0, 0, 0), b"\0" * 100)


REFUSALS = {
    "empty.jpg": (b"", "empty"),
    "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "note.png": (b"hello, I am a note\n", "text, not an image"),
    "bytes.png": (bytes(range(256)) * 4, "not an image"),
    "doc.png": (b"%PDF-1.7 ...", "PDF"),
    "lfs.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "cut.jpg": (encoded("JPEG")[:900], "truncated"),
    "cut.png": (encoded("PNG")[:900], "truncated"),
    "cut.webp": (encoded("WEBP")[:500], "truncated|damaged"),
    "cut.bmp": (encoded("BMP")[:900], "truncated"),
    "cut.gif": (encoded("GIF")[:900], "truncated"),
    "cut.ppm": (encoded("PPM")[:900], "truncated"),
    "cut.tif": (encoded("TIFF", compression="tiff_deflate")[:900], "truncated|damaged"),
    "anim.gif": (animation("GIF"), "3 animation frames"),
    "anim.webp": (animation("WEBP"), "3 animation frames"),
    "anim.png": (animation("PNG"), "3 animation frames"),
    "pages.tif": (animation("TIFF"), "3 pages"),
    "huge.png": (huge_png(), "400,000,000 pixels|more pixels than are read"),
    "deep.ppm": (b"P6\n2 1\n65535\n" + bytes(12), "16-bit PNG"),
    "planar.tif": (tiff(noise((4, 4, 3), U16), t284=2), "16-bit PNG|damaged|truncated"),
    "wrongcrc.png": (encoded("PNG").replace(b"IDAT", b"IDAZ", 1), "damaged|truncated"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused_with_path_and_reason(tmp_path: Path, name: str) -> None:
    data, reason = REFUSALS[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnreadableImage, match=reason) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}" and caught.value.path == path
    again = pickle.loads(pickle.dumps(caught.value))  # as it must leave a worker process
    assert str(again) == str(caught.value) and again.reason == caught.value.reason
    with pytest.raises(UnreadableImage):
        read(path, data)


def test_the_pixel_limit_is_checked_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png((11000, 11000, 8, 0, 0, 0, 0), b""))  # where Pillow only warns; no such pixels exist
    with pytest.raises(UnreadableImage, match=r"truncated|damaged"):
        read(path)
    monkeypatch.setattr(reading, "MAX_PIXELS", 10_000)
    for use in (read, probe):
        with pytest.raises(UnreadableImage, match="121,000,000 pixels, more than the 10,000"):
            use(path)


def test_folders_pipes_absent_and_forbidden_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "no.png", "no such file"),
        (tmp_path / "pipe.png", "not a regular file"),
    ):
        with pytest.raises(UnreadableImage, match=reason):
            read(path)
    path = tmp_path / "a.png"
    write(path, noise((2, 2, 3)))
    path.chmod(0)
    if not os.access(path, os.R_OK):  # root reads everything
        with pytest.raises(UnreadableImage, match="permission"):
            read(path)


DECODER_ERRORS = (
    SyntaxError("x"), struct.error("x"), KeyError("x"), MemoryError(), zlib.error("x"), AttributeError("x"),
    EOFError(), Image.DecompressionBombError("x"),
)  # fmt: skip


@pytest.mark.parametrize("error", DECODER_ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_decoder_raises_becomes_one_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    write(tmp_path / "a.png", noise((2, 2, 3)))
    monkeypatch.setattr(decode, "samples", fail)
    with pytest.raises(UnreadableImage, match=r"a\.png: \w+"):
        read(tmp_path / "a.png")


def test_mutated_files_are_read_or_refused_never_anything_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"):
        sound = encoded(form)
        for _ in range(40):
            data = bytearray(sound)
            for at in rng.integers(0, min(len(data), 400), 3):
                data[at] = rng.integers(0, 256)
            try:
                picture = read(tmp_path / "m", bytes(data))
                assert picture.pixels.ndim == 3 and picture.pixels.dtype in (U8, U16)
            except UnreadableImage as refused:
                assert refused.reason


# --- listing ------------------------------------------------------------------------------------------------


def test_listing_is_sorted_nested_and_ends_despite_loops(tmp_path: Path) -> None:
    for name in ("b.png", "a/z.JPG", "a/b/c.webp", "notes.txt", ".hidden.png", ".git/x.png", "a/Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "0link").symlink_to(tmp_path / "a/b")  # sorts first, yet must not take the place of a/b
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    # A link to nothing is listed, so that whoever wants it says that it is gone.
    assert list_files(tmp_path) == ["a/b/c.webp", "a/z.JPG", "b.png", "gone.png", "notes.txt"]
    assert list_images(tmp_path) == ["a/b/c.webp", "a/z.JPG", "b.png", "gone.png"]
    for root, reason in ((tmp_path / "no", "no such folder"), (tmp_path / "b.png", "is a file")):
        with pytest.raises(DataError, match=reason):
            list_files(root)


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/x.png").touch()
    (tmp_path / "near").mkdir()
    (tmp_path / "near/there").symlink_to(tmp_path / "far")
    assert list_images(tmp_path / "near") == ["there/x.png"]


# --- writing ------------------------------------------------------------------------------------------------


def test_bytes_depend_on_pixels_alone_and_modes_follow_the_umask(tmp_path: Path) -> None:
    pixels = noise((20, 30, 3))
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp"):
        write(tmp_path / f"a{suffix}", pixels)
        write(tmp_path / f"b{suffix}", pixels.copy(order="F"))
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("pixels, alpha, path, reason", [
    (noise((4, 4, 2)), None, "a.png", "needed"),
    (noise((4, 4, 3)).astype(np.float32), None, "a.png", "uint8 or uint16"),
    (noise((4, 4, 3)), noise((4, 5)), "a.png", "as the pixels"),
    (noise((4, 4, 3)), noise((4, 4), U16), "a.png", "as the pixels"),
    (noise((4, 4, 3)), noise((4, 4)), "a.jpg", "cannot hold alpha"),
    (noise((4, 4, 3)), None, "a.gif", "accepted are .png"),
    (noise((4, 4, 3)), None, "a", "without suffix"),
    (np.zeros((1, 70000, 1), U8), None, "a.jpg", "70000x1 as JPEG"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, pixels: np.ndarray, alpha: np.ndarray | None, path: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        write(tmp_path / path, pixels, alpha)
    assert not list(tmp_path.iterdir())


DISK_ERRORS = {
    "ENOSPC": "full",
    "EROFS": "read-only",
    "EACCES": "rights",
    "EDQUOT": "quota",
    "EIO": "reports",
}


@pytest.mark.parametrize("name, words", DISK_ERRORS.items())
def test_a_failing_disk_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    path = tmp_path / "a.png"
    write(path, noise((4, 4, 3)))
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(getattr(errno, name), "planted")

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(StorageError, match=rf"a\.png: cannot be written: .*{words}"):
        write(path, noise((4, 4, 3), seed=1))
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_real_storage_failures_name_path_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="folder does not exist"):
        write_atomic(tmp_path / "no" / "a", b"x")
    (tmp_path / "d").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        write_atomic(tmp_path / "d", b"x")
    with pytest.raises(StorageError, match="too long"):
        write_atomic(tmp_path / ("n" * 300), b"x")
    (tmp_path / ("n" * 250)).write_bytes(b"")
    write_atomic(tmp_path / ("n" * 250), b"x")  # the temporary name never makes a legal name too long
    assert sorted(len(p.name) for p in tmp_path.iterdir()) == [1, 250]


# --- ranges and colour --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [U8, U16])
def test_ranges_invert_each_other_at_every_level(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    x01 = ranges.to_x01(levels)
    assert x01.dtype == np.float32 and x01[0] == 0 and x01[-1] == 1
    np.testing.assert_array_equal(ranges.from_x01(x01, dtype), levels)


def test_from_x01_clips_and_rounds_half_up() -> None:
    x01 = np.array([-1, 2, 0.5 / 255, 0.49 / 255, 126.5 / 255, 126.6 / 255], np.float32)
    np.testing.assert_array_equal(ranges.from_x01(x01, U8), [0, 255, 1, 0, 127, 127])
    with pytest.raises(TypeError, match="int32"):
        ranges.from_x01(x01, np.int32)


def test_tensor_ranges_are_inverse_too() -> None:
    torch = pytest.importorskip("torch")
    u8 = torch.arange(256, dtype=torch.uint8)
    x11 = ranges.x11_from_u8(u8)
    assert x11.dtype == torch.float32 and x11[0] == -1 and x11[-1] == 1
    torch.testing.assert_close(ranges.x01_from_x11(x11) * 255, u8.float())
    torch.testing.assert_close(ranges.x11_from_x01(u8.float() / 255), x11)


def test_colour() -> None:
    primaries = np.eye(3, dtype=U8)[None] * 255
    np.testing.assert_array_equal(colour.luma(primaries), [[76, 150, 29]])
    grey = noise((5, 6, 1), U16)
    np.testing.assert_array_equal(colour.to_grey(colour.to_rgb(grey)), grey)
    assert colour.to_grey(noise((5, 6, 3))).shape == (5, 6, 1)


def test_what_is_transparent_shows_white() -> None:
    pixels, alpha = np.array([[[0], [40], [0]]], U8), np.array([[0, 255, 51]], U8)
    np.testing.assert_array_equal(colour.over_white(pixels, alpha)[0, :, 0], [255, 40, 204])
    assert colour.over_white(pixels, None) is pixels


# --- filters ------------------------------------------------------------------------------------------------

KERNELS = [
    filters.gaussian_kernel_1d(0)[None], filters.gaussian_kernel_1d(3.3)[None], filters.disk_kernel(0),
    filters.disk_kernel(0.7), filters.disk_kernel(6.2), filters.motion_kernel(0, 30),
    filters.motion_kernel(1, 77), filters.motion_kernel(17.5, 200),
]  # fmt: skip


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_sum_to_one_are_odd_centred_and_keep_a_flat_image(kernel: np.ndarray) -> None:
    assert kernel.sum() == pytest.approx(1) and (kernel >= 0).all() and all(n % 2 for n in kernel.shape)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)
    for shape in ((1, 1, 3), (2, 5, 1), (40, 30, 3)):  # also smaller than the kernel
        flat = np.full(shape, 0.3, np.float32)
        np.testing.assert_allclose(filters.convolve(flat, kernel), flat, atol=1e-6)


def test_kernel_moments_match_their_closed_forms() -> None:
    def variance(kernel: np.ndarray, axis: int) -> float:
        line = kernel.sum(axis=1 - axis)
        x = np.arange(len(line)) - len(line) // 2
        return float((line * x**2).sum())

    assert variance(filters.gaussian_kernel_1d(2.5)[None], 1) == pytest.approx(2.5**2, rel=1e-2)
    assert variance(filters.disk_kernel(7.0), 0) == pytest.approx(7**2 / 4, rel=2e-2)  # of a uniform disk
    motion = filters.motion_kernel(20, 0)
    assert variance(motion, 0) == 0 and variance(motion, 1) == pytest.approx(20**2 / 12, rel=2e-2)
    np.testing.assert_allclose(filters.motion_kernel(20, 90), motion.T, atol=1e-9)
    rising = filters.motion_kernel(9, 45)  # counter-clockwise: up on the right, and rows count downwards
    assert rising[0, -1] > 0 or rising[1, -2] > 0
    assert rising[0, 0] == 0 and rising[1, 1] == 0


def test_convolution_direct_fft_and_a_plain_loop_agree() -> None:
    rng = np.random.default_rng(0)
    x01, kernel = rng.random((13, 17, 2)).astype(np.float32), rng.random((9, 11))
    padded = np.pad(x01, ((4, 4), (5, 5), (0, 0)), mode="reflect")
    expected = np.zeros((13, 17, 2))
    for y in range(13):
        for x in range(17):
            window = padded[y : y + 9, x : x + 11]
            expected[y, x] = (window * kernel[::-1, ::-1, None]).sum(axis=(0, 1))
    np.testing.assert_allclose(filters._convolve_fft(padded, kernel, x01.shape), expected, rtol=1e-5)
    np.testing.assert_allclose(filters._convolve_direct(padded, kernel, x01.shape), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="odd"):
        filters.convolve(x01, np.ones((2, 3)) / 6)


def test_gaussian_blur_of_an_impulse_is_the_outer_product() -> None:
    impulse = np.zeros((41, 41, 1), np.float32)
    impulse[20, 20] = 1
    kernel = filters.gaussian_kernel_1d(2)
    radius = len(kernel) // 2
    expected = np.zeros((41, 41))
    expected[20 - radius : 21 + radius, 20 - radius : 21 + radius] = np.outer(kernel, kernel)
    np.testing.assert_allclose(filters.gaussian_blur(impulse, 2)[..., 0], expected, atol=1e-7)


@pytest.mark.parametrize("method", filters.METHODS)
def test_resize_keeps_flat_images_range_and_sub_8_bit_differences(method: str) -> None:
    flat = np.full((31, 20, 3), 0.2, np.float32)
    np.testing.assert_allclose(filters.resize(flat, 13, 44, method), 0.2, atol=1e-6)
    x01 = np.random.default_rng(0).random((30, 40, 3)).astype(np.float32)
    small = filters.resize(x01, 10, 10, method)
    assert small.shape == (10, 10, 3) and small.dtype == np.float32 and 0 <= small.min() <= small.max() <= 1
    fine = np.linspace(0.5, 0.501, 64, dtype=np.float32)[None, :, None].repeat(8, axis=0)
    assert len(np.unique(filters.resize(fine, 8, 32, method))) >= 32  # 8 bits would leave one or two


def test_resize_antialiases_and_refuses_nonsense() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), 32)[None, :, None].repeat(8, axis=0)
    np.testing.assert_allclose(filters.resize(stripes, 8, 16, "box"), 0.5)
    assert np.abs(filters.resize(stripes, 8, 16, "bicubic")[:, 2:-2] - 0.5).max() < 0.02
    for height, width, method, reason in ((0, 3, "box", "1x1"), (3, 3, "cubic", "bicubic")):
        with pytest.raises(ValueError, match=reason):
            filters.resize(stripes, height, width, method)


# --- sheets -------------------------------------------------------------------------------------------------


def test_error_map_is_black_where_equal_and_brighter_where_worse() -> None:
    target = np.zeros((1, 256, 3), U8)
    output = np.arange(256, dtype=U8)[None, :, None].repeat(3, axis=2)
    shown = sheet.error_map(output, target)
    assert shown[0, 0].tolist() == [0, 0, 0]
    brightness = colour.luma(shown)[0].astype(int)
    assert (np.diff(brightness) >= 0).all() and len(np.unique(brightness[:65])) > 55
    np.testing.assert_array_equal(sheet.error_map(target, output), shown)
    with pytest.raises(ValueError, match="differ"):
        sheet.error_map(output, target[:, :3])


def test_grid_places_every_image_undistorted() -> None:
    shapes = ((50, 50, (255, 0, 0)), (50, 200, (0, 255, 0)), (5, 10, (0, 0, 255)))
    red, wide, tiny = (np.full((height, width, 3), ink, U8) for height, width, ink in shapes)
    made = sheet.grid([[red, wide], [tiny]], ["source", "target"], ["one", "two"], cell=100)
    for image, expected in ((red, (100, 100)), (wide, (25, 100)), (tiny, (50, 100))):
        ys, xs = np.nonzero((made == image[0, 0]).all(axis=2))
        assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == expected
    dark = made.max(axis=2) < 120
    assert dark[:24].any()  # the titles
    np.testing.assert_array_equal(
        made, sheet.grid([[red, wide], [tiny]], ["source", "target"], ["one", "two"], cell=100)
    )
    assert sheet.to_u8_rgb(noise((3, 4, 1), U16)).shape == (3, 4, 3)
    with pytest.raises(ValueError, match="no images"):
        sheet.grid([[]], ["a"])


@pytest.mark.parametrize(
    "how",
    [
        {"quality": 95, "subsampling": 0},
        {"quality": 60, "subsampling": 1},
        {"quality": 30, "subsampling": 2, "progressive": True},
        {"quality": 75, "subsampling": 2, "restart_marker_rows": 1},
        {"quality": 80, "keep_rgb": True},
    ],
)
def test_a_jpeg_decodes_to_the_samples_of_pillow(how: dict[str, object]) -> None:
    """The short way, of odd sizes too; a file cut short is left to Pillow; its quick transform is noticed."""
    smooth = filters.resize(noise((9, 11, 3)), 61, 83, "bicubic")
    stream = io.BytesIO()
    Image.fromarray(smooth).save(stream, format="JPEG", **how)
    with Image.open(stream) as image:
        found = jpeg.decoded(image, stream)
        assert found is not None
        np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")))
    import simplejpeg

    quick = simplejpeg.decode_jpeg(stream.getvalue(), "RGB", fastdct=True, fastupsample=True)
    assert how.get("subsampling") != 2 or not np.array_equal(quick, found)
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert jpeg.decoded(image, io.BytesIO(stream.getvalue()[: len(stream.getvalue()) // 2])) is None

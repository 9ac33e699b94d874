"""What a translated file carries over: colours never change unseen, and no place is ever told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from gantrans.bundles.bundle import Card
from gantrans.errors import DataError
from gantrans.imaging import metadata, profiles
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.inference.files import Given, Policy, read_given, write_made
from tests import icc
from tests.conftest import draw_picture

NET = {"name": "UNet", "arguments": {}}
RGB, KEEP, DROP = Card(NET), Policy(metadata="keep"), Policy()
ORIENTATION, GPS, SHOT, MAKER_NOTE, WIDTH = 0x0112, 0x8825, 0x8769, 0x927C, 0xA002
TAKEN, ARTIST = 0x9003, 0x013B
SECRETS = (b"48.137", b"Serial-of-maker", b"GPSLatitude")


def photo(path: Path, **options: object) -> None:
    """A JPEG from a phone: turned, with a place in EXIF and XMP, a maker's note and a profile."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, "A. Person"
    exif[GPS] = {1: "N", 2: (48.0, 8.0, 13.7), 29: "48.137"}
    exif[SHOT] = {TAKEN: "2024:05:06 07:08:09", MAKER_NOTE: b"Serial-of-maker", WIDTH: 47, 0x829A: 0.01}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" GPSLatitude="48.137"/>'
    save = {"format": "JPEG", "exif": exif, "dpi": (300, 300), "xmp": xmp, **options}
    Image.fromarray(draw_picture(1, 33, 47)).save(path, **save)  # type: ignore[arg-type]


def through(path: Path, target: Path, policy: Policy, card: Card = RGB) -> Given:
    """As `translate` by a model that changes nothing."""
    given = read_given(path, card, policy)
    write_made(target, given, given.pixels, card, policy)
    return given


def everything(path: Path) -> tuple[dict[int, object], dict[int, object], dict[str, object]]:
    with Image.open(path) as image:
        exif = image.getexif()
        assert not dict(exif.get_ifd(GPS)), "the place is never told"
        return dict(exif), dict(exif.get_ifd(SHOT)), dict(image.info)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_metadata_are_dropped_or_kept_without_the_place(tmp_path: Path, suffix: str) -> None:
    photo(tmp_path / "in.jpg", icc_profile=icc.rgb())
    assert any(secret in (tmp_path / "in.jpg").read_bytes() for secret in SECRETS)
    for policy in (DROP, KEEP):
        out = tmp_path / f"{policy.metadata}{suffix}"
        through(tmp_path / "in.jpg", out, policy)
        assert not [secret for secret in SECRETS if secret in out.read_bytes()]
        exif, shot, info = everything(out)
        assert ORIENTATION not in exif or exif[ORIENTATION] == 1
        assert read(out).pixels.shape == (47, 33, 3), "turned, once"
        kept = policy is KEEP
        assert (exif.get(ARTIST) == "A. Person") == kept
        assert shot == ({TAKEN: "2024:05:06 07:08:09", 0x829A: 0.01} if kept else {})
        assert (info.get("icc_profile") == icc.rgb()) == kept
        if suffix != ".webp":  # which has no place for it; a JPEG without any says 1 or nothing
            assert (round(info.get("dpi", (0, 0))[0]) == 300) == kept  # type: ignore[index]


def test_a_place_that_gets_through_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "_KEPT", (*metadata._KEPT, GPS))
    with pytest.raises(AssertionError):
        test_metadata_are_dropped_or_kept_without_the_place(tmp_path, ".jpg")


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("name", ["wide", "grey"])
def test_a_dropped_profile_is_applied_and_a_kept_one_carried(tmp_path: Path, depth: int, name: str) -> None:
    pixels = draw_picture(3) if name == "wide" else draw_picture(3)[..., :1]
    pixels = pixels if depth == 8 else pixels.astype(np.uint16) * 257
    profile = icc.rgb() if name == "wide" else icc.grey(1.0)
    card = RGB if name == "wide" else Card(NET, source_mode="grey", target_mode="grey")
    write(tmp_path / "in.png", pixels, extras=metadata.Extras(icc=profile))
    kept = through(tmp_path / "in.png", tmp_path / "kept.png", KEEP, card)
    np.testing.assert_array_equal(kept.pixels, pixels)
    assert metadata.of_file(tmp_path / "kept.png").icc == profile
    dropped = through(tmp_path / "in.png", tmp_path / "dropped.png", DROP, card).pixels
    assert metadata.of_file(tmp_path / "dropped.png").icc is None
    assert np.abs(dropped.astype(float) - pixels).mean() > 3 * (257 if depth == 16 else 1)
    if name == "wide":
        engine = seen(pixels if depth == 8 else (pixels // 257).astype(np.uint8), profile)
        assert np.abs(dropped / (257 if depth == 16 else 1) - engine).max() <= 1.5
    else:  # linear light: the formula of IEC 61966-2-1 itself
        x = pixels / np.iinfo(pixels.dtype).max
        encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
        np.testing.assert_allclose(dropped / np.iinfo(pixels.dtype).max, encoded, atol=0.003)


def seen(u8: np.ndarray, profile: bytes) -> np.ndarray:
    """What a screen of sRGB shows, by Little CMS."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    made = ImageCms.profileToProfile(
        Image.fromarray(u8), source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )  # fmt: skip
    return np.asarray(made).astype(float)


@pytest.mark.parametrize("made", [1, 3])
def test_a_profile_is_not_carried_where_it_would_no_longer_be_true(tmp_path: Path, made: int) -> None:
    """A model that adds colour, or takes it: keep converts as drop does."""
    mode, other = ("grey", "rgb") if made == 3 else ("rgb", "grey")
    write(tmp_path / "in.png", draw_picture(3), extras=metadata.Extras(icc=icc.rgb()))
    given = read_given(tmp_path / "in.png", Card(NET, source_mode=mode, target_mode=other), KEEP)
    assert given.extras.icc is None
    assert not np.array_equal(given.pixels, draw_picture(3))


def test_srgb_stays_bit_for_bit_and_without_a_note(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    by_hand = icc.rgb(
        ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)),
        icc.parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    )
    for profile in (srgb, by_hand):
        write(tmp_path / "in.png", draw_picture(3), extras=metadata.Extras(icc=profile))
        given = read_given(tmp_path / "in.png", RGB, DROP)
        np.testing.assert_array_equal(given.pixels, draw_picture(3))
        assert not given.notes


def test_cmyk_becomes_what_its_profile_says(tmp_path: Path) -> None:
    inks = Image.fromarray(draw_picture(5)).convert("CMYK")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    inks.save(tmp_path / "told.jpg", quality=95, icc_profile=icc.cmyk(), exif=exif)
    inks.save(tmp_path / "untold.jpg", quality=95)
    for policy in (DROP, KEEP):  # a profile of inks cannot go with RGB
        told = through(tmp_path / "told.jpg", tmp_path / "out.jpg", policy)
        assert told.pixels.shape == (44, 40, 3)
        assert np.ptp(told.pixels.astype(int), axis=2).max() <= 2, "this profile calls all inks grey"
        assert metadata.of_file(tmp_path / "out.jpg").icc is None
    untold = read_given(tmp_path / "untold.jpg", RGB, DROP)
    np.testing.assert_array_equal(untold.pixels, read(tmp_path / "untold.jpg").pixels)


def test_a_damaged_or_foreign_profile_is_told(tmp_path: Path) -> None:
    rgb = draw_picture(3)
    unsound = ((b"\0" * 200, "does not begin"), (icc.rgb()[:150], "damaged"), (icc.cmyk(), "CMYK"))
    for profile, said in unsound:
        write(tmp_path / "in.png", rgb, extras=metadata.Extras(icc=profile))
        given = read_given(tmp_path / "in.png", RGB, DROP)
        np.testing.assert_array_equal(given.pixels, rgb)
        assert len(given.notes) == 1
        assert said in given.notes[0]


def test_deep_colours_of_a_profile_with_tables_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in.png", draw_picture(3).astype(np.uint16) * 257, extras=metadata.Extras(icc=icc.rgb()))
    monkeypatch.setattr(profiles, "_tags", lambda _: {})
    with pytest.raises(DataError, match="metadata=keep"):
        read_given(tmp_path / "in.png", RGB, DROP)
    assert read_given(tmp_path / "in.png", RGB, KEEP).extras.icc == icc.rgb()


def test_an_enlarged_picture_prints_as_large_and_takes_its_alpha_along(tmp_path: Path) -> None:
    rgb = draw_picture(3, 10, 12)
    write(tmp_path / "in.png", rgb, rgb[..., 0], extras=metadata.Extras(dpi=(100, 50)))
    card = Card(NET, scale=3)
    given = read_given(tmp_path / "in.png", card, KEEP)
    write_made(tmp_path / "out.png", given, rgb.repeat(3, 0).repeat(3, 1), card, KEEP)
    dpi = metadata.of_file(tmp_path / "out.png").dpi
    assert dpi is not None
    assert tuple(map(round, dpi)) == (300, 150)
    assert read(tmp_path / "out.png").alpha.shape == (30, 36)  # type: ignore[union-attr]


def test_broken_metadata_cost_nothing_but_themselves(tmp_path: Path) -> None:
    photo(tmp_path / "in.jpg")
    data = (tmp_path / "in.jpg").read_bytes()
    start = data.index(b"Exif\0\0") + 14
    (tmp_path / "in.jpg").write_bytes(data[:start] + b"\xff" * 40 + data[start + 40 :])
    through(tmp_path / "in.jpg", tmp_path / "out.jpg", KEEP)
    assert read(tmp_path / "out.jpg").pixels.size

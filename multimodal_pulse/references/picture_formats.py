"""The formats of picture files: which of them this Pillow reads, and what is said about the others. No PyTorch."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import features

_HEIC = "HEIF"
"""The name that pillow-heif gives its format; the files are called HEIC."""
_SUFFIXES_OF = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "AVIF": (".avif",),
    _HEIC: (".heic", ".heif"),
}
"""By Pillow's name of a format, the suffixes of its files. Pillow imports the decoders of the first four at once and
those of all formats for the others, so that they come last."""
_IN_WORDS = {"WEBP": "WebP", "JPEG2000": "JPEG 2000", _HEIC: "HEIC"}
_THERE = {
    "WEBP": features.check("webp"),
    "JPEG2000": features.check("jpg_2000"),
    "AVIF": features.check("avif"),
    _HEIC: find_spec("pillow_heif") is not None,
}
"""Whether a format that needs a library, of which some installations have none, is read here."""

READ = tuple(name for name in _SUFFIXES_OF if _THERE.get(name, True))
"""Pillow's names of the formats that are read here."""
SUFFIXES = {suffix: name for name in READ for suffix in _SUFFIXES_OF[name]}
"""The file name suffixes, in lower case, of these formats."""


@cache
def readable_formats() -> tuple[str, ...]:
    """Returns the formats to open a file as, by Pillow's names; registers the decoder of HEIC first, if it is here."""
    if _HEIC in READ:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return READ


def in_words() -> str:
    """Returns the formats that are read here, as "PNG, JPEG or WebP"."""
    *names, last = (_IN_WORDS.get(name, name) for name in READ)
    return f"{', '.join(names)} or {last}"


def needs(path: Path) -> str | None:
    """Returns what a file of this suffix would need to be read here, as "HEIC needs ..."; None: nothing known."""
    suffix = path.suffix.lower()
    name = next((name for name, suffixes in _SUFFIXES_OF.items() if suffix in suffixes and name not in READ), None)
    return name and _what_is_missing(name)


def why_unidentified(path: str | Path) -> str:
    """Returns why no decoder takes a file, by its first bytes: a clause that follows its name."""
    with open(path, "rb") as file:
        beginning = file.read(12)
    if beginning[:4] in (b"II*\0", b"MM\0*"):
        return (
            "is a TIFF of a kind that is not read, such as one with several channels of floats, or it is damaged: save"
            " it with 8 or 16 bits a channel"
        )
    brand = beginning[8:12] if beginning[4:8] == b"ftyp" else b""
    name = "AVIF" if brand in (b"avif", b"avis") else _HEIC if brand[:2] in (b"he", b"mi", b"ms") else None
    if name and name not in READ:
        return f"cannot be read here ({_what_is_missing(name)}): add that, or save the picture as a JPEG or PNG"
    return f"is not a {in_words()} picture, or its beginning is damaged"


def _what_is_missing(name: str) -> str:
    if name == _HEIC:
        return "HEIC needs pip install pillow-heif"
    return f"{_IN_WORDS.get(name, name)} needs a Pillow that was built with it"

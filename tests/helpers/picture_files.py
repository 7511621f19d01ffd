"""Picture files for the tests, some of which no ordinary program would write."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2


def random_pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 [height, width, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth_pixels(height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] that survives lossy compression: a different ramp in each channel."""
    y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    return (255 * np.stack([x + 0 * y, y + 0 * x, (x + y) / 2], axis=-1)).round().astype(np.uint8)


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    samples: np.ndarray, color_type: int, size: tuple[int, int] | None = None, transparent: int | None = None
) -> bytes:
    """A PNG written by hand from uint8 or uint16 samples [H, W, C]; `size` (width, height) may lie about it."""
    bits = 8 * samples.dtype.itemsize
    width, height = size or (samples.shape[1], samples.shape[0])
    rows = b"".join(b"\0" + row.astype(f">u{samples.dtype.itemsize}").tobytes() for row in samples)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0))
        + (b"" if transparent is None else _chunk(b"tRNS", struct.pack(">H", transparent)))
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def gray_tiff(values: np.ndarray, bits: int, photometric: int = 1) -> bytes:
    """A TIFF written by hand (TIFF 6.0) from whole numbers [H, W] of 12 or 16 bits; photometric 0: zero is white."""
    height, width = values.shape
    if bits == 12:  # two numbers in three bytes; a row of an even width ends with a byte
        first, second = values[:, ::2].astype(np.uint32), values[:, 1::2].astype(np.uint32)
        packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1).astype(np.uint8)
        data = packed.tobytes()
    else:
        data = values.astype("<u2").tobytes()
    entries = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: len(data),
    }
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    offset = 8 + len(data)
    return struct.pack("<2sHI", b"II", 42, offset) + data + struct.pack("<H", len(entries)) + directory + bytes(4)


def stated_range(low: float, high: float) -> ImageFileDirectory_v2:
    """The TIFF tags SMinSampleValue and SMaxSampleValue, as doubles."""
    tags = ImageFileDirectory_v2()
    for tag, value in ((340, low), (341, high)):
        tags.tagtype[tag] = 12
        tags[tag] = value
    return tags


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def linear_profile(order: Sequence[int] = (0, 1, 2), gray: bool = False) -> bytes:
    """An ICC profile of linear light: sRGB's primaries taken in the given order, or gray."""
    # sRGB's primaries adapted to D50 (IEC 61966-2-1, annex F; ICC's profile connection space).
    primaries = [(0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]
    white = (0.9642, 1.0, 0.8249)
    xyz = [b"XYZ \0\0\0\0" + b"".join(map(_fixed, color)) for color in (white, *(primaries[i] for i in order))]
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)  # no entries: the identity
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(8 + 3 + 67)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz[0]}
    if gray:
        tags[b"kTRC"] = curve
    else:
        tags |= {b"rXYZ": xyz[1], b"gXYZ": xyz[2], b"bXYZ": xyz[3], b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        table += tag + struct.pack(">II", offset + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    space = b"GRAY" if gray else b"RGB "
    header = struct.pack(">I4sI4s4s4s", offset + len(data), bytes(4), 0x02100000, b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + b"".join(map(_fixed, white))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def srgb_of_linear(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: linear light in [0, 1] -> sRGB in [0, 1]."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)

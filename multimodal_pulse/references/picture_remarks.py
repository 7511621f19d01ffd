"""What is said about a picture that is decoded. Imports no PyTorch."""

from PIL import Image

from multimodal_pulse.references.preparation import Remark

_ORIENTATION = 0x0112
"""The EXIF tag (EXIF 2.32, 4.6.4)."""
_UPRIGHT = 1

TRANSPARENT = Remark("is transparent in parts, which are laid over white", "pictures are transparent, laid over white")


def remarks_on_file(picture: Image.Image) -> list[Remark]:
    """Returns what the file says about a picture, before anything is done to it."""
    remarks = []
    # The further pictures of an MPO, a JPEG of some cameras and telephones, are previews of the same photograph.
    if picture.format != "MPO" and getattr(picture, "is_animated", False) and picture.tell() == 0:
        remarks.append(
            Remark("holds several pictures: its first is used", "files hold several pictures: the first is used")
        )
    # pillow-heif has turned its pictures already and remembers by what.
    orientation = picture.info.get("original_orientation") or picture.getexif().get(_ORIENTATION, _UPRIGHT)
    if orientation != _UPRIGHT:
        turned = f"turned upright, as its EXIF orientation {orientation} asks"
        remarks.append(Remark(f"is {turned}", "pictures are turned upright by EXIF", str(orientation), said=False))
    return remarks


def remarks_on_colour(mode: str, profile: bytes | None, by_profile: bool) -> list[Remark]:
    """Says how the colours of a picture became sRGB.

    Args:
        mode: Pillow's name of what its pixels mean.
        profile: its ICC profile, if it has one.
        by_profile: whether they were converted from this profile, or from CIELAB.
    """
    if by_profile:
        converted = f"converted to sRGB from {'CIELAB' if mode == 'LAB' else 'the colour profile'}"
        return [Remark(f"is {converted}", f"pictures are {converted}", said=False)]
    if mode == "CMYK":
        inks = "ink colours (CMYK) without a usable profile"
        return [
            Remark(f"has {inks}: its colours are approximate", f"pictures have {inks}: their colours are approximate")
        ]
    if profile:
        return [Remark("has a colour profile that does not fit it", "pictures have a profile that does not fit them")]
    return []


def remark_on_reduction(size: tuple[int, int], factor: int) -> Remark:
    """Says that a picture of (width, height) pixels is read at a whole fraction of its size."""
    millions = f"{size[0] * size[1] / 1e6:.0f} million pixels"
    return Remark(
        f"has {millions} and is read at 1/{factor} of its width and height",
        "pictures are very large and read at a fraction of their width and height",
        f"{millions}, 1/{factor}",
    )

"""A reference, and the interface of every source of references."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from multimodal_pulse.base.faithfulness import ok_lr_psnr_db
from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.held import NOTHING, Held, NothingHeld
from multimodal_pulse.references.noise import Noise
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.references.preparation import Prepared

if TYPE_CHECKING:
    from multimodal_pulse.references.alignment import Aligned


@dataclass(frozen=True)
class Reference:
    """The given LR picture and, in an evaluation, its HR original: float32 RGB in [0, 1], every value n / 255.

    Attributes:
        name: the name, unique within its source and usable as a file name; with the seed it fixes all random draws.
        lr: the LR picture, [3, h, w].
        hr: the original, [3, R, R]; None if unknown.
        prepared: what was done to the picture that it was made from; None if it was not made from a given picture.
        aligned: how its photograph was aligned; None if it was not.
        noise: the noise on `lr`.
        held: what samples must not change.
    """

    name: str
    lr: Tensor
    hr: Tensor | None
    prepared: Prepared | None = None
    aligned: "Aligned | None" = None
    noise: Noise = Noise()
    held: Held | NothingHeld = NOTHING

    @property
    def ok_lr_psnr_db(self) -> float:
        """The LR-PSNR in dB from which a sample is faithful to it."""
        return ok_lr_psnr_db(self.noise.std, self.lr.numel())


def degraded(name: str, original: Tensor, degradation: Degradation) -> Reference:
    """Makes the reference of an original [3, R, R] in [0, 1]; original and LR picture are rounded to 8 bits."""
    hr = quantise(original)
    return Reference(name, lr=quantise(degradation(hr)), hr=hr)


def outside(knows: str | None, shown: str) -> str | None:
    """Returns a clause, without a full stop, if the generator's domain does not fit the references'; else None.

    Args:
        knows: the generator's domain; None: any or unknown.
        shown: the references' domain.
    """
    if knows is None or f"{knows}/".startswith(f"{shown}/") or f"{shown}/".startswith(f"{knows}/"):
        return None
    known, pictures = in_words(knows), in_words(shown)
    return f"the generator knows {known}, and the references are {pictures}, outside of what it has seen"


def in_words(domain: str) -> str:
    """Returns a domain as people say it: "photographs of faces" for "photographs/faces"."""
    return " of ".join(domain.split("/"))


class References(ABC):
    """An ordered collection of references; each is made when it is requested.

    Attributes:
        domain: the content of the pictures, from general to particular, such as "photographs/faces".
        names: the names of the references, in order; known without reading any picture.
        notices: sentences that the user should see once; reading a picture may add some.
        files: by name, the file that the reference is made from; empty for references that come from no file.
    """

    domain = "photographs"

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.notices: list[str] = []
        self.files: dict[str, Path] = {}

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> Reference:
        """Makes the reference at `index`; raises UserError, with the file's name, if its picture cannot be used."""

    def check(self, indices: Iterable[int]) -> None:  # noqa: B027 (only files can turn out to be broken)
        """Checks before a search that each of these references can be made; keeps no picture.

        Raises:
            UserError: some pictures cannot be used; the first are named, the others counted.
        """

    def unusable(self, indices: Iterable[int]) -> dict[int, str]:
        """Returns, by index, the references that cannot be made, each with a sentence naming the file and the reason.

        It is for sources whose unusable references are left out; other sources refuse in `check` and return nothing
        here. Call it once, after `check` and before the search: it may take long and may add notices.
        """
        return {}

    def own_mask(self) -> Tensor | None:
        """Returns the default mask of LR noise, [1, R, R] in [0, 1]; None if these references have none."""
        return None

    def __iter__(self) -> Iterator[Reference]:
        return (self[index] for index in range(len(self)))

    def add_notice(self, sentence: str | None) -> None:
        if sentence is not None and sentence not in self.notices:
            self.notices.append(sentence)

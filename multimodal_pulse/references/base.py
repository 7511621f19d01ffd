"""What every source of references looks like."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from multimodal_pulse.degradation import Degradation
from multimodal_pulse.references.pixels import quantise


@dataclass(frozen=True)
class Reference:
    """The given LR picture and, in an evaluation, its HR original. Both float32 RGB in [0, 1], every value n / 255.

    Attributes:
        name: unique within its source and fit to be a file name; with the seed it fixes all random draws.
        lr: [3, h, w].
        hr: [3, R, R], or None where the original is unknown.
    """

    name: str
    lr: Tensor
    hr: Tensor | None


def degraded(name: str, original: Tensor, degradation: Degradation) -> Reference:
    """The reference of an original [3, R, R] in [0, 1]: what the degradation makes of its 8-bit values, in 8 bits."""
    hr = quantise(original)
    return Reference(name, lr=quantise(degradation(hr)), hr=hr)


def outside(knows: str | None, shown: str) -> str | None:
    """A notice where the generator's domain and the references' are none of the same kind; else None.

    Args:
        knows: the generator's domain; None: anything, or nobody knows.
        shown: the references'.
    """
    if knows is None or f"{knows}/".startswith(f"{shown}/") or f"{shown}/".startswith(f"{knows}/"):
        return None
    known, pictures = (" of ".join(domain.split("/")) for domain in (knows, shown))
    return (
        f"the generator knows {known}, and the references are {pictures}, outside of what it has seen: the samples will"
        f" look like {known}."
    )


class References(ABC):
    """An ordered collection of references, each made when it is asked for.

    Attributes:
        domain: what the pictures show, from the general to the particular, such as "photographs/faces".
        names: the references' names, in order; known without reading any picture.
        notices: sentences the user should see once. Reading a picture may add to them.
    """

    domain = "photographs"

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.notices: list[str] = []

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> Reference:
        """The reference at `index`. Raises UserError, naming the file, for a picture that cannot be used."""

    def check(self, indices: Iterable[int]) -> None:  # noqa: B027 (only files can turn out to be broken)
        """Makes sure, before a search begins, that each of these references can be made; nothing is kept.

        Raises:
            UserError: naming the first pictures that cannot be used, and counting the others.
        """

    def unusable(self, indices: Iterable[int]) -> dict[int, str]:
        """Which of these references cannot be made, by index, each with a sentence that names its file and the reason.

        For sources that are searched without them; others refuse in `check` and have none here. It may take long; to be
        called once, after `check` and before a search begins, and it may add notices.
        """
        return {}

    def own_mask(self) -> Tensor | None:
        """Where LR noise may be when no mask is given, [1, R, R] in [0, 1]; None: they have no such place."""
        return None

    def __iter__(self) -> Iterator[Reference]:
        return (self[index] for index in range(len(self)))

    def add_notice(self, sentence: str | None) -> None:
        if sentence is not None and sentence not in self.notices:
            self.notices.append(sentence)

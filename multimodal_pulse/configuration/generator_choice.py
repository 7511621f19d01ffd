"""Which generator is taken where none is named: one that knows what the references show."""

from collections.abc import Mapping, Sequence

_OWN_OPTIONS = {"faces": {"few_passes", "map"}}
"""The options that have a variant for a generator, such as conf/objective/map_faces.yaml."""
_OF_REFERENCES = {"image": "faces", "folder": "faces", "celeba_hq": "faces"}


def generator_for(references: str) -> str:
    """Returns the option of the slot `generator` for an option of `references`; conf/config.yaml asks for it."""
    return _OF_REFERENCES.get(references, "portraits")


def suited(option: str, generator: str) -> str:
    """Returns the variant of an option that suits a generator, else the option; method=explore asks for it."""
    return f"{option}_{generator}" if option in _OWN_OPTIONS.get(generator, ()) else option


def said_choice(choices: Mapping[str, str], overrides: Sequence[str]) -> str | None:
    """Returns a notice that says which generator was chosen and why; None if it was named, or is the built-in domain's.

    Args:
        choices: the chosen option of each slot.
        overrides: the overrides of the command line.
    """
    named = any(override.partition("=")[0] == "generator" for override in overrides)
    if named or choices["references"] not in _OF_REFERENCES or choices["generator"] != "faces":
        return None
    return (
        f"generator=faces is used because references={choices['references']} are photographs; generator=... names"
        " another one"
    )

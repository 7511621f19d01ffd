"""What `--help` prints: written here, but for the slots, options and knobs, which come from the files of `conf/`."""

import re

import yaml

from multimodal_pulse.configuration.conf_folder import CONF

USAGE = """\
multimodal-pulse: several faithful and different high-resolution pictures for one low-resolution picture.

A frozen generator's latent space is searched for K samples at once; each is scored against the reference it must match,
and against the original where there is one. Pictures, records and scores land in a run directory under outputs/.

  python run.py                                      the default: method=combined on the built-in domain
  python run.py method=combined noise.lr_std=0.108   a knob
  python run.py method=pulse num_samples=4 seed=0 references=folder references.path=photos/
  python run.py -m method=lr_noise noise.lr_std=0,0.05,0.108,0.2 seed=0,1,2        a sweep: a run for each combination
                                                     and at the end a table of all, also as sweep.csv in their folder
  python run.py hydra.run.dir=outputs/mine           a run directory of your choice; the same command again finishes it
  python run.py --cfg job                            print the whole configuration instead of running it

  multimodal-pulse <the same arguments>              the same, once installed
  multimodal-pulse weights [ffhq256]                 list the official networks, or fetch one (--help: more)
  multimodal-pulse convert in.pkl out.safetensors    a pretrained network as a small file without code in it
  multimodal-pulse merge <shard> <shard> ...         one run directory of the shards of an evaluation (--help: more)
  multimodal-pulse wandb-sweep seed=0,1 > sweep.yaml a sweep for the agents of Weights & Biases (--help: more)
  multimodal-pulse render <reference folder>         draw a reference's pictures again from its latents.safetensors
  multimodal-pulse render <run directory>            the same for all its references; a film is not drawn again

What cannot be run is refused in one line, with status 1, before anything is searched or written; so is a folder with a
picture that cannot be read: each that is to be searched is read once at the start. A run of a sweep that fails is a
row of the table, and the others go on. Without the weights of its backbone LPIPS is left out, and the run says so.
After Ctrl-C (status 130) the same command with the same hydra.run.dir, of a sweep hydra.sweep.dir, does what is
missing.
"""

FURTHER_KNOBS = {"references": "folder", "generator": "file"}
"""Options besides the default ones whose keys are knobs of everyday use."""

Knob = tuple[str, str | None]
"""Value and comment."""


def help_text() -> str:
    """The text of `--help`."""
    knobs = _explained(_keys("config.yaml"))
    for slot, default in _slots():
        further = _option_keys(slot, FURTHER_KNOBS[slot]) if slot in FURTHER_KNOBS else {}
        own = _option_keys(slot, default) if default else {}
        knobs |= {f"{slot}.{key}": knob for key, knob in _explained(further | own).items()}
    lines = [f"  {key} = {value}".ljust(42) + f" {said}" for key, (value, said) in knobs.items()]
    slots = [
        f"  {f'{slot}={option}'.ljust(40)}{'*' if chosen else ' '} {said}"
        for slot, default in _slots()
        for option, chosen, said in _options(slot, default)
    ]
    parts = [USAGE, "Knobs (key = default):", *lines, "", "Slots (slot=option, * the default):", *slots]
    return "\n".join(parts)


def _read(name: str) -> str:
    return (CONF / name).read_text(encoding="utf-8")


def _keys(name: str) -> dict[str, Knob]:
    """The keys of a file that have a value, one or two levels deep, by their dotted names."""
    keys: dict[str, Knob] = {}
    parent = ""
    for line in _read(name).split("\nhydra:")[0].splitlines():
        found = re.match(r"( *)(\w+):(?: ([^#]+?))?(?: # (.*))?$", line)
        if not found:
            continue
        indent, key, value, said = found.groups()
        if not indent:
            parent = key
        if value:
            keys[f"{parent}.{key}" if indent else key] = value.replace("???", "(to be given)"), said
    return keys


def _option_keys(slot: str, option: str) -> dict[str, Knob]:
    """The keys of an option, with those of the option that it starts from."""
    name = f"{slot}/{option}.yaml"
    keys: dict[str, Knob] = {}
    for base in (yaml.safe_load(_read(name)) or {}).get("defaults", []):
        if isinstance(base, str) and base != "_self_" and not base.startswith("/"):
            keys |= _option_keys(slot, base)
    return keys | {key: (value, said or keys.get(key, ("", None))[1]) for key, (value, said) in _keys(name).items()}


def _explained(keys: dict[str, Knob]) -> dict[str, Knob]:
    """Those that a comment explains."""
    return {key: (value, said) for key, (value, said) in keys.items() if said}


def _slots() -> list[tuple[str, str]]:
    """(slot, default option), in the order of the data path."""
    defaults = yaml.safe_load(_read("config.yaml"))["defaults"]
    chosen = {slot: option for entry in defaults if isinstance(entry, dict) for slot, option in entry.items()}
    return [
        (slot, chosen[option[2:-1]] if str(option).startswith("${") else option)
        for slot, option in chosen.items()
        if not slot.startswith("override ")
    ]


def _options(slot: str, default: str) -> list[tuple[str, bool, str]]:
    """(option, whether it is the default, its first comment), in alphabetical order."""
    folder = CONF / slot
    names = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return [(name, name == default, _first_comment(_read(f"{slot}/{name}.yaml"))) for name in names]


def _first_comment(text: str) -> str:
    comments = (line[2:] for line in text.splitlines() if line.startswith("# ") and not line.startswith("# @"))
    return next(comments)

"""The text of `--help`; its slots, options and knobs come from the files of `conf/`."""

from multimodal_pulse.configuration.option_files import Key, first_comment, keys, option_keys, options, slots

USAGE = """\
multimodal-pulse: several faithful and different high-resolution pictures for one low-resolution picture.

A frozen generator's latent space is searched for K samples at once. Each is scored against the reference that it must
match, and against the original if there is one. Pictures, records and scores go to a run directory under outputs/.

  python run.py                                      the default: method=explore on the built-in domain
  python run.py method=combined noise.lr_std=0.108   a knob
  python run.py method=pulse num_samples=4 seed=0 references=folder references.path=photos/
  python run.py -m method=lr_noise noise.lr_std=0,0.05,0.108,0.2 seed=0,1,2        a sweep: a run for each combination
                                                     and a table of all of them, also as sweep.csv in their folder
  python run.py hydra.run.dir=outputs/mine           a run directory of your choice; the same command again finishes it
  python run.py --cfg job                            print the whole configuration instead of running it

  multimodal-pulse <the same arguments>              the same, once installed
  multimodal-pulse weights [ffhq256]                 list the official networks, or fetch one
  multimodal-pulse convert in.pkl out.safetensors    write a pretrained network as a small file without code in it
  multimodal-pulse merge <shard> <shard> ...         make one run directory of the shards of an evaluation
  multimodal-pulse render <folder>                   draw the pictures of a run or of one reference again
  multimodal-pulse draw <folder> --count 100         draw further samples, after method=brgm_variational
  multimodal-pulse studio                            search, compare and see all runs on a page in the browser
  multimodal-pulse wandb-report <sweep>              make a report of Weights & Biases about the runs of a sweep
                                                     (each of these seven has a --help of its own)

A command that cannot be run is refused in one line, with status 1, before anything is searched or written; so is a
picture that cannot be read, and a sweep of which a single run cannot be done. If a run of a sweep fails later, the
table says so and the other runs go on. If the weights of the LPIPS backbone are missing, LPIPS is left out and the run
says so. After Ctrl-C (status 130) or SIGTERM (143) the same command with the same hydra.run.dir (of a sweep:
hydra.sweep.dir) does what is missing.
"""

SLOTS = """\
Slots (slot=option). * stands in conf/config.yaml; a method, by default explore, chooses other options of several slots,
and --cfg job shows what was chosen:"""

FURTHER_KNOBS = {"references": ("image", "folder"), "generator": ("file",), "batch_diversity": ("repulsion",)}
"""Options that are not the default and whose keys are shown all the same."""


def help_text() -> str:
    """Returns the text of `--help`."""
    knobs = _explained(keys("config.yaml"))
    for slot, default in slots().items():
        shown = [*FURTHER_KNOBS.get(slot, ()), *([default] if default else [])]
        of_slot = {key: knob for option in shown for key, knob in option_keys(slot, option).items()}
        knobs |= {f"{slot}.{key}": knob for key, knob in _explained(of_slot).items()}
    lines = [f"  {key} = {value}".ljust(42) + f" {said}" for key, (value, said) in knobs.items()]
    choices = [
        f"  {f'{slot}={option}'.ljust(40)}{'*' if option == default else ' '} {first_comment(slot, option)}"
        for slot, default in slots().items()
        for option in options(slot)
    ]
    parts = [USAGE, "Knobs (key = default):", *lines, "", SLOTS, *choices]
    return "\n".join(parts)


def _explained(knobs: dict[str, Key]) -> dict[str, Key]:
    """Returns those knobs that a comment explains."""
    return {key: (value, said) for key, (value, said) in knobs.items() if said}

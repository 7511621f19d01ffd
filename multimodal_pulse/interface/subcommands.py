"""The small commands beside the search. Reached by `--help`: nothing heavy is imported before a command runs."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from multimodal_pulse.base.errors import UserError

WEIGHTS_HELP = """\
multimodal-pulse weights: the official StyleGAN2 networks, fetched once and kept.

  multimodal-pulse weights                   list them: name, how much of it is here, address, what it makes
  multimodal-pulse weights ffhq256           fetch one (or more), check it, and print its sha256 and its path

A download that breaks off goes on where it stopped when the same command runs again. A file is read once to see that it
is the network; then its sha256 is kept beside it and compared whenever it is used. generator.sha256=... holds a run to
the one you expect.

  python run.py generator=ffhq256            also ffhq512, ffhq1024: fetches what is not here
  python run.py generator=file generator.path=<the printed path>                 any other of the list

Without a network: fetch the address on another machine and put the file, under its own name, into the folder that the
list begins with. MULTIMODAL_PULSE_CACHE=<folder> moves that folder; MULTIMODAL_PULSE_MIRROR=<address> names another
place to fetch from, in which the files have the same names.

The weights are NVIDIA's, under its Source Code License: for non-commercial use.
"""

CONVERT_HELP = """\
multimodal-pulse convert: a pretrained generator as a safetensors file, which holds no code and loads at once.

  multimodal-pulse convert network.pkl network.safetensors            an official .pkl: only G_ema is kept
  multimodal-pulse convert checkpoint.pt network.safetensors          a rosinality-style .pt: only g_ema is kept
  multimodal-pulse convert network.pkl network.safetensors --force    replace network.safetensors if it is there

The weights are copied as they are (float32), so that the pictures are the same to the last bit. Nothing inside the
source is executed, whatever it is. Use the result with

  python run.py generator=file generator.path=network.safetensors
"""

RENDER_HELP = """\
multimodal-pulse render: the pictures of a finished search, drawn again from its latents.safetensors.

  multimodal-pulse render outputs/.../references/<name>      one reference
  multimodal-pulse render outputs/.../<run>                  all references of a run directory

What is drawn is what the run drew: the samples, their low-resolution versions and the grid, with the generator, the
degradation and the consistency that each record.json names. It replaces the pictures that are there and prints their
paths; scores and records stay. A film is not drawn again. The weights must be where they were, with the same sha256.
"""

WANDB_SWEEP_HELP = """\
multimodal-pulse wandb-sweep: the YAML file of a Weights & Biases sweep, from the words of a sweep with -m.

  multimodal-pulse wandb-sweep method=combined noise.lr_std=0,0.05,0.108 \\
      'objective.diversity_weight=interval(0.001,0.02)' > sweep.yaml
  wandb sweep sweep.yaml                             prints the name of the sweep
  wandb agent <that name>                            starts runs, here or on any machine with this program and a key

What has one value is the same in every run. What is swept is written as Hydra has it, in quotes for the shell:

  seed=0,1,2   'seed=range(0,3)'   'method=choice(pulse,resampling)'               each of some values
  'noise.lr_std=interval(0,0.2)'   'steps=int(interval(50,200))'                   any number between two, any whole one
  'objective.diversity_weight=tag(log,interval(0.0001,0.01))'                      by factors instead of steps

  --strategy=grid|random|bayes   grid: every combination, the default without an interval; random, the default with one;
                                 bayes: by the metric of the runs before
  --metric=lr_psnr.mean          a number of metrics.json, also diversity.rms, lpips.mean, ...; what a wrong one is told
                                 names them all
  --goal=maximize|minimize       of the metric; otherwise whatever is better

Every combination is composed and checked first, of an interval both ends and a value between them; what cannot run is
refused in one line. The agent runs `python run.py` in the folder where it was started, which is this program's source
tree, with its environment active. Each run is a run directory as ever; it has tracking.mode=online, which takes a key
(`wandb login`), and goes to the sweep's project.
"""

MERGE_HELP = """\
multimodal-pulse merge: one run directory, with its table, out of the shards of one evaluation.

  python run.py -m hydra/launcher=joblib shard.count=2 'shard.index=range(2)' hydra.sweep.dir=outputs/mine ...
  multimodal-pulse merge outputs/mine/shard-*                              makes outputs/mine/merged
  multimodal-pulse merge outputs/mine/shard-* --out outputs/whole          makes outputs/whole

The folders of the references become hard links, or copies where the file system has none; records.jsonl and
metrics.json are derived from them, and the table is that of a run. The result is what one process would have left:
the same command without shards and with hydra.run.dir=<the result> finds nothing to do. Curves stay with the shards.

Shards that overlap, that are not the whole evaluation (what is missing is named), or whose configuration, plan or
weights differ are refused in one line, with status 1, and nothing is written. A shard is never changed. After a kill
the same command does the rest.
"""

HELP = {
    "render": RENDER_HELP,
    "weights": WEIGHTS_HELP,
    "convert": CONVERT_HELP,
    "wandb-sweep": WANDB_SWEEP_HELP,
    "merge": MERGE_HELP,
}
"""What `multimodal-pulse <command> --help` prints."""


def weights(arguments: Sequence[str]) -> None:
    """Lists the official networks, or fetches those that are named."""
    from multimodal_pulse.generator.files.weights import NETWORKS, present, weights_folder

    if any(argument.startswith("-") for argument in arguments):
        raise UserError("usage: multimodal-pulse weights [<name> ...]; multimodal-pulse weights --help says more.")
    if not arguments:
        print(f"kept in {weights_folder()}")
        for network in NETWORKS.values():
            print(f"{network.name.ljust(13)}  {network.state.ljust(16)}  {network.address}  {network.what}")
    for name in arguments:
        try:
            path = present(name)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt("What has arrived stays; the same command goes on there.") from stop
        from multimodal_pulse.generator.files.pretrained import load_official

        print(f"{load_official(name).sha256}  {path}")


def convert(arguments: Sequence[str]) -> None:
    """Writes the generator in a file of any kind as our safetensors."""
    force = "--force" in arguments
    paths = [argument for argument in arguments if argument != "--force"]
    if len(paths) != 2 or any(path.startswith("-") for path in paths):
        raise UserError(
            "usage: multimodal-pulse convert <.pkl or .pt> <.safetensors> [--force]; multimodal-pulse convert --help"
            " says more."
        )
    source, target = (Path(os.path.expanduser(path)) for path in paths)
    try:
        if target.is_dir():
            raise UserError(f"{target} is a folder: give a file in it, {target / source.stem}.safetensors.")
        if target.suffix != ".safetensors":
            raise UserError(f"{target} must end in .safetensors: that is what is written.")
        if not target.parent.is_dir():
            raise UserError(f"{target.parent} is no folder: make it first.")
        if target.exists() and not force:
            raise UserError(f"{target} is there already: add --force to replace it.")
    except OSError as error:  # below a folder that may not be entered
        raise UserError(f"{target} cannot be reached: {error.strerror}.") from error
    from multimodal_pulse.base.download import megabytes
    from multimodal_pulse.base.files import file_sha256
    from multimodal_pulse.generator import load_generator, save_generator

    generator = load_generator(source)
    before = source.stat().st_size
    try:
        save_generator(generator.network, target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}.") from error
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    side = generator.resolution
    print(f"{source}: {megabytes(before)}, {side} x {side} pixels, {parameters:,} parameters")
    print(f"{target}: {megabytes(target.stat().st_size)}, sha256 {file_sha256(target)}")


class _Arguments(argparse.ArgumentParser):
    """Says what is wrong as everything here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help says more.")


def wandb_sweep(arguments: Sequence[str]) -> None:
    """Prints the YAML file of a W&B sweep."""
    from multimodal_pulse.interface.wandb_sweep import STRATEGIES, wandb_sweep

    parser = _Arguments(prog="multimodal-pulse wandb-sweep", add_help=False, allow_abbrev=False)
    parser.add_argument("--metric", default="lr_psnr.mean")
    parser.add_argument("--goal", choices=("maximize", "minimize"))
    parser.add_argument("--strategy", choices=STRATEGIES)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_intermixed_args(arguments)
    print(wandb_sweep(given.overrides, given.metric, given.goal, given.strategy), end="")


def merge(arguments: Sequence[str]) -> None:
    """Makes one run directory of those of an evaluation's shards."""
    parser = _Arguments(prog="multimodal-pulse merge", add_help=False, allow_abbrev=False)
    parser.add_argument("--out", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_intermixed_args(arguments)
    from multimodal_pulse.results.merge import merge

    whole = merge(given.folders, given.out)
    print(whole)
    if whole.failure:
        raise UserError(
            "not all references are in the table. Once those that could not be used are mended, start their shards"
            " again, and then this merge."
        )

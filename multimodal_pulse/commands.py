"""The small commands beside the search. Reached by `--help`: nothing heavy is imported before a command runs."""

from collections.abc import Sequence
from pathlib import Path

from multimodal_pulse.errors import UserError

WEIGHTS_HELP = """\
multimodal-pulse weights: the official StyleGAN2 networks, fetched once and kept.

  multimodal-pulse weights                   list them: name, how much of it is here, address, what it makes
  multimodal-pulse weights ffhq256           fetch one (or more), check it, and print its sha256 and its path

A download that breaks off goes on where it stopped when the same command runs again. The sha256 of what came is kept
beside the file and compared whenever the file is used; generator.sha256=... holds a run to the one you expect.

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

HELP = {"weights": WEIGHTS_HELP, "convert": CONVERT_HELP}
"""What `multimodal-pulse <command> --help` prints."""


def weights(arguments: Sequence[str]) -> None:
    """Lists the official networks, or fetches those that are named."""
    from multimodal_pulse.weights import NETWORKS, fetch, weights_folder

    if any(argument.startswith("-") for argument in arguments):
        raise UserError("usage: multimodal-pulse weights [<name> ...]; multimodal-pulse weights --help says more.")
    if not arguments:
        print(f"kept in {weights_folder()}")
        for network in NETWORKS.values():
            print(f"{network.name.ljust(13)}  {network.state.ljust(16)}  {network.address}  {network.what}")
    for name in arguments:
        path, sha256 = fetch(name)
        print(f"{sha256}  {path}")


def convert(arguments: Sequence[str]) -> None:
    """Writes the generator in a file of any kind as our safetensors."""
    force = "--force" in arguments
    paths = [argument for argument in arguments if argument != "--force"]
    if len(paths) != 2 or any(path.startswith("-") for path in paths):
        raise UserError(
            "usage: multimodal-pulse convert <.pkl or .pt> <.safetensors> [--force]; multimodal-pulse convert --help"
            " says more."
        )
    source, target = (Path(path).expanduser() for path in paths)
    if target.suffix != ".safetensors":
        raise UserError(f"{target} must end in .safetensors: that is what is written.")
    if not target.parent.is_dir():
        raise UserError(f"{target.parent} is no folder: make it first.")
    if target.exists() and not force:
        raise UserError(f"{target} is there already: add --force to replace it.")
    from multimodal_pulse.download import megabytes
    from multimodal_pulse.files import file_sha256
    from multimodal_pulse.generator import load_generator, save_generator

    generator = load_generator(source)
    before = source.stat().st_size
    save_generator(generator.network, target)
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    side = generator.resolution
    print(f"{source}: {megabytes(before)}, {side} x {side} pixels, {parameters:,} parameters")
    print(f"{target}: {megabytes(target.stat().st_size)}, sha256 {file_sha256(target)}")

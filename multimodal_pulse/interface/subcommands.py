"""The small commands beside the search. `--help` needs this module: nothing heavy is imported before a command runs."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from multimodal_pulse.base.errors import STOPS, UserError
from multimodal_pulse.base.files import expanded
from multimodal_pulse.interface.messages import say_loading, show

WEIGHTS_HELP = """\
List the official StyleGAN2 networks, or fetch some and print their sha256 and path. An interrupted download goes on
where it stopped. A fetched file is read once to see that it is the network; its sha256 is then kept beside it and
compared at every use.

  multimodal-pulse weights                   name, state, address and content of each
  multimodal-pulse weights ffhq256           fetch this one
  python run.py generator=ffhq256            fetch it if it is missing, and search with it; also ffhq512, ffhq1024
  python run.py generator=file generator.path=<the printed path>                 for any other of the list

Without a network: fetch the address on another machine and put the file, under its own name, into the folder that the
list begins with. MULTIMODAL_PULSE_CACHE=<folder> moves that folder; MULTIMODAL_PULSE_MIRROR=<address> names another
server with files of the same names. The weights are NVIDIA's, under its Source Code License: for non-commercial use.
"""

CONVERT_HELP = """\
Write a pretrained generator as a safetensors file, which holds no code and loads at once. The weights stay the same to
the last bit (float32). No code inside the source file is executed.

  multimodal-pulse convert network.pkl network.safetensors            an official .pkl: only G_ema is kept
  multimodal-pulse convert checkpoint.pt network.safetensors          a rosinality-style .pt: only g_ema is kept
  python run.py generator=file generator.path=network.safetensors
"""

RENDER_HELP = """\
Draw the pictures of a finished search again from its latents.safetensors, and print their paths: the samples, their
low-resolution versions and the grid. Scores, records and films stay as they are. The generator's file must lie where
it lay, with the same sha256.

  multimodal-pulse render outputs/.../references/<name>      one reference
  multimodal-pulse render outputs/.../<run>                  all references of a run directory
"""

DRAW_HELP = """\
Draw further samples of a finished search that has fitted distributions (method=brgm_variational) and print their
paths: draws/draw_0000.png, ... in the folder of the reference. Each costs one forward pass and no search; the same
command draws the same samples.

  multimodal-pulse draw outputs/.../references/<name> --count 100      of one reference
  multimodal-pulse draw outputs/.../<run>                              16 of every reference of a run directory
"""

MERGE_HELP = """\
Make one run directory, with its table, of the shards of one evaluation. It is what one process would have left; only
curves stay with the shards. Files are hard links, or copies where the file system has none; no shard is changed.

  python run.py -m hydra/launcher=joblib shard.count=2 'shard.index=range(2)' hydra.sweep.dir=outputs/mine ...
  multimodal-pulse merge outputs/mine/shard-*                              makes outputs/mine/merged
  multimodal-pulse merge outputs/mine/shard-* --out outputs/whole          makes outputs/whole

Refused in one line, with status 1, before anything is written: shards that overlap, shards that are not the whole
evaluation (what is missing is named), and shards with different configurations, plans or weights. After a kill the
same command does the rest.
"""


STUDIO_HELP = """\
Open a page in the browser on which pictures are searched: drop a photograph or take a built-in portrait, scribble where
samples may differ, choose a method, watch the pictures become better, compare them, and take them home with the command
that makes them again. A second view shows the runs below outputs/. Ctrl-C ends it.

  multimodal-pulse studio                           on this machine, in the default browser
  multimodal-pulse studio --no-browser --port 8000  for a browser that is opened by hand
  multimodal-pulse studio --host 0.0.0.0            for other machines too, which then need the address with its token

It needs the extra `studio`: pip install 'multimodal-pulse[studio]'. Nothing is sent anywhere else.
"""

WANDB_REPORT_HELP = """\
Make a report of Weights & Biases about the runs of a sweep, as the studio shows them: a table, the distance between
samples against PSNR and against LR-PSNR with the Pareto front, the curves and the galleries; and print its address.

  multimodal-pulse wandb-report outputs/.../<sweep>              the runs of a sweep, found by their group
  multimodal-pulse wandb-report outputs/.../<run>                one run
  multimodal-pulse wandb-report outputs/.../<sweep> --dry-run    print what would be sent, without a key or a network

It needs the extra `wandb-report`: pip install 'multimodal-pulse[wandb-report]', and a key (`wandb login`). Runs that
were tracked offline are in the report once `wandb sync` has uploaded them.
"""


def execute(arguments: Sequence[str]) -> None:
    """Runs the subcommand that the first argument names; `--help` after it prints its help and ends the program.

    Raises:
        UserError: the arguments do not suit it, or it cannot do what they ask for.
    """
    known, unknown = _parser().parse_known_args(arguments)
    given = vars(known)
    run, command = given.pop("run"), given.pop("command")
    if unknown:  # argparse itself would speak of the whole program's help
        command.error(f"unrecognized arguments: {' '.join(unknown)}")
    run(**given)


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, as the rest of the program does."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help says more.")


def _parser() -> _Parser:
    parser = _Parser(prog="multimodal-pulse")
    commands = parser.add_subparsers()

    def add(run: Callable[..., None], text: str) -> argparse.ArgumentParser:
        layout = argparse.RawDescriptionHelpFormatter
        command = commands.add_parser(
            run.__name__.replace("_", "-"), description=text, formatter_class=layout, allow_abbrev=False
        )
        command.set_defaults(run=run, command=command)
        return command

    command = add(weights, WEIGHTS_HELP)
    command.add_argument("names", nargs="*", metavar="name", help="a network to fetch; none: list all")
    command = add(convert, CONVERT_HELP)
    command.add_argument("source", type=expanded, help="a .pkl, .pt or .safetensors file")
    command.add_argument("target", type=expanded, help="the .safetensors file to write")
    command.add_argument("--force", action="store_true", help="replace the target if it exists")
    command = add(render, RENDER_HELP)
    command.add_argument("folder", type=expanded, help="a run directory, or the folder of one reference in it")
    command = add(draw, DRAW_HELP)
    command.add_argument("folder", type=expanded, help="a run directory, or the folder of one reference in it")
    command.add_argument("--count", type=int, default=16, help="samples of each reference; default: 16")
    command = add(merge, MERGE_HELP)
    command.add_argument("folders", type=expanded, nargs="+", metavar="shard", help="the run directory of a shard")
    command.add_argument("--out", type=expanded, help="the run directory to make; default: `merged` beside the shards")
    command = add(studio, STUDIO_HELP)
    command.add_argument("--host", default="127.0.0.1", help="the address to listen on; default: this machine alone")
    command.add_argument("--port", type=int, default=0, help="the port; default: a free one")
    command.add_argument("--no-browser", dest="browser", action="store_false", help="open no browser")
    command.add_argument(
        "--outputs", type=expanded, default=Path("outputs"), help="the folder of runs; default: outputs"
    )
    command = add(wandb_report, WANDB_REPORT_HELP)
    command.add_argument("folder", type=expanded, help="the folder of a sweep, or a run directory")
    command.add_argument("--entity", help="the user or team that has the project; default: that of the key")
    command.add_argument("--project", help="the W&B project; default: tracking.project of the runs")
    command.add_argument("--title", help="default: the folder's name")
    command.add_argument("--dry-run", action="store_true", help="print the report's specification and send nothing")
    return parser


def weights(names: Sequence[str]) -> None:
    """Lists the official networks, or fetches those that are named."""
    from multimodal_pulse.generator.files.weights import NETWORKS, present, weights_folder

    if not names:
        show(f"kept in {weights_folder()}")
        for network in NETWORKS.values():
            show(f"{network.name.ljust(13)}  {network.state.ljust(16)}  {network.address}  {network.what}")
    for name in names:
        try:
            path = present(name)
        except STOPS as stop:
            stop.add_note("What has arrived stays; the same command goes on there.")
            raise
        from multimodal_pulse.generator.files.pretrained import load_official

        show(f"{load_official(name).sha256}  {path}")


def convert(source: Path, target: Path, force: bool) -> None:
    """Writes the generator in a file of any kind as our safetensors."""
    if target.is_dir():
        raise UserError(f"{target} is a folder: give a file in it, {target / source.stem}.safetensors.")
    if target.suffix != ".safetensors":
        raise UserError(f"{target} must end in .safetensors: that is what is written.")
    if not target.parent.is_dir():
        raise UserError(f"{target.parent} is not a folder: make it first.")
    if target.exists() and not force:
        raise UserError(f"{target} exists already: add --force to replace it.")
    say_loading(f"PyTorch and {source}")
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
    show(f"{source}: {megabytes(before)}, {side} x {side} pixels, {parameters:,} parameters")
    show(f"{target}: {megabytes(target.stat().st_size)}, sha256 {file_sha256(target)}")


def render(folder: Path) -> None:
    """Draws the pictures of a reference, or of all in a run directory, again from their `latents.safetensors`."""
    say_loading("PyTorch and the generator of the run")
    from multimodal_pulse.results.pictures.redraw import reference_folders, render_folder
    from multimodal_pulse.run.build import renderer_loader

    load = renderer_loader()
    for reference in reference_folders(folder):
        for path in render_folder(reference, load):
            show(path)


def draw(folder: Path, count: int) -> None:
    """Draws further samples of a reference, or of all in a run directory, from the distributions that were fitted."""
    if count < 1:
        raise UserError(f"--count={count} must be at least 1.")
    say_loading("PyTorch and the generator of the run")
    from multimodal_pulse.results.pictures.redraw import draw_folder, reference_folders
    from multimodal_pulse.run.build import renderer_loader

    load = renderer_loader()
    for reference in reference_folders(folder):
        for path in draw_folder(reference, load, count):
            show(path)


def merge(folders: Sequence[Path], out: Path | None) -> None:
    """Makes one run directory of those of an evaluation's shards."""
    from multimodal_pulse.results.merge import merge

    whole = merge(folders, out)
    show(whole)
    if whole.failure:
        raise UserError(
            "the table lacks some references. Once their pictures can be used, start their shards again, and then this"
            " merge."
        )


def studio(host: str, port: int, browser: bool, outputs: Path) -> None:
    """Serves the page on which pictures are searched, until Ctrl-C."""
    if not 0 <= port < 2**16:
        raise UserError(f"--port={port} must be from 0 to {2**16 - 1}.")
    from multimodal_pulse.studio.serve import serve

    serve(host, port, browser, outputs)


def wandb_report(folder: Path, entity: str | None, project: str | None, title: str | None, dry_run: bool) -> None:
    """Makes a W&B report about the runs of a sweep, or prints its specification."""
    say_loading("PyTorch and W&B's library")
    try:
        from multimodal_pulse.results.tracking import wandb_report
    except ModuleNotFoundError as error:
        raise UserError(
            f"A W&B report needs {error.name}, which is not installed: pip install 'multimodal-pulse[wandb-report]', or"
            " in a checkout pip install -e '.[wandb-report]'."
        ) from error
    from multimodal_pulse.results.json_files import to_json

    runs = wandb_report.tracked_runs(folder)
    project = project or runs.project
    title = title or folder.resolve().name
    if (length := len(title)) > (longest := wandb_report.LONGEST_TITLE):
        raise UserError(
            f"the title has {length} characters, and W&B takes {longest} at the most: give another --title."
        )
    if dry_run:
        report = wandb_report.make_report(runs, project, title, entity=entity or "")
        show(to_json(wandb_report.specification(report)).rstrip())
    else:
        show(wandb_report.publish(runs, project, title, entity))


COMMANDS = ("weights", "convert", "render", "draw", "merge", "studio", "wandb-report")
"""What the first argument may be, besides Hydra's own."""

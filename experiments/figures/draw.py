"""Draw one of the report's figures with our own samples; missing runs are searched first.

    python experiments/figures/draw.py figure3                                  # outputs/figure3/figure3.png
    python experiments/figures/draw.py figure3 --out experiments/figures/figure3.jpg
    python experiments/figures/draw.py figure3 generator=ffhq256 references=image references.path=face.jpg \
        hydra.sweep.dir=outputs/figure3-ffhq256                                 # any overrides of run.py

The rows are those of `conf/experiment/figure3.yaml`: `python run.py -m experiment=figure3` makes the same runs in the
same place. Other values of the swept knob are other rows: `draw.py figure3 noise.lr_std=0,0.02`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison import Row, figure, save
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.schema import register
from multimodal_pulse.interface.api import run_overrides
from multimodal_pulse.interface.hydra_errors import explain

# The title of each figure, and the names of its rows.
FIGURES = {
    "figure2": ("Latent resampling: independent initial latents", "batch {}"),
    "figure3": ("Noise on the reference: one initial latent", "noise std {}"),
    "figure4": ("Noise on a part of the reference: one initial latent", "noise std {}"),
    "figure5": ("Synthesis noise: one initial latent", "noise std {}"),
    "figure6": ("Batch-diversity loss: one initial latent, random noise maps", "loss weight {}"),
    "figure7": ("All mechanisms together: nine samples", "batch {}"),
}


@dataclass(frozen=True)
class Run:
    """The run of a row: the value of the swept knob, the overrides of run.py, and the run directory."""

    value: str
    overrides: Sequence[str]
    run_dir: Path


def runs_of(name: str, overrides: Sequence[str]) -> list[Run]:
    """Returns the runs of a figure, in order: the jobs of `python run.py -m experiment=<name> <overrides>`.

    Raises:
        UserError: an override cannot be used.
    """
    experiment = f"experiment={name}"
    [(knob, values)] = _composed([experiment]).hydra.sweeper.params.items()
    given = [override.partition("=")[2] for override in overrides if override.startswith(f"{knob}=")]
    others = [override for override in overrides if not override.startswith(f"{knob}=")]
    runs = []
    for value in str([values, *given][-1]).split(","):
        arguments = [experiment, *others, f"{knob}={value}"]
        sweep = _composed(arguments).hydra.sweep
        runs.append(Run(value, arguments, Path(sweep.dir, sweep.subdir)))
    return runs


def _composed(overrides: Sequence[str]) -> DictConfig:
    """Composes the configuration with Hydra's own node, which has the folder of the sweep."""
    register()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("config", list(overrides), return_hydra_config=True)
    except (HydraException, ValueError) as error:
        raise UserError(explain(error)) from error


def draw(name: str, overrides: Sequence[str], out: Path | None = None) -> Path:
    """Searches the missing runs of a figure and draws it.

    Args:
        name: the name of the figure.
        overrides: overrides of run.py for every row.
        out: a .png or .jpg file; None: <name>.png in the folder of the runs.
    Returns: the file.
    Raises:
        UserError: an override cannot be used, or a run directory holds another run.
    """
    title, row_name = FIGURES[name]
    rows = []
    for run in runs_of(name, overrides):
        found = run_overrides(run.overrides, run.run_dir)
        folder = run.run_dir / "references" / found.entries[0]["reference"]
        rows.append(Row(row_name.format(run.value), [folder]))
    out = rows[0].folders[0].parents[2] / f"{name}.png" if out is None else out
    save(figure(rows, title), out)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--out", type=Path, help="a .png or .jpg file")
    parser.add_argument("overrides", nargs="*", help="overrides of run.py for every row")
    args = parser.parse_intermixed_args(arguments)
    try:
        print(draw(args.figure, args.overrides, args.out))
    except UserError as error:
        sys.exit(f"draw: {error}")


if __name__ == "__main__":
    main()

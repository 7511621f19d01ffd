"""Checks every run of a sweep before the first one begins."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import own_hydra
from multimodal_pulse.configuration.overrides import own_overrides
from multimodal_pulse.configuration.validation import check_config, check_files
from multimodal_pulse.interface.messages import say_loading
from multimodal_pulse.references.picture_files import refuse_failing, size_and_format
from multimodal_pulse.run.picture_sizes import picture_files

if TYPE_CHECKING:
    from multimodal_pulse.run.build import Parts

OF_PARTS = ("references", "degradation", "generator", "lr_noise", "synthesis_noise", "trainer")
"""The nodes that the parts of a run are built from."""
HERE = ("basic", "joblib")
"""Launchers whose runs find the files that this process finds."""


def check_sweep(arguments: Sequence[str]) -> None:
    """Composes, checks and builds every run that the arguments of a sweep ask for; searches nothing.

    A sweeper that chooses its values as it goes, such as Optuna's, checks them itself, when it has chosen them.

    Raises:
        UserError: the sweep has no runs, or some of them cannot be done; the first is named, the others are counted.
        hydra.errors.HydraException: a run cannot be composed.
    """
    given = get_args_parser().parse_args(arguments)
    if given.cfg or given.info or given.config_dir or given.config_path or given.config_name or given.hydra_help:
        return
    with own_hydra():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        loader = hydra.config_loader
        sweep = hydra.compose_config("config", given.overrides, RunMode.MULTIRUN, with_log_configuration=False)
        sweeper, launcher = sweep.hydra.sweeper, sweep.hydra.runtime.choices["hydra/launcher"]
        if sweeper._target_ != f"{BasicSweeper.__module__}.{BasicSweeper.__name__}":
            return
        words = [f"{key}={value}" for key, value in (sweeper.params or {}).items()] + sweep.hydra.overrides.task
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(words)
        [runs] = BasicSweeper.split_arguments(overrides, max_batch_size=None)
        if not runs:
            empty = [o.input_line for o in overrides if o.is_sweep_override() and not list(o.sweep_string_iterator())]
            raise UserError(f"the sweep has no runs: there is no value in {', '.join(map(str, empty))}.")
        composed = [loader.load_sweep_config(master_config=sweep, sweep_overrides=run) for run in runs]
    refused = _refused(composed, launcher)
    if refused:
        number, why = next(iter(refused.items()))
        swept = " ".join(own_overrides(composed[number].hydra.overrides.task, arguments))
        more = len(refused) - 1
        others = f" {more} more of the {len(runs)} runs cannot be done either." if more else ""
        raise UserError(f"{swept}: {why}{others}" if swept and len(runs) > 1 else why)


def _refused(runs: Sequence[DictConfig], launcher: str) -> dict[int, str]:
    """Returns, by the number of the run, why it cannot be done.

    What the values and the files say comes first, since it takes no PyTorch. Only the runs of this process are built:
    the processes of a launcher may be on machines with other devices.
    """
    refused: dict[int, str] = {}
    readable, builder = set[tuple[Path, ...]](), _Builder()

    def attempt(check: Callable[[DictConfig, HydraConf], None]) -> None:
        for number, run in enumerate(runs):
            cfg = run.copy()
            with open_dict(cfg):
                del cfg["hydra"]
            try:
                check(cfg, run.hydra)
            except UserError as error:
                refused[number] = str(error)

    def light(cfg: DictConfig, hydra: HydraConf) -> None:
        check_config(cfg, hydra.runtime.choices, hydra.overrides.task)
        if launcher in HERE:
            check_files(cfg)
            if (paths := picture_files(cfg.references)) not in readable:
                refuse_failing(size_and_format, paths)
                readable.add(paths)

    attempt(light)
    if not refused and launcher == "basic":
        say_loading(f"PyTorch, to check {len(runs)} runs before the first begins")
        attempt(lambda cfg, hydra: builder.build(cfg))
    return refused


class _Builder:
    """Builds the objects of runs as `run` does; parts that the next run has too are kept."""

    def __init__(self) -> None:
        self._settings = ""
        self._parts: Parts | None = None

    def build(self, cfg: DictConfig) -> None:
        """
        Raises:
            UserError: an object refuses its settings.
        """
        from multimodal_pulse.run.build import build_parts, build_search

        settings = OmegaConf.to_yaml(OmegaConf.masked_copy(cfg, [*OF_PARTS, "noise"]))
        if self._parts is None or settings != self._settings:
            self._parts = None  # frees the memory of those that were kept
            self._parts, self._settings = build_parts(cfg, picture=None), settings
        build_search(cfg, [], self._parts)

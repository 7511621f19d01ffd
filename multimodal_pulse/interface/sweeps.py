"""What a command sweeps, in Hydra's words (`a=1,2`, `a=range(0,3)`, `a=interval(0,1)`), for other programs' engines.

Hydra's own `-m` needs none of this; a W&B sweep and a study with Optuna are told what to choose from, and start runs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, ValueType
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.configuration.compose import Job, compose_job
from multimodal_pulse.configuration.conf_folder import CONF
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.interface.hydra_errors import explain

INSIDE = (3 - math.sqrt(5)) / 2
"""Where in an interval a value is tried besides its ends: no whole number, whatever whole numbers the ends are."""


@dataclass(frozen=True)
class Choices:
    """Some values, as they stand in an override (`null`, `[64,128]`, `'a b'`)."""

    values: tuple[str, ...]

    @property
    def tried(self) -> tuple[str, ...]:
        """What `check_sweep` tries: all of them."""
        return self.values


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`: whole ones where both are, of `int(interval(low,high))`.

    Attributes:
        log: equally likely in every factor instead of every step, of `tag(log,interval(low,high))`.
    """

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def tried(self) -> tuple[str, ...]:
        """What `check_sweep` tries: both ends and a value between them."""
        inside = self.low + INSIDE * (self.high - self.low)
        return str(self.low), str(int(inside) if self.whole else inside), str(self.high)


@dataclass(frozen=True)
class Sweep:
    """Some overrides for every run, and what differs from run to run.

    Attributes:
        fixed: overrides, as given.
        swept: key -> what its value is chosen from.
    """

    fixed: tuple[str, ...]
    swept: Mapping[str, Choices | Interval]


def read_sweep(overrides: Sequence[str]) -> Sweep:
    """Takes apart what a command line sets and what it sweeps.

    Raises:
        UserError: an override cannot be read, a key is swept twice, or a sweep is none that other engines know.
    """
    fixed: list[str] = []
    swept: dict[str, Choices | Interval] = {}
    for text in overrides:
        try:
            [override] = OverridesParser.create().parse_overrides([text])
        except OverrideParseException as error:
            raise UserError(explain(error, overrides)) from error
        if not override.is_sweep_override():
            fixed.append(text)
        elif override.get_key_element() in swept:
            raise UserError(f"{text}: {override.get_key_element()} is swept already; give all of its values at once.")
        else:
            swept[override.get_key_element()] = _range_of(override, text)
    return Sweep(tuple(fixed), swept)


def _range_of(override: Override, text: str) -> Choices | Interval:
    value = override.value()
    if isinstance(value, IntervalSweep):
        return _interval(value, text)
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        raise UserError(f"{text}: write the options that you mean, with commas between.")
    try:
        values = tuple(override.sweep_string_iterator())
    except (HydraException, ValueError) as error:  # a range that never ends
        raise UserError(f"{text}: {str(error).splitlines()[0]}.") from error
    if not values:
        raise UserError(f"{text}: there is no value in it.")
    return Choices(tuple(dict.fromkeys(values)))


def _interval(value: IntervalSweep, text: str) -> Interval:
    assert value.start is not None and value.end is not None
    if not (math.isfinite(value.start) and math.isfinite(value.end) and value.start < value.end):
        raise UserError(f"{text}: an interval goes from a number to a larger one.")
    log = "log" in value.tags
    if log and value.start <= 0:
        raise UserError(f"{text}: with tag(log,...) the interval must begin above 0.")
    return Interval(value.start, value.end, log)


def check_sweep(sweep: Sweep) -> DictConfig:
    """Composes and checks every combination of choices and of `Interval.tried`.

    Only options of slots are composed anew, since keys come and go with them; this takes half a second for each
    combination of theirs. All other values are put into what was composed.

    Returns: the configuration of the last one.
    Raises:
        UserError: one of them cannot run, with the reason.
    """
    slots = [key for key in sweep.swept if (CONF / key).is_dir()]
    knobs = [key for key in sweep.swept if key not in slots]
    for options in _combinations(sweep, slots):
        cfg, job = _composed([*sweep.fixed, *options])
        _refuse_parts(cfg, sweep)
        for values in _combinations(sweep, knobs):
            _put(cfg, values, [*sweep.fixed, *options])
            check_config(cfg, job.choices, [*sweep.fixed, *options, *values])
    return cfg


def _combinations(sweep: Sweep, keys: Sequence[str]) -> Iterator[list[str]]:
    """Overrides of these keys, every value with every other."""
    for values in product(*(sweep.swept[key].tried for key in keys)):
        yield [f"{key}={value}" for key, value in zip(keys, values, strict=True)]


def _refuse_parts(cfg: DictConfig, sweep: Sweep) -> None:
    """Says what to write where an interval is of all numbers and its key takes whole ones."""
    for key, range_ in sweep.swept.items():
        if isinstance(range_, Interval) and not range_.whole and isinstance(OmegaConf.select(cfg, key), int):
            raise UserError(f"{key} takes whole numbers: write int(interval({range_.low:g},{range_.high:g})).")


def _composed(overrides: Sequence[str]) -> tuple[DictConfig, Job]:
    try:
        return compose_job(overrides, run_dir="")
    except (HydraException, ValueError) as error:
        raise UserError(explain(error, overrides)) from error


def _put(cfg: DictConfig, values: Sequence[str], others: Sequence[str]) -> None:
    """What Hydra does with overrides once the options have been put together."""
    for override in OverridesParser.create().parse_overrides(list(values)):
        try:
            OmegaConf.update(cfg, override.key_or_group, override.value())
        except OmegaConfBaseException:
            _composed([*others, *values])  # refuses it too, in words
            raise

"""What a command sweeps, in Hydra's words (`a=1,2`, `a=range(0,3)`, `a=interval(0,1)`), for Optuna to choose from."""

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
from multimodal_pulse.configuration.option_files import slots
from multimodal_pulse.configuration.validation import check_config
from multimodal_pulse.interface.hydra_errors import composed, explain

INSIDE = (3 - math.sqrt(5)) / 2
"""Where in an interval a value is tried besides its ends: never a whole number if the ends are whole."""


@dataclass(frozen=True)
class Choices:
    """Some values, as they stand in an override (`null`, `[64,128]`, `'a b'`); all of them are tried."""

    values: tuple[str, ...]

    @property
    def tried(self) -> tuple[str, ...]:
        return self.values


@dataclass(frozen=True)
class Interval:
    """All numbers from `low` to `high`: whole ones if both are whole, as in `int(interval(low,high))`.

    Attributes:
        log: draw by factors instead of steps, as in `tag(log,interval(low,high))`.
    """

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def tried(self) -> tuple[str, ...]:
        """Both ends and a value between them."""
        inside = self.low + INSIDE * (self.high - self.low)
        return str(self.low), str(int(inside) if self.whole else inside), str(self.high)


@dataclass(frozen=True)
class Sweep:
    """The overrides of a study.

    Attributes:
        fixed: the overrides of every run, as given.
        swept: for each swept key, the values to choose from.
    """

    fixed: tuple[str, ...]
    swept: Mapping[str, Choices | Interval]


def read_sweep(overrides: Sequence[str]) -> Sweep:
    """Separates what a command line sets from what it sweeps.

    Raises:
        UserError: an override cannot be read, a key is swept twice, or Optuna has no such sweep.
    """
    fixed: list[str] = []
    swept: dict[str, Choices | Interval] = {}
    for text in overrides:
        try:
            [override] = OverridesParser.create().parse_overrides([text])
        except OverrideParseException as error:
            raise UserError(explain(error)) from error
        key = override.get_key_element()
        if not override.is_sweep_override():
            fixed.append(text)
        elif key in swept:
            raise UserError(f"{text}: {key} is swept already; give all of its values at once.")
        else:
            swept[key] = _range_of(override, text)
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
    """Composes and checks every combination of the values that are `tried`.

    Only options of slots are composed anew, since keys come and go with them; this takes half a second for each of
    their combinations. All other values are set in the composed configuration.

    Returns: the configuration of the last combination.
    Raises:
        UserError: one of them cannot run, with the reason.
    """
    options = [key for key in sweep.swept if key in slots()]
    knobs = [key for key in sweep.swept if key not in options]
    for chosen in _combinations(sweep, options):
        cfg, job = composed([*sweep.fixed, *chosen])
        _refuse_parts(cfg, sweep)
        for values in _combinations(sweep, knobs):
            _set(cfg, values, [*sweep.fixed, *chosen])
            check_config(cfg, job.choices, [*sweep.fixed, *chosen, *values])
    return cfg


def _combinations(sweep: Sweep, keys: Sequence[str]) -> Iterator[list[str]]:
    """Yields overrides of these keys: each value with each other."""
    for values in product(*(sweep.swept[key].tried for key in keys)):
        yield [f"{key}={value}" for key, value in zip(keys, values, strict=True)]


def _refuse_parts(cfg: DictConfig, sweep: Sweep) -> None:
    """Refuses an interval of all numbers for a key of whole numbers, with the words to write instead."""
    for key, range_ in sweep.swept.items():
        if isinstance(range_, Interval) and not range_.whole and isinstance(OmegaConf.select(cfg, key), int):
            raise UserError(f"{key} takes whole numbers: write int(interval({range_.low:g},{range_.high:g})).")


def _set(cfg: DictConfig, values: Sequence[str], others: Sequence[str]) -> None:
    """Sets values as Hydra does after it has composed the options."""
    for override in OverridesParser.create().parse_overrides(list(values)):
        try:
            OmegaConf.update(cfg, override.key_or_group, override.value())
        except OmegaConfBaseException:
            composed([*others, *values])  # refuses it too, in words
            raise

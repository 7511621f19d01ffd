"""The scripts of the experiments, as modules."""

import importlib
import sys
from types import ModuleType

import pytest
from places import ROOT


def scripts(folder: str, *names: str) -> list[ModuleType]:
    """The files `<name>.py` of a folder of experiments, which import each other by their names.

    They do not stay in `sys.modules`, because other folders have some of the same names.
    """
    place = ROOT / "experiments" / folder
    files = [path.stem for path in place.glob("*.py")]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        for name in files:
            patch.delitem(sys.modules, name, raising=False)
        found = [importlib.import_module(name) for name in names]
        for name in files:
            sys.modules.pop(name, None)
    return found

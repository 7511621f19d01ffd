"""docs/quickstart.ipynb: its cells, run in this process.

A notebook's own program would need a kernel in a second process, with a dozen packages; the cells are ordinary Python.
"""

import ast
import json
from functools import partial

import pytest
from places import ROOT

import multimodal_pulse

NOTEBOOK = json.loads((ROOT / "docs" / "quickstart.ipynb").read_text(encoding="utf-8"))
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def shown(cell: str, names: dict) -> object:
    """Runs a cell and returns the value of its last line, which a notebook shows; None if that is no expression."""
    body = ast.parse(cell).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "quickstart.ipynb", "exec"), names)
    return eval(compile(last, "quickstart.ipynb", "eval"), names) if last else None


def test_its_cells_show_pictures(monkeypatch, tmp_path, capsys):
    light = {"steps": 1, "metrics.lpips_net": None, "trainer.precision": "32-true"}
    monkeypatch.setattr(multimodal_pulse, "upsample", partial(multimodal_pulse.upsample, **light), raising=False)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    values = [shown("".join(cell["source"]), names) for cell in CELLS]
    results = [value for value in values if value is not None]
    assert [value._repr_html_().count("<img ") for value in results] == [6, 6]
    assert "torch.Size([4, 3, 128, 128])" in capsys.readouterr().out


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell["id"])
def test_nothing_that_was_shown_is_kept(cell):
    assert cell["outputs"] == [] and cell["execution_count"] is None

"""What W&B writes offline, read without W&B's own programs."""

import json
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb.proto.wandb_internal_pb2 import Record


def forget_wandb_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """No key to find, no network to reach and nobody to ask."""
    for name in [name for name in os.environ if name.startswith(("WANDB_", "NETRC")) and name != "WANDB_SERVICE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr("builtins.input", lambda *question: pytest.fail("asked the user"))


def read_table(run: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a table that an offline run has logged, by their columns."""
    [path] = run.glob(f"files/media/table/{name}_*.table.json")
    table = json.loads(path.read_text(encoding="utf-8"))
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def read_run(path: Path) -> dict:
    """The configuration, group, sweep, project, history and summary in the file of an offline run."""
    content: dict = {"config": {}, "group": None, "sweep": None, "project": None, "history": [], "summary": {}}
    for record in records_of(path):
        content["group"] = record.run.run_group or content["group"]
        content["sweep"] = record.run.sweep_id or content["sweep"]
        content["project"] = record.run.project or content["project"]
        content["config"] |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        content["summary"] |= {key_of(item): json.loads(item.value_json) for item in record.summary.update}
        if record.history.item:
            content["history"].append({})
        for item in record.history.item:
            *parents, key = item.nested_key or [item.key]
            place = content["history"][-1]
            for parent in parents:
                place = place.setdefault(parent, {})
            place[key] = json.loads(item.value_json)
    return content


def records_of(path: Path) -> list[Record]:
    """All records, once the last one is there: W&B's own process writes the file, and `finish` does not wait for it."""
    deadline = time.monotonic() + 60
    while True:
        records = [Record.FromString(data) for data in log_entries(path.read_bytes()[7:])]
        if records and records[-1].HasField("exit"):
            return records
        assert time.monotonic() < deadline, f"{path} is not finished"
        time.sleep(0.02)


def key_of(item) -> str:
    return item.key or ".".join(item.nested_key)


def log_entries(log: bytes) -> Iterator[bytes]:
    """The entries of a log in LevelDB's format, behind W&B's header of 7 bytes, which counts for the first block.

    Blocks of 32 KiB; a piece is a checksum (4 bytes), a length (2), a kind (whole, first, middle, last), and data. A
    piece at the end whose data is still being written counts as not there yet.
    """
    entry, position = b"", 0
    while position + 7 <= len(log):
        left_in_block = 32768 - (position + 7) % 32768
        if left_in_block < 7:
            position += left_in_block
            continue
        length, kind = struct.unpack_from("<HB", log, position + 4)
        if position + 7 + length > len(log):
            return
        entry += log[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield entry
            entry = b""

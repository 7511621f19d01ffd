"""What MkDocs does beside its own: pages from outside of docs/, and the reference of the options.

README.md becomes the first page of the site; ARCHITECTURE.md and the pages and pictures of experiments/ keep their
places. Links are written for readers of the repository, so that they work there, and are translated here. A link to a
file that is no part of the site, such as a module, becomes its text.
"""

import os
import re
from html import escape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from multimodal_pulse.configuration.option_files import (
    Key,
    choices,
    first_comment,
    keys,
    option_keys,
    options,
    slots,
    text_of,
)

ROOT = Path(__file__).resolve().parents[1]
OF_EXPERIMENTS = (".md", ".png", ".jpg", ".csv")
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
LINK_OF_TEXT = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from outside of docs/."""
    places = {"index.md": ROOT / "README.md", "ARCHITECTURE.md": ROOT / "ARCHITECTURE.md"}
    experiments = [path for path in sorted((ROOT / "experiments").rglob("*")) if path.suffix in OF_EXPERIMENTS]
    places |= {path.relative_to(ROOT).as_posix(): path for path in experiments}
    for place, path in places.items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    files.append(File.generated(config, "reference/options.md", content=options_page()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Translates the links of a page, which are those of the repository, to those of the site."""
    source = page.file.abs_src_path
    if source is None:
        return markdown
    places = {Path(file.abs_src_path): file.src_uri for file in files if file.abs_src_path}
    here = Path(source).parent

    def place(target: str) -> str | None:
        path = Path(os.path.normpath(here / target))
        found = places.get(path / "README.md" if path.is_dir() else path)
        # What is generated has no file in the repository; MkDocs says if it is missing.
        return target if found is None and not path.exists() else found

    def without_dead_links(link: re.Match[str]) -> str:
        text, target, _ = link.groups()
        return link.group(0) if place(target) else text

    def translated(link: re.Match[str]) -> str:
        target, anchor = link.groups()
        found = place(target)
        if found is None or found == target:
            return link.group(0)
        return os.path.relpath(found, Path(page.file.src_uri).parent) + (anchor or "")

    return LINK.sub(translated, LINK_OF_TEXT.sub(without_dead_links, markdown))


def options_page() -> str:
    """Returns the page of every option, from the files of conf/ as `--help` has them."""
    parts = [
        "# Every option",
        "This page is made from the comments of the option files in `conf/`, as `python run.py --help` is. A knob is "
        "set by `key=value`, and a slot takes an option by `slot=option`. `python run.py --cfg job` with any arguments "
        "shows the whole configuration that they give, without running it.",
        "## Knobs of every run",
        _table(keys("config.yaml")),
    ]
    for slot, default in slots().items():
        parts.append(f"## {slot}")
        for option in options(slot):
            parts += _option(slot, option, option == default)
    return "\n\n".join(parts) + "\n"


def _option(slot: str, option: str, is_default: bool) -> list[str]:
    """Returns the parts of an option: what it is, what it chooses, its keys."""
    parts = [f"### {slot}={option} {{ #{slot}-{option} }}"]
    parts.append(escape(first_comment(slot, option)) + (" *(stands in `conf/config.yaml`)*" if is_default else ""))
    chosen = choices(slot, option)
    if chosen:
        parts.append("It chooses " + ", ".join(_choice(*entry) for entry in chosen.items()) + ".")
    name = f"{slot}/{option}.yaml"
    if "# @package _global_" in text_of(name):
        found = keys(name)
    else:
        found = {f"{slot}.{key}": knob for key, knob in option_keys(slot, option).items()}
    shown = {key: knob for key, knob in found.items() if key != slot and not key.rpartition(".")[2].startswith("_")}
    return [*parts, _table(shown)] if shown else parts


def _choice(slot: str, option: str) -> str:
    """Returns a choice in words; the resolver `suited` has an option of its own for the prior of faces."""
    suited = re.match(r"\$\{suited:(\w+),", option)
    if not suited:
        return f"`{slot}={option}`"
    return f"`{slot}={suited[1]}` (`{suited[1]}_faces` with `generator=faces`)"


def _table(knobs: dict[str, Key]) -> str:
    """Returns a table of keys, their values and what is said about them."""
    cells = [
        (f"<code>{escape(key)}</code>", f"<code>{escape(value)}</code>", said or "")
        for key, (value, said) in knobs.items()
    ]
    rows = [f"<tr><td>{key}</td><td>{value}</td><td>{escape(said)}</td></tr>" for key, value, said in cells]
    return f"<table><tr><th>key</th><th>default</th><th>meaning</th></tr>{''.join(rows)}</table>"

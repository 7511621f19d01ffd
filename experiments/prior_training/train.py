"""Train a prior: a StyleGAN2 of faces, of rendered portraits, or of the pictures in a folder of your own.

    python experiments/prior_training/train.py domain=folder path=<200 pictures or more> folder=outputs/mine
    python experiments/prior_training/train.py --help    # groups, options and their values

Everything that a continuation needs is in `<folder>/resume.pt`: the same command goes on where the training was
stopped, by Ctrl-C, SIGTERM or a kill. `<folder>/<domain>-<resolution>.safetensors` is a generator to be searched:

    python run.py generator=file generator.path=outputs/mine/folder-64.safetensors references=folder references.path=...
"""

import math
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


def build(cfg: DictConfig) -> Any:
    """Returns the training at its first image, with what the critics need.

    Raises:
        UserError: the sizes are impossible, or weights of a critic are missing.
    """
    from hydra.utils import instantiate
    from training import Training

    from multimodal_pulse.base.errors import UserError
    from multimodal_pulse.generator import Architecture

    try:
        architecture = Architecture(cfg.resolution, **cfg.network)
    except ValueError as error:
        raise UserError(f"{error}.") from error
    return Training(
        architecture,
        dict(instantiate(cfg.discriminator)),
        instantiate(cfg.augmentation),
        instantiate(cfg.schedule),
        images=cfg.images,
        seed=cfg.seed,
        half_life=cfg.average.half_life,
        ramp=cfg.average.ramp,
        bf16=cfg.trainer.bf16,
    )


def begin(training: Any, cfg: DictConfig, settings: dict[str, Any]) -> None:
    """Resumes the training of the folder; without one, begins as `start` and `grow` say.

    Raises:
        UserError: a file cannot be used, or the folder holds a training with other settings.
    """
    from multimodal_pulse.base.errors import UserError
    from multimodal_pulse.base.files import expanded
    from multimodal_pulse.domains.portraits import load_prior

    resume = expanded(cfg.folder) / "resume.pt"
    if resume.exists():
        state = read_state(resume)
        there = state.get("settings", settings)
        if differing := [f"{name}={there[name]}" for name in settings if there.get(name) != settings[name]]:
            raise UserError(f"{cfg.folder} holds a training with {', '.join(differing)}: name another folder=...")
        training.restore(state)
        return
    if cfg.start == "prior":
        training.begin_from(load_prior().network)
    if cfg.grow is not None:
        training.grow(read_state(Path(cfg.grow)))
    elif cfg.start not in ("prior", "nothing"):
        training.restore(read_state(Path(cfg.start)))


def read_state(path: Path) -> dict[str, Any]:
    """Reads a training's state as data.

    Raises:
        UserError: the file is missing, damaged, or something else.
    """
    import torch

    from multimodal_pulse.base.errors import UserError
    from multimodal_pulse.base.files import expanded

    try:
        state = torch.load(expanded(path), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: start=... and grow=... name a training's resume.pt.") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} cannot be read as a training's state: it is damaged or another file.") from error
    if not isinstance(state, dict) or "generator" not in state or "counters" not in state:
        raise UserError(f"{path} is not a training's state: it has no generator or no counters.")
    return state


def train(cfg: DictConfig, choices: dict[str, str]) -> None:
    """Trains until `images` were seen, or until a signal.

    Raises:
        UserError: something in the configuration cannot be used.
        KeyboardInterrupt, Terminated: a signal stopped it; a note says what was kept.
    """
    from callbacks import Evaluate, Keep, Progress
    from hydra.utils import instantiate
    from training import Batches

    from multimodal_pulse.base.errors import Terminated
    from multimodal_pulse.base.files import expanded, only_writer
    from multimodal_pulse.search.trainer import make_trainer, quiet_lightning

    folder = expanded(cfg.folder)
    settings = {"domain": choices["domain"], "resolution": cfg.resolution, "discriminator": choices["discriminator"]}
    settings["seed"] = cfg.seed
    with only_writer(folder), quiet_lightning():
        training = build(cfg)
        begin(training, cfg, settings)
        left = math.ceil((cfg.images - training.seen) / cfg.batch)
        if left <= 0:
            print(f"{folder} has seen {training.seen:,} images: a larger images=... goes on.", file=sys.stderr)
            return
        pictures = instantiate(cfg.domain)(resolution=cfg.resolution)
        keep = Keep(folder, f"{choices['domain']}-{cfg.resolution}.safetensors", settings, cfg.save_every)
        callbacks = [Progress(), Evaluate(folder, cfg.evaluate_every, pictures.kept_out()), keep]
        trainer = make_trainer(1, accelerator=cfg.trainer.accelerator, callbacks=callbacks)
        loader = Batches(pictures, cfg.batch, cfg.seed).loader(range(training.steps, training.steps + left))
        trainer.fit(training, loader)
    if keep.stopped is not None:
        stop = KeyboardInterrupt() if keep.stopped == signal.SIGINT else Terminated(keep.stopped)
        stop.add_note(f"stopped after {training.seen:,} images; the same command goes on from {folder / 'resume.pt'}.")
        raise stop


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    from one_line import ending_in_one_line

    with ending_in_one_line():
        train(cfg, dict(HydraConfig.get().runtime.choices))


if __name__ == "__main__":
    main()

"""The schema of `conf/`: a mistyped key or a value of another type ends with Hydra's one-line error.

Every option file starts from one of the dataclasses below (`/schema/...@_here_`); what the keys mean is said in the
option files. `references.image` and `references.folder` have none: their key `as` cannot be a field in Python. `--help`
needs this module, so it imports nothing heavy.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from multimodal_pulse.configuration.generator_choice import generator_for, suited


@dataclass
class Option:
    """An option without numbers of its own."""

    _target_: str = MISSING


class Split(StrEnum):
    validation = "validation"
    test = "test"


@dataclass
class Portraits(Option):
    start: int = MISSING
    limit: int = MISSING
    split: Split = MISSING


@dataclass
class PartitionSizes:
    train: int | None = MISSING
    validation: int | None = MISSING
    test: int | None = MISSING


@dataclass
class CelebAHQ(Option):
    path: str = MISSING
    partition_file: str | None = MISSING
    split: Split = MISSING
    limit: int | None = MISSING
    subset: list[int] | None = MISSING
    expected: PartitionSizes | None = MISSING


@dataclass
class Downsampling(Option):
    factor: int | str = MISSING


@dataclass
class GaussianBlur(Option):
    std: float = MISSING
    factor: int = MISSING


@dataclass
class MotionBlur(Option):
    length: float = MISSING
    angle: float = MISSING
    factor: int = MISSING


@dataclass
class Inpainting(Option):
    mask: str | None = MISSING


@dataclass
class DeepinvPhysics(Option):
    physics: Any = MISSING


@dataclass
class RandomProjection(Option):
    factor: int = MISSING
    seed: int = MISSING


@dataclass
class Estimate(Downsampling):
    choice: str | None = MISSING


@dataclass
class Untrained(Option):
    resolution: int = MISSING
    seed: int = MISSING
    z_dim: int = MISSING
    w_dim: int = MISSING
    mapping_layers: int = MISSING
    channel_base: int = MISSING
    channel_max: int = MISSING


@dataclass
class GeneratorFile(Option):
    path: str = MISSING
    sha256: str | None = MISSING
    domain: str | None = MISSING


@dataclass
class OfficialGenerator(Option):
    name: str = MISSING
    sha256: str | None = MISSING


@dataclass
class Intermediate(Option):
    resolution: int = MISSING
    radius: float = MISSING


@dataclass
class Variational(Option):
    std: float = MISSING


@dataclass
class Conditioned(Option):
    draws: int = MISSING
    nearest: int = MISSING
    temperature: float = MISSING


@dataclass
class Around(Conditioned):
    parent: str | None = MISSING


@dataclass
class OfParent:
    """An option that a sample's record has in its place; see run/parent.py."""

    parent: str | None = MISSING


@dataclass
class NearMean(Option):
    truncation: float = MISSING


@dataclass
class GaussianLrNoise(Option):
    std: float = MISSING


@dataclass
class MaskedLrNoise(Option):
    std: float = MISSING
    mask: str | None = MISSING


@dataclass
class GaussianSynthesisNoise(Option):
    std: float = MISSING
    resolutions: list[int] | None = MISSING


@dataclass
class ParentNoise(Option):
    parent: str | None = MISSING


@dataclass
class SharedSynthesisNoise(Option):
    std: float = MISSING


class Geodesic(StrEnum):
    w_plus = "w_plus"
    sphere = "sphere"


@dataclass
class Objective(Option):
    l2_weight: float = MISSING
    geodesic_weight: float = MISSING
    diversity_weight: float = MISSING
    eps: float = MISSING
    geodesic: Geodesic = MISSING
    terms: dict[str, Any] = MISSING


@dataclass
class MapObjective(Option):
    sigma: float = MISSING
    diversity_weight: float = MISSING
    terms: dict[str, Any] = MISSING


@dataclass
class PosteriorObjective(MapObjective):
    layer_std: float = MISSING
    start_sigma: float | None = MISSING


class Metric(StrEnum):
    pixels = "pixels"
    inside = "inside"
    features = "features"


@dataclass
class Repulsion(Option):
    metric: Metric = MISSING
    distance: float | None = MISSING


@dataclass
class Optimizer(Option):
    lr: float = MISSING


@dataclass
class Ranger21OfBatch(Optimizer):
    weight_decay: float = MISSING


@dataclass
class Sgd(Optimizer):
    momentum: float = MISSING


@dataclass
class Lbfgs(Optimizer):
    first_move: float = MISSING
    history: int = MISSING


@dataclass
class Ramp(Option):
    up: float = MISSING
    down: float = MISSING


@dataclass
class Geometric(Option):
    start: float = MISSING


@dataclass
class Stages:
    before: list[Any] = MISSING


@dataclass
class Restarts(Stages):
    restarts: int = MISSING


@dataclass
class LowestSum(Option):
    l2_weight: float = MISSING
    geodesic_weight: float = MISSING
    eps: float = MISSING


@dataclass
class Exact(Option):
    rounds: int = MISSING


@dataclass
class Noisy(Exact):
    noise_std: float = MISSING
    prior_std: float = MISSING


class Backbone(StrEnum):
    auto = "auto"
    alex = "alex"
    squeeze = "squeeze"
    vgg = "vgg"


@dataclass
class Metrics:
    lpips_net: Backbone | None = MISSING
    lpips_verify: bool = MISSING
    lpips_required: bool = MISSING
    lpips_download_seconds: float = MISSING


class WandbMode(StrEnum):
    offline = "offline"
    online = "online"
    disabled = "disabled"


@dataclass
class Wandb(Option):
    project: str = MISSING
    mode: WandbMode = MISSING
    limit: int = MISSING


Precision = StrEnum(
    "Precision", {"auto": "auto", "32-true": "32-true", "bf16-mixed": "bf16-mixed", "64-true": "64-true"}
)


class Kernels(StrEnum):
    auto = "auto"
    plain = "plain"
    fused = "fused"


class Accelerator(StrEnum):
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


@dataclass
class Trainer:
    accelerator: Accelerator = MISSING
    precision: Precision = MISSING
    kernels: Kernels = MISSING
    compile: bool | str = MISSING
    references_per_group: int | str = MISSING
    price_per_hour: float | None = MISSING


@dataclass
class Gpu(Trainer):
    device: int | None = MISSING


@dataclass
class Noise:
    lr_std: float = MISSING
    lr_mask: str | None = MISSING
    synthesis_std: float = MISSING
    synthesis_resolutions: list[int] | None = MISSING


@dataclass
class Vary:
    folder: str | None = MISSING
    sample: int = MISSING
    mask: str | None = MISSING


@dataclass
class Shard:
    index: int = MISSING
    count: int = MISSING


@dataclass
class Config:
    """The root: the knobs, and one node per slot of `conf/config.yaml`."""

    num_samples: int = MISSING
    select: int | None = MISSING
    steps: int = MISSING
    target_lr_psnr: float | None = MISSING
    seed: int = MISSING
    film_frames: int = MISSING
    dry_run: bool = MISSING
    noise: Noise = field(default_factory=Noise)
    vary: Vary = field(default_factory=Vary)
    shard: Shard = field(default_factory=Shard)
    references: Any = MISSING
    degradation: Any = MISSING
    generator: Any = MISSING
    latent_space: Any = MISSING
    latent_resampling: Any = MISSING
    lr_noise: Any = MISSING
    synthesis_noise: Any = MISSING
    batch_diversity: Any = MISSING
    objective: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    stages: Any = MISSING
    after_step: Any = MISSING
    keep: Any = MISSING
    search: Any = MISSING
    consistency: Any = MISSING
    metrics: Any = MISSING
    tracking: Any = MISSING
    trainer: Any = MISSING
    method: str = MISSING


SCHEMAS: dict[str, type] = {
    "option": Option,
    "of_parent": OfParent,
    "references/portraits": Portraits,
    "references/celeba_hq": CelebAHQ,
    "degradation/downsampling": Downsampling,
    "degradation/gaussian_blur": GaussianBlur,
    "degradation/motion_blur": MotionBlur,
    "degradation/inpainting": Inpainting,
    "degradation/deepinv": DeepinvPhysics,
    "degradation/estimate": Estimate,
    "degradation/random_projection": RandomProjection,
    "generator/untrained": Untrained,
    "generator/file": GeneratorFile,
    "generator/official": OfficialGenerator,
    "latent_space/intermediate": Intermediate,
    "latent_space/variational": Variational,
    "lr_noise/gaussian": GaussianLrNoise,
    "lr_noise/masked": MaskedLrNoise,
    "synthesis_noise/gaussian": GaussianSynthesisNoise,
    "synthesis_noise/parent": ParentNoise,
    "synthesis_noise/shared": SharedSynthesisNoise,
    "latent_resampling/conditioned": Conditioned,
    "latent_resampling/around": Around,
    "latent_resampling/near_mean": NearMean,
    "batch_diversity/repulsion": Repulsion,
    "objective": Objective,
    "objective/map": MapObjective,
    "objective/posterior": PosteriorObjective,
    "optimizer": Optimizer,
    "optimizer/ranger21_of_batch": Ranger21OfBatch,
    "optimizer/sgd": Sgd,
    "optimizer/lbfgs": Lbfgs,
    "schedule/ramp": Ramp,
    "schedule/geometric": Geometric,
    "stages": Stages,
    "stages/restarts": Restarts,
    "keep/lowest_sum": LowestSum,
    "consistency/exact": Exact,
    "consistency/noisy": Noisy,
    "metrics": Metrics,
    "tracking/wandb": Wandb,
    "trainer": Trainer,
    "trainer/gpu": Gpu,
}


def register() -> None:
    """Registers the schemas and resolvers with Hydra; repeated calls have no effect."""
    OmegaConf.register_new_resolver("generator_for", generator_for, replace=True)
    OmegaConf.register_new_resolver("suited", suited, replace=True)
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for path, node in SCHEMAS.items():
        group, _, name = f"schema/{path}".rpartition("/")
        store.store(group=group, name=name, node=node)

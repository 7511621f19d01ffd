import logging
import weakref
from functools import partial

import plain_loop
import pytest
import torch
from tiny_search import FACTOR, run, tiny_generator, tiny_references, tiny_search, tiny_statistics

from multimodal_pulse.base.errors import UserError
from multimodal_pulse.base.randomness import stream
from multimodal_pulse.degradation.bicubic import Bicubic
from multimodal_pulse.diversity.batch_diversity import BatchDiversity
from multimodal_pulse.diversity.latent_resampling import SharedLatent
from multimodal_pulse.diversity.lr_noise import GaussianLrNoise
from multimodal_pulse.diversity.synthesis_noise import GaussianSynthesisNoise, PulseNoise
from multimodal_pulse.references.pixels import quantise
from multimodal_pulse.search import optimizers, schedules
from multimodal_pulse.search.latent_optimization import make_trainer
from multimodal_pulse.search.objective import Objective, geocross


@pytest.mark.parametrize(
    ("make", "plain"), [(optimizers.ranger21, plain_loop.ranger21), (optimizers.adam, plain_loop.adam)]
)
def test_with_everything_off_it_is_a_plain_loop_bit_for_bit(make, plain):
    references = tiny_references(3)
    found = run(tiny_search(references, [[0, 1], [2]], optimizer=partial(make, lr=0.4), steps=30))

    generator = tiny_generator()
    for group in ([0, 1], [2]):  # the last one is ragged
        names = [references[i].name for i in group]
        keys = [(name, sample) for name in names for sample in range(2)]
        initial = torch.stack([torch.randn(6, 16, generator=stream(0, name, k, "latent")) for name, k in keys])
        targets = torch.stack([references[i].lr for i in group for _ in range(2)])
        latent, images, trace = plain_loop.plain_loop(
            generator, tiny_statistics(generator), Bicubic(FACTOR), targets, initial, plain, steps=30
        )
        assert torch.equal(torch.cat([found[name].latents["latent"] for name in names]), latent)
        assert torch.equal(torch.cat([found[name].samples for name in names]), quantise(images))
        lr_before_rounding = torch.cat([found[name].lr_before_rounding for name in names])
        assert torch.equal(lr_before_rounding, Bicubic(FACTOR)(images))
        assert torch.equal(torch.cat([found[name].fidelity_trace for name in names], dim=1), trace)
        assert trace[-1].mean() < trace[0].mean() / 2  # and the loop does search


def test_the_best_iterate_is_drawn_again_from_what_is_stored():
    reference = tiny_references(1)[0]
    search = tiny_search([reference], [[0]], lr_noise=GaussianLrNoise(0.05), synthesis_noise=PulseNoise())
    outcome = run(search)["r0"]
    noise_maps = [outcome.latents[f"noise.{layer}"] for layer in range(5)]
    images = tiny_generator().synthesis(outcome.latents["w_plus"], noise_maps)
    assert torch.equal(quantise(images), outcome.samples)
    fidelity = (Bicubic(FACTOR)(images) - outcome.targets).square().mean(dim=(1, 2, 3))
    assert torch.allclose(fidelity, outcome.fidelity_trace.min(dim=0).values, rtol=1e-5)
    assert outcome.best_step == outcome.fidelity_trace.argmin(dim=0).tolist()
    assert outcome.steps == 20 and outcome.seconds > 0
    assert outcome.film is None and outcome.film_steps == []


def test_what_is_optimised_stays_on_its_sphere():
    search = tiny_search(
        tiny_references(1), [[0]], synthesis_noise=PulseNoise(), optimizer=partial(optimizers.adam, lr=0.4)
    )
    latents = run(search)["r0"].latents
    streams = [stream(0, "r0", k, "latent") for k in range(2)]
    initial = torch.stack([torch.randn(6, 16, generator=rng) for rng in streams])
    assert torch.allclose(latents["latent"].norm(dim=2), initial.norm(dim=2), rtol=1e-5)
    draw = PulseNoise().draw(tiny_generator(), 0, "r0", 2)
    for layer, maps in draw.optimised.items():
        found = latents[f"noise.{layer}"]
        assert torch.allclose(found.flatten(1).norm(dim=1), maps.flatten(1).norm(dim=1), rtol=1e-5)
        assert not torch.allclose(found, maps, atol=0.01)  # they moved
    assert all(torch.equal(latents[f"noise.{layer}"], maps) for layer, maps in draw.fixed.items())


def test_outcomes_are_handed_over_group_by_group():
    references = tiny_references(5)
    search = tiny_search(references, [[3, 0], [4]], steps=2)
    seen = []
    search.run(lambda outcome: seen.append((outcome.reference.name, search.trainer.current_epoch)), accelerator="cpu")
    assert seen == [("r3", 0), ("r0", 0), ("r4", 1)]
    assert [outcome.reference.name for outcome in search.outcomes] == ["r4"]


def test_nothing_left_to_do_is_no_error():
    assert run(tiny_search(tiny_references(1), [])) == {}


def test_the_film_shows_iterates():
    outcome = run(tiny_search(tiny_references(2), [[0, 1]], film_frames=3))["r1"]
    assert outcome.film_steps == [0, 10, 19]
    assert outcome.film.shape == (3, 2, 3, 16, 16)
    assert (outcome.film[0] - outcome.film[-1]).abs().mean() > 0.01


def test_batch_diversity_parts_samples_that_begin_together():
    reference = tiny_references(1)
    shared = {
        "latent_resampling": SharedLatent(),
        "synthesis_noise": GaussianSynthesisNoise(0.1),
        "objective": Objective(l2_weight=405.0, geodesic_weight=0.058, diversity_weight=1.0, eps=0.0),
        "optimizer": partial(optimizers.adam, lr=0.4),
        "num_samples": 3,
    }
    quiet = run(tiny_search(reference, [[0]], **shared))["r0"].samples
    parted = run(tiny_search(reference, [[0]], batch_diversity=BatchDiversity(), **shared))["r0"].samples
    assert parted.std(dim=0).mean() > 2 * quiet.std(dim=0).mean()


def test_geodesic_weight_draws_the_layers_together():
    reference = tiny_references(1)
    spread = {}
    for weight in (0.0, 100.0):
        objective = Objective(l2_weight=1.0, geodesic_weight=weight, diversity_weight=0.0, eps=0.0)
        search = tiny_search(reference, [[0]], objective=objective)
        run(search)
        latent = search.variables["latent"].stack().detach()
        spread[weight] = geocross(search.stage.latent_space.to_w_plus(latent)).mean()
    assert spread[100.0] < spread[0.0] / 2


def test_bf16_searches_in_bf16_and_draws_in_float32():
    reference = tiny_references(1)
    outcome = run(tiny_search(reference, [[0]]), precision="bf16-mixed")["r0"]
    plain = run(tiny_search(reference, [[0]]))["r0"]
    assert not torch.equal(outcome.fidelity_trace[0], plain.fidelity_trace[0])
    assert torch.allclose(outcome.fidelity_trace[0], plain.fidelity_trace[0], rtol=0.05)
    assert outcome.samples.dtype == outcome.latents["latent"].dtype == torch.float32
    noise_maps = [outcome.latents[f"noise.{layer}"] for layer in range(5)]
    again = tiny_generator().synthesis(outcome.latents["w_plus"], noise_maps)
    assert torch.equal(quantise(again), outcome.samples)


def test_float64_is_float64_throughout_and_gives_the_generator_back_in_float32():
    generator = tiny_generator()
    search = tiny_search(tiny_references(1), [[0]], generator=generator, synthesis_noise=PulseNoise(), steps=3)
    outcome = run(search, precision="64-true")["r0"]
    tensors = [outcome.lr_before_rounding, outcome.fidelity_trace, outcome.targets, *outcome.latents.values()]
    assert {tensor.dtype for tensor in tensors} == {torch.float64} and outcome.samples.dtype == torch.float32
    assert {tensor.dtype for tensor in generator.state_dict().values()} == {torch.float32}


def test_the_schedule_begins_anew_for_each_group():
    seen = []

    def schedule(step, steps):
        seen.append(step)
        return 1.0

    schedule.keeps_built_in = False
    search = tiny_search(tiny_references(2), [[0], [1]], schedule=schedule, steps=3)
    run(search)
    assert seen[-8:] == [0, 1, 2, 3, 0, 1, 2, 3]


def test_ranger21_s_own_schedule_is_off_under_another():
    for schedule, off in ((schedules.NoSchedule(), False), (schedules.Linear1Cycle(), True)):
        (optimizer,), _ = tiny_search(tiny_references(1), [[0]], schedule=schedule).configure_optimizers()
        assert optimizer.disable_lr_scheduler is off


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to..."


def generator_for(limit, error=RuntimeError(ALLOCATOR), after=0, seen=None):  # noqa: B008
    """A generator that has no memory for more than `limit` images, once it has drawn so many `after` times."""
    generator = tiny_generator()
    synthesis = generator.synthesis
    times = 0

    def limited(w_plus, noise_maps=None):
        nonlocal times
        if seen is not None:
            assert all(reference() is None for reference in seen), "the group that did not fit is still in memory"
        images = synthesis(w_plus, noise_maps)
        if len(w_plus) > limit:
            times += 1
            if times > after:
                if seen is not None:
                    seen.append(weakref.ref(images))
                raise type(error)(*error.args)  # a new one: an error keeps its traceback, and that the pictures
        return images

    generator.synthesis = limited
    return generator


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(ALLOCATOR),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.1 GB)"),
    ],
    ids=["cpu", "python", "cuda", "mps"],
)
@pytest.mark.parametrize("after", [0, 3])
def test_a_group_that_does_not_fit_is_searched_in_halves_and_says_so(error, after, caplog):
    references, noise = tiny_references(7), {"lr_noise": GaussianLrNoise(0.1)}
    groups = [[0, 1], [2, 3, 4, 5, 6]]
    with caplog.at_level(logging.WARNING, logger="multimodal_pulse"):
        found = run(tiny_search(references, groups, generator=generator_for(4, error, after), steps=5, **noise))
    assert list(found) == [f"r{i}" for i in range(7)]
    assert {name: (outcome.group, outcome.halved) for name, outcome in found.items()} == {
        "r0": (["r0", "r1"], False), "r1": (["r0", "r1"], False),
        "r2": (["r2", "r3"], True), "r3": (["r2", "r3"], True),
        "r4": (["r4"], True), "r5": (["r5", "r6"], True), "r6": (["r5", "r6"], True),
    }  # fmt: skip
    planned = run(tiny_search(references, [[0, 1], [2, 3], [4], [5, 6]], steps=5, **noise))
    assert all(torch.equal(found[name].samples, planned[name].samples) for name in planned)
    assert not any(outcome.halved for outcome in planned.values())
    [said] = [record.getMessage() for record in caplog.records if record.name.startswith("multimodal_pulse")]
    assert said.startswith("5 references with 2 samples each do not fit into memory")
    assert "trainer.references_per_group=2 " in said


def test_the_memory_of_a_group_is_free_before_its_halves_are_searched():
    seen = []
    found = run(
        tiny_search(tiny_references(4), [[0, 1, 2, 3]], generator=generator_for(2, after=2, seen=seen), steps=5)
    )
    assert len(found) == 4 and len(seen) == 3


def test_a_reference_that_does_not_fit_alone_is_named_and_what_is_finished_stays():
    class Growing(list):
        """References, the last two of which are searched by a generator that has no memory left."""

        def __getitem__(self, index):
            if index > 0:
                search.generator.synthesis = generator_for(0).synthesis
            return super().__getitem__(index)

    finished = []
    search = tiny_search(Growing(tiny_references(3)), [[0], [1, 2]], steps=1)
    with pytest.raises(UserError, match="r1 with num_samples=2 does not fit into memory: choose fewer samples"):
        search.run(finished.append, accelerator="cpu")
    assert [outcome.reference.name for outcome in finished] == ["r0"]


def test_another_error_is_no_lack_of_memory():
    search = tiny_search(tiny_references(2), [[0, 1]], generator=generator_for(2, RuntimeError("no such kernel")))
    with pytest.raises(RuntimeError, match="no such kernel"):
        run(search)


@pytest.mark.filterwarnings("ignore")
def test_no_generator_in_a_checkpoint(tmp_path):
    search = tiny_search(tiny_references(1), [[0]], steps=1)
    trainer = make_trainer(1, accelerator="cpu")
    trainer.fit(search)
    trainer.save_checkpoint(tmp_path / "state.ckpt")
    assert torch.load(tmp_path / "state.ckpt", weights_only=False)["state_dict"] == {}


@pytest.mark.parametrize("name", ["num_samples", "steps"])
def test_no_sample_or_no_step_is_refused(name):
    with pytest.raises(UserError, match=f"{name}=0 must be at least 1"):
        tiny_search(tiny_references(1), [[0]], **{name: 0})

"""The fused operators against their twin in plain PyTorch, on whole networks, and where they give way to it."""

import pytest
import torch
from torch import Tensor

from multimodal_pulse.generator import Architecture, Generator, StyleGAN2, untrained
from multimodal_pulse.generator.ops.build import BuildError, library
from multimodal_pulse.generator.ops.fused import FusedOperators, PlainOperators, _Synthesis


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    try:
        library()
    except BuildError as error:
        pytest.skip(f"the fused operators cannot be built here: {error}")


SIZES = [
    pytest.param({"resolution": 64, "channel_base": 1024, "channel_max": 40}, id="channels of 16 to 40"),
    pytest.param({"resolution": 16, "channel_base": 112, "channel_max": 7}, id="seven channels"),
    pytest.param({"resolution": 32, "channel_base": 2048, "channel_max": 512}, id="channels of 64 to 512"),
]


def network(clamp: float | None = None, **sizes: int) -> Generator:
    """A random generator whose noise, biases and clamps all have an effect."""
    generator = untrained(z_dim=8, w_dim=8, mapping_layers=1, **sizes)
    rng = torch.Generator().manual_seed(3)
    for layer in generator.network.synthesis.layers:
        layer.clamp = clamp
        layer.noise_strength.fill_(0.3)
        layer.bias.copy_(0.2 * torch.randn(layer.bias.shape, generator=rng))
    for block in generator.network.synthesis.blocks:
        block.torgb.clamp = clamp
        block.torgb.bias.copy_(torch.randn(block.torgb.bias.shape, generator=rng))
    return generator


def inputs(generator: Generator, samples: int) -> list[Tensor]:
    """w_plus and noise maps, in turn one for all samples and one for each, all of which want a gradient."""
    rng = torch.Generator().manual_seed(4)
    drawn = [torch.randn(samples, generator.num_ws, generator.w_dim, generator=rng)]
    for layer, r in enumerate(generator.noise_resolutions):
        drawn.append(torch.randn(samples if layer % 2 else 1, 1, r, r, generator=rng))
    return [x.requires_grad_() for x in drawn]


def image_and_gradients(generator: Generator, operators: PlainOperators, given: list[Tensor]) -> list[Tensor]:
    generator.operators = operators
    image = generator.synthesis(given[0], given[1:])
    arriving = torch.randn(image.shape, generator=torch.Generator().manual_seed(5))
    return [image.detach().float(), *torch.autograd.grad(image.float(), given, arriving)]


def assert_close(found: list[Tensor], expected: list[Tensor], tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == torch.float32
        assert (one - other).abs().max() <= tolerance * other.abs().max()


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("clamp", [None, 0.8])
@pytest.mark.parametrize("sizes", SIZES)
def test_image_and_gradients_agree_with_the_plain_network_to_a_hundred_thousandth(sizes, clamp, samples):
    generator = network(clamp, **sizes)
    given = inputs(generator, samples)
    plain = image_and_gradients(generator, PlainOperators(), given)
    assert_close(image_and_gradients(generator, FusedOperators(), given), plain, 1e-5)
    if clamp:  # the clamp is at work
        free = image_and_gradients(network(None, **sizes), PlainOperators(), given)
        assert (free[0] - plain[0]).abs().max() > 1e-2 * plain[0].abs().max()


@pytest.mark.parametrize("clamp", [None, 0.8])
@pytest.mark.parametrize("sizes", SIZES)
def test_bfloat16_is_nearer_to_single_precision_than_the_plain_networks_bfloat16(sizes, clamp):
    generator = network(clamp, **sizes)
    given = inputs(generator, 3)
    exact = image_and_gradients(generator, PlainOperators(), given)
    with torch.autocast("cpu", torch.bfloat16):
        plain = image_and_gradients(generator, PlainOperators(), given)
        fused = image_and_gradients(generator, FusedOperators(), given)

    def error(found: list[Tensor], index: int) -> float:
        return float((found[index] - exact[index]).norm() / exact[index].norm())

    assert error(fused, 0) < 0.01 and error(fused, 1) < 0.1  # the image, and the gradient of w_plus
    for index in (0, 1):
        assert error(fused, index) < 1.2 * error(plain, index)


def test_more_threads_change_nothing_but_the_order_of_sums():
    generator = network(resolution=32, channel_base=512, channel_max=24)
    given = inputs(generator, 3)
    plain = image_and_gradients(generator, PlainOperators(), given)
    torch.set_num_threads(3)
    try:
        fused = image_and_gradients(generator, FusedOperators(), given)
        again = image_and_gradients(generator, FusedOperators(), given)
    finally:
        torch.set_num_threads(1)
    assert_close(fused, plain, 1e-5)
    assert all(torch.equal(one, other) for one, other in zip(fused, again, strict=True))


def test_a_second_derivative_is_that_of_the_plain_network():
    generator = network(resolution=16, channel_base=256, channel_max=16)
    given = inputs(generator, 2)

    def second(operators: PlainOperators) -> list[Tensor]:
        generator.operators = operators
        image = generator.synthesis(given[0], given[1:])
        first = torch.autograd.grad(image.square().sum(), given, create_graph=True)
        return list(torch.autograd.grad(sum(g.square().sum() for g in first), given))

    assert_close(second(FusedOperators()), second(PlainOperators()), 1e-5)


def test_the_gradient_is_the_slope_of_the_image():
    generator = network(resolution=16, channel_base=256, channel_max=16)
    generator.operators = FusedOperators()
    given = inputs(generator, 2)
    rng = torch.Generator().manual_seed(6)
    towards = [torch.randn(x.shape, generator=rng) for x in given]
    weight = torch.randn(2, 3, 16, 16, generator=rng, dtype=torch.float64)

    def loss(step: float) -> float:
        moved = [(x + step * t).detach() for x, t in zip(given, towards, strict=True)]
        return float((generator.synthesis(moved[0], moved[1:]).double() * weight).sum())

    image = generator.synthesis(given[0], given[1:])
    slopes = torch.autograd.grad((image.double() * weight).sum(), given)
    slope = sum(float((g * t).sum()) for g, t in zip(slopes, towards, strict=True))
    h = 3e-4  # larger ones cross kinks of the leaky ReLU
    assert (loss(h) - loss(-h)) / (2 * h) == pytest.approx(slope, rel=2e-3)


def test_inputs_need_not_be_contiguous():
    generator = network(resolution=16, channel_base=256, channel_max=16)
    given = [x.detach() for x in inputs(generator, 2)]
    strided = [torch.stack([x, x], dim=-1)[..., 0].requires_grad_() for x in given]
    expanded = [
        given[0][:1].expand(2, -1, -1).requires_grad_(),
        *(x[:1].expand(2, -1, -1, -1).requires_grad_() for x in given[1:]),
    ]
    for case in (strided, expanded):
        plain = image_and_gradients(generator, PlainOperators(), case)
        assert_close(image_and_gradients(generator, FusedOperators(), case), plain, 1e-5)


def test_only_what_is_wanted_gets_a_gradient():
    generator = network(resolution=16, channel_base=256, channel_max=16)
    given = inputs(generator, 2)
    both = image_and_gradients(generator, FusedOperators(), given)
    fixed = [x.detach() for x in given]
    generator.operators = FusedOperators()
    image = generator.synthesis(given[0], fixed[1:])
    arriving = torch.randn(image.shape, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.autograd.grad(image, given[0], arriving)[0], both[1])
    image = generator.synthesis(fixed[0], [*fixed[1:-1], given[-1]])
    assert torch.equal(torch.autograd.grad(image, given[-1], arriving)[0], both[-1])


def test_what_is_not_a_number_stays_so():
    generator = network(0.8, resolution=16, channel_base=256, channel_max=16)
    generator.operators = FusedOperators()
    given = [x.detach() for x in inputs(generator, 3)]
    given[0][1] = torch.nan
    image = generator.synthesis(given[0], given[1:])
    assert image[1].isnan().all() and image[[0, 2]].isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        image = generator.synthesis(given[0], given[1:])
    assert image[1].isnan().all() and image[[0, 2]].isfinite().all()


@pytest.fixture
def small(monkeypatch) -> Generator:
    """A generator with fused operators, for inputs that they must leave to the plain network."""
    generator = network(resolution=16, channel_base=256, channel_max=16)
    generator.operators = FusedOperators()

    def refuse(*arguments: object) -> None:
        raise AssertionError("the fused form was used")

    monkeypatch.setattr(_Synthesis, "apply", refuse)
    with pytest.raises(AssertionError, match="fused form"):
        generator.synthesis(torch.zeros(1, generator.num_ws, 8))
    return generator


def test_pictures_that_stay_are_drawn_by_the_plain_network(small):
    with torch.no_grad():
        drawn = small.synthesis(torch.zeros(1, small.num_ws, 8))
    small.operators = PlainOperators()
    assert torch.equal(drawn, small.synthesis(torch.zeros(1, small.num_ws, 8)))


def test_double_precision_is_left_to_the_plain_network(small):
    assert small.double().synthesis(torch.zeros(1, small.num_ws, 8).double()).dtype == torch.float64


def test_other_autocasts_are_left_to_the_plain_network(small):
    with torch.autocast("cpu", torch.float16):
        assert small.synthesis(torch.zeros(1, small.num_ws, 8)).shape == (1, 3, 16, 16)


def test_deviations_are_left_to_the_plain_network(small):
    w_plus = torch.zeros(1, small.num_ws, 8)
    assert small.synthesis(w_plus, deviations={8: torch.zeros(1, 16, 8, 8)}).shape == (1, 3, 16, 16)


def test_training_is_left_to_the_plain_network(small):
    small.network.requires_grad_(True)
    small.synthesis(torch.zeros(1, small.num_ws, 8)).sum().backward()
    assert small.network.synthesis.blocks[0].const.grad is not None


def test_function_transforms_are_left_to_the_plain_network(small):
    w_plus = torch.randn(2, small.num_ws, 8)
    one_by_one = torch.func.vmap(lambda w: small.synthesis(w[None])[0])(w_plus)
    gradients = torch.func.grad(lambda w: small.synthesis(w).sum())(w_plus)
    _, slope = torch.func.jvp(small.synthesis, (w_plus,), (torch.ones_like(w_plus),))
    torch.testing.assert_close(slope.sum(), gradients.sum(), rtol=1e-3, atol=1e-3)
    assert one_by_one.shape == (2, 3, 16, 16)


def test_other_colours_are_left_to_the_plain_network(small):
    gray = Generator(StyleGAN2(Architecture(16, 8, 8, 1, 256, 16, img_channels=1)))
    gray.operators = small.operators
    assert gray.synthesis(torch.zeros(1, gray.num_ws, 8)).shape == (1, 1, 16, 16)


def test_new_weights_are_noticed():
    generator = network(resolution=16, channel_base=256, channel_max=16)
    given = inputs(generator, 2)
    operators = FusedOperators()
    before = image_and_gradients(generator, operators, given)
    for layer in generator.network.synthesis.layers:
        layer.weight.mul_(torch.linspace(0.5, 2, layer.weight.shape[1])[:, None, None])
        layer.freeze()
    changed = image_and_gradients(generator, operators, given)
    assert (changed[0] - before[0]).abs().max() > 1e-2
    assert_close(changed, image_and_gradients(generator, PlainOperators(), given), 1e-5)
    other = network(resolution=32, channel_base=256, channel_max=16)
    given = inputs(other, 1)
    plain = image_and_gradients(other, PlainOperators(), given)
    assert_close(image_and_gradients(other, operators, given), plain, 1e-5)

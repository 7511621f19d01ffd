"""Background, body and hair of a portrait: everything around the face."""

from dataclasses import dataclass

import torch
from torch import Tensor

from multimodal_pulse.domains.portraits.factors import FactorView
from multimodal_pulse.domains.portraits.shapes import (
    Window,
    bump,
    colours,
    hill,
    hsv,
    inside,
    lookup,
    paint,
    ramp,
    soft,
)

SKIN = colours(
    (0.97, 0.83, 0.75),
    (0.93, 0.75, 0.64),
    (0.87, 0.66, 0.52),
    (0.76, 0.54, 0.40),
    (0.60, 0.41, 0.29),
    (0.45, 0.295, 0.21),
    (0.34, 0.22, 0.16),
)
HAIR = colours(
    (0.085, 0.07, 0.07),
    (0.15, 0.105, 0.085),
    (0.26, 0.17, 0.115),
    (0.37, 0.23, 0.14),
    (0.46, 0.21, 0.11),
    (0.58, 0.36, 0.19),
    (0.74, 0.56, 0.33),
    (0.86, 0.72, 0.48),
)


@dataclass(frozen=True)
class Pose:
    """The position, lighting and colours of the head; every entry is [N,1,1,1], colours are [N,3,1,1]."""

    centre: Tensor
    eye_y: Tensor
    turn: Tensor
    half_width: Tensor
    chin: Tensor
    light: tuple[Tensor, Tensor, Tensor]
    contrast: Tensor
    light_colour: Tensor
    skin: Tensor
    hair: Tensor

    @property
    def head_x(self) -> Tensor:
        """The middle of the head's outline, which moves opposite to the features when the head turns."""
        return self.centre - self.turn * 0.010

    def lambert(self, nx: Tensor, ny: Tensor) -> Tensor:
        """Computes diffuse light on a surface with normal (nx, ny, nz > 0): about 1 facing the light, 0 away."""
        nz = (1 - nx.square() - ny.square()).clamp_(min=0.02).sqrt_()
        lx, ly, lz = self.light
        return nz.mul_(lz).add_(nx * lx).add_(ny * ly)


def make_pose(f: FactorView) -> Pose:
    """Makes the pose of a batch of parameter vectors."""
    lx = f.span("light_direction", -0.72, 0.72)
    ly = -f.span("light_elevation", 0.12, 0.5)
    lz = torch.full_like(lx, 0.85)
    length = (lx.square() + ly.square() + lz.square()).sqrt()
    undertone = torch.tensor([0.01, -0.012, -0.035]).view(1, 3, 1, 1)
    skin = ramp(f["skin_tone"], SKIN) + undertone * f.span("skin_warmth", -1, 1)
    grey = (f["age"].square() * 1.15 * f["hair_grey"] + f.above("hair_grey", 0.9) - 0.25).clamp(0, 0.95)
    silver = torch.tensor([0.72, 0.72, 0.73]).view(1, 3, 1, 1)
    hair = ramp(f["hair_colour"] * (1 - 0.6 * f["skin_tone"].square()), HAIR)
    warmth = torch.tensor([0.045, 0.0, -0.06]).view(1, 3, 1, 1)
    return Pose(
        centre=f.span("shift_x", 0.493, 0.507),
        eye_y=f.span("shift_y", 0.468, 0.482),
        turn=f.span("head_turn", -1, 1),
        half_width=f.span("face_width", 0.222, 0.250) - 0.006 * f["presentation"],
        chin=f.span("face_length", 0.838, 0.882) - 0.008 * f["presentation"],
        light=(lx / length, ly / length, lz / length),
        contrast=f.span("light_strength", 0.30, 0.62),
        light_colour=1 + warmth * f.span("light_warmth", -1, 1),
        skin=skin,
        hair=hair + (silver - hair) * grey,
    )


def background(w: Window, f: FactorView, pose: Pose, fine: Tensor) -> Tensor:
    """Draws the backdrop [N, 3, R, R]: a two-tone gradient, a soft light on the lit side, some canvas texture."""
    hue, contrast = f["background_hue"], f["background_contrast"]
    value = f.span("background_lightness", 0.30, 0.88)
    first = hsv(hue, 0.08 + 0.24 * contrast, value)
    second = hsv(hue + 0.04 + 0.14 * contrast, 0.12 + 0.28 * contrast, (value - 0.10 - 0.22 * contrast).clamp(min=0.12))
    angle = f["background_direction"] * torch.pi
    ramp_map = (w.x - 0.5) * angle.cos() + ((w.y - 0.5) * angle.sin() + 0.5)
    ramp_map = soft(0.5 - ramp_map, 1.3)
    backdrop = first + (second - first) * ramp_map
    pool = hill(w.x - (0.5 + 0.35 * pose.light[0]), w.y - 0.38, 0.75, 0.7)
    return backdrop.mul_(pool.mul_(0.28).add_(0.88).add_(fine * 0.022)).mul_(pose.light_colour)


def body(w: Window, canvas: Tensor, f: FactorView, pose: Pose, fine: Tensor) -> None:
    """Paints neck, shoulders and clothes on the window's part of the canvas."""
    x, y = w.x - pose.head_x, w.y
    side = x.abs()
    lx = pose.light[0]
    width = 0.132 - 0.024 * f["presentation"] + 0.25 * (pose.half_width - 0.235)
    flare = (y - 0.86).clamp(min=0).square() * 2.2
    neck = inside(side - width - flare, w.pixel)
    shade = 0.80 + pose.contrast * (x * lx) * 2.4 - 0.16 * (side / width).square()
    shade = shade - 0.30 * soft((y - pose.chin - 0.012) - 0.25 * x.square(), 0.11)
    fall = torch.tensor([0.85, 1.0, 1.08]).view(1, 3, 1, 1)
    paint(canvas, pose.skin * ((shade.clamp(0.3, 1.1) - 1) * fall + 1) * pose.light_colour, neck)

    cut = ((f["collar"] - 0.25) * 4).clamp(0, 1)
    round_neck = (side / 0.15).square() + ((y - 0.85) / (0.088 + 0.01 * cut)).square()
    opening = ((round_neck.sqrt() - 1) * 0.1) * (1 - cut) + (side * 0.82 + (y - 1.0) * 0.6) * cut
    shoulder = 0.885 + (side - 0.13).clamp(min=0) * 0.24 + (side - 0.30).clamp(min=0).square() * 1.4 - y
    edge = torch.maximum(shoulder, -opening)
    # cloth of medium lightness is the most colourful
    saturation = 0.15 + 0.45 * (1 - (2 * f["clothes_lightness"] - 1).abs())
    cloth = hsv(f["clothes_hue"], saturation, f.span("clothes_lightness", 0.16, 0.86))
    yarn = fine * f.span("knit", 0.03, 0.16)
    fold = 0.80 + pose.contrast * (x * lx) * 0.9 - 0.5 * (y - 0.93) + yarn
    rim = soft((edge + 0.014).abs() - 0.004, 0.012)
    fold = fold - 0.14 * rim * (1 - cut)
    paint(canvas, cloth * fold * pose.light_colour, inside(edge, w.pixel))
    flap = inside(torch.maximum(opening.abs() - 0.035, 0.90 - y - side * 0.02), w.pixel)
    flap = flap * inside(0.62 - f["collar"], 0.02)
    pale = cloth * 0.45 + 0.5
    crease = soft((opening - 0.03).abs(), 0.02)
    paint(canvas, pale * (fold + 0.04 - 0.25 * crease) * pose.light_colour, flap)


@dataclass(frozen=True)
class Hair:
    """The hair: its picture [N,3,R,R], its masks [N,1,R,R] behind and in front of the face, and its shadow."""

    colour: Tensor
    behind: Tensor
    locks: Tensor
    front: Tensor
    shadow: Tensor


def hair(w: Window, f: FactorView, pose: Pose, strands: Tensor) -> Hair:
    """Draws hair from its strand lattice [N, 2, A, B]: strands follow the head and fall straight below the ears."""
    x, y = w.x - pose.head_x, w.y - pose.eye_y + 0.475
    side = x.abs()
    lx = pose.light[0]
    length = (0.75 * f["hair_length"] + 0.45 * f["presentation"] - 0.10).clamp(0, 1)
    long = ((length - 0.30) / 0.25).clamp(0, 1)
    long = long * long * (3 - 2 * long)
    volume = f["hair_volume"] * (0.35 + 0.65 * length)
    curl = f["hair_curl"]
    parting = f.span("parting", -0.09, 0.09)

    top = 0.125 - 0.085 * volume - 0.02 * length
    half = pose.half_width + 0.010 + 0.020 * long + 0.055 * volume * (0.3 + 0.7 * long)
    middle = 0.47
    below = (y - middle).clamp(min=0)
    stretch = half * (1 + below * (0.12 + 0.55 * volume) * long)
    upper = (middle - y).clamp(min=0) / (middle - top)
    wide, high = (x / stretch).square(), upper.square()
    radius = (wide + high - 0.5 * (wide * high).clamp_(max=1)).sqrt_()

    swing = torch.sin(y * 34 + side * 12) * (0.006 + 0.05 * curl) * (radius * 0.7) * (0.3 + y)
    radius = radius + swing * long.add(0.4)
    across = radius * 20 - (0.5 + 14)
    sign = torch.where(x < parting, -1.0, 1.0)
    along = sign * ((x - parting).abs() / half + (y - top) * 2.2) * (1.5 + 4.5 * curl)
    combed = ((x - parting).abs() * 25).clamp_(max=1)  # hides the seam between the two sides
    noise = lookup(strands[:, :1], across, along) * combed
    clump = lookup(strands[:, 1:], across * 0.42, along * 0.7) * combed

    ragged = noise * 0.007 + clump * (0.008 + 0.022 * curl * volume)
    end = 0.465 + 0.70 * (length - 0.2).clamp(min=0) + 0.05 * clump
    outline = (radius - 1) * half - ragged
    shape = torch.maximum(outline, (y - end) * 0.7)

    fringe = f.above("fringe", 0.45)
    hairline = f.span("hairline", 0.225, 0.285) - 0.01 * f["presentation"]
    open_half = pose.half_width * (1.01 - 0.13 * long)
    lean = x - 0.35 * parting * ((0.5 - y) * 4).clamp(0, 1)
    opening_y = (y - 0.58) / (0.58 - hairline)
    opening = (((lean / open_half).square() + opening_y.square() * (y < 0.58)).sqrt_() - 1) * 0.24
    sweep = (x - parting) * (-parting.sign()) * 0.22
    bang = hairline + fringe * (0.115 + sweep - 0.9 * (x - parting).square())
    bang = y - bang - (noise * 0.022 + clump * 0.02) * (fringe > 0)
    opening = torch.minimum(-opening - ragged, bang + (fringe <= 0) * 9)
    temple = 0.44 + (end - 0.44) * long
    front_shape = torch.maximum(torch.maximum(shape, opening), (y - temple) * 0.8 + ragged)

    lit = pose.lambert((x / (half * 1.12)).clamp(-0.95, 0.95), ((y - 0.45) / 0.5).clamp(-0.9, 0.3))
    shade = lit.mul_(pose.contrast * 1.1).add_(1.02 - pose.contrast * 0.85)
    grooves = noise * 0.70 + clump * 0.16
    ring_y = y - (top + 0.105 + 0.55 * (x - 0.12 * lx).square())
    gloss = bump((ring_y / 0.085).square()) * (0.35 + grooves.clamp(min=0) * 0.9) * (0.45 - 0.25 * curl)
    depth = soft(0.02 + outline, 0.05) * 0.12
    part_line = soft((x - parting).abs() - 0.001, 0.012) * soft(y - hairline + 0.01, 0.06) * (1 - fringe.clamp(max=1))
    shade = shade * (1 + grooves * 0.46) - 0.10 + depth - 0.22 * part_line
    sheen = (pose.hair * 0.55 + 0.16) * pose.light_colour
    colour = pose.hair * pose.light_colour * shade + sheen * (gloss + 0.34 * grooves)

    edge = max(w.pixel, 0.012)  # wispy, never as sharp as skin or cloth
    behind = inside(shape, edge)
    locks = behind * soft(0.150 - side - 0.03 * long, 0.03)
    shadow = soft(front_shape - 0.012, 0.05)
    return Hair(colour.clamp_(0, 1), behind, locks, inside(front_shape, edge), shadow)

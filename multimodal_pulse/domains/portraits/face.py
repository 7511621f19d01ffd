"""The face of a portrait: skin with its relief, eyes, brows, nose, mouth, beard and glasses."""

import torch
from torch import Tensor

from multimodal_pulse.domains.portraits.factors import FactorView
from multimodal_pulse.domains.portraits.figure import Pose
from multimodal_pulse.domains.portraits.shapes import Window, bump, colours, hill, inside, lookup, paint, ramp, soft

IRIS = colours(
    (0.20, 0.11, 0.06),
    (0.36, 0.21, 0.10),
    (0.40, 0.36, 0.17),
    (0.30, 0.46, 0.33),
    (0.28, 0.47, 0.66),
    (0.50, 0.57, 0.62),
)
RIMS = colours((0.07, 0.07, 0.08), (0.30, 0.17, 0.09), (0.46, 0.12, 0.12), (0.72, 0.58, 0.32))
SHADOW_FALL = torch.tensor([0.82, 1.0, 1.10]).view(1, 3, 1, 1)
"""How fast each channel darkens in skin shadows; red light passes through skin, so shadows are warm."""
EYE_DISTANCE = 0.12
"""Half the distance between the centres of the eyes."""


def _eye_offset(f: FactorView) -> Tensor:
    return EYE_DISTANCE + f.span("eye_spacing", -0.006, 0.006)


def _mouth(f: FactorView, pose: Pose) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns the centre x, centre y, half width and opening of the mouth."""
    opened = f.above("mouth_open", 0.4) * (0.45 + 0.55 * f["smile"])
    half = f.span("mouth_width", 0.072, 0.090) + 0.020 * f["smile"]
    centre_y = pose.eye_y + 0.222 + 0.25 * (pose.chin - 0.86)
    return pose.centre + pose.turn * 0.008, centre_y, half, opened * 0.042


def _nose(f: FactorView, pose: Pose) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the tip x, base y and half width of the nose."""
    base_y = pose.eye_y + f.span("nose_length", 0.122, 0.148)
    return pose.centre + pose.turn * 0.016, base_y, f.span("nose_width", 0.036, 0.052)


def outline(w: Window, f: FactorView, pose: Pose) -> Tensor:
    """Computes the signed distance of the face: an ellipse above the cheek bones, a tapered jaw below."""
    x, y = w.x - pose.head_x, w.y - 0.50 - (pose.eye_y - 0.475)
    square = (0.35 * f["jaw"] + 0.65 * f["jaw"] * (1 - f["presentation"])) * 0.75 + 0.15
    down = y.clamp(min=0) / (pose.chin - 0.50)
    up = (-y).clamp(min=0) / 0.385
    u = (x / (pose.half_width * (1 - (0.30 - 0.20 * square) * down.square()))).square()
    v = (down + up).square()
    circle = (u + v).sqrt()
    box = (u.square() + v.square()).sqrt_().sqrt_()
    return (circle + (box - circle) * (square * 0.75 * (down * 1.5).clamp_(max=1)) - 1) * 0.27


def ears(w: Window, canvas: Tensor, f: FactorView, pose: Pose) -> None:
    """Paints both ears; the hair may cover them later."""
    lx = pose.light[0]
    for sign in (-1.0, 1.0):
        x = sign * (w.x - pose.head_x) - pose.half_width - 0.002
        y = w.y - pose.eye_y - 0.035
        lean = x - (0.02 - y) * 0.18
        radius = ((lean / 0.032).square() + (y / 0.066).square()).sqrt_()
        shade = 0.80 + pose.contrast * lx * sign * 0.35 - 0.26 * soft((radius - 0.45).abs() - 0.02, 0.35)
        tint = torch.tensor([0.02, -0.03, -0.03]).view(1, 3, 1, 1)
        skin = (pose.skin + tint) * ((shade - 1) * SHADOW_FALL + 1) * pose.light_colour
        paint(canvas, skin, inside((radius - 1) * 0.04, w.pixel))


def skin(w: Window, canvas: Tensor, f: FactorView, pose: Pose, shadow: Tensor, fine: Tensor, spots: Tensor) -> None:
    """Paints the face's skin with its relief on the window's part of the canvas."""
    lx, ly = pose.light[0], pose.light[1]
    x, y = w.x - pose.head_x, w.y
    distance = outline(w, f, pose)
    nose_x, nose_y, nose_half = _nose(f, pose)
    mouth_x, mouth_y, mouth_half, _ = _mouth(f, pose)
    age = f["age"].square()
    smile = f["smile"]

    nx = x / (pose.half_width * 1.16)
    ny = (y - 0.52) / 0.47
    light = pose.lambert(nx.clamp(-0.97, 0.97), ny.clamp(-0.8, 0.8))

    # Relief: each hill adds its slope along the light.
    ridge = (w.x - nose_x) / (0.45 * nose_half + 0.016 + 0.030 * ((y - pose.eye_y) * 4).clamp(0, 0.6))
    length = ((y - pose.eye_y + 0.075) * 11).clamp(0, 1) * ((nose_y + 0.012 - y) * 30).clamp(0, 1)
    light.add_(bump((ridge / 1.7).square()) * ridge * (lx * 0.95) * length)
    light.sub_(bump(((ridge.abs() - 1.15) / 0.75).square()) * 0.10 * length)
    for sign in (-1.0, 1.0):
        ex = sign * (w.x - pose.centre) - EYE_DISTANCE
        cheek_x, cheek_y = ex - 0.012 - 0.01 * smile, y - nose_y + 0.022 * smile
        cheek = hill(cheek_x, cheek_y, 0.088, 0.075)
        light.add_(cheek * ((cheek_x * lx * sign + cheek_y * ly) * (2.2 + 3.2 * smile) + 0.05))
        light.sub_(hill(ex, y - pose.eye_y + 0.004, 0.100, 0.062) * 0.15)
        light.sub_(hill(ex + 0.058, y - pose.eye_y + 0.012, 0.045, 0.050) * 0.12)
        light.sub_(hill(ex + 0.005, y - pose.eye_y - 0.040 - 0.006 * age, 0.055, 0.012) * (0.05 + 0.22 * age))
        # the fold from the nose to the mouth corner, and the dimple at the corner
        fold_x = sign * (w.x - mouth_x) - (0.050 + (y - nose_y) * (0.42 + 0.25 * smile) + 2.5 * (y - 0.64).square())
        fold = hill(fold_x, y - 0.5 * (nose_y + mouth_y) + 0.006, 0.020, 0.060)
        light.sub_(fold * (0.02 + 0.10 * smile + 0.14 * age))
        corner_x = sign * (w.x - mouth_x) - mouth_half - 0.008
        light.sub_(hill(corner_x, y - mouth_y + 0.024 * smile - 0.008, 0.022, 0.022) * 0.13)
    wrinkle = (y - 0.345 + 0.35 * x.square()) * 34
    wave = ((wrinkle % 1) - 0.5).abs() * 4 - 1
    light.sub_(hill(x, y - 0.345, 0.13, 0.065) * wave * (0.10 * age))
    light.sub_(hill(w.x - nose_x, y - nose_y - 0.017, nose_half * 1.5, 0.026) * 0.28)
    light.sub_(hill(w.x - mouth_x, y - mouth_y - 0.046, 0.062, 0.020) * 0.15)
    light.add_(hill(w.x - mouth_x, y - pose.chin + 0.050, 0.060, 0.040) * 0.07)
    light.sub_(shadow * 0.13)

    tone = light.mul_(pose.contrast).add_(1.03 - pose.contrast * 0.80)
    tone.sub_(soft(-0.002 - distance, 0.075) * 0.16)
    tone.add_(fine * (0.020 + 0.010 * age))
    freckled = f.above("freckles", 0.6) * (1 - 0.6 * f["skin_tone"]) * hill(x, y - 0.56, 0.22, 0.15) * 1.5
    dark_spots = (spots - 0.42).clamp_(min=0) * freckled.clamp(max=1)
    tone = tone.clamp_(0.25, 1.12)

    flush = hill(w.x - nose_x, y - nose_y + 0.012, 0.05, 0.04) * 0.5
    for sign in (-1.0, 1.0):
        flush = flush + hill(sign * (w.x - pose.centre) - 0.125, y - nose_y - 0.002, 0.080, 0.065)
    flush = flush * f.span("blush", 0.15, 1.0)
    rosy = torch.tensor([0.010, -0.075, -0.060]).view(1, 3, 1, 1)
    brown = torch.tensor([-0.22, -0.40, -0.42]).view(1, 3, 1, 1)
    tone = (tone - 1) * SHADOW_FALL + 1
    colour = (tone * pose.skin + (flush * rosy + dark_spots * brown) * (0.35 + 0.65 * pose.skin)) * pose.light_colour
    shine = hill(w.x - nose_x - 0.010 * lx, y - nose_y + 0.022, 0.018, 0.020) * 1.2
    shine = shine + hill(w.x - nose_x - 0.008 * lx, y - nose_y + 0.085, 0.011, 0.085) * 0.5
    shine = shine + hill(x - 0.11 * lx, y - 0.33, 0.11, 0.07) * 0.55
    for sign in (-1.0, 1.0):
        side = (sign * lx * 1.2 + 0.55).clamp(0, 1)
        shine = shine + hill(sign * (w.x - pose.centre) - 0.14, y - pose.eye_y - 0.082, 0.055, 0.035) * (0.75 * side)
    colour = colour + shine * (0.05 + 0.16 * pose.contrast) * (1.05 - colour)
    paint(canvas, colour, inside(distance, w.pixel))


def nostrils(w: Window, canvas: Tensor, f: FactorView, pose: Pose) -> None:
    """Paints the nostrils and the wings of the nose."""
    nose_x, nose_y, half = _nose(f, pose)
    y = w.y - nose_y
    side = (w.x - nose_x).abs()
    nostril = hill(side - half * 0.50, y - 0.001 + (side - half * 0.5) * 0.25, half * 0.34, 0.0085)
    wing = (((side - half * 0.58) / (half * 0.50)).square() + ((y + 0.008) / 0.020).square()).sqrt()
    crease = soft((wing - 1).abs() - 0.04, 0.42) * (side > half * 0.62) * ((y + 0.024) * 60).clamp(0, 1)
    dark = pose.skin * torch.tensor([0.36, 0.26, 0.24]).view(1, 3, 1, 1)
    paint(canvas, dark, (nostril * 1.1).clamp(max=1) * 0.85 + crease * 0.36 * (1 - nostril))


def eye(w: Window, canvas: Tensor, f: FactorView, pose: Pose, sign: float) -> None:
    """Paints one eye (sign -1: the one on the picture's left)."""
    size = f.span("eye_size", 0.90, 1.12)
    centre = pose.centre + sign * _eye_offset(f)
    u = sign * (w.x - centre)  # outwards from the nose
    v = w.y - pose.eye_y + u * f.span("eye_tilt", -0.07, 0.16)
    half = 0.056 * size
    opened = f.span("eye_openness", 0.78, 1.08) - 0.10 * f["smile"]
    along = (u / half).square()
    arc = 1 - along
    upper = -0.0275 * size * opened * arc
    lower = (0.0165 * size * (1 - 0.12 * f["smile"])) * arc
    lid = torch.maximum(upper - v, v - lower) * 0.85

    iris_x = w.x - centre - f.span("gaze", -0.008, 0.008)
    iris_y = w.y - pose.eye_y + 0.005
    radius = (iris_x.square() + iris_y.square()).sqrt_()
    iris_r = 0.0235 * (0.5 + 0.5 * size)
    white = torch.tensor([0.93, 0.91, 0.89]).view(1, 3, 1, 1) * (0.84 + 0.10 * pose.light_colour)
    ball = white * (1 - 0.30 * soft(v - upper - 0.008, 0.016) - 0.22 * along.clamp(max=1.0) * along.clamp(max=1.0))
    tint = ramp(f["eye_colour"] * (1 - 0.85 * f["skin_tone"].square()), IRIS)
    glow = 0.80 + 0.55 * hill(iris_x + 0.35 * iris_r * pose.light[0], iris_y - iris_r * 0.45, iris_r, iris_r)
    ring = soft(iris_r * 0.80 - radius, 0.010) * 0.45
    lash_shade = 1 - 0.45 * soft(v - upper - 0.006, 0.014)
    iris = tint * (glow * (1 - ring) * lash_shade)
    paint(ball, iris, inside(radius - iris_r, w.pixel * 1.2))
    ball.mul_(1 - 0.93 * inside(radius - iris_r * 0.44, w.pixel * 1.4))
    spark = hill(iris_x - 0.009 * pose.light[0] - 0.003, iris_y + 0.0095, 0.0085, 0.0085)
    ball.add_((spark * 1.5).clamp_(max=1) * (1 - ball) * 0.95)
    paint(canvas, ball, inside(lid, w.pixel * 1.2))

    lash = 0.0035 + 0.0025 * f["presentation"]
    reach = soft(u.abs() - half * 1.06, 0.02)
    lashes = inside((v - upper + lash * 0.4).abs() - lash * (0.9 + 0.5 * u / half), 0.009) * reach
    fold = inside((v + 0.012 * size + 0.030 * size * (1 - 0.7 * along)).abs() - 0.0012, 0.009)
    fold = fold * soft(u.abs() - half * 0.95, 0.03)
    under = inside((v - lower - 0.001).abs() - 0.0008, 0.007) * reach
    dark = pose.skin * torch.tensor([0.30, 0.20, 0.17]).view(1, 3, 1, 1)
    paint(canvas, dark, torch.maximum(torch.maximum(lashes * 0.95, fold * 0.42), under * 0.40))


def brow(w: Window, canvas: Tensor, f: FactorView, pose: Pose, sign: float, strands: Tensor) -> None:
    """Paints one eyebrow, combed outwards."""
    u = sign * (w.x - pose.centre) - _eye_offset(f)
    feminine = f["presentation"]
    height = f.span("brow_height", 0.060, 0.074) + 0.006 * feminine
    arch = f.span("brow_arch", 0.006, 0.022) + 0.004 * feminine
    v = w.y - pose.eye_y + height + arch * (1 - ((u - 0.018) / 0.075).square())
    thick = f.span("brow_thickness", 0.0065, 0.0130) * (1.12 - 0.30 * feminine)
    taper = (1 - ((u - 0.004) / 0.078).square()).clamp(min=0) * (1 - 4.0 * u.clamp(min=0))
    hairs = lookup(strands[:, :1], (v * 1.2 + u * (0.5 - 4 * u)) * 120, u * 22 + sign * 11)
    distance = v.abs() - thick * taper - hairs * 0.0035
    strength = 0.80 - 0.12 * feminine
    colour = pose.hair * 0.55 + pose.skin * torch.tensor([0.14, 0.09, 0.07]).view(1, 3, 1, 1)
    density = strength * (taper > 0) * (1 + 0.35 * hairs).clamp(max=1.15)
    paint(canvas, colour * (1 + 0.30 * hairs), soft(distance, 0.0125) * density)


def mouth(w: Window, canvas: Tensor, f: FactorView, pose: Pose) -> None:
    """Paints the lips, and the teeth of an open mouth."""
    centre_x, centre_y, half, opened = _mouth(f, pose)
    smile = f["smile"]
    x = w.x - centre_x
    along = (x / half).square()
    arc = (1 - along).clamp(min=0)
    y = w.y - centre_y + (0.046 * smile - 0.012) * (along - 0.35).clamp(max=1.2)
    fullness = f["lip_fullness"] * 0.75 + 0.25 * f["presentation"]
    bow = 1 - 0.26 * hill(x, x * 0, 0.022, 1.0)
    upper_lip = (0.014 + 0.013 * fullness - 0.004 * smile) * arc.sqrt() * (0.45 + 0.55 * arc) * bow
    lower_lip = (0.017 + 0.017 * fullness - 0.004 * smile) * arc.sqrt() * (0.35 + 0.65 * arc)
    gap = opened * arc
    line = -gap * 0.35
    top, bottom = line - upper_lip, gap * 0.65 + lower_lip
    corner = (x.abs() - half) * 0.6 + 0.004
    lips = torch.maximum(torch.maximum(top - y, y - bottom), corner)
    ly = pose.light[1]
    upward = ((y - line) / (upper_lip + 1e-3)).clamp(-1, 0)
    roll = ((y - gap * 0.65) / (lower_lip + 1e-3)).clamp(0, 1)
    shade = 0.86 + 0.10 * upward * (-ly) * 2 - 0.16 * roll.square() + pose.contrast * pose.light[0] * x * 1.8
    gleam = hill(x - 0.014 * pose.light[0], y - gap * 0.65 - lower_lip * 0.42, half * 0.45, 0.0085)
    natural = pose.skin * torch.tensor([0.86, 0.66, 0.65]).view(1, 3, 1, 1)
    painted = torch.tensor([0.70, 0.13, 0.18]).view(1, 3, 1, 1) * (0.5 + 0.5 * pose.skin[:, :1])
    paint_amount = (f["lip_colour"].square() * (0.10 + 0.9 * f["presentation"])).clamp(max=0.85)
    colour = (natural + (painted - natural) * paint_amount) * shade * pose.light_colour
    colour = colour + gleam * (0.10 + 0.12 * f["lip_colour"]) * (1 - colour)
    paint(canvas, colour, inside(lips, 0.010) * (0.80 + 0.15 * paint_amount))

    hole = torch.maximum(torch.maximum(line - y, y - gap * 0.65), corner + 0.004)
    cavity = torch.tensor([0.22, 0.06, 0.06]).view(1, 3, 1, 1)
    teeth_edge = y - (line + 0.024 * arc.sqrt() + 0.002)
    gaps = 1 - 0.09 * bump((((x / 0.0145) % 1 - 0.5) / 0.22).square())
    lip_shadow = 0.16 * soft(y - line - 0.002, 0.008)
    enamel = torch.tensor([0.94, 0.92, 0.87]).view(1, 3, 1, 1)
    enamel = enamel * (gaps * (1 - 0.38 * along.clamp(max=1)) - lip_shadow)
    inner = cavity + (enamel - cavity) * inside(teeth_edge, 0.006)
    paint(canvas, inner, inside(hole, 0.007) * ((opened - 0.003) * 250).clamp(0, 1))
    seam = inside((y - line).abs() - 0.0012, 0.0085) * soft(x.abs() - half * 0.93, 0.02)
    seam = seam * (1 - (opened * 120).clamp(max=0.85))
    dark = pose.skin * torch.tensor([0.38, 0.20, 0.19]).view(1, 3, 1, 1)
    paint(canvas, dark, seam * 0.8)


def beard(w: Window, canvas: Tensor, f: FactorView, pose: Pose, strands: Tensor) -> None:
    """Paints a beard, from stubble to full; the mouth is painted over it."""
    amount = ((0.5 - f["beard"]) * 3.2).clamp(0, 1) * ((0.5 - f["presentation"]) * 8).clamp(0, 1)
    centre_x, centre_y, half, _ = _mouth(f, pose)
    x, y = w.x - pose.head_x, w.y
    side = x.abs()
    shape = f["beard_shape"]
    full = ((shape - 0.25) * 2.5).clamp(0, 1)
    noise = lookup(strands[:, :1], (x + 0.6 * x * (y - 0.6)) * 120, (y - 0.75) * 34)
    clump = lookup(strands[:, 1:], x * 60, (y - 0.75) * 18)
    edge = outline(w, f, pose) - 0.006 * amount
    cheek_line = centre_y - 0.005 + 0.062 * full - side * (0.30 + 0.75 * full) - 0.012 * full
    cheek = cheek_line + 0.035 - y
    goatee = ((w.x - centre_x) / (half * 1.10)).abs() - 1
    region = torch.maximum(cheek, goatee * 0.09 - 0.30 * full)
    moustache = hill(w.x - centre_x, y - centre_y + 0.037 - 0.35 * side, half * 1.35, 0.046) * 1.8
    mask = torch.maximum(soft(region + 0.010 * clump, 0.075), moustache.clamp(max=1))
    mask = mask * inside(edge + noise * 0.004, 0.006)
    lips = ((w.x - centre_x) / (half * 1.02)).square() + ((y - centre_y - 0.008) / 0.027).square()
    clear = soft(lips.sqrt() - 1, 0.45)
    mask = mask * (1 - 0.85 * clear) * soft(0.585 - y - 0.02 * noise, 0.09)
    lit = 0.86 + pose.contrast * x * pose.light[0] * 1.4 - 0.9 * (y - 0.78)
    colour = (pose.hair * 0.82 * (lit * (1 + 0.42 * noise + 0.18 * clump)) + 0.07 * noise + 0.02) * pose.light_colour
    density = (amount * 0.88 + (0.25 * noise + 0.1 * clump) * (1 - 0.5 * amount) * (amount > 0)).clamp(0, 0.94)
    paint(canvas, colour.clamp_(0, 1), mask * density)


def glasses(w: Window, canvas: Tensor, f: FactorView, pose: Pose) -> None:
    """Paints glasses on about 23 % of the faces: two lenses, bridge and temples."""
    worn = ((f["glasses"] - 0.77) * 200 + 0.5).clamp(0, 1)
    size = f.above("glasses", 0.77)
    square = f["glasses_shape"]
    half_w, half_h = 0.076 + 0.014 * size, 0.052 + 0.018 * size - 0.012 * square
    thick = 0.0035 + 0.0035 * (1 - f["glasses_colour"]) + 0.001 * size
    x, y = w.x - pose.centre, w.y - pose.eye_y - 0.012
    side = x.abs()
    u = ((side - EYE_DISTANCE - 0.003) / half_w).square()
    v = (y / half_h).square()
    circle = (u + v).sqrt()
    box = (u.square().square() + v.square().square()).sqrt_().sqrt_().sqrt_()
    lens = (circle + (box - circle) * square - 1) * 0.062
    bridge = torch.maximum((y + 0.016 + 1.4 * side.square()).abs() - thick, side - (EYE_DISTANCE + 0.006 - half_w))
    temple = torch.maximum((y + 0.014).abs() - thick * 0.9, EYE_DISTANCE + half_w - side)
    temple = torch.maximum(temple, (w.x - pose.head_x).abs() - pose.half_width - 0.004)
    rim = torch.minimum(torch.minimum(lens.abs() - thick, bridge), temple)
    cast = soft(rim - 0.002, 0.03) * 0.16
    canvas.mul_(1 - cast * worn)
    sheen = inside(lens, w.pixel) * soft((y + 0.5 * x - 0.25 * pose.light[0] * 0.2).abs() % 0.11 - 0.03, 0.03)
    canvas.add_((1 - canvas) * (sheen * 0.10 * worn))
    frame = ramp(f["glasses_colour"], RIMS)
    light = 1 + 2.2 * soft((lens - 0.001).abs(), 0.006) * soft(y + 0.6 * half_h, 0.03) * 0.3
    paint(canvas, frame * light * pose.light_colour, inside(rim, w.pixel * 1.1) * worn)

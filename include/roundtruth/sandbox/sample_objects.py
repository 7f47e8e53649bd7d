"""Pens and pencils as they look from above: small RGBA pictures, tip to the right, lit from above."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[Any]  # of float32 or float64: rows, columns, perhaps channels; 0-1
Color = tuple[float, float, float]

_PAINT: tuple[Color, ...] = (
    (0.93, 0.70, 0.13),
    (0.93, 0.70, 0.13),
    (0.80, 0.16, 0.14),
    (0.10, 0.42, 0.25),
    (0.12, 0.28, 0.60),
    (0.13, 0.13, 0.15),
    (0.85, 0.45, 0.12),
    (0.45, 0.20, 0.50),
)
_BARREL: tuple[Color, ...] = (
    (0.08, 0.08, 0.10),
    (0.10, 0.17, 0.45),
    (0.62, 0.07, 0.10),
    (0.86, 0.86, 0.88),
    (0.05, 0.36, 0.36),
    (0.55, 0.57, 0.60),
    (0.93, 0.93, 0.90),
    (0.30, 0.12, 0.36),
)
_METAL: Color = (0.78, 0.78, 0.80)
_BRASS: Color = (0.80, 0.68, 0.40)
_WOOD: Color = (0.86, 0.70, 0.48)
_RUBBER: Color = (0.86, 0.50, 0.50)


def draw_object(label: str, length: int, chance: np.random.Generator) -> Image.Image:
    """A `pen` or `pencil` of that length in pixels, lying along x; transparent around it."""
    # The side of a real pencil is about 1/24 of its length, of a worn one more; pens are stouter.
    slenderness = chance.uniform(0.040, 0.068) if label == "pencil" else chance.uniform(0.052, 0.085)
    thickness = max(9, round(length * slenderness))
    picture = _pencil(length, thickness, chance) if label == "pencil" else _pen(length, thickness, chance)
    return Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8), "RGBA")


def _pencil(length: int, thickness: int, chance: np.random.Generator) -> Pixels:
    along, across = _axes(length, thickness)
    paint = _varied(_PAINT[chance.integers(len(_PAINT))], chance)
    cone = min(0.16, 1.9 * thickness / length) * chance.uniform(0.85, 1.25)
    color = _painted(along, across, paint)
    facets = np.select([across < -0.38, across < 0.42], [0.92, 1.08], 0.70)
    color *= (facets * (1.0 - 0.10 * np.abs(across)))[..., None]
    stamp = (along > 0.22) & (along < 0.45) & (np.abs(across) < 0.18)
    letters = np.sin(along * length / max(thickness, 1) * 9.0) > 0.2
    color[stamp & letters] = np.clip(np.array(paint) * 0.3 + (0.55 if sum(paint) < 1.0 else 0.0), 0, 1)

    # The sharpener leaves a scalloped edge on a hexagonal pencil.
    scallop = 1.0 - cone + 0.14 * cone * np.cos(across * 8.0)
    wood = along > scallop
    grain = 1.0 + 0.06 * np.sin(across * 23.0 + along * 40.0)
    color[wood] = (np.array(_WOOD) * (_round(across) * grain)[..., None])[wood]
    lead = along > 1.0 - 0.27 * cone
    colored = chance.random() < 0.25
    tip = np.array(paint) * 0.9 if colored else np.array((0.20, 0.20, 0.22))
    color[lead] = (tip * _round(across)[..., None])[lead]

    if not colored:
        rubber, ferrule = along < 0.045, (along >= 0.045) & (along < 0.10)
        pink = _RUBBER if chance.random() < 0.8 else (0.92, 0.92, 0.90)
        color[rubber] = (np.array(pink) * _round(across)[..., None])[rubber]
        ridges = 0.85 + 0.15 * np.sin(along * 520.0)
        metal = _BRASS if chance.random() < 0.4 else _METAL
        color[ferrule] = (np.array(metal) * (_glossy(across) * ridges)[..., None])[ferrule]
    half = np.where(along < 1.0 - cone, 1.0, np.clip((1.0 - along) / cone, 0.04, 1.0))
    return _with_outline(color, across, half, along, thickness, rounded=0.15)


def _pen(length: int, thickness: int, chance: np.random.Generator) -> Pixels:
    along, across = _axes(length, thickness)
    barrel = _varied(_BARREL[chance.integers(len(_BARREL))], chance)
    capped = chance.random() < 0.35
    cone = chance.uniform(0.07, 0.12) if not capped else chance.uniform(0.02, 0.04)
    color = np.array(barrel) * _glossy(across)[..., None]
    color = (
        _gripped(color, along, across, cone, barrel, chance)
        if not capped
        else _capped(color, along, across, chance)
    )
    clip = chance.uniform(0.05, 0.08)
    clip_end = clip + chance.uniform(0.20, 0.28)
    if capped:  # the cap sits on the writing end
        clip, clip_end = 1.0 - clip_end, 1.0 - clip - 0.02
    bright = np.array(_METAL if chance.random() < 0.75 else barrel)
    on_clip = (along > clip) & (along < clip_end) & (np.abs(across + 0.28) < 0.17)
    below_clip = (along > clip) & (along < clip_end) & (np.abs(across + 0.02) < 0.13)
    color[below_clip] *= 0.62
    color[on_clip] = (bright * (0.75 + 0.5 * (across < -0.28))[..., None])[on_clip]

    half = np.where(along < 1.0 - cone, 1.0, np.clip((1.0 - along) / cone, 0.16, 1.0))
    if not capped:
        button = along < chance.uniform(0.025, 0.05)
        half = np.where(button, 0.45, half)
        color[button] = (np.array(_METAL) * _glossy(across * 2)[..., None])[button]
        point = along > 1.0 - 0.16 * cone
        color[point] = (np.array((0.45, 0.45, 0.47)) * _round(across * 3)[..., None])[point]
    return _with_outline(color, across, half, along, thickness, rounded=0.5)


def _gripped(
    color: Pixels, along: Pixels, across: Pixels, cone: float, barrel: Color, chance: np.random.Generator
) -> Pixels:
    metal_tip = chance.random() < 0.6
    tip = along > 1.0 - cone
    if metal_tip:
        color[tip] = (np.array(_METAL) * _glossy(across)[..., None])[tip]
    grip = (along > 1.0 - cone - chance.uniform(0.16, 0.26)) & ~tip
    if chance.random() < 0.6:
        rubber = np.array((0.10, 0.10, 0.11)) if sum(barrel) > 0.6 else np.array((0.32, 0.32, 0.34))
        ridges = 0.85 + 0.15 * (np.sin(along * 260.0) > 0)
        color[grip] = (rubber * (_round(across) * ridges)[..., None])[grip]
    ring = np.abs(along - chance.uniform(0.42, 0.56)) < 0.008
    color[ring] = (np.array(_METAL) * _glossy(across)[..., None])[ring]
    return color


def _capped(color: Pixels, along: Pixels, across: Pixels, chance: np.random.Generator) -> Pixels:
    cap = along > chance.uniform(0.62, 0.70)
    color[cap] *= chance.uniform(0.7, 0.9)
    edge = cap & (along < float(along[cap].min()) + 0.012)
    color[edge] = (np.array(_METAL) * _glossy(across)[..., None])[edge]
    return color


def _axes(length: int, thickness: int) -> tuple[Pixels, Pixels]:
    """0-1 from end to tip, and -1 to 1 from the upper to the lower side, for every pixel."""
    along = (np.arange(length, dtype=np.float32) + 0.5) / length
    across = (np.arange(thickness, dtype=np.float32) + 0.5) / thickness * 2 - 1
    grid = np.meshgrid(along, across)
    return grid[0], grid[1]


def _painted(along: Pixels, across: Pixels, paint: Color) -> Pixels:
    shine = 0.28 * np.exp(-(((across + 0.45) / 0.10) ** 2))
    return np.broadcast_to(np.array(paint, np.float32), (*along.shape, 3)).copy() + shine[..., None]


def _round(across: Pixels) -> Pixels:
    """The light on a dull cylinder: most on the upper side, little at the lower edge."""
    inside = np.clip(across, -1, 1)
    light: Pixels = 0.42 + 0.62 * np.sqrt(1 - inside**2) - 0.16 * inside
    return light


def _glossy(across: Pixels) -> Pixels:
    reflex = 0.75 * np.exp(-(((across + 0.42) / 0.13) ** 2)) + 0.18 * np.exp(-(((across - 0.62) / 0.12) ** 2))
    return (_round(across) + reflex).astype(np.float32)


def _varied(color: Color, chance: np.random.Generator) -> Color:
    shift = chance.normal(0.0, 0.03, size=3)
    return tuple(float(np.clip(part + by, 0.03, 0.97)) for part, by in zip(color, shift, strict=True))  # type: ignore[return-value]


def _with_outline(
    color: Pixels, across: Pixels, half: Pixels, along: Pixels, thickness: int, *, rounded: float
) -> Pixels:
    """Add the alpha: inside of the half width, with the back end rounded and an edge of about a pixel."""
    back = np.clip(along * along.shape[1] / (thickness * rounded), 0, 1)
    width = half * np.sqrt(np.clip(1 - (1 - back) ** 2, 0.02, 1))
    alpha = np.clip((width - np.abs(across)) * thickness / 2 + 0.5, 0, 1)
    return np.dstack([color, alpha]).astype(np.float32)

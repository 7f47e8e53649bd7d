"""Desks for the sample photos: wood, paper, cloth and mats, with light, clutter and the noise of a camera."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[Any]  # of float32 or float64: rows, columns, perhaps channels; 0-1


def draw_surface(width: int, height: int, chance: np.random.Generator) -> Image.Image:
    """A background of the size, RGB, with two or three things on it that are no pens."""
    kinds = (_wood, _wood, _paper, _cloth, _mat)
    pixels = kinds[chance.integers(len(kinds))](width, height, chance)
    surface = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8), "RGB")
    for _ in range(int(chance.integers(0, 4))):
        clutter = (_note, _sheet, _coin, _ruler, _eraser)[chance.integers(5)](min(width, height), chance)
        place = (int(chance.uniform(-0.1, 0.9) * width), int(chance.uniform(-0.1, 0.9) * height))
        paste_with_shadow(surface, clutter, place, 4.0, 0.4)
    return surface


def paste_with_shadow(
    scene: Image.Image, thing: Image.Image, place: tuple[int, int], depth: float, strength: float
) -> None:
    """Lay an RGBA thing on the scene at (left, top), with a soft shadow to the lower right."""
    margin = int(depth * 4) + 2
    shade = Image.new("L", (thing.width + 2 * margin, thing.height + 2 * margin))
    shade.paste(thing.getchannel("A"), (margin, margin))
    dark = shade.filter(ImageFilter.GaussianBlur(depth)).point(lambda value: int(value * strength))
    offset = (place[0] - margin + round(depth * 1.1), place[1] - margin + round(depth * 1.4))
    scene.paste((12, 10, 14), offset, dark)
    scene.paste(thing.convert("RGB"), place, thing.getchannel("A"))


def photograph(scene: Image.Image, chance: np.random.Generator) -> Image.Image:
    """The scene as a camera sees it: light from a side, vignette, white balance, softness and noise."""
    soft = scene.filter(ImageFilter.GaussianBlur(chance.uniform(0.4, 0.9)))
    pixels = np.asarray(soft, dtype=np.float32) / 255.0
    height, width = pixels.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    angle = chance.uniform(0, 2 * np.pi)
    slope = chance.uniform(0.05, 0.26)
    light = 1.0 + slope * (np.cos(angle) * x + np.sin(angle) * y) - chance.uniform(0.05, 0.16) * (x**2 + y**2)
    warmth = chance.normal(0.0, 0.035)
    balance = np.array([1.0 + warmth, 1.0, 1.0 - 1.3 * warmth], np.float32) * chance.uniform(0.88, 1.10)
    noise = chance.standard_normal((height, width, 1), dtype=np.float32) * np.float32(
        chance.uniform(0.006, 0.018)
    )
    seen = pixels * light[..., None] * balance + noise
    return Image.fromarray((np.clip(seen, 0, 1) * 255).astype(np.uint8), "RGB")


def _noise(width: int, height: int, cell_x: float, cell_y: float, chance: np.random.Generator) -> Pixels:
    """Smooth noise of about -1 to 1, with features of the given size in pixels."""
    columns, rows = max(2, round(width / cell_x)), max(2, round(height / cell_y))
    coarse = Image.fromarray(chance.normal(0, 0.5, size=(rows, columns)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def _wood(width: int, height: int, chance: np.random.Generator) -> Pixels:
    tones = (
        (0.62, 0.43, 0.27),
        (0.48, 0.31, 0.19),
        (0.76, 0.60, 0.42),
        (0.34, 0.22, 0.15),
        (0.82, 0.72, 0.58),
    )
    tone = np.array(tones[chance.integers(len(tones))], np.float32) * chance.uniform(0.92, 1.08)
    upright = chance.random() < 0.3
    long, across = (height, width) if upright else (width, height)
    y = np.arange(across, dtype=np.float32)[:, None]
    bend = _noise(long, across, long / 2.5, across / 3.5, chance) * across * 0.05
    rings = np.sin(
        (y + bend) / chance.uniform(5.0, 10.0) + 2.2 * _noise(long, across, long / 1.5, 26, chance)
    )
    fibre = _noise(long, across, 90, 2.0, chance)
    pores = np.clip(_noise(long, across, 34, 1.6, chance) - 0.55, 0, 1)
    bright = (
        1.0 + 0.055 * rings + 0.075 * fibre - 0.45 * pores + 0.06 * _noise(long, across, 420, 160, chance)
    )
    plank = int(chance.uniform(0.22, 0.5) * across)
    number = (y // plank).astype(int)
    bright = bright * chance.uniform(0.90, 1.08, size=int(number.max()) + 1).astype(np.float32)[number]
    bright = np.where((y % plank) < 2.2, bright * 0.45, bright)
    pixels = tone * bright[..., None]
    return np.transpose(pixels, (1, 0, 2)) if upright else pixels


def _paper(width: int, height: int, chance: np.random.Generator) -> Pixels:
    base = np.float32(chance.uniform(0.80, 0.92))
    bright = (
        base + 0.012 * _noise(width, height, 3, 3, chance) + 0.02 * _noise(width, height, 260, 260, chance)
    )
    pixels = np.repeat(bright[..., None], 3, axis=2) * np.array(
        [1.0, 0.99, chance.uniform(0.92, 0.99)], np.float32
    )
    spacing = int(chance.uniform(22, 40))
    ink = np.array([0.62, 0.74, 0.90], np.float32)
    if chance.random() < 0.75:
        pixels[spacing // 2 :: spacing] *= ink
        if chance.random() < 0.45:
            pixels[:, spacing // 2 :: spacing] *= ink
    return pixels


def _cloth(width: int, height: int, chance: np.random.Generator) -> Pixels:
    tones = (
        (0.32, 0.40, 0.52),
        (0.60, 0.56, 0.50),
        (0.44, 0.20, 0.22),
        (0.70, 0.68, 0.62),
        (0.28, 0.36, 0.30),
    )
    tone = np.array(tones[chance.integers(len(tones))], np.float32)
    thread = chance.uniform(3.0, 5.5)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    weave = np.sin(2 * np.pi * x / thread) * np.sin(2 * np.pi * y / thread)
    folds = _noise(width, height, width / 2.2, height / 1.5, chance)
    bright = 1.0 + 0.10 * weave + 0.07 * _noise(width, height, 2.5, 2.5, chance) + 0.10 * folds
    pixels: Pixels = tone * bright[..., None]
    return pixels


def _mat(width: int, height: int, chance: np.random.Generator) -> Pixels:
    tones = (
        (0.16, 0.17, 0.19),
        (0.13, 0.30, 0.26),
        (0.24, 0.17, 0.13),
        (0.46, 0.47, 0.49),
        (0.83, 0.82, 0.80),
    )
    tone = np.array(tones[chance.integers(len(tones))], np.float32)
    grain = 0.07 * _noise(width, height, 4, 4, chance) + 0.05 * _noise(width, height, 13, 13, chance)
    scuffs = 0.06 * _noise(width, height, 300, 120, chance)
    return tone * (1.0 + grain + scuffs)[..., None]


def _turned(picture: Image.Image, chance: np.random.Generator) -> Image.Image:
    return picture.rotate(chance.uniform(0, 360), Image.Resampling.BICUBIC, expand=True)


def _note(size: int, chance: np.random.Generator) -> Image.Image:
    colors = ((248, 226, 96), (250, 170, 190), (160, 220, 150), (150, 205, 240))
    side = int(size * chance.uniform(0.16, 0.26))
    note = Image.new("RGBA", (side, side), (*colors[chance.integers(len(colors))], 255))
    pen = ImageDraw.Draw(note)
    for line in range(int(chance.integers(0, 4))):
        y = side * (0.25 + 0.18 * line)
        points = [
            (side * 0.12 + step, y + chance.normal(0, side * 0.018)) for step in range(0, int(side * 0.7), 3)
        ]
        pen.line(points, fill=(60, 60, 90, 255), width=2)
    return _turned(note, chance)


def _sheet(size: int, chance: np.random.Generator) -> Image.Image:
    width, height = int(size * chance.uniform(0.5, 0.8)), int(size * chance.uniform(0.6, 1.0))
    sheet = Image.new("RGBA", (width, height), (238, 237, 230, 255))
    pen = ImageDraw.Draw(sheet)
    for y in range(int(height * 0.1), int(height * 0.9), max(12, height // 26)):
        if chance.random() < 0.75:
            end = int(width * chance.uniform(0.5, 0.92))
            for x in range(int(width * 0.08), end, 9):  # words too small to read
                if chance.random() < 0.85:
                    pen.line([(x, y), (x + 6, y)], fill=(95, 95, 102, 255), width=3)
    return _turned(sheet, chance)


def _coin(size: int, chance: np.random.Generator) -> Image.Image:
    side = int(size * chance.uniform(0.045, 0.075)) * 2
    coin = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(coin)
    red, green, blue = ((196, 160, 92), (186, 188, 192), (176, 112, 70))[chance.integers(3)]
    pen.ellipse([0, 0, side - 1, side - 1], fill=(int(red * 0.7), int(green * 0.7), int(blue * 0.7), 255))
    pen.ellipse([2, 2, side - 4, side - 4], fill=(red, green, blue, 255))
    pen.ellipse(
        [side * 0.3, side * 0.25, side * 0.7, side * 0.75],
        fill=(int(red * 0.86), int(green * 0.86), int(blue * 0.86), 255),
    )
    return coin


def _ruler(size: int, chance: np.random.Generator) -> Image.Image:
    length, broad = int(size * chance.uniform(0.5, 0.85)), int(size * 0.055)
    ruler = Image.new(
        "RGBA", (length, broad), ((222, 190, 130, 255), (210, 222, 228, 235))[chance.integers(2)]
    )
    pen = ImageDraw.Draw(ruler)
    for number, x in enumerate(range(4, length, max(3, length // 90))):
        pen.line([(x, 0), (x, broad * (0.5 if number % 10 == 0 else 0.25))], fill=(40, 40, 40, 255), width=1)
    return _turned(ruler, chance)


def _eraser(size: int, chance: np.random.Generator) -> Image.Image:
    length, broad = int(size * chance.uniform(0.09, 0.13)), int(size * 0.055)
    eraser = Image.new("RGBA", (length, broad), (240, 238, 234, 255))
    sleeve = ((40, 80, 160, 255), (200, 60, 60, 255), (60, 60, 60, 255))[chance.integers(3)]
    ImageDraw.Draw(eraser).rectangle([0, 0, int(length * 0.62), broad], fill=sleeve)
    return _turned(eraser, chance)

"""What is done to a batch so that the network meets every camera and every room.

Everything works on tensors, on the device they lie on, and on those rows only that were drawn
for it. All randomness comes from the generator that is passed: the same generator, the same batch.

A batch is float32 (n, 5, h, w) in 0-1: red, green, blue, alpha, weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, conv2d, grid_sample, interpolate, pad

from livematte.training.recipe import Augment

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue. Source: ITU-R BT.601, section 2.5.1."""

CHROMA_SCALE = (0.564, 0.713)
"""From blue and red minus luma to Cb and Cr. Source: ITU-T T.871, section 7."""

BLOCK = 8
"""Side of a JPEG block."""

FOURIER_BAND = 0.03
"""Half the side of the square of amplitudes that is exchanged, over the picture's side: light and
colour of large areas, no shapes."""

LENS_PX = (0.2, 0.8)
"""Smallest and largest blur of a cut-out and its edge, a standard deviation."""

DENOISE_PX = 2
"""Half the side of the square that a pixel is averaged over."""

COARSE = 0.3
"""Part of the noisy pictures whose grain is two pixels wide."""


class Random:
    """Draws on the batch's device.

    Args:
        generator: of the device the batch lies on.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def uniform(self, count: int, low: float, high: float) -> Tensor:
        """`count` numbers between `low` and `high`, shaped (count, 1, 1, 1)."""
        drawn = torch.rand(count, 1, 1, 1, generator=self._generator, device=self._generator.device)
        return drawn * (high - low) + low

    def normal(self, like: Tensor) -> Tensor:
        """Normal noise of the shape of `like`."""
        return torch.randn(like.shape, generator=self._generator, device=self._generator.device)

    def rows(self, count: int, part: float) -> Tensor:
        """Indices of the rows that something is done to: each with the probability `part`."""
        drawn = torch.rand(count, generator=self._generator, device=self._generator.device)
        return (drawn < part).nonzero()[:, 0]

    def others(self, count: int, rows: Tensor) -> Tensor:
        """For each of `rows` another row of the batch."""
        step = torch.randint(1, count, rows.shape, generator=self._generator, device=self._generator.device)
        return (rows + step) % count


def augment(batch: Tensor, what: Augment, generator: torch.Generator) -> Tensor:
    """The batch, changed.

    Args:
        batch: (n, 5, h, w) float32 in 0-1; is written to.
        what: how much of each.
        generator: of the batch's device.

    Returns:
        (n, 5, h, w) float32 in 0-1.
    """
    random = Random(generator)
    count = len(batch)
    rows = random.rows(count, what.flip)
    batch[rows] = batch[rows].flip(3)
    rows = random.rows(count, what.affine)
    if len(rows):
        batch[rows] = affine(batch[rows], what, random)
    if count > 1:
        before = batch.clone() if what.paste or what.fourier else batch
        rows = random.rows(count, what.paste)
        batch = _with_others(batch, before, rows, random, paste)
        rows = random.rows(count, what.fourier)
        batch = _with_others(batch, before, rows, random, swap_amplitudes)
    batch = _on_rows(batch, random.rows(count, what.occlude), random, occlude)
    seen = batch[:, :3]
    for part, change in (
        (what.colour, colour),
        (what.dark, dark),
        (what.blur, blur),
        (what.noise, noise),
        (what.denoise, denoise),
        (what.jpeg, jpeg),
    ):
        if change is denoise and not part:
            continue  # it came later than the others: recipes without it draw what they drew before
        seen = _on_rows(seen, random.rows(count, part), random, change)
    batch[:, :3] = seen
    return batch


def _on_rows(batch: Tensor, rows: Tensor, random: Random, change: Callable[[Tensor, Random], Tensor]) -> Tensor:
    if len(rows):
        batch[rows] = change(batch[rows], random)
    return batch


def _with_others(
    batch: Tensor, before: Tensor, rows: Tensor, random: Random, change: Callable[[Tensor, Tensor, Random], Tensor]
) -> Tensor:
    if len(rows):
        batch[rows] = change(batch[rows], before[random.others(len(batch), rows)], random)
    return batch


def affine(batch: Tensor, what: Augment, random: Random) -> Tensor:
    """Scale, aspect, rotation and place; what comes from outside is mirrored."""
    count = len(batch)
    scale = torch.exp(random.uniform(count, math.log(what.scale[0]), math.log(what.scale[1])))
    stretch = torch.exp(random.uniform(count, -0.5, 0.5) * math.log(max(what.aspect, 1.0)))
    turn = torch.deg2rad(random.uniform(count, -what.rotate_deg, what.rotate_deg))
    room = (1 - 1 / scale).abs() + 0.05  # zoomed in, there is more to choose from
    x, y = random.uniform(count, -1, 1) * room, random.uniform(count, -1, 1) * room
    return warp(batch, scale, stretch, turn, x, y)


def warp(batch: Tensor, scale: Tensor, stretch: Tensor, turn: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pictures (n, c, h, w) moved, each by its own (n, 1, 1, 1); what comes from outside is mirrored.

    Args:
        batch: of any planes.
        scale: factor of the size.
        stretch: factor of width over height.
        turn: in radians.
        x, y: place of the picture's middle, in halves of its sides.
    """
    count, _, height, width = batch.shape
    ratio = height / width  # a turn is one of pixels, not of the square that grid_sample sees
    cos, sin = turn.cos(), turn.sin()
    a, b = cos / (scale * stretch), -sin * ratio * stretch / scale
    c, d = sin / (ratio * scale * stretch), cos * stretch / scale
    theta = torch.cat([a, b, x, c, d, y], 1).view(count, 2, 3)
    grid = affine_grid(theta, list(batch.shape), align_corners=False)
    return grid_sample(batch, grid, "bilinear", "reflection", align_corners=False)


def paste(batch: Tensor, behind: Tensor, random: Random) -> Tensor:
    """The people of `batch` before the pictures `behind`, whose own people stay people."""
    alpha, other = batch[:, 3:4], behind[:, 3:4]
    soft = avg_pool2d(pad(alpha, (1, 1, 1, 1), mode="replicate"), 3, 1)  # masks of one bit cut like scissors
    scene = behind[:, :3]
    rgb = torch.lerp(scene, in_light(batch[:, :3], alpha, scene, random), soft)
    both = 1 - (1 - alpha) * (1 - other)
    weight = torch.lerp(behind[:, 4:5], batch[:, 4:5], alpha)
    weight = torch.minimum(weight, torch.where(alpha > 0, batch[:, 4:5], weight))
    return torch.cat([rgb, both, weight], 1)


def in_light(person: Tensor, alpha: Tensor, scene: Tensor, random: Random) -> Tensor:
    """People part of the way in the light of another scene: mean and spread of each colour.

    Source: Reinhard et al., "Color Transfer between Images", 2001, section 3.
    """
    mass = alpha.sum((2, 3), keepdim=True).clamp_min(1.0)
    mean = (person * alpha).sum((2, 3), keepdim=True) / mass
    spread = ((person - mean).square() * alpha).sum((2, 3), keepdim=True).div(mass).sqrt()
    wanted_mean, wanted_spread = scene.mean((2, 3), keepdim=True), scene.std((2, 3), keepdim=True)
    part = random.uniform(len(person), 0.0, 0.6)
    gain = torch.lerp(torch.ones_like(spread), (wanted_spread / spread.clamp_min(0.02)).clamp(0.5, 2.0), part)
    return ((person - mean) * gain + torch.lerp(mean, wanted_mean, part)).clamp(0, 1)


def compose(batch: Tensor, rows: Tensor, behind: Tensor, random: Random) -> Tensor:
    """The batch with its cut-outs before backgrounds, in their light.

    A cut-out's colours and alpha are blurred together, as one lens would have blurred both, so that
    alpha stays what the colours are mixed by, and no edge is sharper than a camera makes it.

    Args:
        batch: (n, 5, h, w) float32 in 0-1; is written to.
        rows: of the cut-outs.
        behind: a background for each of them, (rows, 5, h, w).
        random: of the batch's device.
    """
    if not len(rows):
        return batch
    person, scene = batch[rows], behind[:, :3]
    alpha = person[:, 3:4]
    lit = in_light(person[:, :3], alpha, scene, random)
    mixed = gaussian(torch.cat([lit * alpha, alpha], 1), LENS_PX, random)
    alpha = mixed[:, 3:4]
    rgb = scene * (1 - alpha) + mixed[:, :3]
    both = 1 - (1 - alpha) * (1 - behind[:, 3:4])
    batch[rows] = torch.cat([rgb, both, behind[:, 4:5]], 1).clamp(0, 1)
    return batch


def swap_amplitudes(batch: Tensor, other: Tensor, random: Random) -> Tensor:
    """Coarse amplitudes of another picture with the phases of this one.

    Source: Yang and Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation", 2020, section 3.
    """
    ours, theirs = torch.fft.rfft2(batch[:, :3]), torch.fft.rfft2(other[:, :3])
    height, width = batch.shape[2:]
    rows, columns = max(1, round(height * FOURIER_BAND)), max(1, round(width * FOURIER_BAND))
    part = random.uniform(len(batch), 0.2, 0.6)
    for band in (slice(0, rows), slice(height - rows + 1, height)):  # low frequencies of both signs
        mine, other_one = ours[:, :, band, :columns], theirs[:, :, band, :columns]
        ratio = other_one.abs() / mine.abs().clamp_min(1e-3)
        ours[:, :, band, :columns] = mine * torch.lerp(torch.ones_like(ratio), ratio, part)
    swapped = torch.fft.irfft2(ours, s=(height, width))
    return torch.cat([swapped.clamp_(0, 1), batch[:, 3:]], 1)


def occlude(batch: Tensor, random: Random) -> Tensor:
    """A thing before the person: an ellipse or a box of a plain or shaded colour. It is no person."""
    count = len(batch)
    cover, u = thing(batch, random)
    hue = torch.cat([random.uniform(count, 0, 1) for _ in range(3)], 1)
    shade = 1 + random.uniform(count, -0.4, 0.4) * u.clamp(-1, 1)
    rgb = torch.lerp(batch[:, :3], (hue * shade).clamp(0, 1), cover)
    alpha = batch[:, 3:4] * (1 - cover)
    weight = torch.maximum(batch[:, 4:5], cover)
    return torch.cat([rgb, alpha, weight], 1)


def thing(batch: Tensor, random: Random) -> tuple[Tensor, Tensor]:
    """An ellipse or a box for each picture: 1 within, (n, 1, h, w), and the place along it, -1 to 1 within."""
    count, _, height, width = batch.shape
    y = torch.linspace(-1, 1, height, device=batch.device).view(1, 1, height, 1)
    x = torch.linspace(-1, 1, width, device=batch.device).view(1, 1, 1, width)
    turn = random.uniform(count, 0, math.pi)
    dx, dy = x - random.uniform(count, -0.9, 0.9), y - random.uniform(count, -0.9, 0.9)
    u = (dx * turn.cos() + dy * turn.sin()) / random.uniform(count, 0.1, 0.4)
    v = (dy * turn.cos() - dx * turn.sin()) / random.uniform(count, 0.1, 0.4)
    box = random.uniform(count, 0, 1) < 0.5
    radius = torch.where(box, torch.maximum(u.abs(), v.abs()), (u.square() + v.square()).sqrt())
    return ((1 - radius) * 20).clamp(0, 1), u


def colour(rgb: Tensor, random: Random) -> Tensor:
    """White balance, brightness, contrast, saturation and gamma of another camera.

    All but gamma are one 3x3 matrix and an offset for each picture.
    """
    count, _, height, width = rgb.shape
    balance = torch.cat([random.uniform(count, 0.85, 1.15) for _ in range(3)], 1) * random.uniform(count, 0.7, 1.35)
    contrast, saturation = random.uniform(count, 0.7, 1.3), random.uniform(count, 0.3, 1.5)
    mean = (rgb.mean((2, 3), keepdim=True) * balance).mean(1, keepdim=True)
    offset = (mean * (1 - contrast)).expand(count, 3, 1, 1)
    luma = torch.tensor(LUMA, device=rgb.device).expand(3, 3)
    one = torch.eye(3, device=rgb.device)
    matrix = contrast[..., 0] * torch.lerp(luma, one, saturation[..., 0]) * balance[..., 0].transpose(1, 2)
    mixed = torch.baddbmm(offset[..., 0], matrix, rgb.reshape(count, 3, -1)).view(count, 3, height, width)
    return mixed.clamp_(1e-4, 1).pow_(torch.exp(random.uniform(count, -0.35, 0.35)))


def dark(rgb: Tensor, random: Random) -> Tensor:
    """Little light: a fraction of it, and the noise of few photons, which grows with their root."""
    low = rgb.square() * random.uniform(len(rgb), 0.08, 0.5)
    grain = random.normal(low) * random.uniform(len(rgb), 0.01, 0.04) * (low + 0.02).sqrt()
    return (low + grain).clamp(0, 1).sqrt() * random.uniform(len(rgb), 0.6, 1.0)


def noise(rgb: Tensor, random: Random) -> Tensor:
    """Grain of a sensor; of some, coarse as after a denoiser."""
    grain = random.normal(rgb)
    rows = random.rows(len(rgb), COARSE)
    if len(rows):
        small = grain[rows][:, :, ::2, ::2]
        grain[rows] = interpolate(small, size=rgb.shape[2:], mode="bilinear", align_corners=False)
    return grain.mul_(random.uniform(len(rgb), 0.005, 0.06)).add_(rgb).clamp_(0, 1)


def denoise(rgb: Tensor, random: Random) -> Tensor:
    """Smoothed but for edges, as the denoisers of cameras leave it: a bilateral filter of 5x5.

    Source: Tomasi and Manduchi, "Bilateral Filtering for Gray and Color Images", 1998, section 2.
    """
    count, _, height, width = rgb.shape
    near, alike = random.uniform(count, 0.8, 1.6), random.uniform(count, 0.04, 0.12)
    wide = pad(rgb, (DENOISE_PX,) * 4, mode="replicate")
    total, summed = torch.zeros_like(near), torch.zeros_like(rgb)
    for y in range(2 * DENOISE_PX + 1):
        for x in range(2 * DENOISE_PX + 1):
            other = wide[:, :, y : y + height, x : x + width]
            far = ((y - DENOISE_PX) ** 2 + (x - DENOISE_PX) ** 2) / near.square()
            weight = torch.exp(-0.5 * (far + (other - rgb).square().sum(1, keepdim=True) / alike.square()))
            total = total + weight
            summed += other * weight
    return summed / total


def blur(rgb: Tensor, random: Random) -> Tensor:
    """Out of focus, or shaken."""
    return gaussian(rgb, (0.3, 1.6), random)


def gaussian(planes: Tensor, width_px: tuple[float, float], random: Random) -> Tensor:
    """Planes (n, c, h, w), blurred by a Gaussian of its own width along each axis of each picture.

    Args:
        planes: of any number of channels.
        width_px: smallest and largest standard deviation.
        random: of the device.
    """
    count, channels = planes.shape[:2]
    radius = 4
    at = torch.arange(-radius, radius + 1, device=planes.device).view(1, 1, 1, -1)
    flat = planes.reshape(1, count * channels, *planes.shape[2:])
    for vertical in (False, True):
        kernel = torch.exp(-at.square() / (2 * random.uniform(count, *width_px).square()))
        kernel = (kernel / kernel.sum(3, keepdim=True)).repeat_interleave(channels, 0)
        edges = (0, 0, radius, radius) if vertical else (radius, radius, 0, 0)
        kernel = kernel.transpose(2, 3) if vertical else kernel
        flat = conv2d(pad(flat, edges, mode="replicate"), kernel, groups=count * channels)
    return flat.view_as(planes)


def jpeg(rgb: Tensor, random: Random) -> Tensor:
    """Blocks of 8x8 with rounded frequencies, colour at half the size, as JPEG and video coders leave them.

    The steps of rounding grow linearly with the frequency, which is near the tables that coders use.
    """
    count, _, height, width = rgb.shape
    grey = _luma(rgb)
    cb, cr = (rgb[:, 2:] - grey) * CHROMA_SCALE[0], (rgb[:, :1] - grey) * CHROMA_SCALE[1]
    strength = torch.exp(random.uniform(count, math.log(0.3), math.log(4.0)))
    grey = _round_blocks(grey, strength)
    small = avg_pool2d(torch.cat([cb, cr], 1), 2, ceil_mode=True, count_include_pad=False)
    small = _round_blocks(small, 2 * strength)
    chroma = interpolate(small, scale_factor=2, mode="nearest")[:, :, :height, :width]
    red, blue = grey + chroma[:, 1:] / CHROMA_SCALE[1], grey + chroma[:, :1] / CHROMA_SCALE[0]
    green = (grey - LUMA[0] * red - LUMA[2] * blue) / LUMA[1]
    return torch.cat([red, green, blue], 1).clamp(0, 1)


def _round_blocks(planes: Tensor, strength: Tensor) -> Tensor:
    """Planes (n, c, h, w) with the frequencies of their 8x8 blocks rounded."""
    count, channels, height, width = planes.shape
    down, right = -height % BLOCK, -width % BLOCK
    padded = pad(planes, (0, right, 0, down), mode="replicate")
    rows, columns = padded.shape[2] // BLOCK, padded.shape[3] // BLOCK
    blocks = padded.view(count, channels, rows, BLOCK, columns, BLOCK).transpose(3, 4)
    basis = _cosines(planes.device)
    index = torch.arange(BLOCK, device=planes.device)
    step = (8 + 7.0 * (index[:, None] + index[None])) / 255 * strength[..., None, None]
    rounded = torch.round(basis @ blocks @ basis.T / step) * step
    back = (basis.T @ rounded @ basis).transpose(3, 4).reshape(count, channels, rows * BLOCK, columns * BLOCK)
    return back[:, :, :height, :width]


def _cosines(device: torch.device) -> Tensor:
    """The 8x8 cosine transform, orthonormal. Source: ITU-T T.81, annex A.3.3."""
    index = torch.arange(BLOCK, device=device, dtype=torch.float32)
    basis = torch.cos((2 * index[None] + 1) * index[:, None] * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] *= math.sqrt(0.5)
    return basis


def _luma(rgb: Tensor) -> Tensor:
    return LUMA[0] * rgb[:, :1] + LUMA[1] * rgb[:, 1:2] + LUMA[2] * rgb[:, 2:]

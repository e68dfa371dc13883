"""OpenCV's ``warpAffine`` for maps that only scale and shift, in numpy.

Follows OpenCV 4.8 to 4.10 (``imgproc/src/imgwarp.cpp``): source coordinates are cut to 1/32 pixel,
8-bit pixels are weighted by whole numbers that sum to 2**15, and everything outside the source has
one border colour. `risbook.data.letterbox` says why that is wanted, how exact and how quick it is.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

#: Coordinates are computed to 1/1024 pixel and then cut to 1/32 pixel.
COORDINATE_SCALE = 1024
STEPS = 32

#: The whole-number weights of a pixel sum to this.
WEIGHT_SCALE = 1 << 15

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.int64]


def solve_affine(source: Float64, target: Float64) -> Float64:
    """Solve for the affine map of three points, (2, 3), by Gauss elimination like OpenCV.

    Only the order of the operations is OpenCV's own (`getAffineTransform`, `LUImpl`): any other
    solver is right too, but the last bits decide where a coordinate is cut.
    """
    rows = []
    for (x, y), (to_x, to_y) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append([x, y, 1.0, 0.0, 0.0, 0.0, to_x])
        rows.append([0.0, 0.0, 0.0, x, y, 1.0, to_y])
    for i in range(6):
        pivot = i
        for j in range(i + 1, 6):
            if abs(rows[j][i]) > abs(rows[pivot][i]):
                pivot = j
        rows[i], rows[pivot] = rows[pivot], rows[i]
        d = -1.0 / rows[i][i]
        for j in range(i + 1, 6):
            factor = rows[j][i] * d
            if factor:
                for k in range(i + 1, 7):
                    rows[j][k] += factor * rows[i][k]
    answer = [0.0] * 6
    for i in reversed(range(6)):
        rest = rows[i][6]
        for k in range(i + 1, 6):
            rest -= rows[i][k] * answer[k]
        answer[i] = rest / rows[i][i]
    return np.array(answer).reshape(2, 3)


def invert_affine(matrix: Float64) -> Float64:
    """Invert an affine map in OpenCV's order of operations, (2, 3)."""
    (a, b, c), (d, e, f) = matrix.tolist()
    scale = 1.0 / (a * e - b * d)
    a, b, d, e = e * scale, -b * scale, -d * scale, a * scale
    return np.array([[a, b, -a * c - b * f], [d, e, -d * c - e * f]])


def _columns(matrix: Float64, count: int) -> tuple[Int, Int]:
    """Source x of `count` output columns: whole pixels and remaining 32nds, int64 (count,) each.

    The matrix (2, 3) maps output to source.
    """
    # OpenCV rounds the step and the offset of a column one by one ...
    along = np.rint(matrix[0, 0] * np.arange(count) * COORDINATE_SCALE)
    return _cut(along + np.rint(matrix[0, 2] * COORDINATE_SCALE))


def _rows(matrix: Float64, count: int) -> tuple[Int, Int]:
    """Source y of `count` output rows; see `_columns`."""
    # ... but those of a row together.
    return _cut(np.rint((matrix[1, 1] * np.arange(count) + matrix[1, 2]) * COORDINATE_SCALE))


def _cut(coordinate: Float64) -> tuple[Int, Int]:
    """Cut coordinates in 1/1024 pixel to the nearest 1/32 pixel: whole pixels and 32nds."""
    unit = COORDINATE_SCALE // STEPS
    fine = (coordinate.astype(np.int64) + unit // 2) // unit
    return fine // STEPS, fine % STEPS


def _tap(whole: Int, k: int, taps: int, count: int) -> Int:
    """Index of the k-th tap in a source with one pixel of border on both sides."""
    return np.clip(whole + (k + 1 - taps // 2), -1, count) + 1


@lru_cache
def _weights(taps: int) -> Float32:
    """Interpolation weights of each 32nd of a pixel, float32 (32, taps); bicubic with A = -0.75."""
    x = np.arange(STEPS, dtype=np.float32) / np.float32(STEPS)
    if taps == 2:
        return np.stack([1 - x, x], axis=1)
    a = np.float32(-0.75)
    first = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    second = ((a + 2) * x - (a + 3)) * x * x + 1
    third = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1
    return np.stack([first, second, third, 1 - first - second - third], axis=1)


@lru_cache
def _integer_weights(taps: int) -> Float32:
    """Weights of OpenCV's 8-bit interpolation, whole numbers in float32 (taps, taps, 32, 32).

    The axes are tap in y, tap in x, 32nds in y, 32nds in x. Rounding spoils the sum of 2**15; what
    is missing goes to the largest of the last 2 x 2 taps, what is too much to the smallest of them.
    """
    fine = _weights(taps)
    table = np.rint(
        fine[:, None, :, None] * fine[None, :, None, :] * np.float32(WEIGHT_SCALE)
    ).astype(np.int64)
    half = taps // 2
    for window in table.reshape(-1, taps, taps):
        excess = window.sum() - WEIGHT_SCALE
        if excess:
            middle = window[half : half + 2, half : half + 2]
            place = middle.argmax() if excess < 0 else middle.argmin()
            middle[np.unravel_index(place, middle.shape)] -= excess
    return np.ascontiguousarray(table.transpose(2, 3, 0, 1), np.float32)


def warp_bytes(
    pixels: npt.NDArray[np.uint8],
    matrix: Float64,
    shape: tuple[int, int],
    *,
    taps: int,
    fill: tuple[int, ...],
    origin: tuple[int, int] = (0, 0),
) -> npt.NDArray[np.uint8]:
    """Warp 8-bit pixels to the last bit like OpenCV.

    All arithmetic is on whole numbers below 2**24 (the absolute bicubic weights sum to at most
    1.9 * 2**15, times 255), so float32 is exact, and quicker than int32.

    Args:
        pixels: source, uint8 (height, width, channels).
        matrix: affine map from source to output, (2, 3), without rotation or shear.
        shape: height and width of the output.
        taps: source pixels per direction: 2 bilinear, 4 bicubic.
        fill: colour of everything outside the source, one number per channel.
        origin: row and column at which `pixels` lie in the image that the matrix speaks of, where
            they are a part of it and the rest has the colour `fill`.

    Returns:
        Output, uint8 (*shape, channels).
    """
    height, width, channels = pixels.shape
    backward = invert_affine(matrix)
    x, x_step = _columns(backward, shape[1])
    y, y_step = _rows(backward, shape[0])
    y, x = y - origin[0], x - origin[1]
    columns = _touching(x, width, taps)
    rows = _touching(y, height, taps)
    x, x_step, y, y_step = x[columns], x_step[columns], y[rows], y_step[rows]

    if taps == 2 and channels == 1:
        part = _bilinear_levels(pixels[:, :, 0], (y, y_step), (x, x_step), fill=fill[0])
        output = np.full((*shape, 1), fill, np.uint8)
        output[rows, columns, 0] = part
        return output

    # Colours stay side by side: a row is one long line of numbers.
    padded = np.tile(np.array(fill, np.float32), (height + 2, width + 2))
    padded[1:-1, channels:-channels] = pixels.reshape(height, -1)
    colours = np.arange(channels)
    across = [
        padded.take((_tap(x, k, taps, width)[:, None] * channels + colours).ravel(), axis=1)
        for k in range(taps)
    ]
    weights = _integer_weights(taps)
    lines = np.repeat(x_step, channels)
    indices = [_tap(y, down, taps, height) for down in range(taps)]

    # One group for each 32nd in y: its rows share their weights, and stay in the processor's cache.
    line = len(x) * channels
    warped = np.empty((len(y), line), np.uint8)
    for step in np.unique(y_step):
        (group,) = np.nonzero(y_step == step)
        total = np.full((len(group), line), WEIGHT_SCALE // 2, np.float32)
        part = np.empty_like(total)
        for down in range(taps):
            index = _regular(indices[down][group])
            for right in range(taps):
                weight = weights[down, right, step].take(lines)
                total += np.multiply(across[right][index], weight, out=part)
        total *= np.float32(1 / WEIGHT_SCALE)
        np.floor(total, out=total)
        # `np.clip` would be slow on arrays this small.
        warped[group] = np.minimum(np.maximum(total, 0, out=total), 255, out=total)
    output = np.empty((*shape, channels), np.uint8)
    output[:] = fill
    output[rows, columns] = warped.reshape(len(y), len(x), channels)
    return output


def _bilinear_levels(
    levels: npt.NDArray[np.uint8],
    rows: tuple[Int, Int],
    columns: tuple[Int, Int],
    *,
    fill: int,
) -> npt.NDArray[np.uint8]:
    """`warp_bytes` of one channel with 2 taps, first along x and then along y.

    The whole-number weights of 2 x 2 taps are products: 32 times a 32nd in x times a 32nd in y. So
    the order of the sums changes nothing, and all numbers stay below 2**24.
    """
    padded = np.full((levels.shape[0] + 2, levels.shape[1] + 2), fill, np.float32)
    padded[1:-1, 1:-1] = levels
    for axis, (whole, step) in ((1, columns), (0, rows)):
        count = padded.shape[axis] - 2
        weight = step.astype(np.float32) if axis else step.astype(np.float32)[:, None]
        near, far = (padded.take(_tap(whole, k, 2, count), axis=axis) for k in range(2))
        near *= STEPS - weight
        far *= weight
        padded = np.add(near, far, out=near)
    padded += STEPS * STEPS // 2
    padded *= np.float32(1 / STEPS**2)
    return np.floor(padded, out=padded).astype(np.uint8)


def touched_part(
    matrix: Float64, source_shape: tuple[int, int], shape: tuple[int, int], *, taps: int
) -> tuple[slice, slice]:
    """Rows and columns of an output that take something from the source; the rest is border.

    Args:
        matrix: affine map from source to output, (2, 3), without rotation or shear.
        source_shape: height and width of the source.
        shape: height and width of the output.
        taps: source pixels per direction.
    """
    backward = invert_affine(matrix)
    rows, columns = _rows(backward, shape[0])[0], _columns(backward, shape[1])[0]
    return _touching(rows, source_shape[0], taps), _touching(columns, source_shape[1], taps)


def warp_floats(values: Float32, matrix: Float64, shape: tuple[int, int]) -> Float32:
    """Warp numbers bicubically, with 0 outside the source.

    Args:
        values: source, float32 (height, width).
        matrix: affine map from source to output, (2, 3), without rotation or shear.
        shape: height and width of the output.

    Returns:
        Output, float32 (*shape).
    """
    height, width = values.shape
    backward = invert_affine(matrix)
    x, x_step = _columns(backward, shape[1])
    y, y_step = _rows(backward, shape[0])
    padded = np.pad(values, 1)
    weights = _weights(4)
    wide = np.zeros((height + 2, shape[1]), np.float32)
    for k in range(4):
        wide += padded.take(_tap(x, k, 4, width), axis=1) * weights[x_step, k]
    output = np.zeros(shape, np.float32)
    for k in range(4):
        output += wide.take(_tap(y, k, 4, height), axis=0) * weights[y_step, k, None]
    return output


def warp_matrices(
    matrix: Float64, source_shape: tuple[int, int], shape: tuple[int, int]
) -> tuple[Float32, Float32]:
    """`warp_floats` as products of matrices: ``rows @ values @ columns.T``, equal up to rounding.

    Args:
        matrix: affine map from source to output, (2, 3), without rotation or shear.
        source_shape: height h and width w of the source.
        shape: height H and width W of the output.

    Returns:
        rows, float32 (H, h), and columns, float32 (W, w).
    """
    backward = invert_affine(matrix)
    rows = _line_matrix(*_rows(backward, shape[0]), source_shape[0])
    return rows, _line_matrix(*_columns(backward, shape[1]), source_shape[1])


def _line_matrix(whole: Int, step: Int, count: int) -> Float32:
    """Weights of `count` source pixels for each output pixel along a line, (outputs, count)."""
    padded = np.zeros((len(whole), count + 2), np.float32)
    for k in range(4):
        padded[np.arange(len(whole)), _tap(whole, k, 4, count)] += _weights(4)[step, k]
    return padded[:, 1:-1]


def _touching(whole: Int, count: int, taps: int) -> slice:
    """Output coordinates with at least one tap inside the source; they are neighbours.

    An image of 1 x 1000 pixels in a square of 127 is 0.13 pixels high, between two coordinates.
    """
    first = whole + 1 - taps // 2
    (inside,) = np.nonzero((first + taps > 0) & (first < count))
    return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0)


def _regular(index: Int) -> Int | slice:
    """Turn equally spaced indices into a slice, which needs no copy."""
    gap = int(index[1] - index[0]) if len(index) > 1 else 1
    if gap > 0 and (np.diff(index) == gap).all():
        return slice(int(index[0]), int(index[-1]) + 1, gap)
    return index

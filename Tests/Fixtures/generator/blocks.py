"""Quantized blocks: a plain quantizer for the K types that the gguf package only reads, random blocks, and random weights."""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

SUPER = 256  # values per block of a K type

# Where a block keeps its half-precision scales, in bytes from the start of the block.
SCALES = {
    Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q2_K: [80, 82],
    Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0],
    Type.IQ3_XXS: [0], Type.IQ3_S: [0], Type.IQ2_XXS: [0], Type.IQ2_XS: [0], Type.IQ2_S: [0], Type.IQ1_S: [0],
    Type.IQ1_M: [], Type.TQ1_0: [52], Type.TQ2_0: [64], Type.MXFP4: [], Type.NVFP4: [],
}
TYPES = [Type.F32, Type.F16, Type.BF16, *SCALES]


# Types that nothing here can make of given values: their models have random codes.
ONLY_READ = [Type.IQ3_XXS, Type.IQ3_S, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.IQ1_S, Type.IQ1_M, Type.NVFP4]


def quantize(values, kind):
    """Rows of f32 [rows, columns] as rows of bytes, or as floats for F32 and F16."""
    if kind in ONLY_READ:
        return _random_weights(kind, values)
    own = {Type.Q4_K: lambda b: _min_scale(b, 4), Type.Q5_K: lambda b: _min_scale(b, 5), Type.Q6_K: _q6_k}
    if kind not in own:
        return gguf.quants.quantize(values, kind)
    rows = own[kind](values.reshape(-1, SUPER)).reshape(values.shape[0], -1)
    error = np.abs(gguf.quants.dequantize(rows, kind) - values).max() / np.abs(values).max()
    assert error < {Type.Q4_K: 0.12, Type.Q5_K: 0.06, Type.Q6_K: 0.04}[kind], f"{kind.name} is off by {error}"
    return rows


def _random_weights(kind, values):
    """Rows of bytes with random codes, and scales by which they are as large as the values, give or take a half."""
    per_block, size = gguf.GGML_QUANT_SIZES[kind]
    count = values.size // per_block
    rng = np.random.default_rng(np.ascontiguousarray(values).view(np.uint32).astype(np.uint64).sum())
    packed = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if kind == Type.NVFP4:  # eight steps around the right power of two
        packed[:, :4] = 0x38
        step = 8 * np.log2(values.std() / gguf.quants.dequantize(packed, kind).std())
        packed[:, :4] = (0x38 + step + rng.integers(-4, 5, (count, 4))).round().clip(1, 126)
        return packed.reshape(values.shape[0], -1)
    _set_scales(packed, kind, np.full(count, 0x3C00, np.uint16))  # 1
    scale = values.std() / gguf.quants.dequantize(packed, kind).std() * rng.uniform(0.5, 1.5, count)
    _set_scales(packed, kind, scale.astype(np.float16).view(np.uint16))
    return packed.reshape(values.shape[0], -1)


def _set_scales(packed, kind, half):
    """Blocks [count, bytes] get one f16 each, given by its bits."""
    for offset in SCALES[kind]:
        packed[:, offset:offset + 2] = half.view(np.uint8).reshape(-1, 2)
    if kind == Type.IQ1_M:  # it lies in the top nibbles of four words
        words = packed[:, 48:56].copy().view(np.uint16)
        for i in range(4):
            words[:, i] = words[:, i] & 0x0FFF | (half >> (4 * i) & 15) << 12
        packed[:, 48:56] = words.view(np.uint8)


def random_blocks(kind, values, rng):
    """Blocks of random bits, `values` values together, every one of them finite, extreme scales among them."""
    if kind == Type.F32:
        bits = rng.integers(0, 1 << 32, values, dtype=np.uint32)
        return _finite(bits, np.uint32(0x7F800000), [0, 1 << 31, 1, 0x007FFFFF, 0x7F7FFFFF, 0xFF7FFFFF]).view(np.uint8)
    if kind in (Type.F16, Type.BF16):
        exponent, largest = (0x7C00, 0x7BFF) if kind == Type.F16 else (0x7F80, 0x7F7F)
        bits = rng.integers(0, 1 << 16, values, dtype=np.uint16)
        extremes = [0, 0x8000, 1, 0x8001, exponent >> 1, largest, largest | 0x8000]
        return _finite(bits, np.uint16(exponent), extremes).view(np.uint8)
    per_block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (values // per_block, size), dtype=np.uint8)
    blocks[0, :] = 0
    blocks[1, :] = 0xFF
    for i, offset in enumerate(SCALES[kind]):
        blocks[:, offset:offset + 2] = _random_halves(len(blocks), i, rng).view(np.uint8).reshape(-1, 2)
    if kind == Type.IQ1_M:
        _set_scales(blocks, kind, _random_halves(len(blocks), 0, rng))
    if kind == Type.MXFP4:  # the largest power of two whose multiples are all finite
        blocks[:, 0] = np.minimum(blocks[:, 0], 251)
    return blocks.reshape(-1)


def _random_halves(count, rotation, rng):
    half = rng.integers(0, 1 << 16, count, dtype=np.uint16)
    return _finite(half, np.uint16(0x7C00), np.roll([0, 0x7BFF, 0xFBFF, 1, 0x8001, 0x8000, 0x3C00], rotation))


def _finite(bits, exponent, extremes):
    """Random bits without infinities and NaN, opened by the given extremes."""
    bits = np.where(bits & exponent == exponent, bits ^ (exponent & ~(exponent << 1)), bits).astype(bits.dtype)
    bits[:len(extremes)] = extremes
    return bits


def _halves(x):
    return x.astype(np.float16).view(np.uint8).reshape(len(x), -1)


def _divide(a, b):
    return np.divide(a, b, out=np.zeros(np.broadcast(a, b).shape, np.float32), where=b != 0)


def _min_scale(blocks, bits):
    """Q4_K and Q5_K: eight runs of 32 values x = d * scale * q - dmin * min with 6-bit scale and min.

    block = d (f16), dmin (f16), 12 bytes of packed scales and mins, 32 bytes of fifth bits (Q5_K), 128 bytes of nibbles
    """
    n, top = len(blocks), (1 << bits) - 1
    runs = blocks.reshape(n, 8, 32)
    low = np.maximum(-runs.min(axis=2), 0)
    step = (np.maximum(runs.max(axis=2), 0) + low) / top
    d, dmin = step.max(axis=1, keepdims=True) / 63, low.max(axis=1, keepdims=True) / 63
    d, dmin = d.astype(np.float16).astype(np.float32), dmin.astype(np.float16).astype(np.float32)
    scale = np.rint(_divide(step, d)).clip(0, 63).astype(np.uint8)
    least = np.rint(_divide(low, dmin)).clip(0, 63).astype(np.uint8)
    shifted = runs + (dmin * least)[..., None]
    q = np.rint(_divide(shifted, (d * scale)[..., None])).clip(0, top).astype(np.uint8)
    packed = np.concatenate([
        scale[:, :4] | (scale[:, 4:] >> 4 << 6),
        least[:, :4] | (least[:, 4:] >> 4 << 6),
        (scale[:, 4:] & 15) | (least[:, 4:] & 15) << 4,
    ], axis=1)
    pairs = (q & 15).reshape(n, 4, 2, 32)  # runs 2i and 2i + 1 share 32 bytes: low nibbles, high nibbles
    parts = [_halves(d), _halves(dmin), packed]
    if bits == 5:
        fifth = (q >> 4) << np.arange(8, dtype=np.uint8)[:, None]  # bit i of byte j: value j of run i
        parts.append(np.bitwise_or.reduce(fifth, axis=1))
    parts.append((pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(n, 128))
    return np.concatenate(parts, axis=1)


def _q6_k(blocks):
    """Q6_K: sixteen runs of 16 values x = d * scale * (q - 32) with an 8-bit signed scale.

    block = 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 scales, d (f16)
    """
    n = len(blocks)
    runs = blocks.reshape(n, 16, 16)
    step = np.abs(runs).max(axis=2) / 31
    d = (step.max(axis=1, keepdims=True) / 127).astype(np.float16).astype(np.float32)
    scale = np.rint(_divide(step, d)).clip(0, 127).astype(np.int8)
    q = (np.rint(_divide(runs, (d * scale)[..., None])).clip(-32, 31) + 32).astype(np.uint8)
    q = q.reshape(n, 2, 4, 32)  # halves of 128 values in four groups of 32
    low = (q[:, :, :2] & 15) | (q[:, :, 2:] & 15) << 4  # groups 0, 2 and 1, 3 share bytes
    high = np.bitwise_or.reduce((q >> 4) << np.array([0, 2, 4, 6], np.uint8)[:, None], axis=2)
    return np.concatenate([low.reshape(n, 128), high.reshape(n, 64), scale.view(np.uint8), _halves(d)], axis=1)

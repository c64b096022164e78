/* The table of GGUF tensor types: every fact about a type that the kernels need.
 *
 *   X(name, weights per block, u8, w16, s8, minimums, wide, encodes)
 *
 *   u8        YES   unpack8_NAME gives unsigned bytes, so the U8 family takes the type
 *   w16       EXACT    unpack16_NAME gives integers whose d · q + m is the weight to the bit; the F32 family uses the same
 *             SMALL    the same, and the integers fit signed bytes
 *             BYTES    the same, as bytes: bytes_NAME gives signed bytes; unpack16_NAME follows from it
 *             SCALED   the same, as bytes times an integer scale for every 16
 *             ROUNDED  unpack16_NAME rounds; unpackf_NAME gives the weights as f32
 *             HALVES   the same for floats of 16 bits, which vectors round after transposing (vector_pack.inc)
 *             NO       only unpackf_NAME
 *   s8        BYTES    the weights are signed bytes times d, which bytes_NAME gives
 *             WORDS    the same, from unpack16_NAME
 *             INTEGERS d times the integers of unpack16_NAME, rounded to bytes with one scale for 32
 *             SCALED   the same, from the bytes and scales of w16's SCALED
 *             ROUNDED  floats, rounded likewise
 *             HALVES   the same for floats of 16 bits
 *             NO       U8 takes the type
 *   minimums  whether W16 weights have a minimum m; those of U8 always do
 *   wide      whether U8 weights exceed 15
 *   encodes   YES   encode_NAME makes blocks
 *
 * Q3_NAME is the id in the file and block_NAME the block (blocks.h). generic/unpack.h has the unpackers,
 * generic/quantize.inc the encoders.
 */
#ifndef Q3_TYPES_H
#define Q3_TYPES_H

// clang-format off
#define Q3_TYPES(X) \
    X(F32,     32,  NO,  NO,      ROUNDED,  0, 0, YES) \
    X(F16,     32,  NO,  HALVES,  HALVES,   0, 0, YES) \
    X(BF16,    32,  NO,  HALVES,  HALVES,   0, 0, YES) \
    X(Q8_0,    32,  NO,  BYTES,   BYTES,    0, 0, YES) \
    X(Q4_0,    32,  YES, EXACT,   NO,       0, 0, YES) \
    X(Q4_1,    32,  YES, EXACT,   NO,       1, 0, YES) \
    X(Q5_0,    32,  NO,  SMALL,   WORDS,    0, 0, YES) \
    X(Q5_1,    32,  NO,  EXACT,   ROUNDED,  1, 0, YES) \
    X(Q2_K,    256, NO,  NO,      ROUNDED,  0, 0, NO) \
    X(Q3_K,    256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(Q4_K,    256, YES, EXACT,   NO,       1, 0, YES) \
    X(Q5_K,    256, YES, EXACT,   NO,       1, 1, YES) \
    X(Q6_K,    256, NO,  SCALED,  SCALED,   0, 0, YES) \
    X(IQ4_NL,  32,  NO,  SMALL,   WORDS,    0, 0, NO) \
    X(IQ4_XS,  256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(IQ3_XXS, 256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(IQ3_S,   256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(IQ2_XXS, 256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(IQ2_XS,  256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(IQ2_S,   256, NO,  EXACT,   INTEGERS, 0, 0, NO) \
    X(IQ1_S,   256, NO,  EXACT,   ROUNDED,  0, 0, NO) \
    X(IQ1_M,   256, NO,  EXACT,   ROUNDED,  0, 0, NO) \
    X(TQ1_0,   256, NO,  SMALL,   WORDS,    0, 0, NO) \
    X(TQ2_0,   256, NO,  SMALL,   WORDS,    0, 0, NO) \
    X(MXFP4,   32,  NO,  SMALL,   WORDS,    0, 0, NO) \
    X(NVFP4,   64,  NO,  ROUNDED, ROUNDED,  0, 0, NO)
// clang-format on

/* Code that stands only where a column has a value: Q3_IF_ ## u8 (code), Q3_IF_W16_ ## w16 (code), Q3_IF_S8_ ## s8
 * (code), Q3_IF_EXACT_ ## w16 (code). */
#define Q3_IF_YES(...) __VA_ARGS__
#define Q3_IF_NO(...)
#define Q3_IF_W16_EXACT(...) __VA_ARGS__
#define Q3_IF_W16_SMALL(...) __VA_ARGS__
#define Q3_IF_W16_BYTES(...) __VA_ARGS__
#define Q3_IF_W16_SCALED(...) __VA_ARGS__
#define Q3_IF_W16_ROUNDED(...) __VA_ARGS__
#define Q3_IF_W16_HALVES(...) __VA_ARGS__
#define Q3_IF_W16_NO(...)
/* How panels of W16 hold the weights (panel.h) for a use. */
#define Q3_WIDTH_EXACT(use) Q3_WORDS
#define Q3_WIDTH_SMALL(use) Q3_BYTES
#define Q3_WIDTH_BYTES(use) Q3_BYTES
#if defined(__aarch64__) /* where bytes are multiplied faster than words */
#define Q3_WIDTH_SCALED(use) Q3_SCALED
#else
#define Q3_WIDTH_SCALED(use) ((use) == Q3_TO_KEEP ? Q3_SCALED : Q3_WORDS)
#endif
#define Q3_WIDTH_ROUNDED(use) Q3_WORDS
#define Q3_WIDTH_HALVES(use) Q3_WORDS
#define Q3_WIDTH_NO(use) Q3_WORDS
#define Q3_IF_S8_BYTES(...) __VA_ARGS__
#define Q3_IF_S8_WORDS(...) __VA_ARGS__
#define Q3_IF_S8_INTEGERS(...) __VA_ARGS__
#define Q3_IF_S8_SCALED(...) __VA_ARGS__
#define Q3_IF_S8_ROUNDED(...) __VA_ARGS__
#define Q3_IF_S8_HALVES(...) __VA_ARGS__
#define Q3_IF_S8_NO(...)
#define Q3_IF_EXACT_EXACT(...) __VA_ARGS__
#define Q3_IF_EXACT_SMALL(...) __VA_ARGS__
#define Q3_IF_EXACT_BYTES(...) __VA_ARGS__
#define Q3_IF_EXACT_SCALED(...) __VA_ARGS__
#define Q3_IF_EXACT_ROUNDED(...)
#define Q3_IF_EXACT_HALVES(...)
#define Q3_IF_EXACT_NO(...)

#endif

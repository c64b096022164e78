/* CRC-32C (Castagnoli), with the instruction of x86 where it is; the same sum either way. */
#include <string.h>

#include "CShims.h"

/* Reflected polynomial 0x1EDC6F41. */
#define POLYNOMIAL 0x82F63B78u

uint32_t q3_crc32c_scalar(uint32_t crc, const void *bytes, size_t count) {
    /* Sixteen entries a half byte: 64 bytes of table, for machines without the instruction and for tests. */
    static const uint32_t half[16] = {0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
                                      0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75};
    const uint8_t *p = bytes;
    crc = ~crc;
    for (; count > 0; count--) {
        crc ^= *p++;
        crc = crc >> 4 ^ half[crc & 15];
        crc = crc >> 4 ^ half[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_instruction(uint32_t crc, const uint8_t *p, size_t count) {
    uint64_t sum = (uint32_t)~crc;
    for (; count >= 8; count -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sum = _mm_crc32_u64(sum, word);
    }
    for (; count > 0; count--) sum = _mm_crc32_u8((uint32_t)sum, *p++);
    return ~(uint32_t)sum;
}

uint32_t q3_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return __builtin_cpu_supports("sse4.2") ? crc_instruction(crc, bytes, count) : q3_crc32c_scalar(crc, bytes, count);
}
#else
uint32_t q3_crc32c(uint32_t crc, const void *bytes, size_t count) { return q3_crc32c_scalar(crc, bytes, count); }
#endif

/* What Q3System needs from C: SHA-256 with the machine's instructions, the number of processors, and where threads allocate. */
#ifndef CQ3SYSTEM_H
#define CQ3SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processors that this process may use. */
unsigned q3_processor_count(void);

/* Lets all threads allocate in one part of the address space, where glibc would take 64 MiB for each; false elsewhere. */
bool q3_use_one_arena(void);

/* A SHA-256 under way. */
typedef struct {
    uint32_t state[8];
    uint64_t count;    /* bytes so far */
    uint8_t block[64]; /* the last count % 64 of them */
    bool instructions;
} q3_sha256;

/* Begins a hash, with the machine's instructions for SHA-256 if asked to and if there are any; the hash is the same. */
void q3_sha256_init(q3_sha256 *hash, bool instructions);
void q3_sha256_update(q3_sha256 *hash, const void *bytes, size_t count);
/* Gives the hash of all bytes, after which it takes no more. */
void q3_sha256_finish(q3_sha256 *hash, uint8_t digest[32]);

#endif

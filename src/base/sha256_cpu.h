/*
 * SHA-256 by instructions that some processors have: SHA-NI on x86_64, the cryptography extension
 * on aarch64 (little-endian).
 */
#ifndef TXG_BASE_SHA256_CPU_H
#define TXG_BASE_SHA256_CPU_H

#include "src/base/sha256.h"

extern const uint32_t txg_sha256_constants[64];

/* NULL: this processor has none. Asked once for each process. */
txg_sha256_take *txg_sha256_cpu(void);

#endif

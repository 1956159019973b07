/*
 * The check that a payload passes before msgpack-c sees it: 5 bytes can make msgpack-c reserve
 * 4 GB and 155 bytes 16 GB. One walk without recursion and without allocation.
 */
#ifndef TXG_WIRE_GUARD_H
#define TXG_WIRE_GUARD_H

#include <stddef.h>

#include "src/base/err.h"

#define TXG_GUARD_DEPTH_MAX 24         /* msgpack-c itself gives up at 32 */
#define TXG_GUARD_NODES_MAX (1u << 18) /* values in one payload */

/* 0: exactly one well-formed msgpack value of at most these sizes fills the bytes: every count is
 * covered by bytes that are there, every str is UTF-8, no ext types, no 0xc1, map keys are str. */
int txg_guard_check(const void *data, size_t len, struct txg_err *err);

#endif

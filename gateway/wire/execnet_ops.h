/*
 * The opcodes of execnet's serialization, and its numbers of four bytes, big-endian. For execnet.c
 * and execnet_put.c only.
 */
#ifndef TXG_WIRE_EXECNET_OPS_H
#define TXG_WIRE_EXECNET_OPS_H

#include <stdint.h>

enum op {
    OP_TUPLE = '@',
    OP_BYTES,
    OP_CHANNEL,
    OP_FALSE,
    OP_FLOAT,
    OP_FROZENSET,
    OP_INT,
    OP_LONG,     /* Python 2 */
    OP_LONGINT,  /* decimal digits */
    OP_LONGLONG, /* the same from Python 2 */
    OP_NEWDICT,
    OP_NEWLIST,
    OP_NONE,
    OP_PY2STRING,
    OP_PY3STRING,
    OP_SET,
    OP_SETITEM,
    OP_STOP,
    OP_TRUE,
    OP_UNICODE, /* Python 2 */
    OP_COMPLEX
};

static inline uint32_t get_u32(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put_u32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (24 - 8 * i) & 0xff);
}

#endif

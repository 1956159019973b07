/*
 * What the tests that run now have printed, per gateway and stream, until their TEST_FINISH. Short
 * output lies in memory; longer output in blocks of one unlinked temporary file that are used again
 * for the next test, so that 1,000 gateways with megabytes each stay small in memory and on disk.
 */
#ifndef TXG_REPORT_CAPTURE_H
#define TXG_REPORT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/session/event.h"

#define TXG_CAPTURE_BLOCK 16384
#define TXG_CAPTURE_SMALL 4096 /* bytes of one stream that stay in memory */

struct txg_capture_block {
    uint32_t number; /* in the file */
    uint32_t len;
    bool gap; /* something was left out in front of it */
};

struct txg_capture { /* one stream of one test */
    struct txg_buf small;
    struct txg_capture_block *blocks;
    size_t n, cap;
    bool gap;        /* something was left out behind the last block */
    int64_t dropped; /* bytes that were left out here, beyond what the worker had left out */
};

/* Zero-filled storage with both limits 0 keeps everything. */
struct txg_captures {
    size_t head_blocks, tail_blocks; /* that are kept of a stream; tail_blocks 0: no limit */
    struct txg_capture (*gateways)[2];
    size_t n;
    int fd; /* good when file_blocks > 0 */
    uint32_t file_blocks;
    uint32_t *unused;
    size_t n_unused, cap_unused;
    int errnum; /* first fault of the file; what could not be written counts as dropped */
};

void txg_captures_release(struct txg_captures *cs);

/* A TEST_OUTPUT event. */
void txg_captures_add(struct txg_captures *cs, const struct txg_event *event);

/* Forgets both streams of a gateway. */
void txg_captures_clear(struct txg_captures *cs, const struct txg_gateway_info *gateway);

/* stream 1 or 2; NULL where nothing was printed. */
const struct txg_capture *txg_captures_get(const struct txg_captures *cs,
                                           const struct txg_gateway_info *gateway, int stream);

/* Hands out a stream in order, in pieces of at most TXG_CAPTURE_BLOCK bytes. `gap`: something was
 * left out in front of this piece, which may be empty. */
void txg_capture_read(struct txg_captures *cs, const struct txg_capture *c,
                      void (*piece)(void *user, const char *data, size_t len, bool gap),
                      void *user);

#endif

/*
 * Text that is written now and read at the end of the run: failures, the short summary. It lies in
 * memory while it is short and in an unlinked temporary file beyond that, so that 100,000 failures
 * cost disk and not memory. Zero-filled storage is an empty stash.
 */
#ifndef TXG_REPORT_STASH_H
#define TXG_REPORT_STASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"

/* A file of ours without a name, in $TMPDIR or /tmp. -1 and errno. */
int txg_temp_file(void);

/* write(2), pwrite(2), pread(2) to the last byte. -1 and errno; ENODATA: the file ends before. */
int txg_write_all(int fd, const void *data, size_t len);
int txg_pwrite_all(int fd, const void *data, size_t len, uint64_t at);
int txg_pread_all(int fd, void *data, size_t len, uint64_t at);

struct txg_stash {
    struct txg_buf mem; /* the end of the text */
    bool spilled;       /* fd is open */
    int fd;
    uint64_t in_file;
    int errnum; /* first fault; the text is not whole then */
};

void txg_stash_release(struct txg_stash *s);
void txg_stash_append(struct txg_stash *s, const void *data, size_t len);
bool txg_stash_is_empty(const struct txg_stash *s);

/* Hands out all of it in order, in pieces of at most 64 KiB. */
void txg_stash_read(struct txg_stash *s, void (*piece)(void *user, const void *data, size_t len),
                    void *user);

#endif

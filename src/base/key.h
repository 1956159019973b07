/*
 * Files with the one secret of a link over a socket (docs/protocol.md section 8), and random bytes.
 * A key file is one line, "txgate-key-1 " and 64 hexadecimal digits, that nobody but its owner may
 * read. Errors name the file, what is wrong with it and what to do; they never quote it.
 */
#ifndef TXG_BASE_KEY_H
#define TXG_BASE_KEY_H

#include <stddef.h>

#include "src/base/err.h"

#define TXG_KEY_SIZE 32
#define TXG_KEY_LINE 78 /* bytes of such a line, with its newline */

/* Reads a key. -1 with *err: not there, no regular file, somebody else's (neither the caller's nor
 * root's), open to group or others, or not what txg_key_create writes; `key` is all zero then. */
int txg_key_read(const char *path, unsigned char key[TXG_KEY_SIZE], struct txg_err *err);

/* The same line from a pipe or a socket, where it comes from who started us; all of it within
 * `timeout` ms. Takes no byte behind it. */
int txg_key_receive(int fd, int timeout, unsigned char key[TXG_KEY_SIZE], struct txg_err *err);

/* The line for a key, to be wiped after use. */
void txg_key_format(const unsigned char key[TXG_KEY_SIZE], char line[TXG_KEY_LINE + 1]);

/* Writes a new random key into a file that must not exist; mode 0600 whatever the umask. After
 * failure there is no such file, unless it had been there before. */
int txg_key_create(const char *path, struct txg_err *err);

/* Fills `out` from the kernel's generator. -1: the kernel gives none. */
int txg_random(void *out, size_t len, struct txg_err *err);

/* Overwrites a secret; not left out however dead the memory is. */
void txg_wipe(void *secret, size_t len);

#endif

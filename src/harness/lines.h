/*
 * The program's side of docs/harness.md: lines of tab-separated, escaped fields. Inner.
 */
#ifndef TXG_HARNESS_LINES_H
#define TXG_HARNESS_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lines_ring.h"

struct txg_lines { /* zero-filled but for the descriptors */
    int in, out;
    char *text; /* owned: what was read and is not used up */
    size_t from, to, cap;
    char *said; /* owned: lines that are not written yet */
    size_t said_len, said_cap;
    struct txg_lines_ring ring; /* what is told goes there */
};

/* The descriptors that $TXGATE_HARNESS names: it is taken out of the environment, and they out of
 * what children inherit. False: there is no such variable, the program runs by itself. */
bool txg_lines_open(struct txg_lines *l);
void txg_lines_release(struct txg_lines *l);

/* The next line, NUL-terminated, until the next call; NULL at the end of the file. */
char *txg_lines_read(struct txg_lines *l);

/* Cuts a field off the front of a line, and resolves its escapes in place. NULL: no field is left.
 */
char *txg_lines_field(char **line);

/* A line that goes out with the next that is said, or when many have come together; `fields` ends
 * in NULL. */
void txg_lines_put(struct txg_lines *l, const char *const *fields);

/* Writes a line, behind what was put. Ends the process where nobody listens any more. */
void txg_lines_say(struct txg_lines *l, const char *const *fields);

/* The same for a result, by memory that the worker looks into where there is such: docs/harness.md,
 * section 6. */
void txg_lines_tell(struct txg_lines *l, const char *const *fields);

/* The promise of `ahead`: what is to be looked for before a result, and awaited behind it where it
 * was found. What a case wrote is read before the next one begins. */
bool txg_lines_must_wait(void);
void txg_lines_await_go(struct txg_lines *l);

/* Says on stderr what is wrong, and exits with status 99. */
_Noreturn void txg_lines_die(const char *what);

/* Microseconds of a clock that only goes forward. */
long long txg_lines_now(void);

#endif

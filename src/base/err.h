/*
 * Errors: a struct of the caller's, filled in where the fault is seen and wrapped with context on
 * the way up. A function that can fail takes `struct txg_err *err` last and returns 0/-1 or a
 * pointer/NULL. Printed, the outermost context stands first:
 *
 *     gateway gw1 (ssh=root@board): upload: No space left on device
 *
 * `err` may be NULL where the caller does not want the text.
 */
#ifndef TXG_BASE_ERR_H
#define TXG_BASE_ERR_H

#include <stdarg.h>

enum txg_err_code {
    TXG_OK = 0,
    TXG_E_USAGE,  /* what the user wrote: a spec, an option, a file */
    TXG_E_SYS,    /* a system call failed: errnum says how */
    TXG_E_PROTO,  /* a peer broke the protocol */
    TXG_E_LIMIT,  /* a cap was reached: length, depth, count, queue */
    TXG_E_TIMEOUT /* a deadline passed */
};

#define TXG_ERR_TEXT_MAX 1024

struct txg_err {
    enum txg_err_code code;
    int errnum;                  /* errno of TXG_E_SYS, else 0 */
    char text[TXG_ERR_TEXT_MAX]; /* always NUL-terminated; cut, never overrun */
};

/* Sets code and text. Returns -1, so that `return txg_err_set(...)` reads well. */
int txg_err_set(struct txg_err *err, enum txg_err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets TXG_E_SYS with errnum and "<text>: <strerror(errnum)>". Returns -1. */
int txg_err_sys(struct txg_err *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<text>: " in front of what err says. Returns -1. */
int txg_err_wrap(struct txg_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

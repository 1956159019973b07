/*
 * One path component against a pattern, byte by byte: `*`, `?`, `[a-z]`, `[!a-z]`, `\` takes the
 * next character literally; a `[` without its `]` is a plain character. glob(7) without character
 * classes, locale and the tables that libc's fnmatch brings into a static program.
 */
#ifndef TXG_WORKER_WILDCARD_H
#define TXG_WORKER_WILDCARD_H

#include <stdbool.h>
#include <stddef.h>

/* Does `name` as a whole match? A leading `.` is matched like any other byte. */
bool txg_wildcard_match(const char *pattern, const char *name);

/* Do the first `len` bytes hold a `*`, `?` or `[` that no `\` takes literally? */
bool txg_wildcard_is_magic(const char *pattern, size_t len);

/* A leading `.` that only a literal `.` may match, as in a shell. */
bool txg_wildcard_hides(const char *pattern, const char *name);

#endif

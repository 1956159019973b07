/*
 * Strings and memory: spans, allocation that aborts instead of failing, UTF-8, numbers and
 * durations as users write them, and the nearest of several words ("did you mean").
 */
#ifndef TXG_BASE_STR_H
#define TXG_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that stand somewhere else: borrowed, not NUL-terminated, data may be NULL when len is 0. */
struct txg_span {
    const char *data;
    size_t len;
};

#define TXG_SPAN(s) ((struct txg_span){(s), sizeof(s) - 1}) /* of a string literal */
#define TXG_FMT(s)  (int)(s).len, (s).data ? (s).data : ""  /* for "%.*s" */

static inline struct txg_span txg_span(const void *data, size_t len)
{
    return (struct txg_span){data, len};
}

struct txg_span txg_span_cstr(const char *s); /* NULL is the empty span */
bool txg_span_is(struct txg_span a, const char *s);
bool txg_span_equal(struct txg_span a, struct txg_span b);

_Noreturn void txg_oom(void);
void *txg_xmalloc(size_t size);
void *txg_xcalloc(size_t n, size_t size);
void *txg_xrealloc_array(void *p, size_t n, size_t size);
char *txg_xstrdup(const char *s); /* NULL gives NULL */
char *txg_xstrndup(const char *s, size_t n);
char *txg_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Room for one more element in a growing array: doubles *cap when n == *cap. */
void *txg_grow(void *p, size_t n, size_t *cap, size_t size);

/* For __attribute__((cleanup(...))) on a `char *` local. */
void txg_cleanup_free(void *pp);
#define TXG_AUTOFREE __attribute__((cleanup(txg_cleanup_free)))

bool txg_has_prefix(const char *s, const char *prefix);
bool txg_has_suffix(const char *s, const char *suffix);

/* True where the bytes are well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool txg_utf8_valid(const void *data, size_t len);

/* The length of the longest well-formed prefix; equal to len where all is well-formed. */
size_t txg_utf8_prefix(const void *data, size_t len);

/* strtol and strstr, for the worker: they are the only thing it would have of 3 KB of libc. A
 * number ends at the first character that is no digit; `at` is moved there. One that is too large
 * is INT64_MAX. */
int64_t txg_read_int(const char **at);
char *txg_strstr(const char *s, const char *word);

/* A whole decimal number with an optional '-', nothing around it. False: *out is untouched. */
bool txg_parse_int(const char *s, int64_t min, int64_t max, int64_t *out);
bool txg_span_parse_int(struct txg_span s, int64_t min, int64_t max, int64_t *out);

/* "30", "1.5", "250ms", "30s", "5m", "2h" to microseconds; a bare number is seconds. > 0 unless
 * it says 0. False: not such a thing, or beyond 10 years. */
bool txg_parse_duration(const char *s, int64_t *us);

/* The word of a NULL-terminated list that is nearest to `s`, or NULL where none is near enough
 * (more than a third of its letters wrong). Borrowed from the list. */
const char *txg_nearest(const char *s, const char *const *words);

/* FNV-1a, 64 bits: for digests that both ends compute; it keeps nobody out. */
#define TXG_HASH_START UINT64_C(14695981039346656037)
uint64_t txg_hash(uint64_t h, const void *data, size_t len);

/* For tables in memory: eight bytes at a time, another value on another machine. */
uint64_t txg_hash_key(const void *data, size_t len);

#endif

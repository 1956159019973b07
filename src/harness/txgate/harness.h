/*
 * libtxgate-harness: C test programs whose cases txgate lists, deals and blames one by one.
 *
 *     #include <txgate/harness.h>
 *
 *     static void answers(struct txg_case *c)
 *     {
 *         const char *address = txg_input_string(txg_case_input(c), "ipadr");
 *         TXG_CHECK(c, ping(address) == 0, "device %s: no answer to ping", address);
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         txg_add("network/answers", answers);
 *         return txg_main(argc, argv);
 *     }
 *
 * Under txgate (harness: auto or txgate) the program is started once and told which cases to run:
 * docs/harness.md. By itself it is an ordinary test program: it runs all cases, or those that are
 * named on its command line, prints TAP and exits with 0 (none failed) or 1; `--list` lists them.
 * Needs nothing but libc. Not for several threads at a time: a case may have threads, but only the
 * one that called it may call what stands here.
 */
#ifndef TXGATE_HARNESS_H
#define TXGATE_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct txg_case;  /* one run of a case */
struct txg_input; /* workerinput, or a value in it */

/* Adds a case. The name is borrowed for good and unique in the program; any text but the empty
 * one; by convention "group/case". */
void txg_add(const char *name, void (*fn)(struct txg_case *c));

/* Functions that are run once around all cases of a process, and around each case. NULL: none.
 * What fails in `before` fails its case. */
struct txg_fixture {
    void (*set_up)(const struct txg_input *in);
    void (*tear_down)(void);
    void (*before)(struct txg_case *c);
    void (*after)(struct txg_case *c);
};
void txg_set_fixture(const struct txg_fixture *fixture); /* copied */

/* Runs the program; returns what main() is to return. */
int txg_main(int argc, char **argv);

/* The workerinput of this gateway; never NULL. */
const struct txg_input *txg_case_input(const struct txg_case *c);
const char *txg_case_name(const struct txg_case *c);

/* How a case ends, unless it returns (passed). None of these returns: no destructor, no cleanup
 * attribute of the functions in between is run (longjmp). */
#if defined(__GNUC__)
#define TXG_HARNESS_PRINTF(a, b) __attribute__((format(printf, a, b), noreturn))
#else
#define TXG_HARNESS_PRINTF(a, b)
#endif
void txg_fail(struct txg_case *c, const char *file, int line, const char *fmt, ...)
    TXG_HARNESS_PRINTF(4, 5);
void txg_skip(struct txg_case *c, const char *fmt, ...) TXG_HARNESS_PRINTF(2, 3);

/* Fails the case where the condition is false. The text is printf's; without one it is the
 * condition. */
#define TXG_FAIL(c, ...) txg_fail((c), __FILE__, __LINE__, __VA_ARGS__)
#define TXG_CHECK(c, condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition))                                                                          \
            txg_fail((c), __FILE__, __LINE__, "" __VA_ARGS__);                                     \
    } while (0)
#define TXG_ASSERT(c, condition) TXG_CHECK(c, condition, "%s", #condition)

/* workerinput by key. Where there is no such key, or a value of another type, strings are NULL,
 * numbers are not written and false is returned. A program that runs by itself has the variables
 * TXGATE_INPUT_<KEY> of its environment instead, whose text is read as the type that is asked for.
 * What is returned lives as long as the input. */
const char *txg_input_string(const struct txg_input *in, const char *key);
bool txg_input_int(const struct txg_input *in, const char *key, long long *out);
bool txg_input_double(const struct txg_input *in, const char *key, double *out);
bool txg_input_bool(const struct txg_input *in, const char *key, bool *out);

/* A list or a dictionary within: its elements by key, or by place (NULL behind the last one, and
 * for what is neither). txg_input_text gives a plain value as text. */
const struct txg_input *txg_input_get(const struct txg_input *in, const char *key);
const struct txg_input *txg_input_at(const struct txg_input *in, size_t place);
const char *txg_input_text(const struct txg_input *in);

#ifdef __cplusplus
}
#endif

#endif

#include "txgate/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "input.h"
#include "lines.h"

#define REASON_MAX 1024

/* By its section a program is known for what it is, without being run. */
__attribute__((used, section(".txgate_harness"))) static const char mark[] = "txgate harness 1";

enum outcome { PASSED, FAILED, SKIPPED };

struct test {
    const char *name;
    void (*fn)(struct txg_case *c);
};

struct txg_case {
    const struct test *test;
    const struct txg_input *input;
    enum outcome outcome;
    char reason[REASON_MAX];
    jmp_buf back;
};

static struct test *tests;
static size_t n_tests, cap_tests;
static struct txg_fixture fixture;
static bool is_set_up;

void txg_add(const char *name, void (*fn)(struct txg_case *c))
{
    if (n_tests == cap_tests) {
        cap_tests = cap_tests ? 2 * cap_tests : 64;
        tests = realloc(tests, cap_tests * sizeof *tests);
        if (!tests)
            txg_lines_die("out of memory");
    }
    tests[n_tests++] = (struct test){name, fn};
}

void txg_set_fixture(const struct txg_fixture *f)
{
    fixture = *f;
}

const struct txg_input *txg_case_input(const struct txg_case *c)
{
    return c->input;
}

const char *txg_case_name(const struct txg_case *c)
{
    return c->test->name;
}

void txg_fail(struct txg_case *c, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(c->reason, sizeof c->reason, "%s:%d: ", file, line);
    va_start(ap, fmt);
    if (n >= 0 && (size_t)n < sizeof c->reason)
        vsnprintf(c->reason + n, sizeof c->reason - (size_t)n, fmt, ap);
    va_end(ap);
    c->outcome = FAILED;
    longjmp(c->back, 1);
}

void txg_skip(struct txg_case *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->reason, sizeof c->reason, fmt, ap);
    va_end(ap);
    c->outcome = SKIPPED;
    longjmp(c->back, 1);
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Returns how long it took. What `after` says counts where the case had passed. */
static long long run_case(struct txg_case *c, const struct test *test, const struct txg_input *in)
{
    long long begun = now();
    c->test = test;
    c->input = in;
    c->outcome = PASSED;
    c->reason[0] = '\0';
    if (fixture.set_up && !is_set_up)
        fixture.set_up(in);
    is_set_up = true;
    if (setjmp(c->back) == 0) {
        if (fixture.before)
            fixture.before(c);
        test->fn(c);
    }
    if (fixture.after) {
        enum outcome outcome = c->outcome;
        char reason[REASON_MAX];
        memcpy(reason, c->reason, sizeof reason);
        if (setjmp(c->back) == 0)
            fixture.after(c);
        if (outcome != PASSED) {
            c->outcome = outcome;
            memcpy(c->reason, reason, sizeof reason);
        }
    }
    return now() - begun;
}

static void tear_down(void)
{
    if (is_set_up && fixture.tear_down)
        fixture.tear_down();
}

static size_t hash(const char *name)
{
    unsigned long long h = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)h;
}

/* Where the test of that name stands in a table of open addresses, or would stand; it holds places
 * in `tests` from 1, and is never more than half full. */
static size_t *slot_of(size_t *slots, size_t size, const char *name)
{
    size_t at = hash(name) & (size - 1);
    while (slots[at] && strcmp(tests[slots[at] - 1].name, name) != 0)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static size_t look_up(const char *name)
{
    static size_t *slots, size;
    if (!slots) {
        for (size = 64; size < 2 * n_tests; size *= 2)
            continue;
        slots = calloc(size, sizeof *slots);
        if (!slots)
            txg_lines_die("out of memory");
        for (size_t i = 0; i < n_tests; i++) {
            size_t *slot = slot_of(slots, size, tests[i].name);
            *slot = *slot ? *slot : i + 1;
        }
    }
    return *slot_of(slots, size, name);
}

static const struct test *find(const char *name, size_t *guess)
{
    if (*guess >= n_tests || strcmp(tests[*guess].name, name) != 0) {
        size_t place = look_up(name); /* mostly they come in order */
        if (!place)
            return NULL;
        *guess = place - 1;
    }
    return &tests[(*guess)++];
}

/* docs/harness.md */

static void list_cases(struct txg_lines *l)
{
    for (size_t i = 0; i < n_tests; i++)
        txg_lines_put(l, (const char *const[]){"case", tests[i].name, NULL});
    txg_lines_say(l, (const char *const[]){"listed", NULL});
}

/* The digits of a number that is not negative, in front of `end`. */
static const char *number(long long n, char *end)
{
    *--end = '\0';
    do
        *--end = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    return end;
}

static void run_for(struct txg_lines *l, const char *name, const struct txg_input *in,
                    size_t *guess)
{
    static const char *const words[] = {"passed", "failed", "skipped"};
    static struct txg_case c;
    const struct test *test = find(name, guess);
    if (!test) {
        txg_lines_tell(
            l, (const char *const[]){"result", name, "error", "", "there is no such case", NULL});
        return;
    }
    char digits[24];
    const char *duration = number(run_case(&c, test, in), digits + sizeof digits);
    fflush(stdout);
    fflush(stderr);
    bool wait = txg_lines_must_wait();
    txg_lines_tell(l, (const char *const[]){"result", name, words[c.outcome], duration, c.reason,
                                            wait ? "wait" : NULL, NULL});
    if (wait)
        txg_lines_await_go(l);
}

static int serve(struct txg_lines *l)
{
    struct txg_input *input = NULL;
    size_t guess = 0;
    char *line;
    while ((line = txg_lines_read(l))) {
        const char *word = txg_lines_field(&line);
        if (strcmp(word, "hello") == 0) {
            txg_lines_field(&line);
            const char *json = txg_lines_field(&line);
            input = json ? txg_input_parse(json) : NULL;
            if (!input)
                txg_lines_die("hello without a workerinput that can be read");
            txg_lines_say(l, (const char *const[]){"ready", "1", "ahead", NULL});
        } else if (strcmp(word, "list") == 0) {
            list_cases(l);
        } else if (strcmp(word, "run") == 0 && line && input) {
            run_for(l, txg_lines_field(&line), input, &guess);
        }
    }
    tear_down();
    txg_input_free(input);
    txg_lines_release(l);
    return 0;
}

/* By itself */

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(name, argv[i]) == 0)
            return true;
    return argc <= 1;
}

static int print_list(void)
{
    for (size_t i = 0; i < n_tests; i++)
        puts(tests[i].name);
    return 0;
}

static int run_alone(int argc, char **argv)
{
    static struct txg_case c;
    struct txg_input *in = txg_input_from_environment();
    size_t wanted = 0, number = 0, failed = 0;
    for (size_t i = 0; i < n_tests; i++)
        wanted += is_wanted(tests[i].name, argc, argv);
    if (argc > 1 && wanted < (size_t)argc - 1) {
        fprintf(stderr, "%s: not all of these are cases; --list lists them\n", argv[0]);
        return 99;
    }
    printf("TAP version 13\n1..%zu\n", wanted);
    for (size_t i = 0; i < n_tests; i++) {
        if (!is_wanted(tests[i].name, argc, argv))
            continue;
        run_case(&c, &tests[i], in);
        failed += c.outcome == FAILED;
        printf("%sok %zu - %s%s%s\n", c.outcome == FAILED ? "not " : "", ++number, tests[i].name,
               c.outcome == SKIPPED ? " # SKIP " : "", c.outcome == SKIPPED ? c.reason : "");
        if (c.outcome == FAILED)
            printf("# %s\n", c.reason);
        fflush(stdout);
    }
    tear_down();
    txg_input_free(in);
    return failed > 0;
}

int txg_main(int argc, char **argv)
{
    static struct txg_lines lines;
    __asm__ volatile("" : : "r"(mark)); /* ld --gc-sections keeps what is referred to */
    if (txg_lines_open(&lines))
        return serve(&lines);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return print_list();
    return run_alone(argc, argv);
}

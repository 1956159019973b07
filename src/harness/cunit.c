#include "cunit.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_abi.h"
#include "lines.h"

#define REASON_MAX 1024
#define NONE       SIZE_MAX

struct suite {
    struct txg_cu_suite *cu;
    bool is_broken; /* its initialization failed: CUnit would not run the rest either */
};

struct item {
    char *name; /* "suite/test" */
    size_t suite;
    struct txg_cu_test *cu;
    bool is_active; /* as the program wants it; CUnit's own flag says what it is to run next */
};

static struct {
    struct txg_lines lines;
    struct suite *suites;
    size_t n_suites;
    struct item *items; /* in CUnit's order */
    size_t n_items;
    size_t *slots; /* of a table of their names: item + 1, 0 is free */
    size_t mask;
    size_t wanted; /* the item that was asked for and has no result; NONE: there is none */
    long long begun;
    txg_cu_test_start *on_start; /* of the program */
    txg_cu_test_complete *on_complete;
} h;

static void *must(void *p)
{
    if (!p)
        txg_lines_die("out of memory");
    return p;
}

/* What is registered */

/* The slot that holds the name, or the free one where it belongs. */
static size_t *slot_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (size_t at = hash;; at++) {
        size_t *slot = &h.slots[at & h.mask];
        if (*slot == 0 || strcmp(h.items[*slot - 1].name, name) == 0)
            return slot;
    }
}

/* CUnit lets two tests have one name, or two suites: the second is called "suite/test (2)". */
static void name_item(size_t item)
{
    const char *suite = h.suites[h.items[item].suite].cu->name, *test = h.items[item].cu->name;
    size_t size = strlen(suite) + strlen(test) + 32;
    char *name = must(malloc(size));
    snprintf(name, size, "%s/%s", suite, test);
    for (unsigned n = 2; *slot_of(name); n++)
        snprintf(name, size, "%s/%s (%u)", suite, test, n);
    h.items[item].name = name;
    *slot_of(name) = item + 1;
}

static void take_stock(void)
{
    struct txg_cu_suite *cu;
    size_t most = 0, n_slots = 64;
    if (!CU_registry_initialized())
        txg_lines_die("CUnit's registry is not initialized (CU_initialize_registry)");
    for (; (cu = CU_get_suite_at_pos((unsigned)h.n_suites + 1)); h.n_suites++)
        for (struct txg_cu_test *t = cu->tests; t; t = t->next)
            most++;
    while (n_slots < 2 * most)
        n_slots *= 2;
    h.mask = n_slots - 1;
    h.suites = must(calloc(h.n_suites + 1, sizeof *h.suites));
    h.items = must(calloc(most + 1, sizeof *h.items));
    h.slots = must(calloc(n_slots, sizeof *h.slots));
    for (size_t i = 0; i < h.n_suites; i++) {
        cu = CU_get_suite_at_pos((unsigned)i + 1);
        h.suites[i].cu = cu;
        for (struct txg_cu_test *t = cu->tests; t && h.n_items < most; t = t->next) {
            h.items[h.n_items] = (struct item){NULL, i, t, cu->active && t->active};
            name_item(h.n_items++);
            CU_set_test_active(t, 0);
        }
    }
}

/* What is asked for */

static void say_listing(void)
{
    for (size_t i = 0; i < h.n_items; i++)
        txg_lines_put(&h.lines, (const char *const[]){"case", h.items[i].name, NULL});
    txg_lines_say(&h.lines, (const char *const[]){"listed", NULL});
}

static void say_result(const char *name, const char *outcome, long long took, const char *reason)
{
    char duration[24];
    snprintf(duration, sizeof duration, "%lld", took);
    fflush(NULL);
    bool wait = txg_lines_must_wait();
    txg_lines_tell(&h.lines, (const char *const[]){"result", name, outcome, duration, reason,
                                                   wait ? "wait" : NULL, NULL});
    if (wait)
        txg_lines_await_go(&h.lines);
}

/* Is it to be run by CUnit? What need not be has its result at once. */
static bool must_run(const char *name)
{
    char reason[REASON_MAX];
    size_t slot = *slot_of(name);
    if (slot == 0) {
        say_result(name, "error", 0, "there is no such case");
        return false;
    }
    const struct item *item = &h.items[slot - 1];
    const struct suite *suite = &h.suites[item->suite];
    if (!item->is_active) {
        say_result(name, "skipped", 0, "inactive");
        return false;
    }
    if (suite->is_broken) {
        snprintf(reason, sizeof reason, "the initialization of its suite '%s' failed",
                 suite->cu->name);
        say_result(name, "error", 0, reason);
        return false;
    }
    h.wanted = slot - 1;
    return true;
}

/* The next case that CUnit is to run is `wanted`; NONE: there is nothing more to do. */
static void take_commands(void)
{
    char *line;
    h.wanted = NONE;
    while ((line = txg_lines_read(&h.lines))) {
        const char *word = txg_lines_field(&line);
        if (strcmp(word, "hello") == 0)
            txg_lines_say(&h.lines, (const char *const[]){"ready", "1", "ahead", NULL});
        else if (strcmp(word, "list") == 0)
            say_listing();
        else if (strcmp(word, "run") == 0 && line && must_run(txg_lines_field(&line)))
            return;
    }
}

/*
 * What CUnit tells. It runs a suite by itself, initialization and cleanup included, and in it the
 * tests that are active: one at a time. Behind each, the next one is made active where it comes
 * later in the same suite; if it does not, CUnit finds no more to run and cleans up.
 */

static void on_start(struct txg_cu_test *test, struct txg_cu_suite *suite)
{
    if (h.on_start)
        h.on_start(test, suite);
    h.begun = txg_lines_now();
}

/* "file.c:12: condition (and 2 more)", and all of them on stdout where there are several. */
static void describe(const struct txg_cu_failure *first, char *reason)
{
    size_t n = 0;
    for (const struct txg_cu_failure *f = first; f; f = f->next)
        n++;
    for (const struct txg_cu_failure *f = first; f && n > 1; f = f->next)
        printf("%s:%u: %s\n", f->file ? f->file : "?", f->line, f->condition ? f->condition : "");
    int len = snprintf(reason, REASON_MAX - 32, "%s:%u: %s", first->file ? first->file : "?",
                       first->line, first->condition ? first->condition : "");
    len = len < 0 ? 0 : len > REASON_MAX - 33 ? REASON_MAX - 33 : len;
    if (n > 1)
        snprintf(reason + len, REASON_MAX - (size_t)len, " (and %zu more)", n - 1);
}

static void on_complete(struct txg_cu_test *test, struct txg_cu_suite *suite,
                        struct txg_cu_failure *failures)
{
    static char reason[REASON_MAX];
    long long took = txg_lines_now() - h.begun;
    size_t done = h.wanted;
    if (h.on_complete)
        h.on_complete(test, suite, failures);
    if (done == NONE || h.items[done].cu != test)
        txg_lines_die("CUnit ran a test that was not asked for");
    reason[0] = '\0';
    if (failures)
        describe(failures, reason);
    CU_set_test_active(test, 0);
    say_result(h.items[done].name, failures ? "failed" : "passed", took, reason);
    take_commands();
    if (h.wanted != NONE && h.wanted > done && h.items[h.wanted].suite == h.items[done].suite)
        CU_set_test_active(h.items[h.wanted].cu, 1);
}

static void on_broken_suite(struct txg_cu_suite *suite)
{
    (void)suite;
    if (h.wanted != NONE)
        h.suites[h.items[h.wanted].suite].is_broken = true;
}

static void on_bad_cleanup(struct txg_cu_suite *suite)
{
    char text[REASON_MAX];
    snprintf(text, sizeof text, "the cleanup of the suite '%s' failed", suite->name);
    txg_lines_say(&h.lines, (const char *const[]){"error", text, NULL});
}

static void run_wanted(void)
{
    size_t asked = h.wanted;
    struct item *item = &h.items[asked];
    CU_set_test_active(item->cu, 1);
    CU_run_suite(h.suites[item->suite].cu);
    if (h.wanted != asked)
        return; /* it has its result, and this is the next one */
    CU_set_test_active(item->cu, 0);
    if (!h.suites[item->suite].is_broken)
        say_result(item->name, "error", 0, CU_get_error_msg());
    else
        must_run(item->name); /* which tells what became of its suite */
    take_commands();
}

void txg_cunit_serve_as(bool own_handlers)
{
    if (!txg_lines_open(&h.lines))
        return;
    if (own_handlers) {
        h.on_start = CU_get_test_start_handler();
        h.on_complete = CU_get_test_complete_handler();
    }
    CU_set_fail_on_inactive(0);
    CU_set_test_start_handler(on_start);
    CU_set_test_complete_handler(on_complete);
    CU_set_suite_init_failure_handler(on_broken_suite);
    CU_set_suite_cleanup_failure_handler(on_bad_cleanup);
    take_stock();
    take_commands();
    while (h.wanted != NONE)
        run_wanted();
    exit(0);
}

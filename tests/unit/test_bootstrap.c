#include "config.h"

#include "gateway/bootstrap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

#define TOKEN  "0123456789abcdef0123456789abcdef"
#define ANSWER "\nTXG " TOKEN " "
#define CLEAN  "\377\200"

struct scene {
    struct tree tree;
    char *worker;  /* its path */
    char *machine; /* that this one is */
    struct txg_bootstrap *boot;
    struct txg_buf told;
    struct txg_err err;
    struct txg_span rest;
};

static void scene_begin(struct scene *s, bool shell, bool no_cache)
{
    struct utsname name;
    *s = (struct scene){0};
    CU_ASSERT_FATAL(uname(&name) == 0);
    tree_init(&s->tree);
    tree_add(&s->tree, "txgate-worker", 0755, "#!/bin/sh\nthe bytes of a worker\n");
    s->worker = txg_xasprintf("%s/txgate-worker", s->tree.path);
    s->machine = txg_xstrdup(name.machine);
    s->boot = txg_bootstrap_new(&(struct txg_bootstrap_config){
        .token = TOKEN, .shell = shell, .own_worker = s->worker, .no_cache = no_cache});
}

static void scene_end(struct scene *s)
{
    txg_bootstrap_free(s->boot);
    txg_buf_release(&s->told);
    tree_release(&s->tree);
    free(s->worker);
    free(s->machine);
}

/* All that is pending, taken a few bytes at a time. */
static const char *hear(struct scene *s)
{
    txg_buf_clear(&s->told);
    for (;;) {
        struct txg_span bytes = txg_bootstrap_pending(s->boot);
        if (bytes.len == 0)
            return txg_buf_cstr(&s->told);
        size_t n = bytes.len < 11 ? bytes.len : 11;
        txg_buf_append(&s->told, bytes.data, n);
        txg_bootstrap_sent(s->boot, n);
    }
}

/* What feed says of the last piece that it was given. */
static int say(struct scene *s, const char *text, size_t piece)
{
    int rc = 0;
    for (size_t at = 0, len = strlen(text); at < len && rc == 0; at += piece)
        rc = txg_bootstrap_feed(s->boot, text + at, len - at < piece ? len - at : piece, &s->rest,
                                &s->err);
    return rc;
}

static int probe(struct scene *s, size_t piece)
{
    TXG_AUTOFREE char *text = txg_xasprintf(ANSWER "probe %s 0 " CLEAN "\n", s->machine);
    hear(s);
    return say(s, text, piece);
}

static bool is_one_line(const char *text)
{
    const char *newline = strchr(text, '\n');
    return newline && newline[1] == '\0';
}

static void stop_and_wait_in_any_pieces(void)
{
    for (size_t piece = 1; piece < 200; piece = piece * 2 + 1) {
        struct scene s;
        scene_begin(&s, true, false);
        CU_ASSERT_STRING_EQUAL(txg_bootstrap_step(s.boot), "probe");
        CU_ASSERT(is_one_line(hear(&s)));
        CU_ASSERT_EQUAL(probe(&s, piece), 0);
        CU_ASSERT(is_one_line(hear(&s)));
        CU_ASSERT_EQUAL(say(&s, "noise" ANSWER "need\nmore noise\n", piece), 0);
        CU_ASSERT(is_one_line(hear(&s)));
        CU_ASSERT_STRING_EQUAL(txg_bootstrap_step(s.boot), "upload");
        CU_ASSERT_EQUAL(say(&s, ANSWER "no /a: full\n" ANSWER "put 2 /b\n", piece), 0);
        CU_ASSERT(is_one_line(hear(&s)));
        CU_ASSERT_STRING_EQUAL(hear(&s), ""); /* no byte before it is asked for */
        CU_ASSERT_EQUAL(txg_bootstrap_uploaded(s.boot), 0);
        CU_ASSERT_EQUAL(say(&s, ANSWER "go\n", piece), 0);
        CU_ASSERT_STRING_EQUAL(hear(&s), "#!/bin/sh\nthe bytes of a worker\n");
        CU_ASSERT_EQUAL(txg_bootstrap_uploaded(s.boot), 32);
        CU_ASSERT_EQUAL(say(&s, "\nTXG " TOKEN "\n", piece), 1);
        CU_ASSERT_STRING_EQUAL(txg_bootstrap_step(s.boot), "hello");
        CU_ASSERT_STRING_EQUAL(hear(&s), "");
        scene_end(&s);
    }
}

/* Found there, or a program that is the worker itself: what stands behind its line is its own. */
static void the_agents_line_ends_it(void)
{
    struct scene s;
    scene_begin(&s, true, false);
    probe(&s, 100);
    CU_ASSERT_EQUAL(say(&s, "TXG " TOKEN "\nframes", 100), 1);
    CU_ASSERT(txg_span_is(s.rest, "frames"));
    CU_ASSERT_EQUAL(txg_bootstrap_uploaded(s.boot), 0);
    scene_end(&s);
    scene_begin(&s, false, false);
    CU_ASSERT_STRING_EQUAL(hear(&s), "");
    CU_ASSERT_EQUAL(say(&s, "motd\nxTXG " TOKEN "\nTXG " TOKEN "x\n", 3), 0);
    CU_ASSERT_EQUAL(say(&s, "TXG " TOKEN "\n\1\2", 1000), 1);
    CU_ASSERT(txg_span_is(s.rest, "\1\2"));
    scene_end(&s);
}

/* In front of its time it is somebody else's. */
static void the_agents_line_too_early(void)
{
    struct scene s;
    scene_begin(&s, true, false);
    hear(&s);
    CU_ASSERT_EQUAL(say(&s, "TXG " TOKEN "\n", 100), -1);
    scene_end(&s);
}

static void without_a_cache_nothing_is_looked_for(void)
{
    struct scene s;
    scene_begin(&s, true, true);
    CU_ASSERT_EQUAL(probe(&s, 100), 0);
    CU_ASSERT_STRING_EQUAL(txg_bootstrap_step(s.boot), "upload");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&s), "_x=.$_T; _R=--remove; "));
    scene_end(&s);
}

/* What the user reads, and at which step. */
static void faults(void)
{
    static const struct {
        const char *first, *said, *step, *text;
    } cases[] = {
        {NULL, ANSWER "probe - 0 " CLEAN "\n", "probe",
         "the host does not tell its architecture (no uname there): give arch=, such as "
         "arch=aarch64"},
        {NULL, ANSWER "probe x86_64 0 \377\n", "probe",
         "the way to the host changes bytes: it must be 8-bit clean and no terminal (-T, not -t)"},
        {NULL, ANSWER "probe x86_64 0 " CLEAN "\r\n", "probe",
         "the way to the host changes bytes: it must be 8-bit clean and no terminal (-T, not -t)"},
        {NULL, ANSWER "probe\n", "probe",
         "`uname -m` and `id -u` there gave no answer that can be read"},
        {NULL, ANSWER "probe ../../etc 0 " CLEAN "\n", "probe",
         "the host calls its machine '../../etc'"},
        {NULL, ANSWER "go\n", "probe",
         "`uname -m` and `id -u` there gave no answer that can be read"},
        {"", ANSWER "put 1 /a\n", "start", "the host answered 'put 1 /a', which was not asked"},
        {"", ANSWER "need\n" ANSWER "go\n", "upload",
         "the host answered 'go', which was not asked"},
        {"", ANSWER "need\n" ANSWER "no /a: \033[31mred\n" ANSWER "no /b: full\n" ANSWER "none\n",
         "upload",
         "no folder there can hold the worker (TXGATE_DIR can name one): /a: \\x1b[31mred; /b: "
         "full"},
        {"", ANSWER "need\n" ANSWER "put 1 /a\n" ANSWER "go\n" ANSWER "fatal does not run\n",
         "upload", "does not run"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        scene_begin(&s, true, false);
        if (cases[i].first)
            CU_ASSERT_EQUAL(probe(&s, 100), 0);
        hear(&s);
        CU_ASSERT_EQUAL(say(&s, cases[i].said, 1), -1);
        CU_ASSERT_STRING_EQUAL(txg_bootstrap_step(s.boot), cases[i].step);
        CU_ASSERT_STRING_EQUAL(s.err.text, cases[i].text);
        scene_end(&s);
    }
}

/* A folder that was full in the middle: the next one, behind it, and the bytes again. */
static void on_to_the_next_folder(void)
{
    struct scene s;
    scene_begin(&s, true, false);
    probe(&s, 100);
    CU_ASSERT_EQUAL(say(&s, ANSWER "need\n" ANSWER "put 3 /var/tmp/t\n" ANSWER "go\n", 9), 0);
    hear(&s);
    CU_ASSERT_EQUAL(say(&s, ANSWER "bad /var/tmp/t: No space left on device\n", 9), 0);
    const char *line = hear(&s);
    CU_ASSERT(strncmp(line, "_n=3; ", 6) == 0 && is_one_line(line));
    CU_ASSERT_EQUAL(say(&s, ANSWER "put 4 /tmp/t\n" ANSWER "go\n", 9), 0);
    hear(&s);
    CU_ASSERT_EQUAL(txg_bootstrap_uploaded(s.boot), 64);
    CU_ASSERT_EQUAL(say(&s, "TXG " TOKEN "\n", 9), 1);
    scene_end(&s);
}

static void no_end_of_noise(void)
{
    struct scene s;
    scene_begin(&s, true, false);
    hear(&s);
    int rc = 0, rounds = 0;
    while (rc == 0 && rounds++ < 10000)
        rc = say(&s, "Password: \033\n", 12);
    CU_ASSERT_EQUAL(rc, -1);
    CU_ASSERT(rounds < 6000);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(s.err.text, "this is no shell; it says: Password: \\x1b\\nPassword:"));
    scene_end(&s);
}

static void silence_is_described(void)
{
    struct scene s;
    struct txg_buf text = {0};
    scene_begin(&s, true, false);
    CU_ASSERT(txg_bootstrap_is_silent(s.boot));
    txg_bootstrap_describe(s.boot, &text);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&text), "");
    say(&s, "welcome\nlogin: ", 4);
    CU_ASSERT(!txg_bootstrap_is_silent(s.boot));
    txg_bootstrap_describe(s.boot, &text);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&text), "; it said: login: ");
    txg_buf_clear(&text);
    say(&s, "\n", 1);
    txg_bootstrap_describe(s.boot, &text);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&text), "; it said: login: \\n");
    txg_buf_release(&text);
    scene_end(&s);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"stop and wait, in any pieces", stop_and_wait_in_any_pieces},
        {"the agent's line ends it", the_agents_line_ends_it},
        {"the agent's line too early", the_agents_line_too_early},
        {"without a cache nothing is looked for", without_a_cache_nothing_is_looked_for},
        {"faults", faults},
        {"on to the next folder", on_to_the_next_folder},
        {"no end of noise", no_end_of_noise},
        {"silence is described", silence_is_described},
        {0},
    };
    return txg_suite_main(argc, argv, "bootstrap", tests);
}

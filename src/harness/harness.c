#include "txgate/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "input.h"

#define REASON_MAX 1024
#define HELLO_MAX  (1u << 20) /* bytes of a command: docs/harness.md, section 2 */

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

static void die(const char *what)
{
    fprintf(stderr, "libtxgate-harness: %s\n", what);
    exit(99);
}

void txg_add(const char *name, void (*fn)(struct txg_case *c))
{
    if (n_tests == cap_tests) {
        cap_tests = cap_tests ? 2 * cap_tests : 64;
        tests = realloc(tests, cap_tests * sizeof *tests);
        if (!tests)
            die("out of memory");
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

static const struct test *find(const char *name, size_t *guess)
{
    if (*guess < n_tests && strcmp(tests[*guess].name, name) == 0)
        return &tests[(*guess)++]; /* mostly they come in order */
    for (size_t i = 0; i < n_tests; i++)
        if (strcmp(tests[i].name, name) == 0) {
            *guess = i + 1;
            return &tests[i];
        }
    return NULL;
}

/* docs/harness.md */

struct talk {
    int in, out;
    char *text; /* what was read and is not used up */
    size_t from, to, cap;
    char line[8 * REASON_MAX];
};

/* The next line, NUL-terminated; NULL at the end of the file. */
static char *read_line(struct talk *t)
{
    for (size_t seen = t->from;;) {
        char *newline = t->to > seen ? memchr(t->text + seen, '\n', t->to - seen) : NULL;
        if (newline) {
            char *line = t->text + t->from;
            *newline = '\0';
            t->from = (size_t)(newline - t->text) + 1;
            return line;
        }
        if (t->from > 0 && t->from < t->to)
            memmove(t->text, t->text + t->from, t->to - t->from);
        t->to -= t->from;
        t->from = 0;
        seen = t->to;
        if (t->to == t->cap) {
            if (t->cap > HELLO_MAX)
                die("a command without end");
            t->cap = t->cap ? 2 * t->cap : 65536;
            t->text = realloc(t->text, t->cap);
            if (!t->text)
                die("out of memory");
        }
        ssize_t n;
        do
            n = read(t->in, t->text + t->to, t->cap - t->to);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return NULL;
        t->to += (size_t)n;
    }
}

/* Cuts a field off the front of a line, and resolves its escapes in place. */
static char *next_field(char **line)
{
    char *field = *line, *to = field, *from = field;
    if (!field)
        return NULL;
    for (; *from && *from != '\t'; from++) {
        if (*from == '\\' && from[1]) {
            from++;
            *to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
        } else {
            *to++ = *from;
        }
    }
    *line = *from ? from + 1 : NULL;
    *to = '\0';
    return field;
}

static char *put_field(char *to, char *end, const char *text)
{
    for (; *text && to + 2 < end; text++) {
        char escape = *text == '\t' ? 't' : *text == '\n' ? 'n' : *text == '\\' ? '\\' : '\0';
        if (escape)
            *to++ = '\\';
        *to++ = escape ? escape : *text;
    }
    return to;
}

static void write_all(struct talk *t, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(t->out, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(99); /* nobody listens any more */
        data += n;
        len -= (size_t)n;
    }
}

/* `fields` ends in NULL. */
static void say(struct talk *t, const char *const *fields)
{
    char *at = t->line, *end = t->line + sizeof t->line - 1;
    for (; *fields; fields++) {
        if (at > t->line && at < end)
            *at++ = '\t';
        at = put_field(at, end, *fields);
    }
    *at++ = '\n';
    write_all(t, t->line, (size_t)(at - t->line));
}

static void list_cases(struct talk *t)
{
    for (size_t i = 0; i < n_tests; i++)
        say(t, (const char *const[]){"case", tests[i].name, NULL});
    say(t, (const char *const[]){"listed", NULL});
}

static bool is_unread(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

/* The promise of `ahead`: what a case wrote is read before the next one begins. */
static void wait_for_go(struct talk *t)
{
    char *line = read_line(t), *word;
    /* runs that were sent ahead stand in front of it: they stay where they are */
    size_t kept = 0;
    char *later = NULL;
    while (line && strcmp(line, "go") != 0) {
        size_t n = strlen(line);
        word = realloc(later, kept + n + 1);
        if (!word)
            die("out of memory");
        later = word;
        memcpy(later + kept, line, n);
        later[kept + n] = '\n';
        kept += n + 1;
        line = read_line(t);
    }
    if (!line)
        _exit(0); /* nobody wants the rest */
    if (kept > 0) {
        char *text = malloc(kept + t->to - t->from + 65536);
        if (!text)
            die("out of memory");
        memcpy(text, later, kept);
        memcpy(text + kept, t->text + t->from, t->to - t->from);
        t->cap = kept + t->to - t->from + 65536;
        t->to = kept + t->to - t->from;
        t->from = 0;
        free(t->text);
        t->text = text;
    }
    free(later);
}

static void run_for(struct talk *t, const char *name, const struct txg_input *in, size_t *guess)
{
    static const char *const words[] = {"passed", "failed", "skipped"};
    static struct txg_case c;
    const struct test *test = find(name, guess);
    if (!test) {
        say(t, (const char *const[]){"result", name, "error", "", "there is no such case", NULL});
        return;
    }
    char duration[24];
    snprintf(duration, sizeof duration, "%lld", run_case(&c, test, in));
    fflush(stdout);
    fflush(stderr);
    bool wait = is_unread(1) || is_unread(2);
    say(t, (const char *const[]){"result", name, words[c.outcome], duration, c.reason,
                                 wait ? "wait" : NULL, NULL});
    if (wait)
        wait_for_go(t);
}

static int serve(int in, int out)
{
    static struct talk t;
    struct txg_input *input = NULL;
    size_t guess = 0;
    char *line;
    t.in = in;
    t.out = out;
    fcntl(in, F_SETFD, FD_CLOEXEC);
    fcntl(out, F_SETFD, FD_CLOEXEC);
    unsetenv("TXGATE_HARNESS");
    while ((line = read_line(&t))) {
        const char *word = next_field(&line);
        if (strcmp(word, "hello") == 0) {
            next_field(&line);
            const char *json = next_field(&line);
            input = json ? txg_input_parse(json) : NULL;
            if (!input)
                die("hello without a workerinput that can be read");
            say(&t, (const char *const[]){"ready", "1", "ahead", NULL});
        } else if (strcmp(word, "list") == 0) {
            list_cases(&t);
        } else if (strcmp(word, "run") == 0 && line && input) {
            run_for(&t, next_field(&line), input, &guess);
        }
    }
    tear_down();
    txg_input_free(input);
    free(t.text);
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
    const char *fds = getenv("TXGATE_HARNESS");
    int in, out;
    __asm__ volatile("" : : "r"(mark)); /* ld --gc-sections keeps what is referred to */
    if (fds && sscanf(fds, "%d,%d", &in, &out) == 2)
        return serve(in, out);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return print_list();
    return run_alone(argc, argv);
}

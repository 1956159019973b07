#include "config.h"

#include <time.h>
#include <unistd.h>

#include "src/worker/collect.h"
#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

static const struct txg_collect_names names = {"x86_64", "gw0", "can"};

static void add_suite(struct txg_collection *c, const char *root, const char *harness)
{
    struct txg_msg_suite msg = {.suite = (int64_t)c->n_suites,
                                .harness = txg_span_cstr(harness),
                                .root = txg_span_cstr(root)};
    struct txg_err err;
    CU_ASSERT_EQUAL_FATAL(txg_collection_add_suite(c, &msg, &err), 0);
}

static void add_file(struct txg_collection *c, const char *path)
{
    struct txg_span span = txg_span_cstr(path);
    struct txg_msg_files msg = {.suite = (int64_t)c->n_suites - 1, .paths = &span, .n_paths = 1};
    struct txg_err err;
    CU_ASSERT_EQUAL_FATAL(txg_collection_add_files(c, &msg, &err), 0);
}

/* All that was collected, in order: "nodeid nodeid" and then "!text" for each error, with the
 * tree's own path written as "@". */
static void describe(const struct txg_collection *c, const struct tree *t, char *out, size_t size)
{
    struct txg_buf b = {0};
    for (size_t i = 0; i < c->n_items; i++)
        txg_buf_printf(&b, "%s%s", i ? " " : "", c->items[i].nodeid);
    for (size_t i = 0; i < c->n_errors; i++)
        txg_buf_printf(&b, "!%s", c->errors[i].text);
    const char *from = txg_buf_cstr(&b);
    size_t n = 0, len = strlen(t->path);
    while (*from && n + 1 < size) {
        bool here = strncmp(from, t->path, len) == 0;
        out[n++] = here ? '@' : *from;
        from += here ? len : 1;
    }
    out[n] = '\0';
    txg_buf_release(&b);
}

static void expect(const struct tree *t, const char *root, const char *pattern,
                   const char *expected)
{
    struct txg_collection c = {0};
    char got[8192];
    add_suite(&c, root, "exec");
    add_file(&c, pattern);
    txg_collection_run(&c, &names, t->path);
    describe(&c, t, got, sizeof got);
    if (strcmp(got, expected) != 0)
        printf("\nroot '%s', pattern '%s'\n  got  %s\n  want %s\n", root, pattern, got, expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
    for (size_t i = 0; i < c.n_items; i++)
        CU_ASSERT(c.items[i].path[0] == '/' && access(c.items[i].path, X_OK) == 0);
    for (size_t i = 0; i < c.n_errors; i++)
        CU_ASSERT_STRING_EQUAL(c.errors[i].nodeid, pattern);
    txg_collection_release(&c);
}

static void build(struct tree *t)
{
    static const char *const programs[] = {
        "tests/b_test",
        "tests/a_test",
        "tests/sub/c_test",
        "tests/sub/deep/d_test",
        "tests/.hidden/x",
        "tests/.dot",
        "tests/libx.so",
        "tests/liby.so.1.2",
        "odd/a[1]",
        "odd/{weird}",
        "odd/a{b,c}",
        "odd/back\\slash",
        "x86_64/t1",
        "bin-x86_64-d/t2",
        "x86_64/gw0/t3",
        "gw0_can_gw0",
        "other/t",
        "s[x]/x86_64/t",
        "pre/x86_64x86_64_test",
        "can",
        "x86_64/x86_64",
    };
    tree_init(t);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        tree_add(t, programs[i], 0755, "#!/bin/sh\n");
    tree_add(t, "tests/data.txt", 0644, "");
    tree_add(t, "plain/data.txt", 0644, "");
    tree_add(t, "empty/", 0755, "");
    char target[PATH_MAX * 2], path[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s/tests/link_test", t->path);
    CU_ASSERT_EQUAL(symlink("../other/t", path), 0);
    snprintf(path, sizeof path, "%s/tests/broken", t->path);
    CU_ASSERT_EQUAL(symlink("nowhere", path), 0);
    snprintf(path, sizeof path, "%s/tests/linked-dir", t->path);
    CU_ASSERT_EQUAL(symlink("../other", path), 0);
    snprintf(path, sizeof path, "%s/away", t->path);
    snprintf(target, sizeof target, "%s/tests/sub", t->path);
    CU_ASSERT_EQUAL(symlink(target, path), 0);
    snprintf(path, sizeof path, "%s/pipe", t->path);
    CU_ASSERT_EQUAL(mkfifo(path, 0755), 0);
}

static void files_and_patterns(void)
{
    static const struct {
        const char *root, *pattern, *expected;
    } rows[] = {
        {"", "tests/a_test", "tests/a_test"},
        {"", ".//tests/./a_test", "tests/a_test"},
        {"tests", "a_test", "a_test"},
        {"./tests//sub/.", "c_test", "c_test"},
        {"", "tests",
         "tests/a_test tests/b_test tests/link_test tests/sub/c_test "
         "tests/sub/deep/d_test"},
        {"", "tests/",
         "tests/a_test tests/b_test tests/link_test tests/sub/c_test "
         "tests/sub/deep/d_test"},
        {"tests", ".", "a_test b_test link_test sub/c_test sub/deep/d_test"},
        {"", "tests/*_test", "tests/a_test tests/b_test tests/link_test"},
        {"", "tests/*",
         "tests/a_test tests/b_test tests/libx.so tests/liby.so.1.2 "
         "tests/link_test"},
        {"", "tests/[ab]_test", "tests/a_test tests/b_test"},
        {"", "t*/?_test", "tests/a_test tests/b_test"},
        {"", "tests/libx.so", "tests/libx.so"},
        {"", "tests/.dot", "tests/.dot"},
        {"", "tests/linked-dir", "tests/linked-dir/t"},
        /* names that look like patterns */
        {"", "odd/a[1]", "odd/a[1]"},
        {"", "odd/a\\[1]", "odd/a[1]"},
        {"", "odd/*[[]1]", "odd/a[1]"},
        {"", "odd/{weird}", "odd/{weird}"},
        {"", "odd/a{b,c}", "odd/a{b,c}"},
        {"", "odd/back\\slash", "odd/back\\slash"},
        {"s[x]", "x86_64/*", "x86_64/t"},
        {"s[x]", "{arch}/*", "t"},
        /* what is wrong, and what to do */
        {"", "tests/none",
         "!@/tests/none: No such file or directory: is it built, and is this the right directory?"},
        {"", "tests/a_test/x", "!@/tests/a_test/x: Not a directory"},
        {"", "tests/broken",
         "!@/tests/broken: No such file or directory: is it built, and is this "
         "the right directory?"},
        {"", "tests/*_none",
         "!nothing matches @/tests/*_none: are the tests built, and is this "
         "the right directory?"},
        {"", "tests/data.txt",
         "!@/tests/data.txt is not executable: chmod +x it, or name the "
         "program that runs it"},
        {"", "*/data.txt", "!@/*/data.txt: none of 2 files can be executed: chmod +x the tests"},
        {"", "plain", "!@/plain: none of 1 files can be executed: chmod +x the tests"},
        {"", "empty", "!@/empty: no executable in this directory: are the tests built?"},
        {"", "pipe", "!@/pipe is neither a file nor a directory"},
        {"", "", "!an empty path: name a file, a directory or a pattern"},
        {"", "{nope}/x", "!unknown placeholder {nope}: {arch}, {id} and {label} are known"},
    };
    struct tree t;
    build(&t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(&t, rows[i].root, rows[i].pattern, rows[i].expected);
    tree_release(&t);
}

static void nodeids(void)
{
    static const struct {
        const char *root, *pattern, *expected;
    } rows[] = {
        {"", "{arch}/t1", "t1"},
        {"", "{arch}/*1", "t1"},
        {"", "{arch}", "gw0/t3 t1 x86_64"},
        {"", "{arch}/{id}/t3", "t3"},
        {"", "{arch}/{id}", "t3"},
        {"", "bin-{arch}-d/t2", "bin--d/t2"},
        {"", "bin-{arch}-*/t?", "bin--d/t2"},
        {"", "*-{arch}-*/t?", "bin--d/t2"},
        {"", "pre/{arch}*_test", "pre/x86_64_test"},
        {"", "pre/*{arch}_test", "pre/x86_64_test"},
        {"", "pre/{arch}{arch}_test", "pre/_test"},
        {"", "pre/*{arch}*{arch}*", "pre/_test"},
        {"", "{id}_{label}_{id}", "__"},
        {"", "{label}", "{label}"},
        {"", "{arch}/{arch}", "{arch}"},
        {"", "{arch}x/t1",
         "!@/x86_64x/t1: No such file or directory: is it built, and is this the "
         "right directory?"},
        {"other", "../tests/a_test", "../tests/a_test"},
        {"tests/sub", "../../{arch}/t1", "../../t1"},
        {"tests", "../tests/sub/../a_test", "a_test"},
        {"tests", "../tests/s*/../a_test", "sub/../a_test"},
        {"", "away/c_test", "away/c_test"},
        {"", "away/../a_test", "away/../a_test"}, /* is tests/a_test: away/.. must stay */
    };
    struct tree t;
    build(&t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(&t, rows[i].root, rows[i].pattern, rows[i].expected);
    char path[PATH_MAX * 2], root[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s/tests/a_test", t.path);
    expect(&t, "", path, "tests/a_test");
    expect(&t, "tests", path, "a_test");
    expect(&t, "other", path, "@/tests/a_test");
    snprintf(root, sizeof root, "%s/tests", t.path);
    expect(&t, root, "a_test", "a_test");
    snprintf(path, sizeof path, "%s/{arch}/{id}", t.path);
    expect(&t, "other", path, "@/t3");
    expect(&t, "/", "/bin/sh", "bin/sh");
    expect(&t, "/", "../bin/sh", "bin/sh");
    tree_release(&t);
}

static void values_that_fit_nowhere(void)
{
    static const struct {
        struct txg_collect_names names;
        const char *text;
    } rows[] = {
        {{"a", "b", NULL}, "{label} is used, but this gateway has no label"},
        {{"a", "b", ""}, "{label} is used, but this gateway has no label"},
        {{"a", "b", "x/y"}, "{label} is 'x/y' here, which can't be part of a path"},
        {{"a", "b", ".."}, "{label} is '..' here, which can't be part of a path"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_collection c = {0};
        add_suite(&c, "", "auto");
        add_file(&c, "t/{label}");
        txg_collection_run(&c, &rows[i].names, "/");
        CU_ASSERT_EQUAL_FATAL(c.n_errors, 1);
        CU_ASSERT_STRING_EQUAL(c.errors[0].text, rows[i].text);
        CU_ASSERT_STRING_EQUAL(c.errors[0].nodeid, "t/{label}");
        txg_collection_release(&c);
    }
}

/* A value is text, never a pattern. */
static void values_are_literal(void)
{
    struct tree t;
    struct txg_collection c = {0};
    struct txg_collect_names odd = {"*", "[a]\\", "can"};
    char got[1024];
    tree_init(&t);
    tree_add(&t, "*/t_test", 0755, "");
    tree_add(&t, "no/t_test", 0755, "");
    tree_add(&t, "x[a]\\y/t_test", 0755, "");
    tree_add(&t, "xay/t_test", 0755, "");
    add_suite(&c, "", "exec");
    add_file(&c, "{arch}/*_test");
    add_file(&c, "x{id}?/*_test");
    txg_collection_run(&c, &odd, t.path);
    describe(&c, &t, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "t_test xy/t_test");
    txg_collection_release(&c);
    tree_release(&t);
}

static void repeats_and_conflicts(void)
{
    struct tree t;
    struct txg_collection c = {0};
    char got[1024];
    build(&t);
    add_suite(&c, "", "tap");
    add_file(&c, "tests/b_test");
    add_file(&c, "tests/*_test");
    add_file(&c, "./tests/b_test");
    add_suite(&c, "", "exec");
    add_file(&c, "tests/sub/../b_test");
    add_file(&c, "other/t");
    add_suite(&c, "s[x]/x86_64", "auto");
    add_file(&c, "t");
    add_suite(&c, "", "auto");
    add_file(&c, "s[x]/{arch}/t");
    add_suite(&c, "other", "auto");
    add_file(&c, "t");
    txg_collection_run(&c, &names, t.path);
    describe(&c, &t, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "tests/b_test tests/a_test tests/link_test other/t t");
    CU_ASSERT_PTR_EQUAL(c.items[0].harness, &txg_harness_tap);
    CU_ASSERT_PTR_EQUAL(c.items[3].harness, &txg_harness_exec);
    CU_ASSERT_EQUAL(c.items[0].suite, 0);
    CU_ASSERT_EQUAL(c.items[3].suite, 1);
    CU_ASSERT_EQUAL(c.items[4].suite, 2);
    txg_collection_release(&c);

    add_suite(&c, "", "auto");
    add_file(&c, "{arch}/t1");
    add_suite(&c, "tests", "auto");
    add_file(&c, "../tests/a_test");
    add_suite(&c, "other", "auto");
    tree_add(&t, "other/a_test", 0755, "");
    add_file(&c, "a_test");
    txg_collection_run(&c, &names, t.path);
    describe(&c, &t, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got,
                           "t1 a_test!@/tests/a_test and @/other/a_test would both be called "
                           "a_test: let them differ outside of what {arch}, {id} and {label} stand "
                           "for, or leave one out");
    txg_collection_release(&c);
    tree_release(&t);
}

static void harness_auto(void)
{
    struct tree t;
    struct txg_collection c = {0};
    tree_init(&t);
    tree_add(&t, "a.t", 0755, "#!/bin/sh\n");
    tree_add(&t, "b", 0755, "#!/bin/sh\n");
    add_suite(&c, "", "auto");
    add_file(&c, ".");
    txg_collection_run(&c, &names, t.path);
    CU_ASSERT_EQUAL_FATAL(c.n_items, 2);
    CU_ASSERT_PTR_EQUAL(c.items[0].harness, &txg_harness_tap);
    CU_ASSERT_PTR_EQUAL(c.items[1].harness, &txg_harness_exec);
    txg_collection_release(&c);
    tree_release(&t);
}

/* Programs whose cases are listed stand in the middle of those that are one test. */
static void cases(void)
{
    static const struct {
        const char *files[3], *expected;
    } rows[] = {
        {{"tests"}, "tests/a_test::A.a tests/a_test::A.b tests/a_test::AB.c tests/b_test::A.a"},
        {{"tests/b_test", "tests/a_test::A.b"}, "tests/b_test::A.a tests/a_test::A.b"},
        {{"tests/a_test::A"}, "tests/a_test::A.a tests/a_test::A.b"},
        {{"tests/a_test::A.b", "tests/a_test::AB", "tests/a_test::A.b"},
         "tests/a_test::A.b tests/a_test::AB.c"},
        {{"tests/a_test::A.b", "tests/a_test"},
         "tests/a_test::A.a tests/a_test::A.b tests/a_test::AB.c"},
        {{"tests/a_test::A.z"}, "!it has no case 'A.z': `txgate list` shows its 3 cases"},
        {{"tests/z_test::A"},
         "!@/tests/z_test: No such file or directory: is it built, and is this "
         "the right directory?"},
        {{"tests::A"}, "!@/tests is a directory: a case is in a file"},
    };
    struct tree t;
    tree_init(&t);
    tree_add(&t, "tests/a_test", 0755, "");
    tree_add(&t, "tests/b_test", 0755, "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct txg_collection c = {0};
        char got[8192];
        add_suite(&c, "", "gtest");
        for (size_t k = 0; k < 3 && rows[i].files[k]; k++)
            add_file(&c, rows[i].files[k]);
        txg_collection_run(&c, &names, t.path);
        for (size_t k = 0; k < c.n_programs; k++)
            txg_collection_take_listing(&c, k,
                                        strstr(c.items[c.programs[k].item].path, "a_test")
                                            ? TXG_SPAN("A.\n  a\n  b\nAB.\n  c\n")
                                            : TXG_SPAN("A.\n  a\n"));
        txg_collection_finish(&c, &(struct txg_strv){0});
        describe(&c, &t, got, sizeof got);
        CU_ASSERT_STRING_EQUAL(got, rows[i].expected);
        if (strcmp(got, rows[i].expected) != 0)
            printf("\n  got  %s\n  want %s\n", got, rows[i].expected);
        txg_collection_release(&c);
    }
    tree_release(&t);
}

/* A case of a program that is one test, and a listing that can't be one. */
static void no_cases(void)
{
    struct tree t;
    struct txg_collection c = {0};
    char got[8192];
    tree_init(&t);
    tree_add(&t, "a_test", 0755, "");
    tree_add(&t, "one", 0755, "");
    tree_add(&t, "x::y", 0755, "");
    add_suite(&c, "", "gtest");
    add_file(&c, "a_test");
    add_suite(&c, "", "exec");
    add_file(&c, "one::A.b");
    add_file(&c, "x::y"); /* a file that is called so */
    txg_collection_run(&c, &names, t.path);
    CU_ASSERT_EQUAL(c.n_programs, 1);
    txg_collection_take_listing(&c, 0, TXG_SPAN("A.\n  b\n  b\n"));
    txg_collection_finish(&c, &(struct txg_strv){0});
    describe(&c, &t, got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "one x::y!@/one is one test for the harness 'exec': it has no case "
                                "'A.b'!could not be listed with --gtest_list_tests (harness gtest; "
                                "exec runs it as one test): "
                                "two cases are called A.b");
    txg_collection_release(&c);
    tree_release(&t);
}

static void digest(void)
{
    struct tree t;
    struct txg_collection c = {0};
    build(&t);
    add_suite(&c, "", "exec");
    add_file(&c, "tests/a_test");
    add_suite(&c, "", "exec");
    add_file(&c, "other/t");
    txg_collection_run(&c, &names, t.path);
    txg_collection_finish(&c, &(struct txg_strv){0});
    uint64_t expected = TXG_HASH_START;
    for (int64_t i = 0; i < 2; i++) {
        struct txg_msg_record r = {.suite = i,
                                   .nodeid = i ? TXG_SPAN("other/t") : TXG_SPAN("tests/a_test")};
        expected = txg_collection_digest(expected, &r);
    }
    CU_ASSERT_EQUAL(c.digest, expected);
    txg_collection_release(&c);
    txg_collection_run(&c, &names, t.path);
    txg_collection_finish(&c, &(struct txg_strv){0});
    CU_ASSERT_EQUAL(c.digest, TXG_HASH_START);
    txg_collection_release(&c);
    tree_release(&t);
}

static void messages(void)
{
    struct txg_collection c = {0};
    struct txg_err err;
    struct txg_span args[] = {TXG_SPAN("-v"), TXG_SPAN("a\0b")};
    struct txg_msg_suite suite = {.harness = TXG_SPAN("tpa"),
                                  .root = TXG_SPAN("r"),
                                  .args = args,
                                  .n_args = 1,
                                  .timeout = 5,
                                  .grace = 6,
                                  .cwd = TXG_SPAN("w")};
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "suite 0: unknown harness 'tpa': known are auto, exec, tap, "
                                     "gtest, glib, cunit, txgate, pytest; did you mean tap?");
    CU_ASSERT_EQUAL(err.code, TXG_E_USAGE);
    suite.harness = TXG_SPAN("");
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    suite.harness = TXG_SPAN("tap");
    suite.suite = 1;
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "suite 1 came where number 0 is next");
    suite.suite = -1;
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    suite.suite = 0;
    suite.timeout = -1;
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    suite.timeout = 5;
    suite.root = TXG_SPAN("a\0b");
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "suite 0: root holds a NUL byte");
    suite.root = TXG_SPAN("r");
    suite.n_args = 2;
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    CU_ASSERT_EQUAL(err.code, TXG_E_PROTO);
    CU_ASSERT_EQUAL(c.n_suites, 0);
    suite.n_args = 1;
    CU_ASSERT_EQUAL_FATAL(txg_collection_add_suite(&c, &suite, &err), 0);
    CU_ASSERT_STRING_EQUAL(c.suites[0].harness, "tap");
    CU_ASSERT_STRING_EQUAL(c.suites[0].root, "r");
    CU_ASSERT_STRING_EQUAL(c.suites[0].cwd, "w");
    CU_ASSERT_EQUAL(c.suites[0].args.n, 1);
    CU_ASSERT_EQUAL(c.suites[0].timeout, 5);
    CU_ASSERT_EQUAL(c.suites[0].grace, 6);

    struct txg_span paths[] = {TXG_SPAN("a"), TXG_SPAN("b\0c")};
    struct txg_msg_files files = {.suite = 1, .paths = paths, .n_paths = 1};
    CU_ASSERT_EQUAL(txg_collection_add_files(&c, &files, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "files for suite 1, of which there is none");
    files.suite = -1;
    CU_ASSERT_EQUAL(txg_collection_add_files(&c, &files, &err), -1);
    files.suite = 0;
    files.n_paths = 2;
    CU_ASSERT_EQUAL(txg_collection_add_files(&c, &files, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "suite 0: a path holds a NUL byte");
    CU_ASSERT_EQUAL(c.suites[0].paths.n, 0);
    files.n_paths = TXG_COLLECT_PATTERNS_MAX + 1;
    CU_ASSERT_EQUAL(txg_collection_add_files(&c, &files, &err), -1);
    CU_ASSERT_EQUAL(err.code, TXG_E_LIMIT);
    suite.n_args = 0;
    while (c.n_suites < TXG_COLLECT_SUITES_MAX) {
        suite.suite = (int64_t)c.n_suites;
        CU_ASSERT_EQUAL_FATAL(txg_collection_add_suite(&c, &suite, &err), 0);
    }
    suite.suite = (int64_t)c.n_suites;
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    CU_ASSERT_EQUAL(err.code, TXG_E_LIMIT);
    txg_collection_release(&c);
}

/* A suite with a command: what is there is an argument, what is not is an error. */
static void a_suite_of_one_command(void)
{
    struct tree t;
    struct txg_collection c = {0};
    struct txg_err err;
    struct txg_span command[] = {TXG_SPAN("/bin/sh"), TXG_SPAN("-c")}, args[] = {TXG_SPAN("-q")};
    struct txg_span paths[] = {TXG_SPAN("test_a.py::test_x[1::2]"), TXG_SPAN("{arch}"),
                               TXG_SPAN("test_*.py"), TXG_SPAN("gone.py::test_x"), TXG_SPAN("")};
    struct txg_msg_suite suite = {.harness = TXG_SPAN("pytest"),

                                  .args = args,
                                  .n_args = 1,
                                  .command = command,
                                  .n_command = 2,
                                  .source = TXG_SPAN("so\0urce")};
    tree_init(&t);
    suite.root = txg_span_cstr(t.path);
    struct txg_msg_files files = {.paths = paths, .n_paths = 5};
    const struct txg_collect_names arm = {.arch = "arm"};
    tree_add(&t, "test_a.py", 0644, "");
    tree_add(&t, "test_b.py", 0644, "");
    tree_add(&t, "arm/", 0755, "");
    CU_ASSERT_EQUAL_FATAL(txg_collection_add_suite(&c, &suite, &err), 0);
    CU_ASSERT_EQUAL(c.suites[0].n_source, 7);
    CU_ASSERT_EQUAL_FATAL(txg_collection_add_files(&c, &files, &err), 0);
    txg_collection_run(&c, &arm, t.path);
    CU_ASSERT_EQUAL_FATAL(c.n_programs, 1);
    CU_ASSERT_EQUAL(c.n_errors, 2);
    struct txg_strv argv = {0};
    struct txg_buf all = {0};
    txg_collection_argv(&c, &c.items[0], &argv);
    for (size_t i = 0; i < argv.n; i++)
        txg_buf_printf(&all, "%s ",
                       txg_has_prefix(argv.items[i], t.path) ? argv.items[i] + strlen(t.path)
                                                             : argv.items[i]);
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&all),
                           "/bin/sh -c -q /test_a.py::test_x[1::2] /arm /test_a.py /test_b.py ");
    txg_collection_take_listing(&c, 0, TXG_SPAN("case\ttest_a.py::test_x\nlisted\n"));
    txg_collection_finish(&c, &(struct txg_strv){0});
    CU_ASSERT_EQUAL_FATAL(c.n_items, 1);
    CU_ASSERT_STRING_EQUAL(c.items[0].nodeid, "test_a.py::test_x");
    txg_strv_release(&argv);
    txg_buf_release(&all);
    txg_collection_release(&c);

    suite.n_command = 0;
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    suite.n_command = 2;
    suite.harness = TXG_SPAN("txgate");
    CU_ASSERT_EQUAL(txg_collection_add_suite(&c, &suite, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "suite 0: a command goes with the harness pytest only");
    tree_release(&t);
}

/* Directories nested too deep, and ones that may not be read, are told, not passed over. */
static void faults_of_directories(void)
{
    struct tree t;
    struct txg_collection c = {0};
    struct txg_buf deep = {0};
    tree_init(&t);
    tree_add(&t, "d/near", 0755, "");
    txg_buf_puts(&deep, "d/");
    for (int i = 0; i < TXG_COLLECT_DEPTH_MAX + 1; i++)
        txg_buf_puts(&deep, "x/");
    txg_buf_puts(&deep, "far");
    tree_add(&t, txg_buf_cstr(&deep), 0755, "");
    tree_add(&t, "d/locked/", 0755, "");
    char path[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s/d/locked", t.path);
    chmod(path, 0);
    add_suite(&c, "", "exec");
    add_file(&c, "d");
    txg_collection_run(&c, &names, t.path);
    CU_ASSERT_EQUAL(c.n_items, 1);
    CU_ASSERT_EQUAL(c.n_errors, geteuid() == 0 ? 1 : 2); /* root may read everything */
    bool told = false;
    for (size_t i = 0; i < c.n_errors; i++)
        told |= strstr(c.errors[i].text, "more than 32 directories deep") != NULL;
    CU_ASSERT(told);
    chmod(path, 0755);
    txg_collection_release(&c);
    txg_buf_release(&deep);
    tree_release(&t);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"files and patterns", files_and_patterns},
        {"nodeids", nodeids},
        {"values that fit nowhere", values_that_fit_nowhere},
        {"values are literal", values_are_literal},
        {"repeats and conflicts", repeats_and_conflicts},
        {"harness auto", harness_auto},
        {"cases", cases},
        {"no cases", no_cases},
        {"digest", digest},
        {"messages", messages},
        {"a suite of one command", a_suite_of_one_command},
        {"faults of directories", faults_of_directories},
        {0},
    };
    return txg_suite_main(argc, argv, "collect", tests);
}

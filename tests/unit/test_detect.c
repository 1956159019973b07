#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "src/worker/harness.h"
#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

#define TAP_TEST(exec) "[Test]\nType=session\nOutput=TAP\nExec=" exec "\n"

static const char *detect(const struct tree *t, const char *name)
{
    char path[PATH_MAX * 2];
    static struct txg_dir dir;
    snprintf(path, sizeof path, "%s/%s", t->path, name);
    const struct txg_harness_ops *ops = txg_harness_detect(path, &dir);
    if (strlen(name) % 2) /* sometimes remembered, sometimes not: it is to be the same */
        txg_dir_release(&dir);
    return ops->name;
}

static void by_file(void)
{
    static const struct {
        const char *name, *text, *harness;
    } rows[] = {
        {"elf", "\177ELF\2\1\1", "exec"},
        {"script", "#!/bin/sh\nexit 0\n", "exec"},
        {"empty", "", "exec"},
        {"basic.t", "#!/bin/sh\n", "tap"},
        {"binary.t", "\177ELF", "tap"},
        {"x.tt", "#!/bin/sh\n", "exec"},
        {"perl", "#!/usr/bin/perl\nuse Test::More;\n", "exec"},
        {"a.bats", "#!/usr/bin/env bats\n", "tap"},
        {"b.bats.sh", "#!/bin/sh\n", "exec"},
    };
    struct tree t;
    tree_init(&t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tree_add(&t, rows[i].name, 0755, rows[i].text);
        CU_ASSERT_STRING_EQUAL(detect(&t, rows[i].name), rows[i].harness);
    }
    CU_ASSERT_STRING_EQUAL(detect(&t, "missing"), "exec");
    CU_ASSERT_STRING_EQUAL(detect(&t, "missing/missing"), "exec");
    CU_ASSERT_STRING_EQUAL(detect(&t, "missing/missing.t"), "tap");
    tree_release(&t);
}

static void directories(void)
{
    struct tree one, two;
    tree_init(&one);
    tree_init(&two);
    struct txg_dir dir = {0};
    char path[PATH_MAX * 2];
    for (int i = 0; i < 4; i++) {
        const char *name;
        snprintf(path, sizeof path, "%s/x", i % 3 ? one.path : two.path);
        int fd = txg_dir_at(&dir, path, &name);
        CU_ASSERT(fd >= 0);
        CU_ASSERT_STRING_EQUAL(name, "x");
        struct stat open_one, wanted;
        CU_ASSERT_EQUAL(fstat(fd, &open_one), 0);
        CU_ASSERT_EQUAL(stat(i % 3 ? one.path : two.path, &wanted), 0);
        CU_ASSERT_EQUAL(open_one.st_ino, wanted.st_ino);
        CU_ASSERT_EQUAL(txg_dir_at(&dir, "/no/such", &name), AT_FDCWD);
        CU_ASSERT_STRING_EQUAL(name, "/no/such");
        CU_ASSERT_EQUAL(txg_dir_at(&dir, "relative", &name), AT_FDCWD);
        CU_ASSERT_STRING_EQUAL(name, "relative");
    }
    txg_dir_release(&dir);
    CU_ASSERT_PTR_NULL(dir.path);
    tree_release(&one);
    tree_release(&two);
}

static void by_description(void)
{
    static const struct {
        const char *text, *harness;
    } rows[] = {
        {TAP_TEST("/usr/libexec/installed-tests/x/prog"), "tap"},
        {TAP_TEST("env A=1 prog  "), "tap"},
        {TAP_TEST("prog"), "tap"},
        {"[Test]\r\nType=session\r\nOutput=TAP\r\nExec=prog\r\n", "tap"},
        {TAP_TEST("/usr/libexec/prog --tap"), "exec"},
        {TAP_TEST("/usr/libexec/myprog"), "exec"},
        {TAP_TEST("/usr/libexec/other"), "exec"},
        {TAP_TEST("og"), "exec"},
        {TAP_TEST(""), "exec"},
        {"[Test]\nType=session\nOutput=TAP\n", "exec"},
        {"[Test]\nType=session\nExec=prog\n", "exec"},
        {"[Test]\nType=session-exclusive\nOutput=TAP\nExec=prog\n", "exec"},
        {"#Type=session\nOutput=TAP\nExec=prog\n", "exec"},
        {"", "exec"},
    };
    struct tree t;
    tree_init(&t);
    tree_add(&t, "prog", 0755, "\177ELF");
    CU_ASSERT_STRING_EQUAL(detect(&t, "prog"), "exec");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tree_add(&t, "prog.test", 0644, rows[i].text);
        CU_ASSERT_STRING_EQUAL(detect(&t, "prog"), rows[i].harness);
    }
    tree_release(&t);
}

/* A pipe in the place of a description must not hold up who looks at it. */
static void never_blocks(void)
{
    struct tree t;
    char path[PATH_MAX * 2];
    tree_init(&t);
    snprintf(path, sizeof path, "%s/prog.test", t.path);
    CU_ASSERT_EQUAL(mkfifo(path, 0755), 0);
    CU_ASSERT_STRING_EQUAL(detect(&t, "prog"), "exec");
    tree_release(&t);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"by file", by_file},
        {"directories", directories},
        {"by description", by_description},
        {"never blocks", never_blocks},
        {0},
    };
    return txg_suite_main(argc, argv, "detect", tests);
}

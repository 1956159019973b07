#include "config.h"

#include <arpa/inet.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "src/worker/elf.h"
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

struct part {
    const char *bytes;
    size_t len;
};

#define PART(s) ((struct part){(s), sizeof(s) - 1})

/* A program of three sections, of which only the bytes count. */
static void add_elf(const struct tree *t, bool wide, struct part dynstr, struct part rodata)
{
    static const char names[] = "\0.dynstr\0.rodata\0.shstrtab";
    const struct part parts[4] = {{NULL, 0}, dynstr, rodata, {names, sizeof names}};
    static const uint32_t name_at[4] = {0, 1, 9, 17};
    char path[PATH_MAX * 2];
    Elf64_Ehdr eh64 = {.e_shoff = sizeof eh64, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 4};
    Elf32_Ehdr eh32 = {.e_shoff = sizeof eh32, .e_shentsize = sizeof(Elf32_Shdr), .e_shnum = 4};
    const unsigned char ident[] = {0177,
                                   'E',
                                   'L',
                                   'F',
                                   wide ? ELFCLASS64 : ELFCLASS32,
                                   htons(1) == 1 ? ELFDATA2MSB : ELFDATA2LSB};
    memcpy(eh64.e_ident, ident, sizeof ident);
    memcpy(eh32.e_ident, ident, sizeof ident);
    eh64.e_shstrndx = eh32.e_shstrndx = 3;
    snprintf(path, sizeof path, "%s/prog", t->path);
    FILE *f = fopen(path, "w");
    CU_ASSERT_FATAL(f != NULL);
    fwrite(wide ? (void *)&eh64 : (void *)&eh32, wide ? sizeof eh64 : sizeof eh32, 1, f);
    size_t at = wide ? sizeof eh64 + 4 * sizeof(Elf64_Shdr) : sizeof eh32 + 4 * sizeof(Elf32_Shdr);
    for (int i = 0; i < 4; i++) {
        Elf64_Shdr sh64 = {.sh_name = name_at[i],
                           .sh_type = SHT_PROGBITS,
                           .sh_offset = at,
                           .sh_size = parts[i].len};
        Elf32_Shdr sh32 = {.sh_name = name_at[i],
                           .sh_type = SHT_PROGBITS,
                           .sh_offset = (uint32_t)at,
                           .sh_size = (uint32_t)parts[i].len};
        fwrite(wide ? (void *)&sh64 : (void *)&sh32, wide ? sizeof sh64 : sizeof sh32, 1, f);
        at += parts[i].len;
    }
    for (int i = 1; i < 4; i++)
        fwrite(parts[i].bytes, 1, parts[i].len, f);
    fclose(f);
    chmod(path, 0755);
}

static void by_linking(void)
{
    static const struct {
        struct part dynstr, rodata;
        const char *harness;
    } rows[] = {
        {PART("\0libc.so.6\0puts"), PART("--gtest_list_tests@D"), "exec"},
        {PART("\0_ZSt4cout"), PART("  @G--gtest_list_tests@D\n"), "gtest"},
        {PART("\0_ZSt4cout"), PART("--gtest_list_tests is what I look for"), "exec"},
        {PART(""), PART("  @G--gtest_list_tests@D\n"), "gtest"}, /* linked statically */
        {PART("\0_ZN7testing14InitGoogleTestEPiPPc"), PART(""), "gtest"},
        {PART("\0x\0_ZN7testing8internal23MakeAndRegisterTestInfoEPKc"), PART(""), "gtest"},
        {PART("\0g_test_init\0g_test_run\0"), PART(""), "glib"},
        {PART("\0g_test_run_suite\0"), PART(""), "exec"},
        {PART("\0my_g_test_run\0"), PART(""), "exec"},
        /* for no machine that there is: nothing could be loaded into it */
        {PART("\0libcunit.so.1\0CU_basic_run_tests\0"), PART(""), "exec"},
    };
    struct tree t;
    tree_init(&t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int wide = 0; wide < 2; wide++) {
            add_elf(&t, wide, rows[i].dynstr, rows[i].rodata);
            CU_ASSERT_STRING_EQUAL(detect(&t, "prog"), rows[i].harness);
        }
    }
    /* what a name says comes first, what stands beside it last */
    tree_add(&t, "prog.test", 0644, TAP_TEST("prog"));
    CU_ASSERT_STRING_EQUAL(detect(&t, "prog"), "tap");
    add_elf(&t, true, rows[6].dynstr, rows[6].rodata);
    CU_ASSERT_STRING_EQUAL(detect(&t, "prog"), "glib");
    tree_release(&t);
}

static enum txg_elf_framework framework(const struct tree *t, bool wide, struct part dynstr)
{
    char path[PATH_MAX * 2];
    add_elf(t, wide, dynstr, PART(""));
    snprintf(path, sizeof path, "%s/prog", t->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum txg_elf_framework found = txg_elf_framework(fd);
    close(fd);
    return found;
}

static void cunit(void)
{
    static const struct {
        struct part dynstr;
        enum txg_elf_framework found;
    } rows[] = {
        {PART("\0libcunit.so.1\0CU_basic_run_tests\0"), TXG_ELF_CUNIT},
        {PART("\0CU_run_all_tests\0libc.so.6\0libcunit.so.1\0"), TXG_ELF_CUNIT},
        {PART("\0libcunit.so.1\0CU_automated_run_tests\0CU_add_test\0"), TXG_ELF_CUNIT},
        {PART("\0libcunit.so.1\0CU_add_test\0"), TXG_ELF_CUNIT_SINGLY},
        {PART("\0libc.so.6\0CU_basic_run_tests\0"), TXG_ELF_NONE}, /* its own, linked statically */
        {PART("\0libcunit.so.1\0CU_basic_run_tests_twice\0"), TXG_ELF_CUNIT_SINGLY},
        {PART("\0libcunit.so.1\0CU_basic_run_tests\0CU_basic_run_suite\0"), TXG_ELF_CUNIT_SINGLY},
        {PART("\0libcunit.so.1\0CU_run_all_tests\0CU_run_test\0"), TXG_ELF_CUNIT_SINGLY},
    };
    struct tree t;
    tree_init(&t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int wide = 0; wide < 2; wide++)
            CU_ASSERT_EQUAL(framework(&t, wide, rows[i].dynstr), rows[i].found);
    tree_release(&t);
}

/* Sections that point anywhere are no reason to stumble. */
static void broken_elf(void)
{
    struct tree t;
    char path[PATH_MAX * 2];
    tree_init(&t);
    snprintf(path, sizeof path, "%s/prog", t.path);
    for (size_t at = 16; at < 400; at++) {
        add_elf(&t, true, PART("\0g_test_run\0"), PART("x"));
        FILE *f = fopen(path, "r+");
        CU_ASSERT_FATAL(f != NULL);
        fseek(f, (long)at, SEEK_SET);
        fputc(0xff, f);
        fclose(f);
        detect(&t, "prog");
        CU_ASSERT_EQUAL(truncate(path, (off_t)at), 0);
        detect(&t, "prog");
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
        {"by linking", by_linking},
        {"cunit", cunit},
        {"broken elf", broken_elf},
        {"never blocks", never_blocks},
        {0},
    };
    return txg_suite_main(argc, argv, "detect", tests);
}

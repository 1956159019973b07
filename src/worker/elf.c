#include "config.h"

#include "src/worker/elf.h"

#include <elf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"

#define SECTIONS_MAX 4096u
#define NAMES_MAX    (1u << 20)
#define DYNSTR_MAX   (64u << 20)
#define RODATA_MAX   (256u << 20)
#define PIECE        (256u * 1024)

struct section {
    uint64_t offset, size;
};

struct elf {
    int fd;
    bool wide; /* 64 bits */
    uint64_t headers;
    size_t entry, n, names;
};

static bool read_at(int fd, void *to, size_t len, uint64_t at)
{
    return pread(fd, to, len, (off_t)at) == (ssize_t)len;
}

static bool open_elf(struct elf *e)
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr narrow;
        Elf64_Ehdr wide;
    } h;
    const uint16_t one = 1;
    int order = *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    memset(&h, 0, sizeof h);
    if (pread(e->fd, &h, sizeof h, 0) < (ssize_t)sizeof h.narrow ||
        memcmp(h.ident, ELFMAG, SELFMAG) != 0 || h.ident[EI_DATA] != order)
        return false;
    e->wide = h.ident[EI_CLASS] == ELFCLASS64;
    e->headers = e->wide ? h.wide.e_shoff : h.narrow.e_shoff;
    e->entry = e->wide ? h.wide.e_shentsize : h.narrow.e_shentsize;
    e->n = e->wide ? h.wide.e_shnum : h.narrow.e_shnum;
    e->names = e->wide ? h.wide.e_shstrndx : h.narrow.e_shstrndx;
    return e->n <= SECTIONS_MAX && e->names < e->n &&
           e->entry == (e->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr));
}

/* Of the table of all section headers. False: it has no bytes in the file. */
static bool section_of(const struct elf *e, const char *table, size_t i, uint32_t *name,
                       struct section *out)
{
    union {
        Elf32_Shdr narrow;
        Elf64_Shdr wide;
    } h;
    memcpy(&h, table + i * e->entry, e->entry);
    *name = e->wide ? h.wide.sh_name : h.narrow.sh_name;
    out->offset = e->wide ? h.wide.sh_offset : h.narrow.sh_offset;
    out->size = e->wide ? h.wide.sh_size : h.narrow.sh_size;
    return (e->wide ? h.wide.sh_type : h.narrow.sh_type) != SHT_NOBITS;
}

static void find_sections(const struct elf *e, struct section *dynstr, struct section *rodata,
                          bool *marked)
{
    struct section names, s;
    uint32_t name;
    TXG_AUTOFREE char *table = txg_xmalloc(e->n * e->entry);
    if (!read_at(e->fd, table, e->n * e->entry, e->headers) ||
        !section_of(e, table, e->names, &name, &names) || names.size == 0 || names.size > NAMES_MAX)
        return;
    TXG_AUTOFREE char *text = txg_xmalloc((size_t)names.size);
    if (!read_at(e->fd, text, (size_t)names.size, names.offset) || text[names.size - 1] != '\0')
        return;
    for (size_t i = 1; i < e->n; i++) {
        if (!section_of(e, table, i, &name, &s) || name >= names.size)
            continue;
        *marked |= strcmp(text + name, ".txgate_harness") == 0;
        if (strcmp(text + name, ".dynstr") == 0 && s.size <= DYNSTR_MAX)
            *dynstr = s;
        else if (strcmp(text + name, ".rodata") == 0 && s.size <= RODATA_MAX)
            *rodata = s;
    }
}

static bool holds(int fd, struct section s, struct txg_span word)
{
    if (s.size == 0)
        return false;
    TXG_AUTOFREE char *piece = txg_xmalloc(PIECE);
    for (uint64_t at = 0; at < s.size; at += PIECE - word.len) {
        size_t len = s.size - at < PIECE ? (size_t)(s.size - at) : PIECE;
        if (!read_at(fd, piece, len, s.offset + at))
            return false;
        if (memmem(piece, len, word.data, word.len))
            return true;
    }
    return false;
}

bool txg_elf_is(int fd)
{
    char magic[SELFMAG];
    return read_at(fd, magic, sizeof magic, 0) && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* Class and byte order, then the machine: they stand at the same place in both classes. */
bool txg_elf_is_alike(int fd, int other)
{
    Elf32_Ehdr a, b;
    return txg_elf_is(fd) && read_at(fd, &a, sizeof a, 0) && read_at(other, &b, sizeof b, 0) &&
           memcmp(a.e_ident, b.e_ident, EI_DATA + 1) == 0 && a.e_machine == b.e_machine;
}

/* A name's end; TXG_SPAN has no room for the NUL. */
#define ENDING(s)                                                                                  \
    {                                                                                              \
        s, sizeof(s)                                                                               \
    }

/* By the ends of names: CU_basic_run_tests, CU_automated_run_tests ... CU_basic_run_suite ... */
static bool runs_all(int fd, struct section dynstr)
{
    static const struct txg_span ends[] = {ENDING("_run_suite"), ENDING("_run_test"),
                                           ENDING("_run_tests"), ENDING("_run_all_tests")};
    int i = 0;
    while (i < 4 && !holds(fd, dynstr, ends[i]))
        i++;
    return i == 2 || i == 3;
}

enum txg_elf_framework txg_elf_framework(int fd)
{
    struct elf e = {.fd = fd};
    struct section dynstr = {0}, rodata = {0};
    if (!open_elf(&e))
        return TXG_ELF_NONE;
    bool marked = false;
    find_sections(&e, &dynstr, &rodata, &marked);
    if (marked)
        return TXG_ELF_TXGATE;
    if (holds(fd, dynstr, TXG_SPAN("\0_ZN7testing14InitGoogleTest")) ||
        holds(fd, dynstr, TXG_SPAN("\0_ZN7testing8internal23MakeAndRegisterTestInfo")))
        return TXG_ELF_GTEST;
    if (holds(fd, dynstr, (struct txg_span)ENDING("\0g_test_run")))
        return TXG_ELF_GLIB;
    if (holds(fd, dynstr, TXG_SPAN("\0libcunit.so")))
        return runs_all(fd, dynstr) ? TXG_ELF_CUNIT : TXG_ELF_CUNIT_SINGLY;
    /* A C program imports nothing of C++, and its data need not be searched. */
    if (dynstr.size > 0 && !holds(fd, dynstr, TXG_SPAN("\0_Z")))
        return TXG_ELF_NONE;
    return holds(fd, rodata, TXG_SPAN("--gtest_list_tests@D")) ? TXG_ELF_GTEST : TXG_ELF_NONE;
}

/*
 * What a program was linked with, from its ELF sections and never by running it.
 */
#ifndef TXG_WORKER_ELF_H
#define TXG_WORKER_ELF_H

#include <stdbool.h>

enum txg_elf_framework {
    TXG_ELF_NONE,
    TXG_ELF_GTEST,
    TXG_ELF_GLIB,
    TXG_ELF_CUNIT,
    TXG_ELF_CUNIT_SINGLY,
    TXG_ELF_TXGATE
};

/* `fd` is open for reading at any place. What is no ELF file of this machine's byte order, or is
 * broken, is TXG_ELF_NONE.
 *   - txgate: it has a section .txgate_harness (docs/harness.md)
 *   - gtest: it imports what runs or registers its tests, or holds GoogleTest's own help text
 *   - glib: it imports g_test_run
 *   - cunit: it needs libcunit.so and imports what runs all of its tests, and not what runs single
 *     ones; singly: it needs it all the same */
enum txg_elf_framework txg_elf_framework(int fd);

/* Is it an ELF file at all; are both ELF files for the same machine? */
bool txg_elf_is(int fd);
bool txg_elf_is_alike(int fd, int other);

#endif

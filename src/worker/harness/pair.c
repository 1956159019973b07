/*
 * A framework of the user's own: one command lists the cases of a file, a name a line, another runs
 * one of them and says by its exit status what became of it, as harness exec reads it.
 */
#include "config.h"

#include "src/worker/harness.h"

#include <string.h>

#define CASES_MAX 4000000u

static int read_list(struct txg_span text, struct txg_names *names, struct txg_err *err)
{
    if (memchr(text.data ? text.data : "", '\0', text.len))
        return txg_err_set(err, TXG_E_USAGE, "a NUL byte is among its names: one name a line");
    for (size_t at = 0, len; at < text.len; at += len + 1) {
        const char *line = text.data + at, *newline = memchr(line, '\n', text.len - at);
        len = newline ? (size_t)(newline - line) : text.len - at;
        size_t n = len - (len > 0 && line[len - 1] == '\r');
        if (n > 0)
            txg_names_push(names, txg_span(line, n));
        if (names->n > CASES_MAX)
            return txg_err_set(err, TXG_E_LIMIT, "more than %u names", CASES_MAX);
    }
    return 0;
}

static void fill(struct txg_buf *out, const char *word, const char *file, const char *name)
{
    while (*word) {
        bool is_file = txg_has_prefix(word, TXG_PAIR_FILE);
        bool is_case = name && txg_has_prefix(word, TXG_PAIR_CASE);
        if (is_file || is_case) {
            txg_buf_puts(out, is_file ? file : name);
            word += is_file ? strlen(TXG_PAIR_FILE) : strlen(TXG_PAIR_CASE);
        } else {
            txg_buf_putc(out, *word++);
        }
    }
}

void txg_pair_fill(const struct txg_strv *words, const char *file, const char *name,
                   struct txg_strv *argv)
{
    for (size_t i = 0; i < words->n; i++) {
        struct txg_buf word = {0};
        fill(&word, words->items[i], file, name);
        txg_strv_take(argv, txg_buf_take_cstr(&word));
    }
}

static const struct txg_cases_ops cases = {.list = (const char *const[]){NULL},
                                           .read_list = read_list};

const struct txg_harness_ops txg_harness_pair = {
    .name = "pair", .judge = txg_exec_judge, .cases = &cases};

#include "config.h"

#include "specs/words.h"

#include <ctype.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/str.h"

#define ALNUM     "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SHOWN_MAX 160

bool txg_word_ok(const char *s)
{
    size_t len = strspn(s, ALNUM "_.+-");
    return len > 0 && len <= TXG_WORD_MAX && s[len] == '\0' && !strchr(".+-", s[0]);
}

bool txg_word_is_gw(const char *s)
{
    return txg_has_prefix(s, "gw") && s[2] && s[2 + strspn(s + 2, "0123456789")] == '\0';
}

bool txg_name_ok(const char *s)
{
    return s[0] && !strchr("0123456789.-", s[0]) && s[strspn(s, ALNUM "_.-")] == '\0';
}

char *txg_word_show(const char *s, size_t len)
{
    struct txg_buf out = {0};
    size_t at = 0;
    while (at < len && txg_buf_len(&out) < SHOWN_MAX) {
        unsigned char c = (unsigned char)s[at];
        size_t n = 1;
        /* C1 controls (U+0080 to U+009F) work on terminals like the ones of ASCII. */
        bool c1 = c == 0xc2 && at + 1 < len && (unsigned char)s[at + 1] < 0xa0;
        while (n < 4 && at + n < len && txg_utf8_prefix(s + at, n) != n)
            n++;
        if (c < 0x20 || c == 0x7f || c1 || txg_utf8_prefix(s + at, n) != n) {
            txg_buf_printf(&out, "\\x%02x", c);
            n = 1;
        } else {
            txg_buf_append(&out, s + at, n);
        }
        at += n;
    }
    if (at < len)
        txg_buf_puts(&out, "...");
    return txg_buf_take_cstr(&out);
}

char *txg_word_hint(const char *s, const char *const *words)
{
    char bare[TXG_WORD_MAX + 1];
    s += strspn(s, " \t");
    size_t len = strlen(s);
    while (len > 0 && strchr(" \t", s[len - 1]))
        len--;
    if (len == 0 || len > TXG_WORD_MAX)
        return txg_xstrdup("");
    for (size_t i = 0; i < len; i++)
        bare[i] = (char)tolower((unsigned char)s[i]);
    bare[len] = '\0';
    const char *near = txg_nearest(bare, words);
    return near ? txg_xasprintf("; did you mean '%s'?", near) : txg_xstrdup("");
}

char *txg_word_list(const char *const *words)
{
    struct txg_buf out = {0};
    for (size_t i = 0; words[i]; i++)
        txg_buf_printf(&out, "%s%s", i ? ", " : "", words[i]);
    return txg_buf_take_cstr(&out);
}

bool txg_words_has(const struct txg_strv *words, const char *word)
{
    for (size_t i = 0; i < words->n; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

void txg_words_merge(struct txg_strv *words, const struct txg_strv *from)
{
    for (size_t i = 0; i < from->n; i++)
        if (!txg_words_has(words, from->items[i]))
            txg_strv_push(words, from->items[i]);
}

#include "input.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

static void *must(void *p)
{
    if (!p) {
        fputs("libtxgate-harness: out of memory\n", stderr);
        abort();
    }
    return p;
}

static void free_elements(struct txg_input *in);

static void release(struct txg_input *in)
{
    free_elements(in);
    free(in->key);
    free(in->text);
    free(in);
}

static void free_elements(struct txg_input *in)
{
    for (struct txg_input *e = in->first, *next; e; e = next) {
        next = e->next;
        release(e);
    }
    in->first = in->last = NULL;
}

void txg_input_free(struct txg_input *in)
{
    if (in)
        release(in);
}

static const char *blanks(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

static char *put_utf8(char *to, unsigned long c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* Four hexadecimal digits; -1: they are none. */
static long hex4(const char *s)
{
    long c = 0;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)s[i]))
            return -1;
        c = c * 16 + (s[i] <= '9' ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
    }
    return c;
}

/* Behind `\u`; a surrogate without its other half is U+FFFD, and so is U+0000. */
static const char *read_unicode(const char *s, char **to)
{
    long c = hex4(s), low;
    if (c < 0)
        return NULL;
    s += 4;
    if (c >= 0xd800 && c < 0xdc00 && s[0] == '\\' && s[1] == 'u' && (low = hex4(s + 2)) >= 0xdc00 &&
        low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        s += 6;
    } else if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
        c = 0xfffd;
    }
    *to = put_utf8(*to, (unsigned long)c);
    return s;
}

/* `s` stands behind the quote; returns the place behind the closing one. */
static const char *read_string(const char *s, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *text = must(malloc(strlen(s) + 1)), *at = text;
    while (s && *s && *s != '"') {
        if (*s != '\\') {
            *at++ = *s++;
            continue;
        }
        const char *escape = s[1] ? strchr(from, s[1]) : NULL;
        if (escape) {
            *at++ = to[escape - from];
            s += 2;
        } else {
            s = s[1] == 'u' ? read_unicode(s + 2, &at) : NULL;
        }
    }
    if (!s || *s != '"') {
        free(text);
        return NULL;
    }
    *at = '\0';
    *out = must(realloc(text, (size_t)(at - text) + 1));
    return s + 1;
}

static const char *read_value(const char *s, struct txg_input *in, int depth);

static const char *read_elements(const char *s, struct txg_input *in, int depth)
{
    char close = in->type == TXG_INPUT_DICT ? '}' : ']';
    s = blanks(s);
    if (*s == close)
        return s + 1;
    for (;;) {
        struct txg_input *e = must(calloc(1, sizeof *e));
        if (in->last)
            in->last->next = e;
        else
            in->first = e;
        in->last = e;
        s = blanks(s);
        if (close == '}') {
            s = *s == '"' ? read_string(s + 1, &e->key) : NULL;
            s = s ? blanks(s) : NULL;
            s = s && *s == ':' ? s + 1 : NULL;
        }
        s = s ? read_value(s, e, depth + 1) : NULL;
        if (!s)
            return NULL;
        s = blanks(s);
        if (*s == close)
            return s + 1;
        if (*s++ != ',')
            return NULL;
    }
}

static const char *read_word(const char *s, struct txg_input *in)
{
    static const struct {
        const char *word;
        enum txg_input_type type;
    } words[] = {{"true", TXG_INPUT_BOOL}, {"false", TXG_INPUT_BOOL}, {"null", TXG_INPUT_NULL}};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i].word);
        if (strncmp(s, words[i].word, n) == 0) {
            in->type = words[i].type;
            in->text = i < 2 ? must(strdup(words[i].word)) : NULL;
            return s + n;
        }
    }
    size_t n = strspn(s, "+-0123456789.eE");
    if (n == 0)
        return NULL;
    in->type = TXG_INPUT_NUMBER;
    in->text = must(strndup(s, n));
    return s + n;
}

static const char *read_value(const char *s, struct txg_input *in, int depth)
{
    s = blanks(s);
    if (depth > DEPTH_MAX)
        return NULL;
    if (*s == '"') {
        in->type = TXG_INPUT_STRING;
        return read_string(s + 1, &in->text);
    }
    if (*s != '{' && *s != '[')
        return read_word(s, in);
    in->type = *s == '{' ? TXG_INPUT_DICT : TXG_INPUT_LIST;
    return read_elements(s + 1, in, depth);
}

struct txg_input *txg_input_parse(const char *json)
{
    struct txg_input *in = must(calloc(1, sizeof *in));
    const char *end = read_value(json, in, 0);
    if (end && *blanks(end) == '\0')
        return in;
    release(in);
    return NULL;
}

struct txg_input *txg_input_from_environment(void)
{
    struct txg_input *in = must(calloc(1, sizeof *in));
    in->type = TXG_INPUT_DICT;
    in->from_environment = true;
    return in;
}

/* "ipadr" is TXGATE_INPUT_IPADR; what is no letter or digit is '_'. */
static const char *variable(const char *key)
{
    static const char prefix[] = "TXGATE_INPUT_";
    char *name = must(malloc(sizeof prefix + strlen(key)));
    strcpy(name, prefix);
    char *at = name + sizeof prefix - 1;
    for (; *key; key++)
        *at++ =
            (char)((*key & 0x80) || !isalnum((unsigned char)*key) ? '_'
                                                                  : toupper((unsigned char)*key));
    *at = '\0';
    const char *value = getenv(name);
    free(name);
    return value;
}

const struct txg_input *txg_input_get(const struct txg_input *in, const char *key)
{
    if (!in || in->type != TXG_INPUT_DICT)
        return NULL;
    for (const struct txg_input *e = in->first; e; e = e->next)
        if (strcmp(e->key, key) == 0)
            return e;
    return NULL;
}

const struct txg_input *txg_input_at(const struct txg_input *in, size_t place)
{
    const struct txg_input *e = in ? in->first : NULL;
    while (e && place-- > 0)
        e = e->next;
    return e;
}

const char *txg_input_text(const struct txg_input *in)
{
    return in ? in->text : NULL;
}

/* Text of the key where it has this type; in the environment everything is text. */
static const char *text_of(const struct txg_input *in, const char *key, enum txg_input_type type)
{
    if (in && in->from_environment)
        return variable(key);
    const struct txg_input *e = txg_input_get(in, key);
    return e && e->type == type ? e->text : NULL;
}

const char *txg_input_string(const struct txg_input *in, const char *key)
{
    return text_of(in, key, TXG_INPUT_STRING);
}

bool txg_input_int(const struct txg_input *in, const char *key, long long *out)
{
    const char *text = text_of(in, key, TXG_INPUT_NUMBER);
    char *end;
    if (!text || !*text)
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno)
        return false;
    *out = value;
    return true;
}

bool txg_input_double(const struct txg_input *in, const char *key, double *out)
{
    const char *text = text_of(in, key, TXG_INPUT_NUMBER);
    char *end;
    if (!text || !*text)
        return false;
    double value = strtod(text, &end);
    if (*end)
        return false;
    *out = value;
    return true;
}

bool txg_input_bool(const struct txg_input *in, const char *key, bool *out)
{
    const char *text = text_of(in, key, TXG_INPUT_BOOL);
    if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
        return false;
    *out = *text == 't';
    return true;
}

#include "config.h"

#include "specs/schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "specs/scalar.h"
#include "specs/words.h"
#include "src/base/str.h"
#include "src/base/strv.h"

#define FIELDS_MAX 32

int txg_schema_mismatch(const struct txg_schema *s, const struct txg_node *value, const char *key,
                        const char *expected)
{
    TXG_AUTOFREE char *found = txg_node_describe(value);
    return txg_yaml_fail(s->yaml, value, s->err, "'%s': expected %s, found %s", key, expected,
                         found);
}

static bool is_scalar(const struct txg_node *node)
{
    return node->kind == TXG_NODE_SCALAR && txg_scalar_type(node) != TXG_NIL;
}

static int check_line(const struct txg_schema *s, const struct txg_node *node, const char *key)
{
    if (!is_scalar(node))
        return txg_schema_mismatch(s, node, key, "a text");
    if (txg_scalar_type(node) == TXG_BOOL)
        return txg_schema_mismatch(s, node, key, "a text (in quotes, if this is meant)");
    for (const char *c = node->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return txg_yaml_fail(s->yaml, node, s->err,
                                 "'%s': expected one line without control characters", key);
    return 0;
}

static int check_filled(const struct txg_schema *s, const struct txg_node *node, const char *key)
{
    if (check_line(s, node, key) != 0)
        return -1;
    return node->text[0] ? 0 : txg_schema_mismatch(s, node, key, "a text that is not empty");
}

static int check_word(const struct txg_schema *s, const struct txg_node *node, const char *key)
{
    if (check_line(s, node, key) != 0)
        return -1;
    return txg_word_ok(node->text) ? 0 : txg_schema_mismatch(s, node, key, TXG_WORD_RULE);
}

static int read_choice(const struct txg_schema *s, const struct txg_field *f,
                       const struct txg_node *node, char **out)
{
    if (check_filled(s, node, f->name) != 0)
        return -1;
    for (size_t i = 0; f->choices[i]; i++) {
        if (strcmp(f->choices[i], node->text) != 0)
            continue;
        *out = txg_xstrdup(node->text);
        return 0;
    }
    TXG_AUTOFREE char *list = txg_word_list(f->choices);
    TXG_AUTOFREE char *hint = txg_word_hint(node->text, f->choices);
    TXG_AUTOFREE char *found = txg_node_describe(node);
    return txg_yaml_fail(s->yaml, node, s->err, "'%s': expected one of %s; found %s%s", f->name,
                         list, found, hint);
}

static int read_duration(const struct txg_schema *s, const struct txg_field *f,
                         const struct txg_node *node, int64_t *out)
{
    int64_t us;
    if (!is_scalar(node) || !txg_parse_duration(node->text, &us))
        return txg_schema_mismatch(s, node, f->name,
                                   "a duration such as 30s, 1.5 (seconds), 250ms, 5m or 2h");
    if (us < f->min || us > f->max) {
        bool low = us < f->min;
        TXG_AUTOFREE char *range = txg_xasprintf("a duration of at %s %gs", low ? "least" : "most",
                                                 (double)(low ? f->min : f->max) / 1e6);
        return txg_schema_mismatch(s, node, f->name, range);
    }
    *out = us;
    return 0;
}

static int read_int(const struct txg_schema *s, const struct txg_field *f,
                    const struct txg_node *node, long *out)
{
    int64_t n;
    if (!is_scalar(node) || !node->plain || !txg_parse_int(node->text, f->min, f->max, &n)) {
        TXG_AUTOFREE char *range =
            txg_xasprintf("a whole number from %lld to %lld", (long long)f->min, (long long)f->max);
        return txg_schema_mismatch(s, node, f->name, range);
    }
    *out = (long)n;
    return 0;
}

static int read_bool(const struct txg_schema *s, const struct txg_field *f,
                     const struct txg_node *node, bool *out)
{
    bool truth = is_scalar(node) && node->plain && strcmp(node->text, "true") == 0;
    if (!truth && !(is_scalar(node) && node->plain && strcmp(node->text, "false") == 0))
        return txg_schema_mismatch(s, node, f->name, "true or false");
    *out = truth;
    return 0;
}

static int read_list(const struct txg_schema *s, const struct txg_field *f,
                     const struct txg_node *node, struct txg_strv *out)
{
    if (f->type == TXG_FIELD_PATTERNS && is_scalar(node)) {
        if (check_filled(s, node, f->name) != 0)
            return -1;
        txg_strv_push(out, node->text);
        return 0;
    }
    if (node->kind != TXG_NODE_LIST)
        return txg_schema_mismatch(s, node, f->name,
                                   f->type == TXG_FIELD_PATTERNS ? "a text or a list of texts"
                                   : f->type == TXG_FIELD_WORDS
                                       ? "a list of words, such as [one, two]"
                                       : "a list of texts, such as [one, two]");
    if (f->type == TXG_FIELD_PATTERNS && node->n == 0)
        return txg_yaml_fail(s->yaml, node, s->err, "'%s': the list is empty", f->name);
    if (f->type == TXG_FIELD_WORDS && node->n > TXG_YAML_KEYS_MAX)
        return txg_yaml_fail(s->yaml, node, s->err, "'%s': expected at most %d words, found %zu",
                             f->name, TXG_YAML_KEYS_MAX, node->n);
    for (size_t i = 0; i < node->n; i++) {
        const struct txg_node *item = &node->items[i];
        int rc = f->type == TXG_FIELD_WORDS   ? check_word(s, item, f->name)
                 : f->type == TXG_FIELD_TEXTS ? check_line(s, item, f->name)
                                              : check_filled(s, item, f->name);
        if (rc != 0)
            return -1;
        if (f->type == TXG_FIELD_WORDS && txg_words_has(out, item->text))
            return txg_yaml_fail(s->yaml, item, s->err, "'%s': '%s' is given twice", f->name,
                                 item->text);
        txg_strv_push(out, item->text);
    }
    return 0;
}

static int read_field(const struct txg_schema *s, const struct txg_field *f,
                      const struct txg_node *value, void *out)
{
    void *member = (char *)out + f->offset;
    switch (f->type) {
    case TXG_FIELD_TEXT:
    case TXG_FIELD_WORD:
        if ((f->type == TXG_FIELD_WORD ? check_word : check_filled)(s, value, f->name) != 0)
            return -1;
        *(char **)member = txg_xstrdup(value->text);
        return 0;
    case TXG_FIELD_CHOICE:
        return read_choice(s, f, value, member);
    case TXG_FIELD_DURATION:
        return read_duration(s, f, value, member);
    case TXG_FIELD_INT:
        return read_int(s, f, value, member);
    case TXG_FIELD_BOOL:
        return read_bool(s, f, value, member);
    case TXG_FIELD_WORDS:
    case TXG_FIELD_TEXTS:
    case TXG_FIELD_PATTERNS:
        return read_list(s, f, value, member);
    case TXG_FIELD_READ:
        break;
    }
    return f->read(s, value, out);
}

static int fail_unknown(const struct txg_schema *s, const struct txg_node *key)
{
    const char *words[FIELDS_MAX + 1] = {0};
    for (size_t i = 0; s->fields[i].name && i < FIELDS_MAX; i++)
        words[i] = s->fields[i].name;
    TXG_AUTOFREE char *shown = txg_word_show(key->text, strlen(key->text));
    TXG_AUTOFREE char *hint = txg_word_hint(key->text, words);
    TXG_AUTOFREE char *list = txg_word_list(words);
    if (hint[0])
        return txg_yaml_fail(s->yaml, key, s->err, "unknown key '%s'%s", shown, hint);
    return txg_yaml_fail(s->yaml, key, s->err, "unknown key '%s': the keys of %s are %s", shown,
                         s->what, list);
}

int txg_schema_read(const struct txg_schema *s, const struct txg_node *map, void *out)
{
    if (map->kind != TXG_NODE_MAP) {
        TXG_AUTOFREE char *found = txg_node_describe(map);
        return txg_yaml_fail(s->yaml, map, s->err, "%s must be a mapping (key: value), not %s",
                             s->what, found);
    }
    bool seen[FIELDS_MAX] = {false};
    for (size_t i = 0; i < map->n; i += 2) {
        size_t f = 0;
        while (s->fields[f].name && strcmp(s->fields[f].name, map->items[i].text) != 0)
            f++;
        assert(f < FIELDS_MAX);
        if (!s->fields[f].name)
            return fail_unknown(s, &map->items[i]);
        seen[f] = true;
        if (read_field(s, &s->fields[f], &map->items[i + 1], out) != 0)
            return -1;
    }
    for (size_t f = 0; s->fields[f].name; f++)
        if (s->fields[f].required && !seen[f])
            return txg_yaml_fail(s->yaml, map, s->err, "%s needs the key '%s'", s->what,
                                 s->fields[f].name);
    return 0;
}

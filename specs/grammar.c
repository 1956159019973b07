#include "config.h"

#include "specs/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specs/target.h"
#include "specs/words.h"
#include "src/base/str.h"

struct key;

/* One spec on its way: `buf` is a copy of `text` that is cut into keys and values in place. */
struct parse {
    const char *what;
    const char *text;
    char *buf;
    struct txg_spec *spec;
    uint32_t seen; /* bit i: keys[i] was given */
    bool has_kind;
    struct txg_err *err;
};

/* key[:name][=value], pieces of parse.buf; name and value NULL where they are not there. */
struct part {
    char *key;
    char *name;
    char *value;
};

typedef int read_fn(struct parse *p, const struct key *key, const struct part *part);

struct key {
    const char *name;
    read_fn *read;
    const char *form; /* what was expected when the value or the name is missing; NULL: a flag */
    bool bare;        /* the value may be missing, where check_together finds that right */
    size_t offset;    /* of the field that read_text fills */
    enum txg_spec_kind kind;
    int (*check)(const char *value, struct txg_err *err);
};

__attribute__((format(printf, 3, 4))) static int fail(const struct parse *p, const char *at,
                                                      const char *fmt, ...)
{
    char message[TXG_ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    size_t column = 1;
    for (size_t i = 0; i < (size_t)(at - p->buf); i++)
        column += ((unsigned char)p->text[i] & 0xc0) != 0x80;
    TXG_AUTOFREE char *shown = txg_word_show(p->text, strlen(p->text));
    return txg_err_set(p->err, TXG_E_USAGE, "%s '%s': column %zu: %s", p->what, shown, column,
                       message);
}

static int read_kind(struct parse *p, const struct key *key, const struct part *part)
{
    struct txg_err why;
    if (p->has_kind)
        return fail(p, part->key, "'%s' makes this a second kind of gateway: it is %s already",
                    key->name, txg_spec_kind_name(p->spec->kind));
    if (key->check && part->value && key->check(part->value, &why) != 0)
        return fail(p, part->value, "%s=: %s", key->name, why.text);
    p->has_kind = true;
    p->spec->kind = key->kind;
    p->spec->target = txg_xstrdup(part->value);
    return 0;
}

static int read_text(struct parse *p, const struct key *key, const struct part *part)
{
    struct txg_err why;
    if (key->check && key->check(part->value, &why) != 0)
        return fail(p, part->value, "%s=: %s", key->name, why.text);
    *(char **)(void *)((char *)p->spec + key->offset) = txg_xstrdup(part->value);
    return 0;
}

static int read_bytecode(struct parse *p, const struct key *key, const struct part *part)
{
    (void)key, (void)part;
    p->spec->dont_write_bytecode = true;
    return 0;
}

static int read_nice(struct parse *p, const struct key *key, const struct part *part)
{
    int64_t n;
    (void)key;
    if (!txg_parse_int(part->value, -20, 19, &n))
        return fail(p, part->value, "nice=: expected a whole number from -20 to 19");
    p->spec->has_nice = true;
    p->spec->nice = (int)n;
    return 0;
}

static int read_labels(struct parse *p, const struct key *key, const struct part *part)
{
    (void)key;
    char *word = part->value;
    for (;;) {
        char *comma = strchr(word, ',');
        if (comma)
            *comma = '\0';
        if (!txg_word_ok(word))
            return fail(p, word, "label=: '%s' is not a label: expected %s", word, TXG_WORD_RULE);
        if (txg_words_has(&p->spec->labels, word))
            return fail(p, word, "label=: '%s' is given twice", word);
        txg_strv_push(&p->spec->labels, word);
        if (!comma)
            return 0;
        word = comma + 1;
    }
}

static int read_env(struct parse *p, const struct key *key, const struct part *part)
{
    (void)key;
    if (txg_strv_getenv(&p->spec->env, part->name))
        return fail(p, part->key, "duplicate key 'env:%s'", part->name);
    txg_strv_take(&p->spec->env, txg_xasprintf("%s=%s", part->name, part->value));
    return 0;
}

static int read_input(struct parse *p, const struct key *key, const struct part *part)
{
    (void)key;
    if (txg_value_get(&p->spec->input, part->name))
        return fail(p, part->key, "duplicate key 'input:%s'", part->name);
    txg_value_set(&p->spec->input, part->name, txg_value_string(part->value, strlen(part->value)));
    return 0;
}

static int check_word(const char *value, struct txg_err *err)
{
    if (txg_word_ok(value))
        return 0;
    return txg_err_set(err, TXG_E_USAGE, "'%s' is not a name: expected %s", value, TXG_WORD_RULE);
}

static int check_execmodel(const char *value, struct txg_err *err)
{
    static const char *const models[] = {"thread", "main_thread_only", "eventlet", "gevent", NULL};
    for (size_t i = 0; models[i]; i++)
        if (strcmp(value, models[i]) == 0)
            return 0;
    TXG_AUTOFREE char *hint = txg_word_hint(value, models);
    TXG_AUTOFREE char *list = txg_word_list(models);
    return txg_err_set(err, TXG_E_USAGE, "expected one of %s, not '%s'%s", list, value, hint);
}

#define FIELD(name) offsetof(struct txg_spec, name)

static const struct key keys[] = {
    {.name = "popen", .read = read_kind, .kind = TXG_SPEC_POPEN},
    {.name = "ssh",
     .read = read_kind,
     .kind = TXG_SPEC_SSH,
     .check = txg_target_check_ssh,
     .form = "ssh=[user@]host[:port]"},
    {.name = "vagrant_ssh",
     .read = read_kind,
     .kind = TXG_SPEC_VAGRANT_SSH,
     .check = txg_target_check_vagrant,
     .form = "vagrant_ssh=machine"},
    {.name = "socket",
     .read = read_kind,
     .kind = TXG_SPEC_SOCKET,
     .check = txg_target_check_socket,
     .form = "socket=host:port",
     .bare = true},
    {.name = "reverse", .read = read_kind, .kind = TXG_SPEC_REVERSE},
    {.name = "exec",
     .read = read_kind,
     .kind = TXG_SPEC_EXEC,
     .check = txg_target_check_exec,
     .form = "exec=program and arguments"},
    {.name = "id", .read = read_text, .offset = FIELD(id), .check = check_word, .form = "id=name"},
    {.name = "python", .read = read_text, .offset = FIELD(python), .form = "python=interpreter"},
    {.name = "chdir", .read = read_text, .offset = FIELD(chdir), .form = "chdir=directory"},
    {.name = "nice", .read = read_nice, .form = "nice=number from -20 to 19"},
    {.name = "env", .read = read_env, .form = "env:NAME=value"},
    {.name = "input", .read = read_input, .form = "input:NAME=value"},
    {.name = "via",
     .read = read_text,
     .offset = FIELD(via),
     .check = check_word,
     .form = "via=id of a gateway"},
    {.name = "installvia",
     .read = read_text,
     .offset = FIELD(installvia),
     .check = check_word,
     .form = "installvia=id of a gateway"},
    {.name = "ssh_config",
     .read = read_text,
     .offset = FIELD(ssh_config),
     .form = "ssh_config=file"},
    {.name = "key_file",
     .read = read_text,
     .offset = FIELD(key_file),
     .form = "key_file=file of txgate keygen"},
    {.name = "dont_write_bytecode", .read = read_bytecode},
    {.name = "execmodel",
     .read = read_text,
     .offset = FIELD(execmodel),
     .check = check_execmodel,
     .form = "execmodel=thread or main_thread_only"},
    {.name = "worker",
     .read = read_text,
     .offset = FIELD(worker),
     .form = "worker=path of txgate-worker"},
    {.name = "arch",
     .read = read_text,
     .offset = FIELD(arch),
     .check = check_word,
     .form = "arch=architecture, such as aarch64"},
    {.name = "emulator",
     .read = read_text,
     .offset = FIELD(emulator),
     .form = "emulator=command, such as qemu-aarch64"},
    {.name = "label", .read = read_labels, .form = "label=a,b"},
};
enum { N_KEYS = sizeof keys / sizeof *keys };
_Static_assert(N_KEYS <= 32, "parse.seen has a bit for each key");

static bool takes_name(const struct key *key)
{
    return key->read == read_env || key->read == read_input;
}

static int fail_unknown(const struct parse *p, const struct part *part)
{
    const char *words[N_KEYS + 1] = {0};
    for (size_t i = 0; i < N_KEYS; i++)
        words[i] = keys[i].name;
    if (part->key[0] == '_')
        return fail(p, part->key, "a key can't begin with '_': '%s'", part->key);
    if (part->key[strspn(part->key, "0123456789")] == '\0')
        return fail(p, part->key,
                    "'%s' is a number, not a gateway: expected, for example, %s*popen", part->key,
                    part->key);
    TXG_AUTOFREE char *hint = txg_word_hint(part->key, words);
    TXG_AUTOFREE char *list = txg_word_list(words);
    if (hint[0])
        return fail(p, part->key, "unknown key '%s'%s", part->key, hint);
    return fail(p, part->key, "unknown key '%s': the keys are %s; a value can't contain '//'",
                part->key, list);
}

/* Is what was written of the form that the key wants: a flag, a value, a name and a value? */
static int check_form(const struct parse *p, const struct key *key, const struct part *part)
{
    if (!key->form)
        return part->value
                   ? fail(p, part->key, "'%s' takes no value: write just %s", key->name, key->name)
                   : 0;
    if (takes_name(key)) {
        if (!part->name || !part->name[0])
            return fail(p, part->key, "'%s' needs a name: expected %s", key->name, key->form);
        if (!txg_name_ok(part->name))
            return fail(p, part->name, "'%s' is not a name: expected %s", part->name,
                        TXG_NAME_RULE);
        return part->value ? 0
                           : fail(p, part->key, "'%s:%s' needs a value: expected %s", key->name,
                                  part->name, key->form);
    }
    if (key->bare && !part->value)
        return 0;
    if (!part->value || !part->value[0])
        return fail(p, part->key, "'%s' needs a value: expected %s", key->name, key->form);
    return 0;
}

static int read_part(struct parse *p, char *text)
{
    struct part part = {.key = text};
    if (text[0] == '\0' || text[0] == '=')
        return fail(p, text, "a key is missing here: expected key or key=value, joined by '//'");
    part.value = strchr(text, '=');
    if (part.value)
        *part.value++ = '\0';
    char *colon = strchr(text, ':');
    size_t stem = colon ? (size_t)(colon - text) : strlen(text);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (!txg_span_is(txg_span(text, stem), keys[i].name) || (colon && !takes_name(&keys[i])))
            continue;
        if (colon) {
            *colon = '\0';
            part.name = colon + 1;
        }
        if (!takes_name(&keys[i]) && p->seen & (UINT32_C(1) << i))
            return fail(p, text, "duplicate key '%s'", text);
        p->seen |= UINT32_C(1) << i;
        return check_form(p, &keys[i], &part) != 0 ? -1 : keys[i].read(p, &keys[i], &part);
    }
    return fail_unknown(p, &part);
}

/* What single keys can't know: which of them need, or exclude, one another. */
static int check_together(const struct parse *p)
{
    const struct txg_spec *s = p->spec;
    if (!p->has_kind)
        return fail(
            p, p->buf,
            "no kind of gateway: expected popen, ssh=, vagrant_ssh=, socket=, reverse or exec=");
    if (s->emulator && !s->arch)
        return fail(p, p->buf, "emulator= needs arch=: which build of the worker it is to run");
    if (s->ssh_config && s->kind != TXG_SPEC_SSH && s->kind != TXG_SPEC_VAGRANT_SSH)
        return fail(p, p->buf, "ssh_config= belongs to ssh= or vagrant_ssh=, not to %s",
                    txg_spec_kind_name(s->kind));
    if (s->installvia && s->kind != TXG_SPEC_SOCKET)
        return fail(p, p->buf, "installvia= belongs to socket=, not to %s",
                    txg_spec_kind_name(s->kind));
    if (s->kind == TXG_SPEC_SOCKET && !s->installvia && !s->target)
        return fail(p, p->buf, "'socket' needs a value: expected socket=host:port");
    if (s->kind == TXG_SPEC_SOCKET && !s->installvia &&
        strtol(strrchr(s->target, ':') + 1, NULL, 10) == 0)
        return fail(
            p, p->buf,
            "socket=: '0' is not a port: a number from 1 to 65535 (0 goes with installvia=)");
    if (s->key_file && s->installvia)
        return fail(p, p->buf, "key_file= doesn't go with installvia=: a key is made for the run");
    if (s->key_file && s->kind != TXG_SPEC_SOCKET)
        return fail(p, p->buf, "key_file= belongs to socket=, not to %s",
                    txg_spec_kind_name(s->kind));
    if (s->worker && (s->kind == TXG_SPEC_SOCKET || s->kind == TXG_SPEC_REVERSE))
        return fail(p, p->buf, "worker= doesn't go with %s: the worker there is running",
                    s->kind == TXG_SPEC_SOCKET ? "socket=" : "reverse");
    if (s->via && s->kind == TXG_SPEC_SOCKET)
        return fail(p, p->buf, "via= doesn't go with socket=: use installvia=");
    if (s->via && s->kind == TXG_SPEC_REVERSE)
        return fail(p, p->buf, "via= doesn't go with reverse: the worker finds its own way");
    return 0;
}

static int check_characters(const struct parse *p)
{
    size_t len = strlen(p->text), good = txg_utf8_prefix(p->text, len);
    for (size_t i = 0; i < good; i++)
        if ((unsigned char)p->text[i] < 0x20 || p->text[i] == 0x7f ||
            (p->text[i] == '\xc2' && (unsigned char)p->text[i + 1] < 0xa0))
            return fail(p, p->buf + i, "control characters have no place in a spec");
    if (good < len)
        return fail(p, p->buf + good, "this is not UTF-8");
    return 0;
}

/* Reads `N*` at the front; *rest is what follows. Where it reads as no count at all, execnet's rule
 * holds: the whole string is one spec (`env:GLOB=*.c` has a star too). */
static int read_count(struct parse *p, int *count, char **rest)
{
    char *star = strchr(p->buf, '*');
    int64_t n;
    *count = 1;
    *rest = p->buf;
    size_t len = star ? (size_t)(star - p->buf) : 0;
    if (!star || len == 0 || strspn(p->buf, "0123456789+-_ ") < len)
        return 0;
    *star = '\0';
    if (strspn(p->buf, "0123456789") < len || strspn(p->buf, "0") == len)
        return fail(p, p->buf,
                    "'%s' is not a count: expected a whole number of at least 1 before"
                    " '*'",
                    p->buf);
    if (!txg_parse_int(p->buf, 1, TXG_GATEWAYS_MAX, &n))
        return fail(p, p->buf, "a run can have at most %d gateways, not %s", TXG_GATEWAYS_MAX,
                    p->buf);
    *count = (int)n;
    *rest = star + 1;
    return 0;
}

static int read_all(struct parse *p, int *count)
{
    char *rest;
    if (strlen(p->text) > TXG_SPEC_MAX)
        return fail(p, p->buf, "a spec has at most %d bytes, not %zu", TXG_SPEC_MAX,
                    strlen(p->text));
    if (check_characters(p) != 0)
        return -1;
    if (count && read_count(p, count, &rest) != 0)
        return -1;
    if (!count)
        rest = p->buf;
    p->spec->text = txg_xstrdup(rest);
    while (rest) {
        char *part = rest, *end = strstr(rest, "//");
        rest = end ? end + 2 : NULL;
        if (end)
            *end = '\0';
        if (read_part(p, part) != 0)
            return -1;
    }
    if (check_together(p) != 0)
        return -1;
    if (count && *count > 1 && p->spec->id)
        return fail(p, p->buf, "id=%s can't name %d gateways", p->spec->id, *count);
    return 0;
}

static struct txg_spec *parse(const char *what, const char *text, int *count, struct txg_err *err)
{
    TXG_AUTOFREE char *buf = txg_xstrdup(text);
    struct parse p = {.what = what, .text = text, .buf = buf, .err = err};
    p.spec = txg_xcalloc(1, sizeof *p.spec);
    p.spec->input = txg_value_dict();
    if (read_all(&p, count) == 0)
        return p.spec;
    txg_spec_free(p.spec);
    return NULL;
}

struct txg_spec *txg_spec_parse(const char *text, struct txg_err *err)
{
    return parse("--tx", text, NULL, err);
}

struct txg_spec *txg_spec_parse_counted(const char *what, const char *text, int *count,
                                        struct txg_err *err)
{
    return parse(what, text, count, err);
}

#include "config.h"

#include "specs/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "specs/scalar.h"
#include "specs/words.h"
#include "src/base/buf.h"
#include "src/base/str.h"

struct reader {
    yaml_parser_t parser;
    struct txg_yaml *yaml;
    struct txg_err *err;
};

int txg_yaml_fail(const struct txg_yaml *yaml, const struct txg_node *at, struct txg_err *err,
                  const char *fmt, ...)
{
    char message[TXG_ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    return txg_err_set(err, TXG_E_USAGE, "%s:%zu:%zu: %s", yaml->name, at->line, at->column,
                       message);
}

char *txg_yaml_where(const struct txg_yaml *yaml, const struct txg_node *at)
{
    return txg_xasprintf("%s:%zu:%zu", yaml->name, at->line, at->column);
}

const struct txg_node *txg_node_get(const struct txg_node *map, const char *key)
{
    for (size_t i = 0; map->kind == TXG_NODE_MAP && i < map->n; i += 2)
        if (strcmp(map->items[i].text, key) == 0)
            return &map->items[i + 1];
    return NULL;
}

static void node_release(struct txg_node *node)
{
    for (size_t i = 0; i < node->n; i++)
        node_release(&node->items[i]);
    free(node->items);
    free(node->text);
    *node = (struct txg_node){0};
}

void txg_yaml_release(struct txg_yaml *yaml)
{
    node_release(&yaml->root);
    free(yaml->name);
    *yaml = (struct txg_yaml){0};
}

static struct txg_node node_at(yaml_mark_t mark, enum txg_node_kind kind)
{
    return (struct txg_node){.kind = kind, .line = mark.line + 1, .column = mark.column + 1};
}

/* libyaml's own complaint: the reader gives a byte offset and a value, the scanner and the parser
 * give marks. */
static int fail_syntax(const struct reader *r, struct txg_span text)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error != YAML_READER_ERROR) {
        struct txg_node at = node_at(p->problem_mark, TXG_NODE_SCALAR);
        return txg_yaml_fail(r->yaml, &at, r->err, "this is not YAML: %s%s%s", p->problem,
                             p->context ? " " : "", p->context ? p->context : "");
    }
    struct txg_node at = {.line = 1, .column = 1};
    for (size_t i = 0; i < p->problem_offset && i < text.len; i++) {
        at.line += text.data[i] == '\n';
        at.column = text.data[i] == '\n' ? 1 : at.column + ((text.data[i] & 0xc0) != 0x80);
    }
    return txg_yaml_fail(r->yaml, &at, r->err, "this is not YAML text: %s", p->problem);
}

static int next_event(struct reader *r, yaml_event_t *event, struct txg_span text)
{
    return yaml_parser_parse(&r->parser, event) ? 0 : fail_syntax(r, text);
}

static int fail_at(const struct reader *r, const yaml_event_t *event, const char *what)
{
    struct txg_node at = node_at(event->start_mark, TXG_NODE_SCALAR);
    return txg_yaml_fail(r->yaml, &at, r->err, "%s", what);
}

/* Refuses what YAML can do beyond data: tags, anchors, aliases. */
static int check_event(const struct reader *r, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_ALIAS_EVENT) {
        return fail_at(r, event,
                       "an alias (*name) is refused here: write the value itself, or put"
                       " text that begins with '*' in quotes");
    }
    if (anchor)
        return fail_at(r, event,
                       "an anchor (&name) is refused here: put text that begins with '&'"
                       " in quotes");
    return tag ? fail_at(r, event,
                         "a tag (!name) is refused here: put text that begins with '!'"
                         " in quotes")
               : 0;
}

static int read_scalar(const struct reader *r, const yaml_event_t *event, struct txg_node *out)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    *out = node_at(event->start_mark, TXG_NODE_SCALAR);
    if (memchr(text, '\0', len))
        return fail_at(r, event, "a NUL character can't stand in a text");
    out->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    out->text = txg_xstrndup(text, len);
    return 0;
}

static struct txg_node *add_item(struct txg_node *node)
{
    node->items = txg_grow(node->items, node->n, &node->cap, sizeof *node->items);
    node->items[node->n] = (struct txg_node){0};
    return &node->items[node->n++];
}

static int check_key(const struct reader *r, const struct txg_node *map)
{
    const struct txg_node *key = &map->items[map->n - 1];
    TXG_AUTOFREE char *shown = key->text ? txg_word_show(key->text, strlen(key->text)) : NULL;
    if (key->kind != TXG_NODE_SCALAR)
        return txg_yaml_fail(r->yaml, key, r->err, "a key must be a word, not a list or a mapping");
    if (key->text[0] == '\0')
        return txg_yaml_fail(r->yaml, key, r->err, "a key is missing before ':'");
    if (key->plain && strcmp(key->text, "<<") == 0)
        return txg_yaml_fail(r->yaml, key, r->err, "merge keys (<<) are refused here");
    if (map->n > 2 * TXG_YAML_KEYS_MAX)
        return txg_yaml_fail(r->yaml, key, r->err, "a mapping can have at most %d keys",
                             TXG_YAML_KEYS_MAX);
    for (size_t i = 0; i + 1 < map->n; i += 2)
        if (strcmp(map->items[i].text, key->text) == 0)
            return txg_yaml_fail(r->yaml, key, r->err,
                                 "duplicate key '%s': it stands in line %zu"
                                 " already",
                                 shown, map->items[i].line);
    return 0;
}

/* Builds the node that begins with `event`; what it holds of the event is copied. */
static int read_node(struct reader *r, const yaml_event_t *event, unsigned depth,
                     struct txg_span text, struct txg_node *out)
{
    if (check_event(r, event) != 0)
        return -1;
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(r, event, out);
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    *out = node_at(event->start_mark, is_map ? TXG_NODE_MAP : TXG_NODE_LIST);
    if (depth == TXG_YAML_DEPTH_MAX)
        return txg_yaml_fail(r->yaml, out, r->err, "lists and mappings can stand at most %d deep",
                             TXG_YAML_DEPTH_MAX);
    for (;;) {
        yaml_event_t next;
        if (next_event(r, &next, text) != 0)
            return -1;
        bool at_end = next.type == YAML_MAPPING_END_EVENT || next.type == YAML_SEQUENCE_END_EVENT;
        int rc = at_end ? 0 : read_node(r, &next, depth + 1, text, add_item(out));
        yaml_event_delete(&next);
        if (at_end)
            return 0;
        if (rc != 0 || (is_map && out->n % 2 == 1 && check_key(r, out) != 0))
            return -1;
    }
}

/* stream start, document start, the root, document end, stream end: libyaml keeps the order. */
static int read_stream(struct reader *r, struct txg_span text)
{
    for (bool has_root = false;;) {
        yaml_event_t event;
        int rc = 0;
        if (next_event(r, &event, text) != 0)
            return -1;
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && has_root)
            rc = fail_at(r, &event, "a second document is refused: one file, one document");
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
            has_root = true;
            rc = read_node(r, &event, 0, text, &r->yaml->root);
        }
        yaml_event_delete(&event);
        if (rc != 0)
            return -1;
        if (type == YAML_STREAM_END_EVENT) {
            r->yaml->is_empty = !has_root || (r->yaml->root.kind == TXG_NODE_SCALAR &&
                                              txg_scalar_type(&r->yaml->root) == TXG_NIL);
            return 0;
        }
    }
}

int txg_yaml_parse(const char *name, const char *text, size_t len, struct txg_yaml *out,
                   struct txg_err *err)
{
    *out = (struct txg_yaml){.name = txg_xstrdup(name)};
    struct reader r = {.yaml = out, .err = err};
    size_t bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct txg_span body = {text + bom, len - bom};
    int rc;
    if (len > TXG_YAML_SIZE_MAX) {
        rc = txg_err_set(err, TXG_E_LIMIT, "%s: the file is larger than %d bytes", name,
                         TXG_YAML_SIZE_MAX);
    } else {
        if (!yaml_parser_initialize(&r.parser))
            txg_oom();
        /* Without this libyaml would guess UTF-16 from the first bytes of binary files. */
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)body.data, body.len);
        rc = read_stream(&r, body);
        yaml_parser_delete(&r.parser);
    }
    if (rc != 0)
        txg_yaml_release(out);
    return rc;
}

static int read_fd(const char *path, int fd, struct txg_buf *out, struct txg_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return txg_err_sys(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return txg_err_set(err, TXG_E_USAGE, "%s: %s", path,
                           S_ISDIR(st.st_mode) ? "is a directory; a file was expected"
                                               : "is not a regular file");
    while (txg_buf_len(out) <= TXG_YAML_SIZE_MAX) {
        ssize_t n = read(fd, txg_buf_reserve(out, 65536), 65536);
        if (n == 0)
            break;
        if (n < 0)
            return txg_err_sys(err, errno, "%s", path);
        txg_buf_commit(out, (size_t)n);
    }
    return 0;
}

int txg_yaml_read(const char *path, struct txg_yaml *out, struct txg_err *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", path);
    struct txg_buf text = {0};
    int rc = read_fd(path, fd, &text, err);
    close(fd);
    if (rc == 0)
        rc = txg_yaml_parse(path, txg_buf_data(&text), txg_buf_len(&text), out, err);
    txg_buf_release(&text);
    return rc;
}

/*
 * A YAML file as a tree of nodes that know where they stand. YAML as data: one document, no tags,
 * no anchors, aliases or merge keys, no duplicate keys; keys are scalars. Size, depth and the
 * number of keys are capped before anything is built. The only user of libyaml is yaml.c.
 */
#ifndef TXG_SPECS_YAML_H
#define TXG_SPECS_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "src/base/err.h"
#include "src/base/value.h"

#define TXG_YAML_SIZE_MAX  (256 * 1024) /* bytes of a file */
#define TXG_YAML_DEPTH_MAX TXG_VALUE_DEPTH_MAX
#define TXG_YAML_KEYS_MAX  1000 /* of one mapping */

enum txg_node_kind { TXG_NODE_SCALAR, TXG_NODE_LIST, TXG_NODE_MAP };

struct txg_node {
    enum txg_node_kind kind;
    size_t line, column; /* from 1 */
    bool plain;          /* a scalar without quotes */
    char *text;          /* of a scalar: owned, UTF-8, NUL-terminated, holds no NUL */
    /* Owned: the items of a list; a map's keys and values in turn. */
    struct txg_node *items;
    size_t n, cap;
};

struct txg_yaml {
    char *name;           /* of the file, as errors give it */
    bool is_empty;        /* no document, or null */
    struct txg_node root; /* meaningful unless is_empty */
};

/* Reads a file. Errors read "file:line:col: what", or "file: what" where no place is known. On
 * failure nothing is left to release. */
int txg_yaml_read(const char *path, struct txg_yaml *out, struct txg_err *err);

/* The same for text in memory. */
int txg_yaml_parse(const char *name, const char *text, size_t len, struct txg_yaml *out,
                   struct txg_err *err);

void txg_yaml_release(struct txg_yaml *yaml);

/* Sets err to "file:line:col: <text>" and returns -1. */
int txg_yaml_fail(const struct txg_yaml *yaml, const struct txg_node *at, struct txg_err *err,
                  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Borrowed value of a key, or NULL where `map` is no mapping or has no such key. */
const struct txg_node *txg_node_get(const struct txg_node *map, const char *key);

/* "file:line:col" as a heap string. */
char *txg_yaml_where(const struct txg_yaml *yaml, const struct txg_node *at);

#endif

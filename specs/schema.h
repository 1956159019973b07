/*
 * A YAML mapping read into a struct by a table of fields. What the table doesn't name is an unknown
 * key with "did you mean", what has the wrong type is said with what was expected and found.
 */
#ifndef TXG_SPECS_SCHEMA_H
#define TXG_SPECS_SCHEMA_H

#include "specs/yaml.h"

struct txg_schema;

enum txg_field_type {
    TXG_FIELD_TEXT,     /* char *: one line, not empty; a number's text is taken as it is */
    TXG_FIELD_WORD,     /* char *: TXG_WORD_RULE */
    TXG_FIELD_CHOICE,   /* char *: one of `choices` */
    TXG_FIELD_DURATION, /* int64_t, microseconds, from min to max */
    TXG_FIELD_INT,      /* long, from min to max */
    TXG_FIELD_BOOL,     /* bool: true or false */
    TXG_FIELD_WORDS,    /* struct txg_strv: a list of different words */
    TXG_FIELD_TEXTS,    /* struct txg_strv: a list of lines, which may be empty lines */
    TXG_FIELD_PATTERNS, /* struct txg_strv: a line or a list of lines, at least one */
    TXG_FIELD_READ      /* what `read` makes of it; it gets the struct */
};

struct txg_field {
    const char *name; /* NULL ends the table */
    enum txg_field_type type;
    size_t offset; /* of the member in the struct */
    bool required;
    const char *const *choices;
    int64_t min, max;
    int (*read)(const struct txg_schema *schema, const struct txg_node *value, void *out);
};

struct txg_schema {
    const struct txg_yaml *yaml;
    const char *what; /* that the mapping describes, for errors: "a suite" */
    const struct txg_field *fields;
    void *user; /* for `read` */
    struct txg_err *err;
};

/* Fills `out`, which the caller has zero-filled, and releases it after failure too. */
int txg_schema_read(const struct txg_schema *schema, const struct txg_node *map, void *out);

/* Sets "file:line:col: '<key>': expected <expected>, found ..." and returns -1. */
int txg_schema_mismatch(const struct txg_schema *schema, const struct txg_node *value,
                        const char *key, const char *expected);

#endif

/*
 * workerinput as the harness got it: JSON (RFC 8259) as a tree. Inner.
 */
#ifndef TXG_HARNESS_INPUT_H
#define TXG_HARNESS_INPUT_H

#include "txgate/harness.h"

enum txg_input_type {
    TXG_INPUT_NULL,
    TXG_INPUT_BOOL,
    TXG_INPUT_NUMBER,
    TXG_INPUT_STRING,
    TXG_INPUT_LIST,
    TXG_INPUT_DICT
};

struct txg_input {
    enum txg_input_type type;
    char *key;  /* owned; of an element of a dictionary */
    char *text; /* owned; of a string, of a number as it was written, "true", "false" */
    struct txg_input *first, *last, *next; /* elements; a sibling */
    bool from_environment;
};

/* NULL: it is no JSON, or nested more than 64 deep. */
struct txg_input *txg_input_parse(const char *json);
struct txg_input *txg_input_from_environment(void);
void txg_input_free(struct txg_input *in);

#endif

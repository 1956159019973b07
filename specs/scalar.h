/*
 * What a YAML scalar means: the types of YAML's core schema (yaml.org/spec/1.2.2, 10.3.2), and a
 * node as a value for workerinput. A quoted scalar is always a string; yes, no, on and off are
 * strings; 0x1f and 0o17 are integers, 017 is 17.
 */
#ifndef TXG_SPECS_SCALAR_H
#define TXG_SPECS_SCALAR_H

#include "specs/yaml.h"
#include "src/base/value.h"

/* TXG_NIL, TXG_BOOL, TXG_INT, TXG_FLOAT or TXG_STRING. */
enum txg_value_type txg_scalar_type(const struct txg_node *scalar);

/* "a text", "the number 5", "true or false", "nothing", "a list", "a mapping": for "found ..." in
 * errors; a heap string. */
char *txg_node_describe(const struct txg_node *node);

/* The whole node as a value. An integer beyond 64 bits or a float beyond a double is an error. */
int txg_node_value(const struct txg_yaml *yaml, const struct txg_node *node, struct txg_value *out,
                   struct txg_err *err);

#endif

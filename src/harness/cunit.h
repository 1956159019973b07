/*
 * CUnit's tests as cases of docs/harness.md. In libtxgate-cunit and in the preload library. Inner.
 */
#ifndef TXG_HARNESS_CUNIT_H
#define TXG_HARNESS_CUNIT_H

#include <stdbool.h>

/* Under txgate: lists and runs what is registered, as it is told, and exits. Else it returns at
 * once. `own_handlers`: the program set CUnit's handlers itself, and they are to be called. */
void txg_cunit_serve_as(bool own_handlers);

#endif

/* The clock of all deadlines. It is not set back and forth, and stands still while the machine
 * sleeps. */
#ifndef TXG_BASE_CLOCK_H
#define TXG_BASE_CLOCK_H

#include <stdint.h>

int64_t txg_now(void); /* microseconds of CLOCK_MONOTONIC */

#endif

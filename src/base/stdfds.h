/*
 * Descriptors 0, 1 and 2.
 */
#ifndef TXG_BASE_STDFDS_H
#define TXG_BASE_STDFDS_H

/* Opens /dev/null in the place of those that are closed. First of all in main(): else a file or a
 * socket of ours gets that number, and is written to as stdout or stderr. */
void txg_stdfds_open(void);

#endif

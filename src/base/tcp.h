/*
 * What every TCP connection of ours is told, whoever opened it.
 */
#ifndef TXG_BASE_TCP_H
#define TXG_BASE_TCP_H

/* No waiting for more to send; a peer that vanished is noticed within 10 to 20 s. A peer that
 * merely stopped is seen by its missing beats only. */
void txg_tcp_tune(int fd);

#endif

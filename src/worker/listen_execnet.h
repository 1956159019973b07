/*
 * txgate-worker --listen PORT --insecure-execnet: the other end of pytest-xdist's `--tx
 * socket=localhost:PORT` (execnet's socketserver.py), without Python and for many gateways at a
 * time. execnet's protocol has no key: whoever reaches the port runs programs. Hence loopback only,
 * and a warning.
 */
#ifndef TXG_WORKER_LISTEN_EXECNET_H
#define TXG_WORKER_LISTEN_EXECNET_H

/* As txg_listen_main (listen.h); --insecure-execnet is among the options. */
int txg_listen_execnet_main(int argc, char **argv);

#endif

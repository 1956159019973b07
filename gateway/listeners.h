/*
 * installvia=: workers that listen on hosts of other gateways, for this run alone. Each has a key
 * of its own, that goes to its stdin over the link of its host (`txgate-worker --listen --key-file
 * -`), and ends with who asked for it, or with that link.
 */
#ifndef TXG_GATEWAY_LISTENERS_H
#define TXG_GATEWAY_LISTENERS_H

#include "gateway/host.h"
#include "src/base/key.h"

struct txg_listeners;

struct txg_listeners_config {
    void *user;
    /* The host of `spec`, opened where there is none; it stays until it is released. */
    struct txg_host *(*hold)(void *user, const struct txg_spec *spec);
    void (*release)(void *user, struct txg_host *host);
};

/* Who waits for a listener and then uses it. Never called back from inside start. */
struct txg_listener_user {
    /* One of the two, once. `text` is for people: "installvia=gw0: no host with that name". */
    void (*on_listening)(struct txg_listener_user *u, unsigned port);
    void (*on_failed)(struct txg_listener_user *u, const char *text);
};

struct txg_listeners *txg_listeners_new(const struct txg_listeners_config *config);
void txg_listeners_free(struct txg_listeners *all); /* once all hosts have ended */

/* On the host that `spec` is installed via, at the address of its target's host (numeric, IPv6 in
 * brackets) and its port, where 0 is any. `user` is borrowed until it ends it. */
void txg_listeners_start(struct txg_listeners *all, const struct txg_spec *spec,
                         const char *address, const char *port,
                         const unsigned char key[TXG_KEY_SIZE], struct txg_listener_user *user);

/* It is needed no more: not called back from here on, the listener ends. */
void txg_listeners_end(struct txg_listeners *all, const struct txg_listener_user *user);

/* What came from hosts. True: it was a listener's. */
bool txg_listeners_take(struct txg_listeners *all, const struct txg_host *host, uint32_t channel,
                        struct txg_span bytes);
bool txg_listeners_exited(struct txg_listeners *all, const struct txg_host *host, uint32_t channel,
                          const char *text);
void txg_listeners_lost(struct txg_listeners *all, const struct txg_host *host, const char *text);

#endif

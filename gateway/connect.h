/*
 * From a host's name to a TCP connection: the name is looked up, then its addresses are tried, one
 * after the other until one takes it. In two steps, so that the port may be found out in between.
 */
#ifndef TXG_GATEWAY_CONNECT_H
#define TXG_GATEWAY_CONNECT_H

#include <uv.h>

struct txg_connect;

struct txg_connect_config {
    uv_loop_t *loop;
    const char *host; /* a name, or an address without brackets; borrowed */
    int64_t limit;    /* microseconds for all of it, as the user gave them */
    void *user;
    /* `address`: the first one, "10.0.0.5" or "[::1]"; borrowed for the call. */
    void (*on_found)(void *user, const char *address);
    /* The connection is the callee's, non-blocking and close-on-exec. `where`: "10.0.0.5:7777",
     * borrowed for the life of the connect. */
    void (*on_connected)(void *user, int fd, const char *where);
    /* The last word: `step` is "resolve" or "connect", `reason` for people and the callee's. */
    void (*on_failed)(void *user, const char *step, char *reason);
    void (*on_closed)(void *user); /* after txg_connect_close: it may be freed */
};

struct txg_connect *txg_connect_new(const struct txg_connect_config *config);

/* Once, not from a callback of the loop's owner that must not be called back: on_found may come at
 * once. */
void txg_connect_look_up(struct txg_connect *c);

/* Once it is found. */
void txg_connect_to(struct txg_connect *c, unsigned port);

uint64_t txg_connect_time_left(const struct txg_connect *c); /* of the limit, in ms */

void txg_connect_close(struct txg_connect *c);
void txg_connect_free(struct txg_connect *c); /* after on_closed */

#endif

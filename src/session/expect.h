/*
 * How long a test is expected to take: from the times of earlier runs, else from its file, else
 * from all that is known. Gateways of one architecture and first label are a class.
 */
#ifndef TXG_SESSION_EXPECT_H
#define TXG_SESSION_EXPECT_H

#include "src/session/collection.h"
#include "src/session/session.h"

/* What takes longer is reckoned with as this, so that sums of many have room: microseconds. */
#define TXG_EXPECT_MAX INT64_C(86400000000)

struct txg_expect {
    bool known;      /* the time of some test */
    int64_t *us;     /* [class * n_tests + number]; -1 where nothing is known */
    size_t *classes; /* [origin] */
    size_t *firsts;  /* [class]: an origin of that class */
    size_t n_classes, n_tests;
};

/* `archs` by origin; NULL: its gateways never spoke. */
void txg_expect_init(struct txg_expect *e, const struct txg_session_config *config,
                     const struct txg_catalog *catalog, const char *const *archs);
/* Up to the first "::", as loadfile. Borrowed from the nodeid. */
struct txg_span txg_expect_file(struct txg_span nodeid);

void txg_expect_release(struct txg_expect *e);

int64_t txg_expect_get(const struct txg_expect *e, size_t origin, size_t number);

/* On the slowest class: what it is sorted by. */
int64_t txg_expect_longest(const struct txg_expect *e, size_t number);

#endif

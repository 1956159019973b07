#include "config.h"

#include "src/session/core.h"

#include <stdlib.h>
#include <string.h>

/*
 * uses: and serial: of suites. A gateway runs one test at a time, so what is held is held by a
 * gateway: from when it is dealt the first test that wants it until none of these is left with it.
 */

struct txg_lock {
    const char *name; /* borrowed from the suite that uses it; NULL: the whole fleet (serial) */
    const struct txg_node *owner; /* while count > 0 */
    size_t count;                 /* of its tests */
};

static bool wants(const struct txg_session_suite *suite, const struct txg_lock *lock)
{
    if (!lock->name)
        return suite->serial;
    for (const char *const *use = suite->uses; use && *use; use++)
        if (strcmp(*use, lock->name) == 0)
            return true;
    return false;
}

static void add(struct txg_session *s, const char *name)
{
    for (size_t i = 0; i < s->n_locks; i++)
        if (name && s->locks[i].name && strcmp(s->locks[i].name, name) == 0)
            return;
    s->locks = txg_xrealloc_array(s->locks, s->n_locks + 1, sizeof *s->locks);
    s->locks[s->n_locks++] = (struct txg_lock){.name = name};
}

void txg_locks_init(struct txg_session *s)
{
    bool serial = false;
    for (size_t i = 0; i < s->config.n_suites; i++) {
        serial = serial || s->suites[i].serial;
        for (const char *const *use = s->suites[i].uses; use && *use; use++)
            add(s, *use);
    }
    if (serial)
        add(s, NULL);
    s->deal.locks = s->n_locks > 0;
}

int txg_locks_rank(const struct txg_session *s, size_t suite)
{
    const struct txg_session_suite *rules = &s->suites[suite];
    return rules->serial                   ? TXG_LOCKS_SERIAL
           : rules->uses && rules->uses[0] ? TXG_LOCKS_USES
                                           : TXG_LOCKS_NONE;
}

static bool is_alone(const struct txg_session *s, const struct txg_node *node)
{
    for (size_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i] != node && txg_held_count(&s->nodes[i]->held) > 0)
            return false;
    return true;
}

bool txg_locks_free(const struct txg_session *s, const struct txg_node *node, size_t suite)
{
    for (size_t i = 0; i < s->n_locks; i++) {
        const struct txg_lock *lock = &s->locks[i];
        bool wanted = wants(&s->suites[suite], lock);
        if (lock->count > 0 && (wanted ? lock->owner != node : !lock->name))
            return false; /* while the fleet is one gateway's, nothing else is dealt */
        if (wanted && !lock->name && !is_alone(s, node))
            return false;
    }
    return true;
}

void txg_locks_take(struct txg_session *s, const struct txg_node *node, size_t index)
{
    for (size_t i = 0; i < s->n_locks; i++) {
        if (!wants(&s->suites[node->tests->suites[index]], &s->locks[i]))
            continue;
        s->locks[i].owner = node;
        s->locks[i].count++;
    }
}

void txg_locks_drop(struct txg_session *s, const struct txg_node *node, size_t index)
{
    s->dropped = s->dropped || s->n_locks > 0;
    for (size_t i = 0; i < s->n_locks; i++)
        if (wants(&s->suites[node->tests->suites[index]], &s->locks[i]))
            s->locks[i].count--;
}

void txg_locks_pass_on(struct txg_session *s, struct txg_node *node)
{
    if (s->dropped && s->progress == TXG_DEALING)
        s->scheduler->returned(&s->deal, node);
    s->dropped = false;
}

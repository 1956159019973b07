#include "config.h"

#include "src/session/core.h"

#include <stdlib.h>

#define STILLBORN 3 /* gateways in a row that die before their first test */

struct txg_luck {    /* of a place, or of a host */
    unsigned deaths; /* in a row before a first test */
    bool worked;     /* host: since the last of them a test started there */
    bool told;       /* host */
    size_t counted;  /* host: gateways below this number went with the last one */
};

void txg_quarantine_init(struct txg_session *s)
{
    s->places = txg_xcalloc(s->config.n_gateways, sizeof *s->places);
    s->hosts = txg_xcalloc(s->config.n_gateways, sizeof *s->hosts);
}

void txg_quarantine_release(struct txg_session *s)
{
    free(s->places);
    free(s->hosts);
}

static struct txg_luck *place_of(const struct txg_session *s, const struct txg_node *node)
{
    return &s->places[node->origin];
}

static struct txg_luck *host_of(const struct txg_session *s, const struct txg_node *node)
{
    return &s->hosts[s->gateways[node->origin].host];
}

void txg_quarantine_started(struct txg_session *s, const struct txg_node *node)
{
    struct txg_luck *host = host_of(s, node);
    place_of(s, node)->deaths = 0;
    host->worked = true;
}

/* Each of its gateways tells of the same death: those that were there at the first are part of it.
 */
static void count_host(const struct txg_session *s, const struct txg_node *node)
{
    struct txg_luck *host = host_of(s, node);
    if (node->info.number < host->counted)
        return;
    host->counted = s->n_nodes;
    host->deaths = host->worked ? 0 : host->deaths + 1;
    host->worked = false;
}

void txg_quarantine_died(struct txg_session *s, const struct txg_node *node,
                         const struct txg_node_event *event)
{
    place_of(s, node)->deaths += !node->worked;
    if (event->host)
        count_host(s, node);
}

bool txg_quarantine_holds(const struct txg_session *s, const struct txg_node *node)
{
    return place_of(s, node)->deaths >= STILLBORN || host_of(s, node)->deaths >= STILLBORN;
}

void txg_quarantine_lift(struct txg_session *s, const struct txg_node *node)
{
    struct txg_luck *place = place_of(s, node), *host = host_of(s, node);
    place->deaths = place->deaths < STILLBORN ? place->deaths : STILLBORN - 1;
    host->deaths = host->deaths < STILLBORN ? host->deaths : STILLBORN - 1;
    host->told = false;
}

bool txg_quarantine_tell(struct txg_session *s, const struct txg_node *node,
                         const struct txg_node_event *event)
{
    struct txg_luck *host = host_of(s, node);
    bool of_host = host->deaths >= STILLBORN;
    if (of_host && host->told)
        return false;
    host->told = of_host;
    bool said = event->words.len > 0;
    struct txg_event *e = txg_session_report(s, TXG_EVENT_QUARANTINE, node);
    e->quarantine.host = of_host;
    e->quarantine.deaths = of_host ? host->deaths : place_of(s, node)->deaths;
    e->quarantine.words = event->words;
    e->quarantine.text = txg_session_format(
        s, "%s%s is not started again: %u %s before %s; %s: %.*s", of_host ? "the host of " : "",
        node->info.spec, e->quarantine.deaths,
        of_host ? "times it died" : "gateways in a row died there",
        of_host ? "a first test" : "their first test", said ? "its last words" : "the last one",
        TXG_FMT(said ? event->words : event->reason));
    return true;
}

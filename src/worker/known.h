/*
 * What was found out of files, kept in memory that the agent and all its workers share: a thousand
 * workers that collect a thousand programs look into each program once. It lasts as long as the
 * agent, one run.
 */
#ifndef TXG_WORKER_KNOWN_H
#define TXG_WORKER_KNOWN_H

#define TXG_KNOWN_MAX 15 /* the largest fact */

/* Called once, by the agent, before it has workers. Without it, or where there is no memory for it,
 * nothing is known. */
void txg_known_share(void);

/* Of a file's absolute path. -1: not known. */
int txg_known_get(const char *path);
void txg_known_put(const char *path, int fact); /* 0 to TXG_KNOWN_MAX */

#endif

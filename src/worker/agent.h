/*
 * The duties of a host: beats and lease, one worker process for each gateway, relaying their frames
 * by the header alone, saying exactly how a worker ended, killing what is left. The first process
 * of txgate-worker.
 */
#ifndef TXG_WORKER_AGENT_H
#define TXG_WORKER_AGENT_H

/* Serves the link on two file descriptors until its end. `token` stands in the line that marks
 * where the protocol begins; NULL: it begins at once. Returns the exit status. */
int txg_agent_main(int in, int out, const char *token);

#endif

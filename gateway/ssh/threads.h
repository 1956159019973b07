/*
 * The threads of this folder, without signals. Nobody waits for their end but who is about to end
 * the program: a thread that is inside libssh then would meet libraries that are taken down.
 */
#ifndef TXG_GATEWAY_SSH_THREADS_H
#define TXG_GATEWAY_SSH_THREADS_H

/* 0, or an errno. */
int txg_ssh_thread_start(void (*fn)(void *arg), void *arg);

/* Around what can't be interrupted and uses no library but libc: nobody waits for the thread. */
void txg_ssh_thread_pause(void);
void txg_ssh_thread_resume(void);

/* Waits for all threads that are not paused; not long, for they have all been told to end. */
void txg_ssh_threads_join(void);

#endif

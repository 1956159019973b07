/*
 * Questions to the person at the terminal, one at a time: password, passphrase. Where there is no
 * terminal, or this process is in its background, nobody is asked.
 */
#ifndef TXG_GATEWAY_SSH_PROMPT_H
#define TXG_GATEWAY_SSH_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/ssh/try.h"

bool txg_ssh_prompt_can_ask(void);

/* Shows `text` and reads a line into `answer`; `echo`: what is typed is shown. -1: there is no
 * terminal, the line was ended by ^D, or the attempt is over. Blocks: for a thread of its own. */
int txg_ssh_prompt(struct txg_ssh_try *t, const char *text, bool echo, char *answer, size_t size);

/* The same for a passphrase, which is asked for once for each key file; `again`: the last one was
 * wrong. */
int txg_ssh_prompt_passphrase(struct txg_ssh_try *t, const char *file, bool again, char *answer,
                              size_t size);

#endif

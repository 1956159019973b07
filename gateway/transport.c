#include "config.h"

#include "gateway/transport.h"

#include <signal.h>

#include "gateway/ssh/threads.h"

const struct txg_transport_ops *txg_transport_for(enum txg_spec_kind kind)
{
    static const struct txg_transport_ops *const transports[] = {
        [TXG_SPEC_POPEN] = &txg_popen_ops,   [TXG_SPEC_SSH] = &txg_ssh_ops,
        [TXG_SPEC_EXEC] = &txg_exec_ops,     [TXG_SPEC_REVERSE] = &txg_reverse_ops,
#ifdef TXG_SOCKETS
        [TXG_SPEC_SOCKET] = &txg_socket_ops,
#endif
    };
    return (size_t)kind < sizeof transports / sizeof *transports ? transports[kind] : NULL;
}

bool txg_transport_was_killed(int signum, int status)
{
    return signum != 0 || (status > 128 && status < 128 + NSIG);
}

void txg_transports_settle(void)
{
    txg_ssh_threads_join();
}

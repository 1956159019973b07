#include "config.h"

#include "gateway/transport.h"

const struct txg_transport_ops *txg_transport_for(enum txg_spec_kind kind)
{
    return kind == TXG_SPEC_POPEN ? &txg_popen_ops : NULL;
}

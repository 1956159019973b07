#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/execnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A payload: what is understood is written again and then understood as the same. */
static void there_and_back(struct txg_span payload)
{
    struct txg_execnet_value v;
    struct txg_buf once = {0}, twice = {0};
    if (txg_execnet_decode(payload, &v, NULL) == 0) {
        txg_execnet_put_value(&once, &v);
        txg_execnet_put_stop(&once);
        txg_execnet_release(&v);
        struct txg_span again = txg_span(txg_buf_data(&once), txg_buf_len(&once));
        if (txg_execnet_decode(again, &v, NULL) != 0)
            abort();
        txg_execnet_put_value(&twice, &v);
        txg_execnet_put_stop(&twice);
        if (!txg_span_equal(again, txg_span(txg_buf_data(&twice), txg_buf_len(&twice))))
            abort();
    }
    txg_execnet_release(&v);
    txg_buf_release(&once);
    txg_buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct txg_buf in = {0};
    struct txg_execnet_frame frame;
    txg_buf_append(&in, data, len);
    while (txg_execnet_next(&in, &frame, NULL) == 1)
        there_and_back(frame.payload);
    txg_buf_release(&in);
    there_and_back(txg_span(data, len));
    return 0;
}

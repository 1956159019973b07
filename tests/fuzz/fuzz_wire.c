#include "config.h"

#include <stddef.h>
#include <stdint.h>

#include "gateway/wire/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What a peer can send: bytes into frames, each payload through the guard into a message, and what
 * was understood back into bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct txg_mux in = {0};
    struct txg_frame frame;
    struct txg_msg msg;
    txg_mux_feed(&in, data, len);
    while (txg_mux_next(&in, &frame, NULL) == 1) {
        if (txg_msg_decode(frame.payload, &msg, NULL) == 0) {
            struct txg_buf again = {0};
            txg_msg_encode(&msg, &again);
            txg_buf_release(&again);
        }
        txg_msg_release(&msg);
    }
    txg_mux_release(&in);
    if (txg_msg_decode(txg_span(data, len), &msg, NULL) == 0)
        txg_msg_release(&msg);
    return 0;
}

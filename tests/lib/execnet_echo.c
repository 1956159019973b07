#include "config.h"

#include <stdio.h>

#include "gateway/wire/execnet.h"

/* Reads payloads, each behind its length as "!I", and writes each as it was understood, in the same
 * form; what was not understood is written as nothing. For comparing with execnet's own code. */
int main(void)
{
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        struct txg_buf in = {0}, out = {0};
        struct txg_execnet_value v;
        if (fread(txg_buf_reserve(&in, len), 1, len, stdin) != len)
            return 1;
        txg_buf_commit(&in, len);
        if (txg_execnet_decode(txg_span(txg_buf_data(&in), len), &v, NULL) == 0) {
            txg_execnet_put_value(&out, &v);
            txg_execnet_put_stop(&out);
        }
        size_t n = txg_buf_len(&out);
        for (int i = 0; i < 4; i++)
            putchar((int)(n >> (24 - 8 * i) & 0xff));
        fwrite(txg_buf_data(&out), 1, n, stdout);
        txg_execnet_release(&v);
        txg_buf_release(&in);
        txg_buf_release(&out);
    }
    return 0;
}

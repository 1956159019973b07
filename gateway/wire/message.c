#include "config.h"

#include "gateway/wire/message.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/wire/fields.h"

struct txg_liveness txg_liveness_scaled(int64_t beat)
{
    return (struct txg_liveness){beat, beat * 5 / 2, beat * 4, beat * 5};
}

const char *txg_msg_name(enum txg_msg_type type)
{
    assert(type < TXG_MSG_TYPES);
    return txg_msg_shapes[type].name;
}

/* What a decoded field owns; the rest of it is borrowed from the payload. */
static void release_field(const struct txg_field *f, struct txg_msg *msg)
{
    char *at = (char *)msg + f->offset;
    switch (f->kind) {
    case TXG_FIELD_DICT:
        txg_value_release((struct txg_value *)at);
        break;
    case TXG_FIELD_STRS:
    case TXG_FIELD_BINS:
    case TXG_FIELD_PAIRS:
    case TXG_FIELD_RANGES:
    case TXG_FIELD_RECORDS:
    case TXG_FIELD_POINTS:
    case TXG_FIELD_FILES:
    case TXG_FIELD_TESTS:
        free(*(void **)at);
        break;
    default:
        break;
    }
}

void txg_msg_release(struct txg_msg *msg)
{
    const struct txg_msg_shape *shape = &txg_msg_shapes[msg->type];
    for (size_t i = 0; i < shape->n_fields; i++)
        release_field(&shape->fields[i], msg);
    *msg = (struct txg_msg){0};
}

uint64_t txg_collection_digest(uint64_t digest, const struct txg_msg_record *record)
{
    unsigned char head[8];
    for (unsigned i = 0; i < 4; i++) {
        head[i] = (unsigned char)((uint64_t)record->suite >> (8 * i));
        head[4 + i] = (unsigned char)((uint64_t)record->nodeid.len >> (8 * i));
    }
    digest = txg_hash(digest, head, sizeof head);
    return txg_hash(digest, record->nodeid.data, record->nodeid.len);
}

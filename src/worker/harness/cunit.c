#include "config.h"

#include "src/worker/harness.h"
#include "src/worker/harness/talk.h"

static const char *const list[] = {"the preload library", NULL};
static const struct txg_cases_ops cases = {.list = list, .read_list = txg_talk_read_list};

const struct txg_harness_ops txg_harness_cunit = {
    .name = "cunit", .cases = &cases, .persistent = true, .rings = true, .preloads = true};

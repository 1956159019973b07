/*
 * Where txgate.yaml and fleet.yaml are: the only place that looks around in the file system.
 */
#ifndef TXG_SPECS_DISCOVER_H
#define TXG_SPECS_DISCOVER_H

#include "src/base/err.h"

struct txg_places {
    char *
        config; /* path to open, relative to the working directory where it stands there; or NULL */
    char *fleet; /* the same; or NULL */
    char *root;  /* absolute directory of config, else the working directory */
};

/* Arguments as in txg_config_load. -1: the working directory can't be told; nothing to release. */
int txg_places_find(const char *config_path, const char *fleet_path, struct txg_places *out,
                    struct txg_err *err);
void txg_places_release(struct txg_places *places);

#endif

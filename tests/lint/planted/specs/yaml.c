/* planted: nothing */
#include "config.h"

#include <yaml.h>

/* time(NULL) */
const char *planted = "time(";

/* planted: order order */
#include <string.h>

#include "config.h"
#include "src/base/late.h"

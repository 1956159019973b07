/* planted: layer library */
#include "config.h"

#include "gateway/gateway.h"

#include <uv.h>

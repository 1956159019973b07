/* planted: layer layer */
#include "config.h"

#include "specs/spec.h"
#include "src/session/event.h"

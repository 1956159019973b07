/* planted: library */
#include "config.h"

#include "specs/spec.h"

#include <yaml.h>

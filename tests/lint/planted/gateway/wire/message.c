/* planted: library */
#include "config.h"

#include <msgpack.h>

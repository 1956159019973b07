/* planted: layer call */
#include "config.h"

#include "src/session/session.h"

int wait_for(void)
{
    return poll(0, 0, 5);
}

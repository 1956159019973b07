#include "device.h"

int main(void)
{
    return device_verdict(device_answers(), "no answer to ping");
}

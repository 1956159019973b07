#include "device.h"

int main(void)
{
    return device_verdict(device_answers(), "supply voltage could not be read");
}

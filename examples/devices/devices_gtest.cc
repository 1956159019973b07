// The three tests as cases of one program, with GoogleTest.
#include <gtest/gtest.h>

#include "device.h"

TEST(Device, Network)
{
    EXPECT_TRUE(device_answers()) << "device " << device_address() << ": no answer to ping";
}

TEST(Device, Power)
{
    EXPECT_TRUE(device_answers()) << "device " << device_address()
                                  << ": supply voltage could not be read";
}

TEST(Device, Uart)
{
    EXPECT_TRUE(device_answers()) << "device " << device_address() << ": no login prompt";
}

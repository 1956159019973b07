// 1,000 cases, one of which does what $BAD says.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <unistd.h>

class Many : public testing::TestWithParam<int> {};

TEST_P(Many, Case)
{
    const char *bad = getenv("BAD");
    if (!bad || GetParam() != 500)
        return;
    if (strcmp(bad, "segfault") == 0)
        *(volatile int *)8 = 1;
    if (strcmp(bad, "abort") == 0)
        abort();
    if (strcmp(bad, "exit") == 0)
        exit(0);
    if (strcmp(bad, "hang") == 0)
        sleep(100);
    FAIL() << bad;
}

INSTANTIATE_TEST_SUITE_P(All, Many, testing::Range(0, 1000));

// How often the worker has read by now goes to where $IO says.
class Tells : public testing::Environment {
    void TearDown() override
    {
        if (getenv("IO"))
            std::ofstream(getenv("IO"), std::ios::app) << std::ifstream("/proc/" + std::to_string(getppid()) + "/io").rdbuf();
    }
};

static testing::Environment *const tells = testing::AddGlobalTestEnvironment(new Tells);

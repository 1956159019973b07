// Every way in which a case of GoogleTest can end.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

TEST(Plain, Passes)
{
    printf("a line without its end");
}

TEST(Plain, Fails)
{
    fprintf(stderr, "said by Fails\n");
    EXPECT_EQ(1, 2) << "extra";
    EXPECT_TRUE(false);
}

TEST(Plain, Skips)
{
    GTEST_SKIP() << "no hardware";
}

TEST(Plain, DISABLED_Off) {}

TEST(Plain, Throws)
{
    throw 5;
}

TEST(Plain, AfterAll) {}

class Param : public testing::TestWithParam<const char *> {};

TEST_P(Param, IsA)
{
    EXPECT_STREQ(GetParam(), "a");
}

INSTANTIATE_TEST_SUITE_P(Some, Param, testing::Values("a", "b\nc"));

template <class T> class Typed : public testing::Test {};
using Types = testing::Types<char, int>;
TYPED_TEST_SUITE(Typed, Types);

TYPED_TEST(Typed, IsOneByte)
{
    EXPECT_EQ(sizeof(TypeParam), 1u);
}

class SuiteFails : public testing::Test {
protected:
    static void SetUpTestSuite() { FAIL() << "no device"; }
};

TEST_F(SuiteFails, One) {}
TEST_F(SuiteFails, Two) {}

class TeardownFails : public testing::Test {
protected:
    static void TearDownTestSuite() { FAIL() << "device hangs"; }
};

TEST_F(TeardownFails, One) {}

TEST(DiesDeathTest, OfAbort)
{
    EXPECT_DEATH(abort(), "");
}

TEST(Bad, Segfaults)
{
    fprintf(stderr, "said by Segfaults\n");
    *(volatile int *)8 = 1;
}

TEST(Bad, Exits)
{
    exit(0);
}

TEST(Bad, Aborts)
{
    abort();
}

TEST(Bad, Hangs)
{
    sleep(100);
}

TEST(Bad, LastPasses) {}

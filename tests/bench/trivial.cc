// 2,000 cases that do nothing, in suites of 100.
#include <gtest/gtest.h>

#include <string>

class Trivial : public testing::Test {
    void TestBody() override {}
};

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    for (int i = 0; i < 2000; i++) {
        std::string suite = "Suite" + std::to_string(i / 100), name = "Case" + std::to_string(i);
        testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                              []() -> Trivial * { return new Trivial; });
    }
    return RUN_ALL_TESTS();
}

#include "config.h"

#include <string.h>

#include "tests/lib/suite.h"
#include "tests/unit/drive.h"

/* It is dealt no more, the other takes the rest, and its end is none that counts. */
static void one_leaves(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_take(&d);
    drive_leaving(&d, 1); /* not before the barrier */
    expect(&d, "note gw1: gw1 leaves: the others take what it has not started");
    drive_collect(&d, 1, "abcd");
    expect(&d, "collected gw1 4; scheduling LoadScheduling 4; gw0 runtests 0+2; gw1 runtests 2+2; "
               "gw1 steal 2+2; "
               "gw1 shutdown");
    drive_leaving(&d, 1);
    expect(&d, "");
    drive_start(&d, 1, 2); /* it had begun meanwhile */
    drive_unscheduled(&d, 1, 3, 1);
    drive_report(&d, 1, 2, TXG_PASSED);
    expect(&d, "start gw1 c; gw1 c passed");
    drive_finished(&d, 1);
    drive_pass(&d, 0, 0);
    expect(&d, "start gw0 a; gw0 a passed; gw0 runtests 3");
    drive_pass(&d, 0, 1);
    drive_pass(&d, 0, 3);
    expect(&d, "start gw0 b; gw0 b passed; gw0 shutdown; start gw0 d; gw0 d passed");
    drive_finished(&d, 0);
    expect(&d, "finish 0");
    drive_release(&d);
}

static void the_last_one_leaves(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abc");
    drive_take(&d);
    drive_leaving(&d, 0);
    drive_unscheduled(&d, 0, 0, 2);
    drive_take(&d);
    drive_finished(&d, 0);
    expect(&d, "down gw0; replace gw0 by gw1");
    drive_release(&d);
}

/* Its tests are not the run's: it is sent home, whatever it asks for, and nobody is missed. */
static void one_leaves_that_had_other_tests(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdefgh");
    drive_collect(&d, 1, "abcdefgh");
    drive_take(&d);
    drive_down(&d, 1, TXG_DOWN_CRASHED);
    expect(&d, "down gw1; replace gw1 by gw2");
    drive_ready(&d, 2);
    drive_leaving(&d, 2);
    drive_take(&d);
    drive_records(&d, 2, "xy");
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "other tests than the rest; gw2 shutdown"));
    drive_finished(&d, 2);
    expect(&d, "");
    drive_interrupt(&d);
    drive_release(&d);
}

static void who_leaves_each_stays_for_its_tests(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 1);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_take(&d);
    drive_leaving(&d, 0);
    expect(&d, "note gw0: gw0 leaves when it has run its tests, which no other will");
    drive_pass(&d, 0, 0);
    drive_pass(&d, 0, 1);
    drive_finished(&d, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish 0"));
    drive_release(&d);
}

/* Who is late is not waited for; it has a part in what is left, and comes once. */
static void one_joins(void)
{
    struct txg_session_gateway gateways[] = {
        {.spec = "popen"}, {.spec = "reverse", .late = true}, {"b", "reverse", .late = true}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 3);
    config.gateways = gateways;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdefghijklmnop");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(drive_take(&d), "scheduling LoadScheduling 16; gw0 runtests 0+4"));
    drive_join(&d, "b"); /* who has a place of its own takes no other's */
    expect(&d, "note gw1: gw1 joins; open gw1 on 2");
    drive_join(&d, "anybody");
    expect(&d, "note gw2: gw2 joins; open gw2 on 1");
    drive_join(&d, "b"); /* no place is left */
    expect(&d, "");
    drive_collect(&d, 1, "abcdefghijklmnop");
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "gw1 runtests 4+"));
    drive_interrupt(&d);
    drive_release(&d);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"one leaves", one_leaves},
        {"the last one leaves", the_last_one_leaves},
        {"one leaves that had other tests", one_leaves_that_had_other_tests},
        {"who leaves each stays for its tests", who_leaves_each_stays_for_its_tests},
        {"one joins", one_joins},
        {0},
    };
    return txg_suite_main(argc, argv, "members", tests);
}

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/session/collection.h"
#include "tests/lib/suite.h"
#include "tests/unit/drive.h"

static void load_deals_as_xdist(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    expect(&d, "");
    drive_collect(&d, 0, "abcdefgh");
    expect(&d, "gw0 sendcollection; collected gw0 8");
    drive_collect(&d, 1, "abcdefgh"); /* the same: nobody asks for its records */
    expect(&d, "collected gw1 8; scheduling LoadScheduling 8; gw0 runtests 0+2; gw1 runtests 2+2");
    drive_pass(&d, 0, 0);
    expect(&d, "start gw0 a; gw0 a passed; gw0 runtests 4");
    drive_pass(&d, 1, 2);
    expect(&d, "start gw1 c; gw1 c passed; gw1 runtests 5");
    drive_pass(&d, 0, 1);
    expect(&d, "start gw0 b; gw0 b passed; gw0 runtests 6");
    drive_pass(&d, 0, 4);
    expect(&d, "start gw0 e; gw0 e passed; gw0 runtests 7");
    drive_pass(&d, 1, 3);
    expect(&d, "start gw1 d; gw1 d passed");
    drive_pass(&d, 1, 5);
    expect(&d, "start gw1 f; gw1 f passed"); /* it stays, should gw0 die */
    drive_pass(&d, 0, 6);
    expect(&d, "start gw0 g; gw0 g passed; gw0 shutdown");
    drive_pass(&d, 0, 7);
    expect(&d, "start gw0 h; gw0 h passed; gw1 shutdown");
    drive_finished(&d, 0);
    drive_finished(&d, 1);
    expect(&d, "finish 0");
    drive_release(&d);
}

static void pass_quickly(struct drive *d, unsigned gateway, int64_t index)
{
    struct txg_msg_passed_test test = {index, 0, 5};
    struct txg_msg msg = {.type = TXG_MSG_PASSED};
    msg.passed.seq = ++d->seq[gateway];
    msg.passed.tests = &test;
    msg.passed.n_tests = 1;
    drive_message(d, gateway, &msg);
}

/* Tests that take less than a round trip: who does them is not left waiting for the next. */
static void load_feeds_the_fast(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdefghijklmnopqrstuvwx");
    drive_collect(&d, 1, "abcdefghijklmnopqrstuvwx");
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "gw0 runtests 0+3; gw1 runtests 3+3"));
    drive_start(&d, 1, 3);
    d.now += 1000; /* ten of them in 10 ms: its share of the 18 that are pending */
    pass_quickly(&d, 0, 0);
    expect(&d, "start gw1 d; start gw0 a; gw0 a passed; gw0 runtests 6+7");
    d.now += 20000; /* not one: as xdist */
    drive_report(&d, 1, 3, TXG_PASSED);
    expect(&d, "gw1 d passed");
    drive_release(&d);

    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdefghijklmnopqrstuvwx");
    drive_collect(&d, 1, "abcdefghijklmnopqrstuvwx");
    drive_take(&d);
    d.now += 200000; /* a round trip: it does four in two of them, and may hold eight */
    pass_quickly(&d, 0, 0);
    drive_take(&d);
    pass_quickly(&d, 0, 1);
    expect(&d, "start gw0 b; gw0 b passed; gw0 runtests 6+7");
    drive_release(&d);
}

/* Of gateways that have the same tests only one sends their names, however they hurry. */
static void records_come_once(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 3);
    drive_begin(&d, &config);
    txg_session_expect_records(d.s, 0);
    drive_collect(&d, 1, "ab");
    drive_collect(&d, 2, "ab");
    expect(&d, ""); /* gw0 may bring them */
    drive_ready(&d, 0);
    drive_records(&d, 0, "ab");
    expect(&d,
           "collected gw0 2; collected gw1 2; collected gw2 2; scheduling LoadScheduling 2; gw0 "
           "runtests 0; gw1 runtests 1");
    drive_release(&d);

    drive_begin(&d, &config);
    txg_session_expect_records(d.s, 0);
    drive_collect(&d, 1, "ab");
    drive_collect(&d, 2, "ab");
    drive_take(&d);
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX); /* nothing is wanted of gw1 and gw2 */
    drive_down(&d, 0, TXG_DOWN_NOT_STARTED); /* it will not: one of the others is asked */
    expect(&d, "down gw0; gw1 sendcollection");
    drive_records(&d, 1, "ab");
    expect(&d, "collected gw1 2; collected gw2 2; scheduling LoadScheduling 2; gw1 runtests 0; gw2 "
               "runtests 1");
    drive_release(&d);

    drive_begin(&d, &config);
    txg_session_expect_records(d.s, 0);
    drive_collect(&d, 1, "xy"); /* others than gw0 has */
    drive_ready(&d, 0);
    drive_records(&d, 0, "ab");
    expect(&d, "collected gw0 2; gw1 sendcollection");
    drive_release(&d);
}

/* An offer does not outlast the collection: what is dealt must be started in time. */
static void records_that_come_behind_an_offer(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    txg_session_expect_records(d.s, 1);
    drive_collect(&d, 0, "xy"); /* count and digest */
    drive_records(&d, 0, "ab"); /* and, unasked, others */
    drive_ready(&d, 1);
    drive_records(&d, 1, "ab");
    expect(&d, "collected gw0 2; collected gw1 2; scheduling LoadScheduling 2; gw0 runtests 0; gw1 "
               "runtests 1");
    drive_pass(&d, 1, 1);
    drive_take(&d);
    CU_ASSERT_NOT_EQUAL_FATAL(txg_session_deadline(d.s), INT64_MAX);
    drive_tick(&d, txg_session_deadline(d.s));
    expect(&d,
           "warning gw0: gw0 has not started its next test within 30 s and is closed; close gw0");
    drive_release(&d);
}

static void a_collection_has_an_end(void)
{
    struct txg_tests *t = txg_tests_new();
    struct txg_err err;
    struct txg_msg_record record = {0, TXG_SPAN("abcdef")};
    struct txg_msg_collection msg = {0, &record, 1};
    txg_buf_reserve(&t->text, TXG_TESTS_TEXT_MAX); /* as if names had come */
    txg_buf_commit(&t->text, TXG_TESTS_TEXT_MAX - 6);
    CU_ASSERT_EQUAL(txg_tests_append(t, &msg, 1, &err), 0);
    msg.first = 1;
    CU_ASSERT_EQUAL(txg_tests_append(t, &msg, 1, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "collection: more than 512 MiB of names");
    txg_tests_free(t);
}

static void worksteal_deals_as_xdist(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_WORKSTEAL, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdef");
    drive_collect(&d, 1, "abcdef");
    expect(&d, "gw0 sendcollection; collected gw0 6; collected gw1 6; scheduling "
               "WorkStealingScheduling 6; gw0 runtests 0+3; gw1 runtests 3+3");
    drive_pass(&d, 0, 0);
    drive_pass(&d, 0, 1);
    expect(&d, "start gw0 a; gw0 a passed; start gw0 b; gw0 b passed; gw1 steal 5");
    drive_pass(&d, 0, 2);
    expect(&d, "start gw0 c; gw0 c passed"); /* one steal at a time */
    drive_unscheduled(&d, 1, 5, 1);
    expect(&d, "gw0 runtests 5");
    drive_down(&d, 1, TXG_DOWN_CRASHED); /* what comes back goes to the idle first */
    expect(&d, "gw0 runtests 3+2; down gw1");
    drive_release(&d);
}

static void each_sends_everything_to_everyone(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 1, "ab");
    drive_collect(&d, 0, "c"); /* they need not agree */
    expect(&d, "gw1 sendcollection; collected gw1 2; gw0 sendcollection; collected gw0 1; "
               "scheduling EachScheduling 3; gw0 runtests 0; gw0 shutdown; gw1 runtests 0+2; "
               "gw1 shutdown");
    drive_pass(&d, 0, 0);
    drive_finished(&d, 0);
    drive_start(&d, 1, 0);
    drive_take(&d);
    drive_down(&d, 1, TXG_DOWN_CRASHED);
    expect(&d, "gw1 a crashed; down gw1; replace gw1 by gw2");
    drive_collect(&d, 2, "ab");
    expect(&d, "collected gw2 2; gw2 runtests 1; gw2 shutdown");
    drive_pass(&d, 2, 1);
    drive_finished(&d, 2);
    expect(&d, "start gw2 b; gw2 b passed; finish 1");
    drive_release(&d);
}

static void a_replacement_with_other_tests_gets_none(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 1);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_start(&d, 0, 0);
    drive_down(&d, 0, TXG_DOWN_LOST);
    drive_take(&d);
    drive_collect(&d, 1, "xy");
    expect(&d,
           "gw1 sendcollection; collected gw1 2; warning gw1: gw1 collected other tests than the "
           "gateway it replaces; gw1 shutdown");
    drive_finished(&d, 1);
    expect(&d, "gw0 b not run (its gateway did not run it); finish 6");
    drive_release(&d);

    config.dist = TXG_DIST_LOAD;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_start(&d, 0, 0);
    drive_down(&d, 0, TXG_DOWN_LOST);
    drive_take(&d);
    drive_collect(&d, 1, "xy");
    expect(&d, "gw1 sendcollection; warning gw1: gw1 collected other tests than the rest; "
               "gw1 shutdown");
    drive_finished(&d, 1);
    expect(&d, "- b not run (no gateway was left to run it); finish 6");
    drive_release(&d);
}

static void tests_are_known_by_name_not_by_place(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_take(&d);
    drive_collect(&d, 1, "dcbx"); /* c and d are 1 and 0 there, x is nowhere else */
    expect(&d,
           "gw1 sendcollection; collected gw1 4; scheduling LoadScheduling 5; gw0 runtests 0+2; "
           "gw1 runtests 1 0");
    drive_pass(&d, 0, 0);
    drive_pass(&d, 1, 1);
    expect(&d, "start gw0 a; gw0 a passed; start gw1 c; gw1 c passed; gw1 runtests 3");
    drive_release(&d);
}

static void strict_wants_equal_collections(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    config.strict_collection = true;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_collect(&d, 1, "abc");
    expect(
        &d,
        "gw0 sendcollection; collected gw0 2; gw1 sendcollection; collected gw1 3; collect error "
        "gw1: Different tests were collected between gw0 (2) and gw1 (3); `txgate list` shows "
        "both; gw0 shutdown; gw1 shutdown");
    drive_finished(&d, 0);
    drive_finished(&d, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish 1"));
    drive_release(&d);
}

/* A gateway that holds 0 of "ab", of which 0 may run. */
static void begin_faulty(struct drive *d, bool running)
{
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    drive_begin(d, &config);
    drive_collect(d, 0, "abcd");
    if (running)
        drive_start(d, 0, 0);
    drive_take(d);
}

static void expect_closed(struct drive *d, const char *why)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "warning gw0: gw0 broke the protocol and is closed: %s; close gw0", why);
    expect(d, wanted);
    drive_start(d, 0, 1); /* it is no longer believed */
    expect(d, "");
    drive_release(d);
}

static void what_a_gateway_cannot_have_meant(void)
{
    struct drive d;
    struct txg_msg_record record = {0, {"a", 1}}, stranger = {7, {"a", 1}};
    struct txg_msg_record twice[] = {record, record};
    struct txg_msg msg = {.type = TXG_MSG_COLLECTION};

    begin_faulty(&d, false);
    drive_start(&d, 0, 3);
    drive_start(&d, 0, 3);
    expect_closed(&d, "it started a test that is not its next one");
    begin_faulty(&d, true);
    drive_start(&d, 0, 1);
    expect_closed(&d, "it started a test that is not its next one");
    begin_faulty(&d, true);
    drive_report(&d, 0, 1, TXG_PASSED);
    expect_closed(&d, "a report of a test that does not run");
    begin_faulty(&d, true);
    d.seq[0]++;
    drive_report(&d, 0, 0, TXG_PASSED);
    expect_closed(&d, "a message is missing or came twice");
    begin_faulty(&d, false);
    d.seq[0]--;
    drive_start(&d, 0, 0);
    expect_closed(&d, "a message is missing or came twice");
    begin_faulty(&d, false);
    d.seq[0]--;
    drive_unscheduled(&d, 0, 0, 1);
    expect_closed(&d, "a message is missing or came twice");
    begin_faulty(&d, true);
    drive_unscheduled(&d, 0, 0, 1);
    expect_closed(&d, "it gave back a test that it does not hold");
    begin_faulty(&d, false);
    drive_message(&d, 0, &(struct txg_msg){.type = TXG_MSG_OUTPUT});
    expect_closed(&d, "output of a test that does not run");
    begin_faulty(&d, false);
    drive_message(&d, 0, &msg);
    expect_closed(&d, "a second collection");
    begin_faulty(&d, false);
    drive_message(&d, 0, &(struct txg_msg){.type = TXG_MSG_COLLECTIONFINISH});
    expect_closed(&d, "a second collection");
    begin_faulty(&d, false);
    drive_ready(&d, 0);
    expect_closed(&d, "workerready");
    begin_faulty(&d, false);
    drive_message(&d, 0, &(struct txg_msg){.type = TXG_MSG_HELLO});
    expect_closed(&d, "hello");

    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    msg.collection.records = &stranger;
    msg.collection.n_records = 1;
    drive_begin(&d, &config);
    drive_message(&d, 0, &msg);
    expect_closed(&d, "collection: there is no suite 7");
    msg.collection.records = &record;
    msg.collection.first = 1;
    drive_begin(&d, &config);
    drive_message(&d, 0, &msg);
    expect_closed(&d, "collection: record 1 came where 0 was expected");
    msg.collection.first = 0;
    drive_begin(&d, &config);
    drive_message(&d, 0, &msg);
    drive_message(&d, 0, &(struct txg_msg){.type = TXG_MSG_COLLECTIONFINISH});
    expect_closed(&d, "its collection's count or digest does not fit its records");
    msg.collection.records = twice;
    msg.collection.n_records = 2;
    struct txg_msg finish = {.type = TXG_MSG_COLLECTIONFINISH};
    finish.collectionfinish.count = 2;
    finish.collectionfinish.digest =
        txg_collection_digest(txg_collection_digest(TXG_HASH_START, &record), &record);
    drive_begin(&d, &config);
    drive_message(&d, 0, &msg);
    drive_message(&d, 0, &finish);
    expect_closed(&d, "collection: 'a' stands in it twice");

    config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_message(&d, 1, &msg);
    drive_message(&d, 1, &finish);
    drive_take(&d);
    drive_message(&d, 0, &msg); /* it is not known by its digest now either */
    drive_message(&d, 0, &finish);
    expect_closed(&d, "collection: 'a' stands in it twice");
}

/* One message for tests of which there is nothing else to tell: as if each had been told of. */
static void tests_that_passed_come_in_one_message(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 1);
    struct txg_msg_passed_test tests[] = {{1, 0, 5}, {2, 7, 2}, {3, 0, 0}};
    struct txg_msg msg = {.type = TXG_MSG_PASSED};
    msg.passed.tests = tests;
    msg.passed.n_tests = 3;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdefgh");
    drive_start(&d, 0, 0);
    drive_report(&d, 0, 0, TXG_FAILED);
    drive_start(&d, 0, 1); /* the first may have been told of */
    drive_take(&d);
    d.now += 1000;
    msg.passed.seq = ++d.seq[0];
    txg_session_event(d.s, d.now, &(struct txg_node_event){.type = TXG_NODE_MESSAGE, .msg = &msg});
    int64_t starts[] = {-14, -2, 0}; /* from now; the last has just ended */
    size_t seen = 0;
    for (const struct txg_command *c; (c = txg_session_next(d.s));) {
        if (c->event.type != TXG_EVENT_TEST_FINISH)
            continue;
        CU_ASSERT_EQUAL(c->event.result.start, c->event.time + starts[seen]);
        CU_ASSERT_EQUAL(c->event.result.duration, tests[seen].duration);
        CU_ASSERT_EQUAL(c->event.result.status, -1);
        seen++;
    }
    CU_ASSERT_EQUAL(seen, 3);
    tests[0].index = 4;
    msg.passed.n_tests = 1;
    msg.passed.seq = ++d.seq[0];
    drive_message(&d, 0, &msg);
    expect(&d, "start gw0 e; gw0 e passed");
    tests[0].index = 5;
    tests[1].index = 7; /* not its turn */
    msg.passed.n_tests = 3;
    msg.passed.seq = ++d.seq[0];
    drive_message(&d, 0, &msg);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "start gw0 f; gw0 f passed; warning gw0: "));
    drive_release(&d);
}

static void survivors_take_what_the_dead_held(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    config.max_restarts = 0;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_collect(&d, 1, "abcd");
    drive_pass(&d, 0, 0);
    drive_pass(&d, 0, 1);
    drive_start(&d, 1, 2);
    drive_take(&d);
    drive_down(&d, 1, TXG_DOWN_CRASHED);
    expect(&d, "gw1 c crashed; gw0 runtests 3; down gw1");
    drive_pass(&d, 0, 3);
    drive_finished(&d, 0);
    expect(&d, "start gw0 d; gw0 d passed; gw0 shutdown; finish 1");
    drive_release(&d);
}

static void who_dies_at_the_start_is_replaced(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    drive_begin(&d, &config);
    drive_ready(&d, 0);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "down gw0; replace gw0 by gw1");
    drive_collect(&d, 1, "ab");
    drive_down(&d, 1, TXG_DOWN_CRASHED); /* dealt to, and nothing started */
    drive_collect(&d, 2, "ab");
    drive_take(&d);
    drive_finished(&d, 2); /* nobody told it to go */
    expect(&d,
           "down gw2; quarantine gw2: popen is not started again: 3 gateways in a row died there "
           "before their first test; the last one: why; - a not run (no gateway was left to run "
           "it); - b not run (no gateway was left to run it); finish 6");
    drive_release(&d);
}

static void who_is_cut_off_has_three_tries(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.require_all = true;
    drive_begin(&d, &config);
    drive_down(&d, 0, TXG_DOWN_CUT_OFF);
    expect(&d, "down gw0; replace gw0 by gw1");
    drive_down(&d, 1, TXG_DOWN_CUT_OFF);
    drive_take(&d);
    drive_down(&d, 2, TXG_DOWN_CUT_OFF);
    expect(&d,
           "down gw2; quarantine gw2: popen is not started again: 3 gateways in a row died there "
           "before their first test; the last one: why; stopping: gateway gw2 could not start; "
           "finish 6");
    drive_release(&d);

    drive_begin(&d, &config);
    drive_down(&d, 0, TXG_DOWN_NOT_STARTED); /* who is refused is refused again */
    expect(&d, "down gw0; stopping: gateway gw0 could not start; finish 6");
    drive_release(&d);
}

/* One death of a host is told by each of its gateways and counts once, also for one that has just
 * been started in place of another. */
static void a_host_dies_three_times(void)
{
    struct txg_session_gateway gateways[] = {{.spec = "ssh=b"}, {.spec = "ssh=b"}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    config.gateways = gateways;
    config.max_restarts = -1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdef");
    drive_collect(&d, 1, "abcdef");
    drive_start(&d, 0, 0);
    drive_host_down(&d, 0, TXG_DOWN_LOST); /* a test had run there: not one of the three */
    drive_host_down(&d, 1, TXG_DOWN_LOST);
    drive_collect(&d, 2, "abcdef");
    drive_collect(&d, 3, "abcdef");
    drive_host_down(&d, 2, TXG_DOWN_LOST);
    drive_host_down(&d, 3, TXG_DOWN_LOST);
    drive_host_down(&d, 4, TXG_DOWN_CUT_OFF);
    drive_take(&d);
    drive_host_down(&d, 5, TXG_DOWN_CUT_OFF); /* that was the second; and gw1's third */
    expect(&d,
           "down gw5; quarantine gw5: ssh=b is not started again: 3 gateways in a row died there "
           "before their first test; its last words: out / of luck");
    drive_host_down(&d, 6, TXG_DOWN_NOT_STARTED);
    expect(&d,
           "down gw6; quarantine gw6: the host of ssh=b is not started again: 3 times it died "
           "before a first test; its last words: out / of luck; replace gw5 by gw7; replace gw6 "
           "by gw8");
    drive_host_down(&d, 7, TXG_DOWN_NOT_STARTED);
    drive_take(&d);
    drive_host_down(&d, 8, TXG_DOWN_NOT_STARTED); /* what is said of the host is said once */
    CU_ASSERT_PTR_NULL(strstr(drive_take(&d), "quarantine"));
    drive_release(&d);
}

static void who_does_nothing_is_closed(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.collect_timeout = 5000000;
    drive_begin(&d, &config);
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX);
    drive_ready(&d, 0);
    drive_tick(&d, txg_session_deadline(d.s));
    expect(&d, "warning gw0: gw0 has not collected its tests within 5 s and is closed; close gw0");
    drive_release(&d);

    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_start(&d, 0, 0);
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX);
    drive_report(&d, 0, 0, TXG_PASSED);
    drive_take(&d);
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), d.now + 30000000);
    drive_tick(&d, txg_session_deadline(d.s));
    expect(&d,
           "warning gw0: gw0 has not started its next test within 30 s and is closed; close gw0");
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX);
    drive_release(&d);
}

static void the_run_has_its_time(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.run_timeout = 60000000;
    drive_begin(&d, &config);
    int64_t end = txg_session_deadline(d.s);
    drive_collect(&d, 0, "abc");
    drive_start(&d, 0, 0);
    drive_take(&d);
    drive_tick(&d, end - 1);
    expect(&d, "");
    drive_tick(&d, end);
    expect(&d, "stopping: the run has had its 60 s: what runs is killed; gw0 steal 1; "
               "gw0 shutdown; close gw0");
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "gw0 a timed out; - b not run (the run's time was over); "
               "- c not run (the run's time was over); finish 1");
    drive_release(&d);
}

static void a_slow_test_is_told_of_once(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.slow_timeout = 5000000;
    config.retries = 1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_start(&d, 0, 0);
    drive_take(&d);
    int64_t begun = d.now;
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), begun + 5000000);
    drive_tick(&d, begun + 4999999);
    expect(&d, "");
    drive_tick(&d, begun + 5000000);
    expect(&d, "slow gw0 a after 5000000");
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX);
    drive_tick(&d, begun + 50000000);
    expect(&d, "");
    drive_report(&d, 0, 0, TXG_FAILED);
    drive_start(&d, 0, 1);
    drive_report(&d, 0, 1, TXG_PASSED);
    drive_start(&d, 0, 0); /* each try may be slow */
    drive_take(&d);
    drive_tick(&d, d.now + 6000000);
    expect(&d, "slow gw0 a after 6000000");
    drive_release(&d);
}

static void what_was_collected_is_told_of(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "a");
    drive_interrupt(&d); /* gw1 has not spoken yet */
    drive_take(&d);
    drive_down(&d, 1, TXG_DOWN_NOT_STARTED);
    drive_finished(&d, 0);
    expect(&d, "- a not run (the run was stopped); finish 2");
    drive_release(&d);
}

static void the_dead_change_nothing(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_collect(&d, 1, "abcd");
    drive_start(&d, 0, 0);
    drive_take(&d);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "gw0 a crashed; down gw0; replace gw0 by gw2");
    drive_report(&d, 0, 0, TXG_PASSED);
    drive_down(&d, 0, TXG_DOWN_LOST);
    drive_down(&d, 9, TXG_DOWN_LOST);
    expect(&d, "");
    drive_release(&d);
}

static void restarts_are_limited(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.max_restarts = 0;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_start(&d, 0, 0);
    drive_take(&d);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "gw0 a crashed; warning gw0: worker gw0 crashed and worker restarting disabled; "
               "down gw0; - b not run (no gateway was left to run it); finish 1");
    drive_release(&d);

    config.max_restarts = 1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abc");
    drive_start(&d, 0, 0);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    drive_take(&d);
    drive_collect(&d, 1, "abc");
    expect(&d, "collected gw1 3; gw1 runtests 2 1"); /* what is back goes last, as in xdist */
    drive_start(&d, 1, 2);
    drive_take(&d);
    drive_down(&d, 1, TXG_DOWN_LOST);
    expect(&d, "gw1 c lost; warning gw1: maximum crashed workers reached: 1; down gw1; "
               "- b not run (no gateway was left to run it); finish 1");
    drive_release(&d);

    config.max_restarts = -1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_start(&d, 0, 0);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    drive_down(&d, 1, TXG_DOWN_NOT_STARTED);
    drive_down(&d, 2, TXG_DOWN_NOT_STARTED);
    drive_take(&d);
    drive_down(&d, 3, TXG_DOWN_NOT_STARTED); /* three that never lived: no fourth */
    expect(&d,
           "down gw3; quarantine gw3: popen is not started again: 3 gateways in a row died there "
           "before their first test; the last one: why; replace gw3 by gw4");
    /* with nobody left one more is tried, once: a test had run since the beginning */
    drive_down(&d, 4, TXG_DOWN_NOT_STARTED);
    expect(
        &d,
        "down gw4; quarantine gw4: popen is not started again: 3 gateways in a row died there "
        "before their first test; the last one: why; - b not run (no gateway was left to run it); "
        "finish 1");
    drive_release(&d);
}

static void a_gateway_that_cannot_start(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_down(&d, 1, TXG_DOWN_NOT_STARTED);
    expect(&d, "down gw1");
    drive_collect(&d, 0, "a");
    expect(&d, "gw0 sendcollection; collected gw0 1; scheduling LoadScheduling 1; gw0 runtests 0; "
               "gw0 shutdown");
    drive_pass(&d, 0, 0);
    drive_finished(&d, 0);
    expect(&d, "start gw0 a; gw0 a passed; finish 6");
    drive_release(&d);

    config.require_all = true;
    drive_begin(&d, &config);
    drive_ready(&d, 0);
    drive_down(&d, 1, TXG_DOWN_NOT_STARTED);
    expect(&d, "down gw1; stopping: gateway gw1 could not start; gw0 shutdown");
    drive_collect(&d, 0, "a");
    drive_finished(&d, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish 6"));
    drive_release(&d);
}

static void maxfail_takes_back_what_waits(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.maxfail = 1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abc");
    drive_start(&d, 0, 0);
    drive_take(&d);
    drive_report(&d, 0, 0, TXG_FAILED);
    expect(&d, "gw0 a failed; stopping: stopping after 1 failures; gw0 steal 1; "
               "gw0 shutdown");
    drive_unscheduled(&d, 0, 1, 1);
    drive_finished(&d, 0);
    expect(&d, "- b not run (the run was stopped); - c not run (the run was stopped); finish 2");
    drive_release(&d);
}

static void interrupted_once_and_twice(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_collect(&d, 1, "abcd");
    drive_start(&d, 0, 0);
    drive_start(&d, 1, 2);
    drive_take(&d);
    drive_interrupt(&d);
    expect(&d,
           "stopping: interrupted: running tests may finish; once more kills them; gw0 steal 1; "
           "gw0 shutdown; gw1 steal 3; gw1 shutdown");
    drive_unscheduled(&d, 0, 1, 1);
    drive_unscheduled(&d, 1, 3, 1);
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX); /* tests may take their time */
    drive_interrupt(&d);
    expect(&d, "close gw0; close gw1");
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), d.now + 10000000);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "gw0 a not run (interrupted while it ran)");
    drive_tick(&d, txg_session_deadline(d.s)); /* gw1 never answers */
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish 2"));
    CU_ASSERT_EQUAL(txg_session_deadline(d.s), INT64_MAX);
    drive_interrupt(&d);
    expect(&d, "");
    drive_release(&d);
}

static void the_longest_are_dealt_first(void)
{
    static const struct txg_session_time times[] = {{{"a", 1}, "", "", 3000000},
                                                    {{"b", 1}, "", "", 9000000},
                                                    {{"c", 1}, "", "", 1000000},
                                                    {{"d", 1}, "", "", 2000000},
                                                    {{"e", 1}, "other", "", 900000}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_DURATION, 2);
    config.times = times;
    config.n_times = 5;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdef"); /* nobody knows f: 3.2 s, the mean */
    drive_collect(&d, 1, "abcdef");
    expect(&d, "gw0 sendcollection; collected gw0 6; collected gw1 6; "
               "scheduling DurationScheduling 6; gw0 runtests 1; gw1 runtests 5; gw1 runtests 0");
    d.now += 1000;
    drive_start(&d, 0, 1);
    drive_start(&d, 1, 5);
    expect(&d, "start gw0 b; start gw1 f");
    d.now += 3200000;
    drive_report(&d, 1, 5, TXG_PASSED);
    drive_start(&d, 1, 0);
    expect(&d, "gw1 f passed; gw1 runtests 3; start gw1 a");
    d.now += 3000000; /* gw1 has d, which takes 2 s, gw0 has 2.8 s of b */
    drive_report(&d, 1, 0, TXG_PASSED);
    expect(&d, "gw1 a passed; gw1 runtests 2 in 1000001 us");
    drive_release(&d);
}

/* From a file that anybody can have written, and from a worker that says anything. */
static void times_without_end_do_not_disturb(void)
{
    static const struct txg_session_time times[] = {{{"a", 1}, "", "", 1000000},
                                                    {{"b", 1}, "", "", INT64_MAX},
                                                    {{"c", 1}, "", "", INT64_MAX},
                                                    {{"d", 1}, "", "", INT64_MAX}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_DURATION, 1);
    config.times = times;
    config.n_times = 4;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdefgh"); /* of e to h nobody knows */
    expect(&d, "gw0 sendcollection; collected gw0 8; scheduling DurationScheduling 8; gw0 "
               "runtests 1; gw0 runtests 2");
    static const int64_t order[] = {1, 2, 3, 4, 5, 6, 7, 0};
    for (size_t i = 0; i < 8; i++) {
        struct txg_msg msg = {.type = TXG_MSG_PASSED};
        struct txg_msg_passed_test test = {order[i], 0, INT64_C(315360000000000)};
        msg.passed = (struct txg_msg_passed){.seq = (int64_t)i + 1, .tests = &test, .n_tests = 1};
        drive_message(&d, 0, &msg);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "start gw0 a; gw0 a passed"));
    drive_release(&d);
}

/* A process for each handful of them would take longer than they do. */
static void short_tests_stay_together(void)
{
    static const char names[] = "abcdefghijkl", *const nodeids[] = {"t::a", "t::b", "t::c", "t::d",
                                                                    "t::e", "t::f", "t::g", "t::h",
                                                                    "t::i", "t::j", "t::k", "t::l"};
    struct txg_session_time times[12];
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_DURATION, 2);
    for (size_t i = 0; i < 12; i++)
        times[i] = (struct txg_session_time){{nodeids[i], 4}, "", "", i % 2 ? 900 : 400};
    config.times = times;
    config.n_times = 12;
    drive_begin(&d, &config);
    d.file = "t::";
    drive_collect(&d, 0, names);
    drive_collect(&d, 1, names);
    expect(&d, "gw0 sendcollection; collected gw0 12; collected gw1 12; "
               "scheduling DurationScheduling 12; gw0 runtests 0+6 in 3906 us; "
               "gw1 runtests 6+6 in 3906 us");
    d.now += 100;
    for (int64_t i = 6; i < 12; i++) {
        drive_pass(&d, 1, i);
        d.now += 100;
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "start gw1 t::l; gw1 t::l passed"));
    drive_release(&d);
}

static void what_has_failed_comes_first_or_alone(void)
{
    static const struct txg_span failed[] = {{"gone", 4}, {"c", 1}, {"a", 1}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 1);
    config.failed = failed;
    config.n_failed = 3;
    config.failed_first = true;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    expect(&d, "gw0 sendcollection; collected gw0 4; scheduling EachScheduling 4; "
               "gw0 runtests 0 2 1 3; gw0 shutdown");
    drive_release(&d);

    config.failed_only = true; /* both: as in pytest, it alone counts */
    config.dist = TXG_DIST_LOAD;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    expect(&d,
           "gw0 sendcollection; collected gw0 4; scheduling LoadScheduling 2; gw0 runtests 0 2; "
           "gw0 shutdown");
    drive_release(&d);
}

static void a_resource_is_had_by_one(void)
{
    static const char *const uses[] = {"meter", NULL};
    static const struct txg_session_suite suites[] = {{.uses = uses}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    config.suites = suites;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abc");
    drive_collect(&d, 1, "abc");
    expect(&d, "gw0 sendcollection; collected gw0 3; collected gw1 3; scheduling LoadScheduling 3; "
               "gw0 runtests 0; gw0 runtests 1; gw0 runtests 2; gw0 shutdown");
    drive_start(&d, 0, 0);
    drive_take(&d);
    drive_down(&d, 0, TXG_DOWN_CRASHED); /* what it had is free */
    expect(&d, "gw0 a crashed; gw1 runtests 1+2; down gw0; gw1 shutdown");
    drive_release(&d);
}

static void a_serial_test_is_alone(void)
{
    static const struct txg_session_suite suites[] = {{.serial = true}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 2);
    config.suites = suites;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_collect(&d, 1, "ab");
    expect(&d, "gw0 sendcollection; collected gw0 2; collected gw1 2; scheduling EachScheduling 4; "
               "gw0 runtests 0+2");
    drive_pass(&d, 0, 0);
    expect(&d, "start gw0 a; gw0 a passed");
    drive_pass(&d, 0, 1);
    expect(&d, "start gw0 b; gw0 b passed; gw0 shutdown; gw1 runtests 0+2");
    drive_finished(&d, 0);
    drive_pass(&d, 1, 0);
    drive_down(&d, 1, TXG_DOWN_CRASHED);
    expect(&d, "start gw1 a; gw1 a passed; down gw1; replace gw1 by gw2");
    drive_release(&d);
}

static void a_slow_gateway_keeps_nothing(void)
{
    static const struct txg_session_time times[] = {{{"a", 1}, "", "", 2000000}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_DURATION, 2);
    config.times = times;
    config.n_times = 1; /* the mean of the others */
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdef");
    drive_collect(&d, 1, "abcdef");
    expect(&d, "gw0 sendcollection; collected gw0 6; collected gw1 6; "
               "scheduling DurationScheduling 6; gw0 runtests 0; gw1 runtests 1; gw0 runtests 2; "
               "gw1 runtests 3");
    d.now += 3000000; /* far: the rest is dealt ahead */
    drive_start(&d, 0, 0);
    drive_start(&d, 1, 1);
    d.now += 2000000;
    drive_report(&d, 0, 0, TXG_PASSED);
    expect(&d, "start gw0 a; start gw1 b; gw0 a passed; gw1 runtests 4; gw0 runtests 5");
    drive_report(&d, 1, 1, TXG_PASSED);
    for (int64_t i = 3; i < 5; i++) {
        drive_start(&d, 1, i);
        d.now += 2000000;
        drive_report(&d, 1, i, TXG_PASSED);
    }
    expect(&d, "gw1 b passed; start gw1 d; gw1 d passed; start gw1 e; gw1 e passed; gw0 steal 5");
    drive_unscheduled(&d, 0, 5, 1);
    expect(&d, "gw1 runtests 5");
    drive_release(&d);
}

/* A case that returned at once; today it may take long. */
static void who_has_what_takes_no_time_has_enough(void)
{
    static const struct txg_session_time times[] = {{{"a", 1}, "", "", 0}};
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_DURATION, 2);
    config.times = times;
    config.n_times = 1; /* the mean of the others */
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_collect(&d, 1, "abcd");
    expect(&d, "gw0 sendcollection; collected gw0 4; collected gw1 4; "
               "scheduling DurationScheduling 4; gw0 runtests 0 in 2 us; gw1 runtests 1 in 2 us; "
               "gw0 runtests 2 in 2 us; gw1 runtests 3 in 2 us");
    drive_release(&d);
}

static void nothing_is_dealt_of_nothing(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_DURATION, 1);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "");
    expect(&d, "collected gw0 0; scheduling DurationScheduling 0; gw0 shutdown");
    drive_release(&d);
}

/* Neighbours are alike: the second of two that stand together waits for all others. */
static void tests_nobody_knows_are_met_everywhere(void)
{
    static const char *const names[] = {"ab", "abcdefgh"};
    static const char *const orders[] = {"ab", "aecgbfdh"};
    for (size_t k = 0; k < 2; k++) {
        struct drive d;
        struct txg_buf order = {0};
        int64_t dealt[8];
        size_t n = 0;
        struct txg_session_config config = drive_config(TXG_DIST_DURATION, 1);
        drive_begin(&d, &config);
        drive_collect(&d, 0, names[k]);
        for (size_t i = 0; i < strlen(names[k]); i++) {
            static const char word[] = "gw0 runtests ";
            for (const char *at = drive_take(&d); n < 8 && (at = strstr(at, word)); at++)
                dealt[n++] = strtol(at + strlen(word), NULL, 10);
            CU_ASSERT_FATAL(i < n);
            txg_buf_putc(&order, names[k][dealt[i]]);
            d.now += 1000;
            drive_start(&d, 0, dealt[i]);
            d.now += 2000000; /* as drive_report says */
            drive_report(&d, 0, dealt[i], TXG_PASSED);
        }
        CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&order), orders[k]);
        txg_buf_release(&order);
        drive_release(&d);
    }
}

static void a_failure_is_tried_again(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    config.retries = 1;
    config.maxfail = 1; /* counts what has failed for good */
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdef");
    drive_collect(&d, 1, "abcdef");
    drive_take(&d);
    drive_start(&d, 0, 0);
    drive_report(&d, 0, 0, TXG_FAILED);
    expect(&d, "start gw0 a; gw0 a failed, try 1; gw0 runtests 0"); /* in front of e and f */
    drive_pass(&d, 0, 1);
    drive_pass(&d, 0, 0);
    expect(&d, "start gw0 b; gw0 b passed; gw0 runtests 4; start gw0 a; "
               "gw0 a passed, flaky: try 2; gw0 runtests 5");
    drive_start(&d, 1, 2);
    drive_report(&d, 1, 2, TXG_TIMED_OUT);
    expect(&d, "start gw1 c; gw1 c timed out, try 1; gw1 runtests 2");
    drive_start(&d, 1, 3);
    drive_down(&d, 1, TXG_DOWN_LOST); /* d is tried again as well */
    expect(&d, "start gw1 d; gw1 d lost, try 1; down gw1; replace gw1 by gw2");
    drive_pass(&d, 0, 4);
    drive_pass(&d, 0, 5);
    drive_pass(&d, 0, 3);
    drive_start(&d, 0, 2);
    drive_take(&d);
    drive_report(&d, 0, 2, TXG_FAILED);
    expect(&d, "gw0 c failed; stopping: stopping after 1 failures; gw0 shutdown; "
               "close gw2");
    drive_finished(&d, 0);
    drive_down(&d, 2, TXG_DOWN_NOT_STARTED);
    expect(&d, "finish 2");
    drive_release(&d);
}

static void another_gateway_tries(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 2);
    config.retries = 5;
    config.retry_other = true;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    drive_collect(&d, 1, "abcd");
    drive_take(&d);
    drive_start(&d, 0, 0);
    drive_report(&d, 0, 0, TXG_FAILED);
    expect(&d, "start gw0 a; gw0 a failed, try 1"); /* gw1 holds two */
    drive_pass(&d, 1, 2);
    expect(&d, "start gw1 c; gw1 c passed; gw1 runtests 0");
    drive_pass(&d, 1, 3);
    drive_start(&d, 1, 0);
    drive_take(&d);
    drive_report(&d, 1, 0, TXG_CRASHED); /* there is no third: that was it */
    expect(&d, "gw1 a crashed");
    drive_release(&d);
}

static void the_last_try_counts(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    config.retries = 3;
    config.max_restarts = 0;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "a");
    drive_start(&d, 0, 0);
    drive_take(&d);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "gw0 a crashed, try 1; warning gw0: worker gw0 crashed and worker restarting "
               "disabled; down gw0; gw0 a crashed; finish 1");
    drive_release(&d);
}

static void each_tries_on_its_own_gateway(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_EACH, 1);
    config.retries = 1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    expect(&d, "gw0 sendcollection; collected gw0 2; scheduling EachScheduling 2; "
               "gw0 runtests 0+2");
    drive_start(&d, 0, 0);
    drive_report(&d, 0, 0, TXG_FAILED);
    expect(&d, "start gw0 a; gw0 a failed, try 1; gw0 runtests 0");
    drive_start(&d, 0, 1);
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    expect(&d, "start gw0 b; gw0 b crashed, try 1; down gw0; replace gw0 by gw1");
    drive_collect(&d, 1, "ab");
    expect(&d, "collected gw1 2; gw1 runtests 0+2");
    drive_pass(&d, 1, 0);
    drive_pass(&d, 1, 1);
    drive_finished(&d, 1);
    expect(&d, "start gw1 a; gw1 a passed, flaky: try 2; start gw1 b; gw1 b passed, flaky: try 2; "
               "gw1 shutdown; finish 0");
    drive_release(&d);
}

static void a_unit_stays_where_it_is_tried(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOADFILE, 2);
    config.retries = 1;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcdef"); /* six files */
    drive_collect(&d, 1, "abcdef");
    drive_take(&d);
    drive_start(&d, 0, 0);
    drive_report(&d, 0, 0, TXG_FAILED);
    const char *got = drive_take(&d);
    CU_ASSERT_PTR_NOT_NULL(strstr(got, "gw0 a failed, try 1; gw0 runtests 0"));
    drive_release(&d);
}

static void units_are_made_of_what_is_selected(void)
{
    struct txg_err err;
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOADFILE, 1);
    struct txg_select *select = txg_select_new("c or d", &err);
    config.select = select;
    drive_begin(&d, &config);
    drive_collect(&d, 0, "abcd");
    expect(&d, "gw0 sendcollection; collected gw0 2; scheduling LoadFileScheduling 2; "
               "gw0 runtests 2; gw0 runtests 3; gw0 shutdown");
    drive_release(&d);
    txg_select_free(select);
}

static void an_internal_error_ends_the_run(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    struct txg_msg msg = {.type = TXG_MSG_WARNING};
    msg.text.text = TXG_SPAN("the clock jumped");
    drive_begin(&d, &config);
    drive_collect(&d, 0, "ab");
    drive_take(&d);
    drive_message(&d, 0, &msg);
    expect(&d, "warning gw0: the clock jumped");
    msg.type = TXG_MSG_INTERNAL_ERROR;
    msg.text.text = TXG_SPAN("no such index");
    drive_message(&d, 0, &msg);
    expect(&d, "internal error gw0: no such index; stopping: internal error on gw0; gw0 steal 0+2");
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish 3"));
    drive_release(&d);
}

static void who_does_not_end_is_closed(void)
{
    struct drive d;
    struct txg_session_config config = drive_config(TXG_DIST_LOAD, 1);
    drive_begin(&d, &config);
    drive_collect(&d, 0, "");
    expect(&d, "collected gw0 0; scheduling LoadScheduling 0; gw0 shutdown");
    int64_t end = txg_session_deadline(d.s);
    CU_ASSERT_EQUAL(end, d.now + 10000000);
    drive_tick(&d, end - 1);
    expect(&d, "");
    drive_tick(&d, end);
    expect(&d, "close gw0");
    drive_down(&d, 0, TXG_DOWN_CRASHED);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish "));
    drive_release(&d);

    drive_begin(&d, &config);
    drive_collect(&d, 0, "");
    drive_finished(&d, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(drive_take(&d), "finish 5")); /* nothing was collected */
    drive_release(&d);
}

static void modes_have_names(void)
{
    CU_ASSERT_EQUAL(txg_dist_parse("each"), TXG_DIST_EACH);
    CU_ASSERT_EQUAL(txg_dist_parse("load"), TXG_DIST_LOAD);
    CU_ASSERT_EQUAL(txg_dist_parse("worksteal"), TXG_DIST_WORKSTEAL);
    CU_ASSERT_EQUAL(txg_dist_parse("lod"), -1);
    CU_ASSERT_STRING_EQUAL(txg_dist_name(TXG_DIST_LOAD), "load");
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"load deals as xdist", load_deals_as_xdist},
        {"load feeds the fast", load_feeds_the_fast},
        {"records come once", records_come_once},
        {"a collection has an end", a_collection_has_an_end},
        {"records that come behind an offer", records_that_come_behind_an_offer},
        {"worksteal deals as xdist", worksteal_deals_as_xdist},
        {"each sends everything to everyone", each_sends_everything_to_everyone},
        {"a replacement with other tests gets none", a_replacement_with_other_tests_gets_none},
        {"tests are known by name not by place", tests_are_known_by_name_not_by_place},
        {"strict wants equal collections", strict_wants_equal_collections},
        {"what a gateway cannot have meant", what_a_gateway_cannot_have_meant},
        {"tests that passed come in one message", tests_that_passed_come_in_one_message},
        {"survivors take what the dead held", survivors_take_what_the_dead_held},
        {"who dies at the start is replaced", who_dies_at_the_start_is_replaced},
        {"who is cut off has three tries", who_is_cut_off_has_three_tries},
        {"a host dies three times", a_host_dies_three_times},
        {"who does nothing is closed", who_does_nothing_is_closed},
        {"the run has its time", the_run_has_its_time},
        {"a slow test is told of once", a_slow_test_is_told_of_once},
        {"what was collected is told of", what_was_collected_is_told_of},
        {"the dead change nothing", the_dead_change_nothing},
        {"restarts are limited", restarts_are_limited},
        {"a gateway that cannot start", a_gateway_that_cannot_start},
        {"maxfail takes back what waits", maxfail_takes_back_what_waits},
        {"interrupted once and twice", interrupted_once_and_twice},
        {"the longest are dealt first", the_longest_are_dealt_first},
        {"times without end do not disturb", times_without_end_do_not_disturb},
        {"short tests stay together", short_tests_stay_together},
        {"what has failed comes first or alone", what_has_failed_comes_first_or_alone},
        {"a resource is had by one", a_resource_is_had_by_one},
        {"a serial test is alone", a_serial_test_is_alone},
        {"a slow gateway keeps nothing", a_slow_gateway_keeps_nothing},
        {"who has what takes no time has enough", who_has_what_takes_no_time_has_enough},
        {"nothing is dealt of nothing", nothing_is_dealt_of_nothing},
        {"tests nobody knows are met everywhere", tests_nobody_knows_are_met_everywhere},
        {"a failure is tried again", a_failure_is_tried_again},
        {"another gateway tries", another_gateway_tries},
        {"the last try counts", the_last_try_counts},
        {"each tries on its own gateway", each_tries_on_its_own_gateway},
        {"a unit stays where it is tried", a_unit_stays_where_it_is_tried},
        {"units are made of what is selected", units_are_made_of_what_is_selected},
        {"an internal error ends the run", an_internal_error_ends_the_run},
        {"who does not end is closed", who_does_not_end_is_closed},
        {"modes have names", modes_have_names},
        {0},
    };
    return txg_suite_main(argc, argv, "session", tests);
}

#include "config.h"

#include "gateway/wire/fields.h"

#define TIME_MAX  TXG_FIELD_TIME_MAX
#define INDEX_MAX INT32_MAX

#define AT(member)             .offset = offsetof(struct txg_msg, member)
#define MANY(member, n_member) AT(member), .count = offsetof(struct txg_msg, n_member)
#define IN(least, most)        .min = (least), .max = (most)
#define OPTIONAL               .optional = true

static const struct txg_field hello_fields[] = {
    {"protocol", TXG_FIELD_INT, AT(hello.protocol), IN(0, INT32_MAX)},
    {"version", TXG_FIELD_STR, AT(hello.version)},
    {"arch", TXG_FIELD_STR, AT(hello.arch), OPTIONAL},
    {"kernel", TXG_FIELD_STR, AT(hello.kernel), OPTIONAL},
    {"pid", TXG_FIELD_INT, AT(hello.pid), IN(0, INT32_MAX), OPTIONAL},
    {"testrunuid", TXG_FIELD_STR, AT(hello.testrunuid), OPTIONAL},
    {"heartbeat", TXG_FIELD_INT, AT(hello.heartbeat), IN(0, TIME_MAX), OPTIONAL},
};

static const struct txg_field open_fields[] = {
    {"channel", TXG_FIELD_CHANNEL, AT(open.channel)},
    {"chdir", TXG_FIELD_BIN, AT(open.chdir), OPTIONAL},
    {"nice", TXG_FIELD_INT, AT(open.nice), IN(-40, 40), OPTIONAL},
    {"kind", TXG_FIELD_ENUM, AT(open.kind), IN(TXG_OPEN_TESTS, TXG_OPEN_FILES), OPTIONAL},
    {"env", TXG_FIELD_PAIRS, MANY(open.env, open.n_env), OPTIONAL},
    {"arch", TXG_FIELD_STR, AT(open.arch), OPTIONAL},
    {"emulator", TXG_FIELD_BINS, MANY(open.emulator, open.n_emulator), OPTIONAL},
    {"argv", TXG_FIELD_BINS, MANY(open.argv, open.n_argv), OPTIONAL},
};

static const struct txg_field opened_fields[] = {
    {"channel", TXG_FIELD_CHANNEL, AT(opened.channel)},
    {"pid", TXG_FIELD_INT, AT(opened.pid), IN(0, INT32_MAX)},
};

static const struct txg_field close_fields[] = {
    {"channel", TXG_FIELD_CHANNEL, AT(close.channel)},
};

static const struct txg_field exited_fields[] = {
    {"channel", TXG_FIELD_CHANNEL, AT(exited.channel)},
    {"cause", TXG_FIELD_ENUM, AT(exited.cause), IN(TXG_EXIT_NOT_STARTED, TXG_EXIT_PROTOCOL)},
    {"status", TXG_FIELD_INT, AT(exited.status), IN(0, 255), OPTIONAL},
    {"signal", TXG_FIELD_INT, AT(exited.signal), IN(0, 128), OPTIONAL},
    {"text", TXG_FIELD_STR, AT(exited.text), OPTIONAL},
    {"utime", TXG_FIELD_INT, AT(exited.utime), IN(0, TIME_MAX), OPTIONAL},
    {"stime", TXG_FIELD_INT, AT(exited.stime), IN(0, TIME_MAX), OPTIONAL},
    {"maxrss", TXG_FIELD_INT, AT(exited.maxrss), IN(0, INT64_MAX), OPTIONAL},
};

static const struct txg_field beat_fields[] = {
    {"n", TXG_FIELD_INT, AT(beat.n), IN(1, INT64_MAX)},
};

static const struct txg_field lease_fields[] = {
    {"n", TXG_FIELD_INT, AT(beat.n), IN(1, INT64_MAX)},
};

static const struct txg_field log_fields[] = {
    {"level", TXG_FIELD_STR, AT(log.level)},
    {"text", TXG_FIELD_STR, AT(log.text)},
};

static const struct txg_field probe_fields[] = {
    {"n", TXG_FIELD_INT, AT(beat.n), IN(1, INT64_MAX)},
};

static const struct txg_field probed_fields[] = {
    {"n", TXG_FIELD_INT, AT(probed.n), IN(1, INT64_MAX)},
    {"wall", TXG_FIELD_INT, AT(probed.wall), IN(0, INT64_MAX)},
    {"free", TXG_FIELD_INT, AT(probed.free), IN(0, INT64_MAX), OPTIONAL},
};

static const struct txg_field ping_fields[] = {
    {"n", TXG_FIELD_INT, AT(ping.n), IN(1, INT64_MAX)},
    {"age", TXG_FIELD_INT, AT(ping.age), IN(0, TIME_MAX)},
    {"heartbeat", TXG_FIELD_INT, AT(ping.heartbeat), IN(1, TIME_MAX)},
};

static const struct txg_field pong_fields[] = {
    {"n", TXG_FIELD_INT, AT(beat.n), IN(1, INT64_MAX)},
};

static const struct txg_field have_fields[] = {
    {"folder", TXG_FIELD_STR, AT(have.folder)},
    {"files", TXG_FIELD_FILES, MANY(have.files, have.n_files), OPTIONAL},
    {"last", TXG_FIELD_BOOL, AT(have.last), OPTIONAL},
};

static const struct txg_field need_fields[] = {
    {"indices", TXG_FIELD_RANGES, MANY(indices.ranges, indices.n_ranges), OPTIONAL},
};

static const struct txg_field blob_fields[] = {
    {"index", TXG_FIELD_INT, AT(blob.index), IN(0, INDEX_MAX)},
    {"data", TXG_FIELD_BIN, AT(blob.data)},
};

static const struct txg_field synced_fields[] = {
    {"root", TXG_FIELD_BIN, AT(synced.root), OPTIONAL},
    {"text", TXG_FIELD_STR, AT(synced.text), OPTIONAL},
};

static const struct txg_field workerinput_fields[] = {
    {"workerid", TXG_FIELD_STR, AT(workerinput.workerid)},
    {"workercount", TXG_FIELD_INT, AT(workerinput.workercount), IN(1, INT32_MAX)},
    {"testrunuid", TXG_FIELD_STR, AT(workerinput.testrunuid)},
    {"id", TXG_FIELD_STR, AT(workerinput.id), OPTIONAL},
    {"label", TXG_FIELD_STR, AT(workerinput.label), OPTIONAL},
    {"device", TXG_FIELD_STR, AT(workerinput.device), OPTIONAL},
    {"keep_output", TXG_FIELD_BOOL, AT(workerinput.keep_output), OPTIONAL},
    {"live", TXG_FIELD_BOOL, AT(workerinput.live), OPTIONAL},
    {"maxfail", TXG_FIELD_INT, AT(workerinput.maxfail), IN(0, INT32_MAX), OPTIONAL},
    {"input", TXG_FIELD_DICT, AT(workerinput.input)},
};

static const struct txg_field suite_fields[] = {
    {"suite", TXG_FIELD_INT, AT(suite.suite), IN(0, INT32_MAX)},
    {"harness", TXG_FIELD_STR, AT(suite.harness)},
    {"root", TXG_FIELD_BIN, AT(suite.root), OPTIONAL},
    {"cwd", TXG_FIELD_BIN, AT(suite.cwd), OPTIONAL},
    {"args", TXG_FIELD_BINS, MANY(suite.args, suite.n_args), OPTIONAL},
    {"command", TXG_FIELD_BINS, MANY(suite.command, suite.n_command), OPTIONAL},
    {"source", TXG_FIELD_BIN, AT(suite.source), OPTIONAL},
    {"list", TXG_FIELD_BINS, MANY(suite.list, suite.n_list), OPTIONAL},
    {"run", TXG_FIELD_BINS, MANY(suite.run, suite.n_run), OPTIONAL},
    {"timeout", TXG_FIELD_INT, AT(suite.timeout), IN(0, TIME_MAX), OPTIONAL},
    {"grace", TXG_FIELD_INT, AT(suite.grace), IN(0, TIME_MAX), OPTIONAL},
};

static const struct txg_field files_fields[] = {
    {"suite", TXG_FIELD_INT, AT(files.suite), IN(0, INT32_MAX)},
    {"paths", TXG_FIELD_BINS, MANY(files.paths, files.n_paths)},
};

static const struct txg_field collect_fields[] = {
    {"records", TXG_FIELD_BOOL, AT(collect.records), OPTIONAL},
};

static const struct txg_field runtests_fields[] = {
    {"indices", TXG_FIELD_RANGES, MANY(indices.ranges, indices.n_ranges)},
    {"takes", TXG_FIELD_INT, AT(indices.takes), IN(0, TIME_MAX), OPTIONAL},
};

static const struct txg_field steal_fields[] = {
    {"indices", TXG_FIELD_RANGES, MANY(indices.ranges, indices.n_ranges)},
};

static const struct txg_field workerready_fields[] = {
    {"version", TXG_FIELD_STR, AT(workerready.version)},
    {"arch", TXG_FIELD_STR, AT(workerready.arch), OPTIONAL},
    {"executable", TXG_FIELD_BIN, AT(workerready.executable), OPTIONAL},
    {"cwd", TXG_FIELD_BIN, AT(workerready.cwd), OPTIONAL},
    {"pid", TXG_FIELD_INT, AT(workerready.pid), IN(0, INT32_MAX)},
};

static const struct txg_field collectreport_fields[] = {
    {"nodeid", TXG_FIELD_BIN, AT(collectreport.nodeid)},
    {"text", TXG_FIELD_STR, AT(collectreport.text)},
};

static const struct txg_field collection_fields[] = {
    {"first", TXG_FIELD_INT, AT(collection.first), IN(0, INDEX_MAX)},
    {"records", TXG_FIELD_RECORDS, MANY(collection.records, collection.n_records)},
};

static const struct txg_field collectionfinish_fields[] = {
    {"count", TXG_FIELD_INT, AT(collectionfinish.count), IN(0, INDEX_MAX)},
    {"digest", TXG_FIELD_U64, AT(collectionfinish.digest)},
};

static const struct txg_field logstart_fields[] = {
    {"seq", TXG_FIELD_INT, AT(logstart.seq), IN(1, INT64_MAX)},
    {"index", TXG_FIELD_INT, AT(logstart.index), IN(0, INDEX_MAX)},
    {"time", TXG_FIELD_INT, AT(logstart.time), IN(0, INT64_MAX)},
};

static const struct txg_field live_fields[] = {
    {"index", TXG_FIELD_INT, AT(live.index), IN(0, INDEX_MAX)},
    {"stream", TXG_FIELD_INT, AT(live.stream), IN(1, 2)},
    {"dropped", TXG_FIELD_INT, AT(live.dropped), OPTIONAL, IN(0, INT64_MAX)},
    {"data", TXG_FIELD_BIN, AT(live.data)},
};
static const struct txg_field output_fields[] = {
    {"index", TXG_FIELD_INT, AT(output.index), IN(0, INDEX_MAX)},
    {"stream", TXG_FIELD_INT, AT(output.stream), IN(1, 2)},
    {"tail", TXG_FIELD_BOOL, AT(output.tail), OPTIONAL},
    {"data", TXG_FIELD_BIN, AT(output.data)},
};

static const struct txg_field testreport_fields[] = {
    {"seq", TXG_FIELD_INT, AT(testreport.seq), IN(1, INT64_MAX)},
    {"index", TXG_FIELD_INT, AT(testreport.index), IN(0, INDEX_MAX)},
    {"outcome", TXG_FIELD_ENUM, AT(testreport.outcome), IN(TXG_PASSED, TXG_TIMED_OUT), OPTIONAL},
    {"start", TXG_FIELD_INT, AT(testreport.start), IN(0, INT64_MAX)},
    {"duration", TXG_FIELD_INT, AT(testreport.duration), IN(0, TIME_MAX)},
    {"status", TXG_FIELD_INT, AT(testreport.status), IN(-1, 255), OPTIONAL},
    {"signal", TXG_FIELD_INT, AT(testreport.signal), IN(0, 128), OPTIONAL},
    {"reason", TXG_FIELD_STR, AT(testreport.reason), OPTIONAL},
    {"dropped_out", TXG_FIELD_INT, AT(testreport.dropped_out), IN(0, INT64_MAX), OPTIONAL},
    {"dropped_err", TXG_FIELD_INT, AT(testreport.dropped_err), IN(0, INT64_MAX), OPTIONAL},
    {"leaked", TXG_FIELD_INT, AT(testreport.leaked), IN(0, INT32_MAX), OPTIONAL},
    {"setup", TXG_FIELD_INT, AT(testreport.setup), IN(0, TIME_MAX), OPTIONAL},
    {"teardown", TXG_FIELD_INT, AT(testreport.teardown), IN(0, TIME_MAX), OPTIONAL},
    {"utime", TXG_FIELD_INT, AT(testreport.utime), IN(0, TIME_MAX), OPTIONAL},
    {"stime", TXG_FIELD_INT, AT(testreport.stime), IN(0, TIME_MAX), OPTIONAL},
    {"maxrss", TXG_FIELD_INT, AT(testreport.maxrss), IN(0, INT64_MAX), OPTIONAL},
    {"points", TXG_FIELD_POINTS, MANY(testreport.points, testreport.n_points), OPTIONAL},
};

static const struct txg_field passed_fields[] = {
    {"seq", TXG_FIELD_INT, AT(passed.seq), IN(1, INT64_MAX)},
    {"time", TXG_FIELD_INT, AT(passed.time), IN(0, INT64_MAX)},
    {"tests", TXG_FIELD_TESTS, MANY(passed.tests, passed.n_tests), IN(0, TXG_PASSED_MAX)},
};

static const struct txg_field unscheduled_fields[] = {
    {"seq", TXG_FIELD_INT, AT(indices.seq), IN(1, INT64_MAX)},
    {"indices", TXG_FIELD_RANGES, MANY(indices.ranges, indices.n_ranges), OPTIONAL},
};

static const struct txg_field warning_fields[] = {
    {"text", TXG_FIELD_STR, AT(text.text)},
};

static const struct txg_field internal_error_fields[] = {
    {"text", TXG_FIELD_STR, AT(text.text)},
};

static const struct txg_field workerfinished_fields[] = {
    {"workeroutput", TXG_FIELD_DICT, AT(workerfinished.output)},
};

#define FIELDS(table) table, sizeof table / sizeof *table

const struct txg_msg_shape txg_msg_shapes[TXG_MSG_TYPES] = {
    [TXG_MSG_NONE] = {"", NULL, 0},
    [TXG_MSG_HELLO] = {"hello", FIELDS(hello_fields)},
    [TXG_MSG_OPEN] = {"open", FIELDS(open_fields)},
    [TXG_MSG_OPENED] = {"opened", FIELDS(opened_fields)},
    [TXG_MSG_CLOSE] = {"close", FIELDS(close_fields)},
    [TXG_MSG_EXITED] = {"exited", FIELDS(exited_fields)},
    [TXG_MSG_BEAT] = {"beat", FIELDS(beat_fields)},
    [TXG_MSG_LEASE] = {"lease", FIELDS(lease_fields)},
    [TXG_MSG_LOG] = {"log", FIELDS(log_fields)},
    [TXG_MSG_PROBE] = {"probe", FIELDS(probe_fields)},
    [TXG_MSG_PROBED] = {"probed", FIELDS(probed_fields)},
    [TXG_MSG_LEAVING] = {"leaving", NULL, 0},
    [TXG_MSG_PING] = {"ping", FIELDS(ping_fields)},
    [TXG_MSG_PONG] = {"pong", FIELDS(pong_fields)},
    [TXG_MSG_HAVE] = {"have", FIELDS(have_fields)},
    [TXG_MSG_NEED] = {"need", FIELDS(need_fields)},
    [TXG_MSG_BLOB] = {"blob", FIELDS(blob_fields)},
    [TXG_MSG_SYNCED] = {"synced", FIELDS(synced_fields)},
    [TXG_MSG_WORKERINPUT] = {"workerinput", FIELDS(workerinput_fields)},
    [TXG_MSG_SUITE] = {"suite", FIELDS(suite_fields)},
    [TXG_MSG_FILES] = {"files", FIELDS(files_fields)},
    [TXG_MSG_COLLECT] = {"collect", FIELDS(collect_fields)},
    [TXG_MSG_SENDCOLLECTION] = {"sendcollection", NULL, 0},
    [TXG_MSG_RUNTESTS] = {"runtests", FIELDS(runtests_fields)},
    [TXG_MSG_RUNTESTS_ALL] = {"runtests_all", NULL, 0},
    [TXG_MSG_STEAL] = {"steal", FIELDS(steal_fields)},
    [TXG_MSG_SHUTDOWN] = {"shutdown", NULL, 0},
    [TXG_MSG_WORKERREADY] = {"workerready", FIELDS(workerready_fields)},
    [TXG_MSG_COLLECTREPORT] = {"collectreport", FIELDS(collectreport_fields)},
    [TXG_MSG_COLLECTION] = {"collection", FIELDS(collection_fields)},
    [TXG_MSG_COLLECTIONFINISH] = {"collectionfinish", FIELDS(collectionfinish_fields)},
    [TXG_MSG_LOGSTART] = {"logstart", FIELDS(logstart_fields)},
    [TXG_MSG_LIVE] = {"live", FIELDS(live_fields)},
    [TXG_MSG_OUTPUT] = {"output", FIELDS(output_fields)},
    [TXG_MSG_TESTREPORT] = {"testreport", FIELDS(testreport_fields)},
    [TXG_MSG_PASSED] = {"passed", FIELDS(passed_fields)},
    [TXG_MSG_UNSCHEDULED] = {"unscheduled", FIELDS(unscheduled_fields)},
    [TXG_MSG_WARNING] = {"warning", FIELDS(warning_fields)},
    [TXG_MSG_INTERNAL_ERROR] = {"internal_error", FIELDS(internal_error_fields)},
    [TXG_MSG_WORKERFINISHED] = {"workerfinished", FIELDS(workerfinished_fields)},
};

#include "config.h"

#include "src/worker/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/sha256.h"
#include "src/worker/folder.h"
#include "src/worker/link.h"
#include "src/worker/paths.h"
#include "src/worker/wait.h"

#define HASH_PIECE  (1u << 20)       /* bytes hashed between two looks at the link */
#define LAST_WORDS  INT64_C(5000000) /* for sending `synced`, microseconds */
#define SIGN_FIRST  10000  /* us between two signs of life, until a ping tells the heartbeat */
#define LOCK_TRIES  200    /* for a keeper that tidies, 10 ms each */
#define RANGES_MANY 20000u /* in `need` */
#define RANGES_MAX  80000u /* a payload has 262,144 values, a range three */
#define MODE_MAX    0777   /* no setuid, setgid, sticky */

struct item {
    char *path, *content; /* owned */
    int64_t size;
    mode_t mode;
    bool needed;
};

struct keeper {
    struct txg_link link;
    uint32_t channel;
    bool in_place, done;
    int root;
    int lock;        /* the folder is in use as long as this is open; -1: nobody minds */
    char *root_path; /* owned */
    struct item *items;
    size_t n, cap, text;
    /* The file that comes. */
    size_t next;
    int dir, fd;
    bool named; /* fd is of a file that stands there as `temp` */
    int64_t got;
    struct txg_sha256 hash;
    char temp[64];
    int64_t sign_every;
    int64_t ping;  /* the last that came, from 1 */
    int64_t shown; /* when the last pong was sent */
};

static void send_message(struct keeper *k, const struct txg_msg *msg)
{
    txg_mux_send(&k->link.mux, k->channel, msg);
}

/* The last word. */
static void finish(struct keeper *k, const char *text)
{
    struct txg_msg msg = {.type = TXG_MSG_SYNCED};
    msg.synced.root = txg_span_cstr(k->root_path);
    msg.synced.text = txg_span_cstr(text);
    if (!k->done)
        send_message(k, &msg);
    k->done = true;
    if (*text && k->lock >= 0) {
        close(k->lock);
        k->lock = -1;
    }
}

static int fail(struct keeper *k, const struct txg_err *err)
{
    finish(k, err->text);
    return -1;
}

static int serve_pings(struct keeper *k);
static int show_life(struct keeper *k);

/* A long file must not look like a frozen process: pings are answered in between. */
static bool has_content(struct keeper *k, int fd, const char *content)
{
    struct txg_sha256 h;
    char hash[TXG_SHA256_HEX];
    char *piece = txg_xmalloc(HASH_PIECE);
    ssize_t n;
    txg_sha256_init(&h);
    while ((n = read(fd, piece, HASH_PIECE)) > 0) {
        txg_sha256_feed(&h, piece, (size_t)n);
        if (serve_pings(k) != 0)
            break;
    }
    free(piece);
    txg_sha256_end(&h, hash);
    return n == 0 && strcmp(hash, content) == 0;
}

static bool is_there(struct keeper *k, const struct item *item)
{
    const char *name;
    int dir = txg_folder_parent(k->root, item->path, false, &name);
    if (dir < 0)
        return false;
    struct stat st;
    bool same = false;
    /* A link of the user's own to the right bytes is left alone: it may be the very tree that the
     * files come from. */
    int follow = k->in_place ? 0 : O_NOFOLLOW;
    int fd = openat(dir, name, O_RDONLY | follow | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == item->size)
        same = has_content(k, fd, item->content);
    if (same && (st.st_mode & MODE_MAX) != item->mode)
        same = fchmod(fd, item->mode) == 0;
    if (fd >= 0)
        close(fd);
    close(dir);
    return same;
}

static bool is_link(const struct item *item)
{
    return item->size < 0;
}

static int by_path(const void *key, const void *item)
{
    return strcmp(key, ((const struct item *)item)->path);
}

static bool is_listed(void *user, const char *path)
{
    struct keeper *k = user;
    show_life(k);
    return bsearch(path, k->items, k->n, sizeof *k->items, by_path) != NULL;
}

static void complete(struct keeper *k)
{
    struct txg_err err;
    for (size_t i = 0; i < k->n; i++) {
        show_life(k);
        if (is_link(&k->items[i]) &&
            txg_folder_link(k->root, k->items[i].path, k->items[i].content, k->temp, &err) != 0) {
            fail(k, &err);
            return;
        }
    }
    finish(k, "");
}

static void skip_to_needed(struct keeper *k)
{
    while (k->next < k->n && !k->items[k->next].needed)
        k->next++;
    if (k->next == k->n)
        complete(k);
}

/* A folder is shared by gateways that reach one account over links of their own, and by runs at the
 * same time. Whoever is alone there may remove what is in no list of his. */
static bool lock_folder(struct keeper *k)
{
    const char *slash = strrchr(k->root_path, '/');
    TXG_AUTOFREE char *name =
        txg_xasprintf("%.*s/.%s.lock", (int)(slash - k->root_path), k->root_path, slash + 1);
    k->lock = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return k->lock < 0 || flock(k->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

static void share_folder(const struct keeper *k)
{
    for (int i = 0; i < LOCK_TRIES && k->lock >= 0; i++) {
        if (flock(k->lock, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            return;
        usleep(10000);
    }
}

static char *kept_in; /* owned; NULL: beside this program */

void txg_files_keep_in(const char *folder)
{
    free(kept_in);
    kept_in = txg_xstrdup(folder);
}

char *txg_files_home(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        slash[slash == self] = '\0';
    return kept_in ? txg_xstrdup(kept_in) : slash ? txg_xstrdup(self) : NULL;
}

/* Where the next run finds it: private, and ours. */
static int open_own_folder(struct keeper *k, const char *folder, struct txg_err *err)
{
    struct stat st;
    TXG_AUTOFREE char *home = txg_files_home();
    if (!home)
        return txg_err_set(err, TXG_E_SYS, "/proc is needed there, or a chdir= for this gateway");
    k->root_path = txg_xasprintf("%s/files-%s", home, folder);
    if ((mkdir(k->root_path, 0700) != 0 && errno != EEXIST) ||
        (k->root = open(k->root_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return txg_err_sys(err, errno, "%s (chdir= can name another folder)", k->root_path);
    if (fstat(k->root, &st) != 0 || st.st_uid != geteuid())
        return txg_err_set(err, TXG_E_SYS, "%s belongs to somebody else", k->root_path);
    if (lock_folder(k))
        txg_folder_tidy(k->root, is_listed, k);
    share_folder(k);
    return 0;
}

static int open_root(struct keeper *k, const char *folder, struct txg_err *err)
{
    if (!k->in_place)
        return open_own_folder(k, folder, err);
    k->root_path = getcwd(NULL, 0);
    k->root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return k->root_path && k->root >= 0 ? 0 : txg_err_sys(err, errno, "the working directory");
}

/* Appends item `i`. Where there are very many ranges already, what is there between the last one
 * and this comes once more. */
static void put_needed(struct keeper *k, struct txg_msg_indices *need, size_t *cap, size_t i)
{
    struct txg_msg_range *last = need->n_ranges ? &need->ranges[need->n_ranges - 1] : NULL;
    size_t end = last ? (size_t)(last->first + last->count) : i, at = end;
    while (at < i && need->n_ranges >= RANGES_MANY && !k->in_place && !is_link(&k->items[at]))
        at++;
    if (last && at == i) {
        for (; end < i; end++)
            k->items[end].needed = true;
        last->count = (int64_t)i + 1 - last->first;
        return;
    }
    need->ranges = txg_grow(need->ranges, need->n_ranges, cap, sizeof *need->ranges);
    need->ranges[need->n_ranges++] = (struct txg_msg_range){(int64_t)i, 1};
}

static void send_need(struct keeper *k)
{
    struct txg_msg msg = {.type = TXG_MSG_NEED};
    struct txg_err err;
    size_t cap = 0;
    for (size_t i = 0; i < k->n && !k->done; i++) {
        show_life(k);
        k->items[i].needed = !is_link(&k->items[i]) && !is_there(k, &k->items[i]);
        if (k->items[i].needed)
            put_needed(k, &msg.indices, &cap, i);
    }
    if (msg.indices.n_ranges > RANGES_MAX) {
        txg_err_set(&err, TXG_E_LIMIT,
                    "%zu files with links between them are missing, at most %u can be asked for: "
                    "remove %s there, or send fewer",
                    msg.indices.n_ranges, RANGES_MAX, k->root_path);
        fail(k, &err);
    } else {
        send_message(k, &msg);
    }
    free(msg.indices.ranges);
    if (!k->done)
        skip_to_needed(k);
}

static int add_file(struct keeper *k, const struct txg_msg_file *file, struct txg_err *err)
{
    bool link = S_ISLNK(file->mode);
    TXG_AUTOFREE char *path = txg_xstrndup(file->path.data, file->path.len);
    TXG_AUTOFREE char *content = txg_xstrndup(file->content.data, file->content.len);
    k->text += file->path.len + file->content.len;
    if (k->n >= TXG_FILES_MAX || k->text > TXG_FILES_TEXT_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "more than %u files", TXG_FILES_MAX);
    if (strlen(path) != file->path.len || !txg_path_is_below(path))
        return txg_err_set(err, TXG_E_PROTO, "'%.200s' is no path below the root", path);
    if (k->n && strcmp(k->items[k->n - 1].path, path) >= 0)
        return txg_err_set(err, TXG_E_PROTO, "'%.200s' does not follow in the order of paths",
                           path);
    if (!link && !S_ISREG(file->mode))
        return txg_err_set(err, TXG_E_PROTO, "'%.200s' is neither a file nor a link", path);
    if (strlen(content) != file->content.len || (link && !txg_path_link_stays(path, content)))
        return txg_err_set(err, TXG_E_PROTO, "the link '%.200s' leads out of the root", path);
    k->items = txg_grow(k->items, k->n, &k->cap, sizeof *k->items);
    k->items[k->n++] = (struct item){.path = txg_xstrdup(path),
                                     .content = txg_xstrdup(content),
                                     .size = link ? -1 : file->size,
                                     .mode = (mode_t)file->mode & MODE_MAX};
    return 0;
}

static int take_have(struct keeper *k, const struct txg_msg_have *have)
{
    struct txg_err err;
    TXG_AUTOFREE char *folder = txg_xstrndup(have->folder.data, have->folder.len);
    for (size_t i = 0; i < have->n_files; i++)
        if (add_file(k, &have->files[i], &err) != 0)
            return fail(k, &err);
    if (!have->last)
        return 0;
    if (*folder == '\0' || strlen(folder) > 64 ||
        strspn(folder, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(folder)) {
        txg_err_set(&err, TXG_E_PROTO, "'%.64s' is no name for a folder", folder);
        return fail(k, &err);
    }
    if (open_root(k, folder, &err) != 0)
        return fail(k, &err);
    send_need(k);
    return 0;
}

static int begin_file(struct keeper *k, const struct item *item, struct txg_err *err)
{
    const char *name;
    k->dir = txg_folder_parent(k->root, item->path, true, &name);
    if (k->dir < 0)
        return txg_err_sys(err, errno, "%s", item->path);
    /* Without a name where the file system can: then nothing is left, however this ends. */
    unlinkat(k->dir, k->temp, 0);
    k->fd = openat(k->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    k->named = k->fd < 0;
    if (k->named)
        k->fd = openat(k->dir, k->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (k->fd < 0)
        return txg_err_sys(err, errno, "%s", item->path);
    k->got = 0;
    txg_sha256_init(&k->hash);
    return 0;
}

static void drop_file(struct keeper *k)
{
    if (k->fd >= 0) {
        close(k->fd);
        unlinkat(k->dir, k->temp, 0);
    }
    if (k->dir >= 0)
        close(k->dir);
    k->fd = k->dir = -1;
}

static int end_file(struct keeper *k, const struct item *item, struct txg_err *err)
{
    char hash[TXG_SHA256_HEX];
    const char *slash = strrchr(item->path, '/'), *name = slash ? slash + 1 : item->path;
    txg_sha256_end(&k->hash, hash);
    if (strcmp(hash, item->content) != 0)
        return txg_err_set(err, TXG_E_PROTO, "%s changed on its way, or while it was sent",
                           item->path);
    char unnamed[40];
    snprintf(unnamed, sizeof unnamed, "/proc/self/fd/%d", k->fd);
    if (!k->named && linkat(AT_FDCWD, unnamed, k->dir, k->temp, AT_SYMLINK_FOLLOW) != 0)
        return txg_err_sys(err, errno, "%s", item->path);
    k->named = true;
    if (fchmod(k->fd, item->mode) != 0 || close(k->fd) != 0) {
        k->fd = -1;
        return txg_err_sys(err, errno, "%s", item->path);
    }
    k->fd = -1;
    if (renameat(k->dir, k->temp, k->dir, name) != 0) {
        txg_err_sys(err, errno, "%s", item->path);
        unlinkat(k->dir, k->temp, 0);
        return -1;
    }
    return 0;
}

static int write_all(int fd, struct txg_span data)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.data, data.len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            data = txg_span(data.data + n, data.len - (size_t)n);
    }
    return 0;
}

static int take_bytes(struct keeper *k, const struct txg_msg_blob *blob, struct txg_err *err)
{
    const struct item *item = &k->items[k->next];
    if (k->fd < 0 && begin_file(k, item, err) != 0)
        return -1;
    if (k->got + (int64_t)blob->data.len > item->size)
        return txg_err_set(err, TXG_E_PROTO, "more bytes than %s has", item->path);
    if (write_all(k->fd, blob->data) != 0)
        return txg_err_sys(err, errno, "%s", item->path);
    txg_sha256_feed(&k->hash, blob->data.data, blob->data.len);
    k->got += (int64_t)blob->data.len;
    return k->got == item->size ? end_file(k, item, err) : 0;
}

static int take_blob(struct keeper *k, const struct txg_msg_blob *blob)
{
    struct txg_err err;
    if (k->root < 0 || k->next >= k->n || (size_t)blob->index != k->next) {
        txg_err_set(&err, TXG_E_PROTO, "a file that was not asked for");
        return fail(k, &err);
    }
    if (take_bytes(k, blob, &err) != 0) {
        drop_file(k);
        return fail(k, &err);
    }
    if (k->fd < 0) { /* it is whole */
        drop_file(k);
        k->next++;
        skip_to_needed(k);
    }
    return 0;
}

static void say_pong(struct keeper *k, uint32_t channel)
{
    struct txg_msg pong = {.type = TXG_MSG_PONG};
    pong.beat.n = k->ping;
    txg_mux_send(&k->link.mux, channel, &pong);
    k->shown = txg_now();
}

/* A ping may stand behind thousands of small files, and each of them is some calls of a busy file
 * system: who works says so unasked, to the controller too, which has long sent all it has. A link
 * that has ended is found by who reads it next. */
static int show_life(struct keeper *k)
{
    if (txg_now() - k->shown < k->sign_every)
        return 0;
    say_pong(k, 0);
    say_pong(k, k->channel);
    return txg_link_flush(&k->link);
}

static int take_frame(struct keeper *k, const struct txg_frame *frame)
{
    struct txg_msg msg;
    struct txg_err err;
    int rc = txg_msg_decode(frame->payload, &msg, &err);
    if (rc != 0) {
        fail(k, &err);
    } else if (frame->channel == 0 && msg.type == TXG_MSG_PING) {
        k->ping = msg.ping.n;
        k->sign_every = msg.ping.heartbeat / 2;
        say_pong(k, 0);
    } else if (msg.type == TXG_MSG_HAVE && k->root < 0) {
        rc = take_have(k, &msg.have);
    } else if (msg.type == TXG_MSG_BLOB) {
        rc = take_blob(k, &msg.blob);
    } else {
        txg_err_set(&err, TXG_E_PROTO, "'%s' is not expected now", txg_msg_name(msg.type));
        rc = fail(k, &err);
    }
    txg_msg_release(&msg);
    return rc;
}

/* -1: the agent is gone, or it is over. */
static int read_link(struct keeper *k)
{
    struct txg_frame frame;
    struct txg_err err;
    int got = txg_link_read(&k->link), rc = 0;
    while ((!k->done || k->lock >= 0) && (rc = txg_mux_next(&k->link.mux, &frame, &err)) == 1)
        if (take_frame(k, &frame) != 0 || show_life(k) != 0)
            return -1;
    return rc < 0 || got < 0 ? -1 : 0;
}

static int serve_pings(struct keeper *k)
{
    if (read_link(k) != 0 || txg_link_flush(&k->link) != 0)
        return -1;
    return show_life(k);
}

static void say_goodbye(struct keeper *k)
{
    int64_t end = txg_now() + LAST_WORDS;
    while (txg_link_flush(&k->link) == 0 && txg_link_has_unsent(&k->link) && txg_now() < end) {
        struct pollfd fd = {.fd = k->link.out, .events = POLLOUT};
        poll(&fd, 1, 100);
    }
}

static void release(struct keeper *k)
{
    drop_file(k);
    if (k->root >= 0)
        close(k->root);
    if (k->lock >= 0)
        close(k->lock);
    for (size_t i = 0; i < k->n; i++) {
        free(k->items[i].path);
        free(k->items[i].content);
    }
    free(k->items);
    free(k->root_path);
    txg_link_close(&k->link);
}

int txg_files_main(const struct txg_worker_config *config, bool in_place)
{
    struct keeper k = {.channel = config->channel,
                       .in_place = in_place,
                       .root = -1,
                       .lock = -1,
                       .ping = 1,
                       .sign_every = SIGN_FIRST};
    k.fd = k.dir = -1;
    snprintf(k.temp, sizeof k.temp, ".txgate-up-%ld-%lld", (long)getpid(), (long long)txg_now());
    txg_strv_release(config->env);
    txg_link_init(&k.link, config->fd, config->fd);
    txg_wait_prepare();
    umask(022);
    while (!k.done || k.lock >= 0) {
        struct pollfd fd = {.fd = k.link.in, .events = POLLIN};
        if (txg_link_flush(&k.link) != 0)
            break;
        if (txg_link_has_unsent(&k.link))
            fd.events |= POLLOUT;
        txg_wait(&fd, 1, txg_now() + LAST_WORDS);
        if (fd.revents & (POLLIN | POLLHUP | POLLERR) && read_link(&k) != 0)
            break;
    }
    say_goodbye(&k);
    int status = k.done ? 0 : 1;
    release(&k);
    return status;
}

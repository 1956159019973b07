#include "config.h"

#include "gateway/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/wire/frame.h"
#include "src/base/str.h"

#define HAVE_FILES 1024u          /* in one have{} */
#define HAVE_BYTES (256u * 1024u) /* of their paths */
#define PIECE      (TXG_FRAME_BULK / 2)

struct txg_sync {
    struct txg_host *host;
    uint32_t channel;
    const char *chdir;
    const struct txg_manifest *manifest;
    enum txg_sync_state state;
    char *text;   /* owned: root or reason */
    bool cut_off; /* FAILED: its keeper was ended from outside */
    int64_t moved;
    struct txg_msg_range *needed; /* owned */
    size_t n_needed, range;
    int64_t file; /* index of the one that is sent, from needed[range].first on */
    int fd;
    int64_t sent;  /* bytes of it */
    int64_t total; /* bytes of all */
    int64_t wanted;
};

static void send_message(struct txg_sync *s, const struct txg_msg *msg)
{
    txg_host_send(s->host, s->channel, msg);
}

static void send_list(struct txg_sync *s)
{
    const struct txg_manifest *m = s->manifest;
    struct txg_msg_file *files = txg_xcalloc(HAVE_FILES, sizeof *files);
    for (size_t at = 0; at < m->n;) {
        struct txg_msg msg = {.type = TXG_MSG_HAVE};
        size_t n = 0, bytes = 0;
        for (; at < m->n && n < HAVE_FILES && bytes < HAVE_BYTES; at++, n++) {
            const struct txg_manifest_file *f = &m->files[at];
            files[n] =
                (struct txg_msg_file){txg_span_cstr(f->path), f->mode,
                                      S_ISLNK(f->mode) ? 0 : f->size, txg_span_cstr(f->content)};
            bytes += files[n].path.len + files[n].content.len;
        }
        msg.have.folder = txg_span_cstr(m->folder);
        msg.have.files = files;
        msg.have.n_files = n;
        msg.have.last = at == m->n;
        send_message(s, &msg);
    }
    free(files);
}

struct txg_sync *txg_sync_new(struct txg_host *host, uint32_t channel, const char *chdir,
                              const struct txg_manifest *manifest, int64_t now)
{
    struct txg_sync *s = txg_xcalloc(1, sizeof *s);
    *s = (struct txg_sync){.host = host,
                           .channel = channel,
                           .chdir = chdir,
                           .manifest = manifest,
                           .moved = now,
                           .fd = -1};
    struct txg_msg msg = {.type = TXG_MSG_OPEN};
    msg.open.channel = channel;
    msg.open.kind = TXG_OPEN_FILES;
    msg.open.chdir = txg_span_cstr(chdir);
    txg_host_send(host, 0, &msg);
    send_list(s);
    return s;
}

void txg_sync_free(struct txg_sync *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->needed);
    free(s->text);
    free(s);
}

static void end(struct txg_sync *s, enum txg_sync_state state, char *text)
{
    if (s->state != TXG_SYNC_RUNNING) {
        free(text);
        return;
    }
    s->state = state;
    s->text = text;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->range = s->n_needed;
}

void txg_sync_fail(struct txg_sync *s, const char *text)
{
    end(s, TXG_SYNC_FAILED, txg_xstrdup(text));
}

static void take_need(struct txg_sync *s, const struct txg_msg_indices *need)
{
    int64_t next = 0;
    for (size_t i = 0; i < need->n_ranges; i++) {
        const struct txg_msg_range *r = &need->ranges[i];
        if (s->needed || r->first < next || r->first + r->count > (int64_t)s->manifest->n) {
            txg_sync_fail(s, "the host asked for files that are not in the list");
            return;
        }
        next = r->first + r->count;
        for (int64_t k = r->first; k < next; k++)
            s->wanted += s->manifest->files[k].size;
    }
    s->needed = txg_xcalloc(need->n_ranges, sizeof *s->needed);
    if (need->n_ranges) /* no ranges are no array */
        memcpy(s->needed, need->ranges, need->n_ranges * sizeof *s->needed);
    s->n_needed = need->n_ranges;
    s->file = s->n_needed ? s->needed[0].first : 0;
}

void txg_sync_take(struct txg_sync *s, const struct txg_msg *msg, int64_t now)
{
    s->moved = now;
    if (msg->type == TXG_MSG_PONG)
        return;
    if (msg->type == TXG_MSG_NEED && !s->needed)
        take_need(s, &msg->indices);
    else if (msg->type == TXG_MSG_SYNCED && msg->synced.text.len)
        end(s, TXG_SYNC_FAILED, txg_xstrndup(msg->synced.text.data, msg->synced.text.len));
    else if (msg->type == TXG_MSG_SYNCED && s->range == s->n_needed)
        end(s, TXG_SYNC_DONE, txg_xstrndup(msg->synced.root.data, msg->synced.root.len));
    else
        txg_sync_fail(s, "the host sent what a keeper of files does not send");
}

void txg_sync_cut_off(struct txg_sync *s, const char *text)
{
    s->cut_off = s->state == TXG_SYNC_RUNNING;
    txg_sync_fail(s, text);
}

/* A file that can't be read here any more, or has another size than in the list. */
static void fail_source(struct txg_sync *s, const char *why)
{
    end(s, TXG_SYNC_FAILED, txg_xasprintf("%s: %s", s->manifest->files[s->file].source, why));
}

static void next_file(struct txg_sync *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->sent = 0;
    const struct txg_msg_range *r = &s->needed[s->range];
    if (++s->file < r->first + r->count)
        return;
    if (++s->range < s->n_needed)
        s->file = s->needed[s->range].first;
}

bool txg_sync_pump(struct txg_sync *s, int64_t now)
{
    char piece[PIECE];
    if (s->state != TXG_SYNC_RUNNING || s->range == s->n_needed)
        return false;
    const struct txg_manifest_file *f = &s->manifest->files[s->file];
    if (s->fd < 0 && (s->fd = open(f->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0) {
        fail_source(s, strerror(errno));
        return false;
    }
    ssize_t n = read(s->fd, piece, sizeof piece);
    if (n < 0 || (n == 0 && s->sent < f->size) || s->sent + n > f->size) {
        fail_source(s, n < 0 ? strerror(errno) : "it has changed since the run began");
        return false;
    }
    struct txg_msg msg = {.type = TXG_MSG_BLOB};
    msg.blob.index = s->file;
    msg.blob.data = txg_span(piece, (size_t)n);
    send_message(s, &msg);
    s->moved = now;
    s->sent += n;
    s->total += n;
    if (s->sent == f->size)
        next_file(s);
    return true;
}

enum txg_sync_state txg_sync_state(const struct txg_sync *s)
{
    return s->state;
}

const char *txg_sync_root(const struct txg_sync *s)
{
    return s->state == TXG_SYNC_DONE ? s->text : NULL;
}

const char *txg_sync_reason(const struct txg_sync *s)
{
    return s->state == TXG_SYNC_FAILED ? s->text : NULL;
}

bool txg_sync_was_cut_off(const struct txg_sync *s)
{
    return s->cut_off;
}

int64_t txg_sync_moved(const struct txg_sync *s)
{
    return s->moved;
}

int64_t txg_sync_sent(const struct txg_sync *s)
{
    return s->total;
}

int64_t txg_sync_wanted(const struct txg_sync *s)
{
    return s->wanted;
}

struct txg_host *txg_sync_host(const struct txg_sync *s)
{
    return s->host;
}

bool txg_sync_is_for(const struct txg_sync *s, const struct txg_host *host, const char *chdir)
{
    bool same = s->chdir == chdir || (s->chdir && chdir && strcmp(s->chdir, chdir) == 0);
    return s->host == host && same;
}

uint32_t txg_sync_channel(const struct txg_sync *s)
{
    return s->channel;
}

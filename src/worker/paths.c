#include "config.h"

#include "src/worker/paths.h"

#include <limits.h>
#include <string.h>

bool txg_path_is_below(const char *path)
{
    if (strlen(path) >= PATH_MAX)
        return false;
    for (;;) {
        size_t len = strcspn(path, "/");
        if (len == 0 || len > NAME_MAX || (path[0] == '.' && len == 1) ||
            (len == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (path[len] == '\0')
            return true;
        path += len + 1;
    }
}

bool txg_path_link_stays(const char *path, const char *target)
{
    long depth = 0;
    if (*target == '\0' || *target == '/' || strlen(target) >= PATH_MAX)
        return false;
    for (; *path; path++)
        depth += *path == '/';
    for (; *target; target += strspn(target, "/")) {
        size_t len = strcspn(target, "/");
        if (len == 2 && target[0] == '.' && target[1] == '.')
            depth--;
        else if (!(len == 1 && target[0] == '.'))
            depth++;
        if (depth < 0)
            return false;
        target += len;
    }
    return true;
}

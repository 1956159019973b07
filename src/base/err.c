#include "config.h"

#include "src/base/err.h"

#include <stdio.h>
#include <string.h>

int txg_err_set(struct txg_err *err, enum txg_err_code code, const char *fmt, ...)
{
    if (!err)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    err->code = code;
    err->errnum = 0;
    return -1;
}

int txg_err_sys(struct txg_err *err, int errnum, const char *fmt, ...)
{
    if (!err)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror(errnum));
    err->code = TXG_E_SYS;
    err->errnum = errnum;
    return -1;
}

int txg_err_wrap(struct txg_err *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    char inner[TXG_ERR_TEXT_MAX];
    memcpy(inner, err->text, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 3 > sizeof err->text)
        return -1;
    memcpy(err->text + n, ": ", 3);
    size_t room = sizeof err->text - (size_t)n - 3;
    size_t len = strnlen(inner, sizeof inner);
    if (len > room)
        len = room;
    memcpy(err->text + n + 2, inner, len);
    err->text[(size_t)n + 2 + len] = '\0';
    return -1;
}

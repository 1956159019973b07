# Compiler flags that are ours: probed into TXG_CFLAGS and TXG_LDFLAGS, never into the user's CFLAGS.

AC_DEFUN([TXG_ADD_CFLAG], [
    AS_VAR_PUSHDEF([cachevar], [txg_cv_cflag_$1])
    AC_CACHE_CHECK([whether $CC takes $1], [cachevar], [
        txg_save_cflags=$CFLAGS
        CFLAGS="$CFLAGS -Werror $1"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
            [AS_VAR_SET([cachevar], [yes])], [AS_VAR_SET([cachevar], [no])])
        CFLAGS=$txg_save_cflags
    ])
    AS_VAR_IF([cachevar], [yes], [TXG_CFLAGS="$TXG_CFLAGS $1"])
    AS_VAR_POPDEF([cachevar])
])

AC_DEFUN([TXG_ARG_WERROR], [
    AC_SUBST([TXG_CFLAGS])
    AC_SUBST([TXG_LDFLAGS])
    m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
        -Wold-style-definition -Wwrite-strings -Wpointer-arith -Wvla -Wconversion -Wno-sign-conversion
        -fno-common -fno-strict-aliasing -ffunction-sections -fdata-sections],
        [TXG_ADD_CFLAG(flag)])
    AC_ARG_ENABLE([werror],
        [AS_HELP_STRING([--enable-werror], [warnings are errors])],
        [], [enable_werror=no])
    AS_IF([test "x$enable_werror" = xyes], [TXG_CFLAGS="$TXG_CFLAGS -Werror"])
])

AC_DEFUN([TXG_ARG_SANITIZERS], [
    AC_ARG_ENABLE([sanitizers],
        [AS_HELP_STRING([--enable-sanitizers], [AddressSanitizer and UndefinedBehaviorSanitizer])],
        [], [enable_sanitizers=no])
    AS_IF([test "x$enable_sanitizers" = xyes], [
        TXG_CFLAGS="$TXG_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
        TXG_LDFLAGS="$TXG_LDFLAGS -fsanitize=address,undefined"
    ])
    AM_CONDITIONAL([SANITIZERS], [test "x$enable_sanitizers" = xyes])
])

AC_DEFUN([TXG_ARG_FUZZERS], [
    AC_ARG_ENABLE([fuzzers],
        [AS_HELP_STRING([--enable-fuzzers], [libFuzzer programs under tests/fuzz (needs clang)])],
        [], [enable_fuzzers=no])
    AS_IF([test "x$enable_fuzzers" = xyes], [
        txg_save_cflags=$CFLAGS
        CFLAGS="$CFLAGS -fsanitize=fuzzer-no-link"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [],
            [AC_MSG_ERROR([--enable-fuzzers needs a compiler with -fsanitize=fuzzer: use CC=clang])])
        CFLAGS=$txg_save_cflags
        TXG_CFLAGS="$TXG_CFLAGS -fsanitize=fuzzer-no-link"
        AS_IF([test "x$enable_sanitizers" != xyes], [
            TXG_CFLAGS="$TXG_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all"
            TXG_LDFLAGS="$TXG_LDFLAGS -fsanitize=address,undefined"
        ])
    ])
    AM_CONDITIONAL([FUZZERS], [test "x$enable_fuzzers" = xyes])
])

AC_DEFUN([TXG_ARG_COVERAGE], [
    AC_ARG_ENABLE([coverage],
        [AS_HELP_STRING([--enable-coverage], [count the lines that tests run (gcov)])],
        [], [enable_coverage=no])
    AS_IF([test "x$enable_coverage" = xyes], [
        TXG_CFLAGS="$TXG_CFLAGS --coverage -O0"
        TXG_LDFLAGS="$TXG_LDFLAGS --coverage"
    ])
    AM_CONDITIONAL([COVERAGE], [test "x$enable_coverage" = xyes])
])

AC_DEFUN([TXG_ARG_STATIC_WORKER], [
    AC_ARG_ENABLE([static-worker],
        [AS_HELP_STRING([--enable-static-worker], [link txgate-worker statically])],
        [], [enable_static_worker=no])
    # Its size is what a slow link to a board waits for: no unwind tables, no gaps between segments,
    # no page of padding that RELRO needs (64 KiB of it on aarch64).
    AS_IF([test "x$enable_static_worker" = xyes], [
        m4_foreach_w([flag], [-fno-unwind-tables -fno-asynchronous-unwind-tables -fno-jump-tables -fno-pie],
            [TXG_ADD_CFLAG(flag)])
        TXG_LDFLAGS="$TXG_LDFLAGS -no-pie -Wl,-z,noseparate-code,-z,norelro,-z,common-page-size=64 -Wl,--build-id=none"
    ])
    AM_CONDITIONAL([STATIC_WORKER], [test "x$enable_static_worker" = xyes])
])

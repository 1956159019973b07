# The library that the harness cunit loads into programs (src/harness/preload.c): PRELOAD_FLAGS make it,
# where the compiler can make a shared library at all.
AC_DEFUN([TXG_CHECK_PRELOAD], [
    PRELOAD_FLAGS="-D_GNU_SOURCE -U_FORTIFY_SOURCE -Os -g0 -fPIC -shared -nostdlib -s -fvisibility=hidden \
        -fno-sanitize=all -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables \
        -ffunction-sections -fdata-sections -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,norelro \
        -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096"
    AC_CACHE_CHECK([whether $CC makes the preload library], [txg_cv_preload], [
        txg_save_cflags=$CFLAGS
        txg_save_ldflags=$LDFLAGS
        txg_save_libs=$LIBS
        CFLAGS="$CFLAGS $PRELOAD_FLAGS"
        LDFLAGS= LIBS=
        AC_LINK_IFELSE([AC_LANG_SOURCE([extern int others(void); int ours(void); int ours(void) { return others(); }])],
            [txg_cv_preload=yes], [txg_cv_preload=no])
        CFLAGS=$txg_save_cflags
        LDFLAGS=$txg_save_ldflags
        LIBS=$txg_save_libs
    ])
    AC_SUBST([PRELOAD_FLAGS])
    AM_CONDITIONAL([PRELOAD], [test "x$txg_cv_preload" = xyes])
])

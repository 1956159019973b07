# libsodium, for links over sockets. Tried with the compiler itself: a static or cross-compiled worker
# has it or not whatever pkg-config says of this machine.
AC_DEFUN([TXG_CHECK_SODIUM], [
    AC_ARG_ENABLE([sockets],
        [AS_HELP_STRING([--disable-sockets], [leave out sealed links over sockets (libsodium); default: as found])],
        [], [enable_sockets=auto])
    have_sodium=no
    SODIUM_LIBS=
    AS_IF([test "x$enable_sockets" != xno],
        [AC_CHECK_HEADER([sodium.h],
            [AC_CHECK_LIB([sodium], [crypto_aead_chacha20poly1305_ietf_encrypt],
                [have_sodium=yes; SODIUM_LIBS=-lsodium])])])
    AS_IF([test "x$enable_sockets$have_sodium" = xyesno],
        [AC_MSG_ERROR([--enable-sockets needs libsodium for this compiler (libsodium-dev)])])
    AS_IF([test "x$have_sodium" = xyes],
        [AC_DEFINE([TXG_SOCKETS], [1], [gateways over sockets: libsodium is there])])
    AC_SUBST([SODIUM_LIBS])
    AM_CONDITIONAL([SOCKETS], [test "x$have_sodium" = xyes])
])

# msgpack-c's pkg-config name is `msgpack` before 6.0 and `msgpack-c` after.
AC_DEFUN([TXG_CHECK_MSGPACK], [
    PKG_CHECK_MODULES([MSGPACK], [msgpack-c >= 1.0], [],
        [PKG_CHECK_MODULES([MSGPACK], [msgpack >= 1.0])])
])

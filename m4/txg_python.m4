# Python runs the lints and the tests of whole programs; nothing that is installed needs it. One
# that has pytest is preferred: where several are installed, only Debian's may have it.
AC_DEFUN([TXG_PROG_PYTHON], [
    AC_ARG_VAR([PYTHON], [Python 3 with pytest, for tests])
    AC_CACHE_CHECK([for a Python 3 with pytest], [txg_cv_prog_python], [
        txg_cv_prog_python=no
        txg_python_any=no
        for txg_python in "$PYTHON" /usr/bin/python3 python3; do
            test -n "$txg_python" || continue
            AS_IF(["$txg_python" -c 'import pytest' >/dev/null 2>&1],
                [txg_cv_prog_python=$txg_python; break])
            AS_IF([test "$txg_python_any" = no && "$txg_python" -c 'import sys' >/dev/null 2>&1],
                [txg_python_any=$txg_python])
        done
        AS_IF([test "$txg_cv_prog_python" = no], [txg_cv_prog_python=$txg_python_any])
    ])
    PYTHON=$txg_cv_prog_python
    AM_CONDITIONAL([PYTHON], [test "$PYTHON" != no])
])

/* What no reporter may pass on as it is: bytes that are no UTF-8, the end of a CDATA section, NUL,
 * escape sequences, a character that XML has no way to write. */
#include <stdio.h>

int main(void)
{
    static const char bytes[] = "start \xff\xfe\xc3( ]]> \0 \x1b[31mred\x1b[2J \x01\b\r & <tag> "
                                "\xed\xa0\x80 \xef\xbf\xbf \xf4\x90\x80\x80 end";
    fwrite(bytes, 1, sizeof bytes - 1, stdout);
    fwrite(bytes, 1, sizeof bytes - 1, stderr);
    return 3;
}

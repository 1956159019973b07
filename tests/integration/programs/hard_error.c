#include <stdio.h>

int main(void)
{
    fputs("can't set up\n", stderr);
    return 99;
}

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    fputs("assertion failed\n", stderr);
    abort();
}

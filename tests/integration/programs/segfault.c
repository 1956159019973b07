#include <stdio.h>

int main(void)
{
    puts("before the fall");
    fflush(stdout);
    *(volatile int *)8 = 1;
    return 0;
}

#include <stdio.h>

int main(void)
{
    puts("all is well");
    return 0;
}

#include <stdio.h>

int main(void)
{
    puts("1..5\nok 1 - first\nok 2 - second");
    return 0;
}

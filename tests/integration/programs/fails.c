#include <stdio.h>

int main(void)
{
    puts("expected 1, got 2");
    return 3;
}

#include <stdio.h>

int main(void)
{
    puts("1..3\nok 1\nBail out! the device is gone");
    return 255;
}

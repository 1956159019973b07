/* The least that a test can do: linked statically, so that starting it costs as little as can be.
 */
int main(void)
{
    return 0;
}

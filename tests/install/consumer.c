/* A program of somebody else's, in the part of C that C++ shares: prints the version of the library it runs with. */
#include <heed/base.h>

#include <stdio.h>

int main(void)
{
    heed_context *context = NULL;
    if (heed_context_create(NULL, &context) != HEED_OK)
        return 1;
    puts(heed_version());
    heed_context_free(context);
    return 0;
}

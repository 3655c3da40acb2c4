#include "support/context.h"

#include "heed/base.h"

int heed_test_with_context(void **state)
{
    return heed_context_create(NULL, (heed_context **)state) == HEED_OK ? 0 : -1;
}

int heed_test_without_context(void **state)
{
    heed_context_free(*state);
    return 0;
}

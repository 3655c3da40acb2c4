#include "heed/base.h"

/* HEED_LIBRARIES comes from the build, which asked pkg-config. */
const char *heed_build_info(void)
{
    return "compiler: "
#if defined(__clang__)
           "clang " __clang_version__
#elif defined(__GNUC__)
           "gcc " __VERSION__
#else
           "unknown"
#endif
           "\nlibraries: " HEED_LIBRARIES;
}

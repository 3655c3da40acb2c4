#include "fuzz.h"

#include "formats/hdf5.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_hdf5 *tree;
    heed_fuzz_begin();
    heed_status status = heed_hdf5_read(heed_fuzz_context(), "fuzz", bytes, size, &tree);
    if (status == HEED_OK) {
        for (const heed_hdf5 *node = tree; node != NULL; node = heed_hdf5_walk(tree, node)) {
            FUZZ_CHECK(node == tree || *node->name != '\0');
            FUZZ_CHECK(node->array == NULL || heed_array_count(node->array) >= 0);
            for (const heed_hdf5_attribute *a = node->attributes; a != NULL; a = a->next)
                for (size_t i = 0; i < a->count; i++)
                    FUZZ_CHECK(strlen(a->strings[i]) <= size);
        }
        heed_hdf5_free(tree);
    }
    heed_fuzz_end(status);
    return 0;
}

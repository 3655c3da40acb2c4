#include "fuzz.h"

#include "formats/hdf5.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_context *c = heed_fuzz_context();
    size_t used = heed_memory_used(c);
    heed_hdf5 *tree;
    if (heed_hdf5_read(c, "fuzz", bytes, size, &tree) == HEED_OK) {
        for (const heed_hdf5 *node = tree; node != NULL; node = heed_hdf5_walk(tree, node)) {
            FUZZ_CHECK(node == tree || *node->name != '\0');
            FUZZ_CHECK(node->array == NULL || heed_array_count(node->array) >= 0);
            for (const heed_hdf5_attribute *a = node->attributes; a != NULL; a = a->next)
                for (size_t i = 0; i < a->count; i++)
                    FUZZ_CHECK(strlen(a->strings[i]) <= size);
        }
        heed_hdf5_free(tree);
    }
    FUZZ_CHECK(heed_memory_used(c) == used);
    return 0;
}

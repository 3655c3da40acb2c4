/* What files do not say about some layers, and what follows from the rest. */
#include "formats/keras_missing.h"

#include <string.h>

/* The first array of so many dimensions below a group; NULL where there is none. */
static const heed_array *array_of_rank(const heed_hdf5 *group, int rank)
{
    for (const heed_hdf5 *node = group; node != NULL; node = heed_hdf5_walk(group, node))
        if (node->array != NULL && node->array->shape.rank == rank)
            return node->array;
    return NULL;
}

/* The group of a layer, which may stand within that of a model. */
static const heed_hdf5 *group_of(const heed_hdf5 *weights, const char *name)
{
    const heed_hdf5 *node = weights;
    while (node != NULL && (node == weights || strcmp(node->name, name) != 0))
        node = heed_hdf5_walk(weights, node);
    return node;
}

/* DiscreteResize2D enlarges by f with kernels of 2 f - f mod 2 elements. */
static heed_status find_factors(heed_zone *z, const heed_hdf5 *weights, heed_value *options)
{
    const heed_array *kernel = array_of_rank(weights, 4);
    if (kernel == NULL)
        return HEED_OK;
    heed_value *factors = heed_value_list(z);
    for (int i = 0; i < 2; i++)
        HEED_TRY(heed_value_append(factors, heed_value_int(z, (kernel->shape.dims[i] + 1) / 2)));
    return heed_value_set(z, options, "upscaling_factor", factors);
}

heed_status heed_keras_complete(heed_zone *z, const char *class_name, const char *name, const heed_keras_reading *r,
                                heed_value *options)
{
    if (r->weights == NULL || name == NULL || strcmp(class_name, "DiscreteResize2D") != 0 ||
        heed_value_find(options, "upscaling_factor") != NULL)
        return HEED_OK;
    const heed_hdf5 *own = group_of(r->weights, name);
    return own == NULL ? HEED_OK : find_factors(z, own, options);
}

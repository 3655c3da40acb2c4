/* A model's weights, kept aside. */
#include "model/model.h"

#include <string.h>

size_t heed_weight_total(heed_model *m)
{
    size_t total = 0;
    for (int i = 0; i < heed_weight_count(m); i++)
        total += (size_t)heed_shape_count(heed_variable_shape(heed_weight_at(m, i)));
    return total;
}

void heed_keep_weights(heed_model *m, float *kept)
{
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        size_t count = (size_t)heed_shape_count(heed_variable_shape(v));
        memcpy(kept, heed_variable_data(v), count * sizeof *kept);
        kept += count;
    }
}

void heed_swap_weights(heed_model *m, float *kept)
{
    for (int i = 0; i < heed_weight_count(m); i++) {
        heed_variable *v = heed_weight_at(m, i);
        float *data = heed_variable_data(v);
        for (int64_t k = heed_shape_count(heed_variable_shape(v)); k-- > 0; kept++, data++) {
            float was = *data;
            *data = *kept;
            *kept = was;
        }
    }
}

void heed_average_weights(heed_model *m, double share, float *mean)
{
    for (int i = 0; i < heed_weight_count(m); i++) {
        const float *data = heed_variable_data(heed_weight_at(m, i));
        for (int64_t k = heed_shape_count(heed_variable_shape(heed_weight_at(m, i))); k-- > 0; mean++, data++)
            *mean += (float)(share * ((double)*data - (double)*mean));
    }
}

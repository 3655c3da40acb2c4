/* In place of training, where heed is built with HEED_MINIMAL: what the rest asks of it. */
#include "model/training.h"

static heed_status left_out(const heed_model *m)
{
    return heed_fail(m->context, HEED_EUNSUPPORTED, "%s: this build of heed does not train", heed_model_name(m));
}

bool        heed_is_compiled(const heed_model *m) { return false; }
void        heed_training_free(heed_model *m) {}
heed_status heed_training_resolve(heed_model *m) { return left_out(m); }
int         heed_training_targets(const heed_model *m, int64_t batch, int64_t length, heed_array *targets) { return 0; }
size_t      heed_training_optimizer_bytes(const heed_model *m) { return 0; }
heed_status heed_program_train(heed_model *m, heed_program *p, const heed_batch *batch) { return left_out(m); }
size_t      heed_program_wanted(const heed_model *m, const heed_program *p, heed_tensor **wanted) { return 0; }
size_t      heed_program_wants(const heed_model *m) { return 0; }

heed_status heed_optimizer_build(heed_model *m) { return left_out(m); }
int         heed_optimizer_count(const heed_model *m) { return 0; }
const char *heed_optimizer_name(const heed_model *m, int index) { return NULL; }
heed_array *heed_optimizer_array(heed_model *m, int index) { return NULL; }
bool        heed_optimizer_interleaved(const heed_optimizer *o) { return false; }
void        heed_set_training_step(heed_model *m, uint64_t step) {}

/* An allocator that counts, and fails on demand: "the n-th allocation fails, for every n". */
#ifndef HEED_TEST_FAILING_ALLOCATOR_H
#define HEED_TEST_FAILING_ALLOCATOR_H

#include "heed/base.h"

typedef struct heed_test_allocator {
    size_t calls;       /* allocations asked for since this was last set to 0 */
    size_t fail_at;     /* the call that fails, counted from 1; 0: none does */
    bool   keep_failing; /* every call from fail_at on fails, not that one alone */
    size_t live;        /* blocks handed out and not yet released */
} heed_test_allocator;

/* For heed_context_config.allocator; `a` must outlive the context. */
heed_allocator heed_test_allocator_interface(heed_test_allocator *a);

/* Does something that allocates through `c`, and frees all of it again whether it succeeds or not. */
typedef heed_status heed_test_work(heed_context *c, void *user);

/* Under AddressSanitizer, which takes its time, every third allocation fails, and in the second round others than in the first: all
 * have their turn in plain builds. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEED_TEST_ALLOCATION_STEP 3
#endif
#endif
#ifndef HEED_TEST_ALLOCATION_STEP
#define HEED_TEST_ALLOCATION_STEP 1
#endif

/* Runs `work` with its 1st, 2nd, 3rd... allocation failing (that one alone, then that one and all later ones), until it
 * runs to its end without reaching the failure, so many steps apart. Asserts (cmocka) that each failure
 * comes out as HEED_ENOMEM with an error text, that no block is left behind, and that the undisturbed runs succeed. Uses a
 * context with one thread. */
void heed_test_each_allocation_fails(heed_test_work *work, void *user);

#endif

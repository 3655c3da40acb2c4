/* What tests that need no more than a context begin and end with: *state is it. */
#ifndef HEED_TEST_SUPPORT_CONTEXT_H
#define HEED_TEST_SUPPORT_CONTEXT_H

int heed_test_with_context(void **state);
int heed_test_without_context(void **state);

#endif

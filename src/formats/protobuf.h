/* Messages of protocol buffers, read field by field, as TensorFlow's files hold them. */
#ifndef HEED_FORMATS_PROTOBUF_H
#define HEED_FORMATS_PROTOBUF_H

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

/* A message that is being read, and its field that was read last. */
typedef struct heed_protobuf {
    const unsigned char *at, *end;
    uint64_t             field;  /* its number */
    uint64_t             number; /* of a field that is one */
    const unsigned char *bytes;  /* of a text, bytes or a message within; NULL for a number */
    size_t               size;
    bool                 broken; /* what follows is no field */
} heed_protobuf;

heed_protobuf heed_protobuf_of(const void *bytes, size_t size);
/* The message that the field read last is. */
heed_protobuf heed_protobuf_within(const heed_protobuf *p);
/* Reads a field. False at the end, and where the message is broken. */
bool heed_protobuf_next(heed_protobuf *p);
/* The text that the field read last is; NULL when there is no memory, "" for a number. */
const char *heed_protobuf_text(heed_zone *z, const heed_protobuf *p);

/* A number in groups of seven bits, lowest first. False where it does not end in time; *at is moved behind it. */
bool heed_varint_read(const unsigned char **at, const unsigned char *end, uint64_t *out);
/* `bytes` of a number, at most 8, lowest first. */
uint64_t heed_little_endian(const unsigned char *bytes, int count);

#endif

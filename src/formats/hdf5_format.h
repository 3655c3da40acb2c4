/* Numbers of the HDF5 file format that its reader and its writer share. Terms are those of the HDF5 File Format
 * Specification, version 3. */
#ifndef HEED_FORMATS_HDF5_FORMAT_H
#define HEED_FORMATS_HDF5_FORMAT_H

#include <stdint.h>

#define HDF5_SIGNATURE "\211HDF\r\n\032\n"
enum { HDF5_SIGNATURE_SIZE = 8 };

/* An address where there is nothing. */
#define HDF5_UNDEFINED UINT64_MAX

/* What an object header is made of. */
enum {
    HDF5_MESSAGE_DATASPACE = 0x01,
    HDF5_MESSAGE_LINK_INFO = 0x02,
    HDF5_MESSAGE_DATATYPE = 0x03,
    HDF5_MESSAGE_FILL_VALUE = 0x05,
    HDF5_MESSAGE_LINK = 0x06,
    HDF5_MESSAGE_EXTERNAL = 0x07,
    HDF5_MESSAGE_LAYOUT = 0x08,
    HDF5_MESSAGE_GROUP_INFO = 0x0a,
    HDF5_MESSAGE_FILTERS = 0x0b,
    HDF5_MESSAGE_ATTRIBUTE = 0x0c,
    HDF5_MESSAGE_CONTINUATION = 0x10,
    HDF5_MESSAGE_SYMBOL_TABLE = 0x11,
    HDF5_MESSAGE_ATTRIBUTE_INFO = 0x15,
};

#endif

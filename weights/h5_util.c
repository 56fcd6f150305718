#include "weights/h5_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds on what a file may claim. The largest Keras application has fewer than 1,000 layers; a model_config of 16 MiB does not exist. */
enum { MAX_STRINGS = 65536, MAX_PARTS = 4096, MAX_STRING = 16 << 20, MAX_ATTRIBUTE = 16 << 20 };

void um_h5_strings_free(um_h5_strings *s) {
  for (int i = 0; i < s->count; i++) free(s->text[i]);
  free(s->text);
  *s = (um_h5_strings){0};
}

typedef struct reason {
  char *text;
  size_t size;
} reason;

static herr_t take_first(unsigned n, const H5E_error2_t *e, void *context) {
  reason *r = context;
  (void)n;
  if (r->text[0] == 0 && e->desc && e->desc[0]) snprintf(r->text, r->size, "%s", e->desc);
  return 0;
}

const char *um_h5_reason(char *text, size_t size) {
  reason r = {text, size};
  text[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &r);
  if (text[0] == 0) snprintf(text, size, "HDF5 gives no reason");
  H5Eclear2(H5E_DEFAULT);
  return text;
}

bool um_h5_has(hid_t object, const char *name) {
  char part[128];
  if (H5Aexists(object, name) > 0) return true;
  snprintf(part, sizeof part, "%s0", name);
  return H5Aexists(object, part) > 0;
}

static int append(um_h5_strings *out, const char *text, size_t length, const char *where, um_error *err) {
  char **grown = out->text;
  if ((out->count & (out->count - 1)) == 0) { /* a power of two: full */
    grown = realloc(out->text, sizeof *grown * (out->count ? 2 * (size_t)out->count : 1));
    if (!grown) return um_fail(err, UM_ENOMEM, "%s: no memory for %d names", where, out->count + 1);
    out->text = grown;
  }
  if (!(grown[out->count] = strndup(text, length))) return um_fail(err, UM_ENOMEM, "%s: no memory for a name of %zu bytes", where, length);
  out->count++;
  return UM_OK;
}

static int read_fixed(um_h5_strings *out, hid_t attribute, hid_t type, int64_t n, const char *name, const char *where, um_error *err) {
  int code = UM_OK;
  char why[256], *buffer = NULL;
  size_t size = H5Tget_size(type);
  bool spaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD;

  if (size == 0 || size > MAX_ATTRIBUTE / (size_t)n)
    return um_fail(err, UM_EFORMAT, "%s: attribute %s: %" PRId64 " strings of %zu bytes, expected at most %d bytes in all", where, name, n,
                   size, MAX_ATTRIBUTE);
  if (!(buffer = malloc((size_t)n * size))) return um_fail(err, UM_ENOMEM, "%s: no memory for attribute %s", where, name);
  if (H5Aread(attribute, type, buffer) < 0) {
    code = um_fail(err, UM_EFORMAT, "%s: attribute %s cannot be read: %s", where, name, um_h5_reason(why, sizeof why));
    goto done;
  }
  for (int64_t i = 0; i < n && !code; i++) {
    const char *text = buffer + (size_t)i * size;
    size_t length = strnlen(text, size);
    while (spaces && length > 0 && text[length - 1] == ' ') length--;
    code = append(out, text, length, where, err);
  }
done:
  free(buffer);
  return code;
}

static int read_variable(um_h5_strings *out, hid_t attribute, hid_t type, hid_t space, int64_t n, const char *name, const char *where,
                         um_error *err) {
  int code = UM_OK;
  char why[256], **text = calloc((size_t)n, sizeof *text);
  hid_t memory = H5Tcopy(H5T_C_S1);

  if (!text || memory < 0) {
    code = um_fail(err, UM_ENOMEM, "%s: no memory for attribute %s", where, name);
    goto done;
  }
  H5Tset_size(memory, H5T_VARIABLE);
  H5Tset_cset(memory, H5Tget_cset(type));
  if (H5Aread(attribute, memory, text) < 0) {
    code = um_fail(err, UM_EFORMAT, "%s: attribute %s cannot be read: %s", where, name, um_h5_reason(why, sizeof why));
    goto done;
  }
  for (int64_t i = 0; i < n && !code; i++)
    code = append(out, text[i] ? text[i] : "", text[i] ? strnlen(text[i], MAX_STRING) : 0, where, err);
  H5Dvlen_reclaim(memory, space, H5P_DEFAULT, text);
done:
  if (memory >= 0) H5Tclose(memory);
  free(text);
  return code;
}

static int read_attribute(um_h5_strings *out, hid_t object, const char *name, const char *where, um_error *err) {
  int code = UM_OK;
  char why[256];
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = -1, space = -1;
  if (attribute >= 0) type = H5Aget_type(attribute);
  if (attribute >= 0) space = H5Aget_space(attribute);
  if (attribute < 0 || type < 0 || space < 0) {
    code = um_fail(err, UM_EFORMAT, "%s: attribute %s cannot be read: %s", where, name, um_h5_reason(why, sizeof why));
    goto done;
  }
  int64_t n = (int64_t)H5Sget_simple_extent_npoints(space);
  if (n == 0) goto done;
  if (n < 0 || n > MAX_STRINGS - out->count)
    code = um_fail(err, UM_EFORMAT, "%s: attribute %s: %" PRId64 " elements, expected at most %d", where, name, n, MAX_STRINGS);
  else if (H5Tget_class(type) != H5T_STRING)
    code = um_fail(err, UM_EFORMAT, "%s: attribute %s: expected strings, found another type", where, name);
  else if (H5Tis_variable_str(type) > 0)
    code = read_variable(out, attribute, type, space, n, name, where, err);
  else
    code = read_fixed(out, attribute, type, n, name, where, err);
done:
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  if (attribute >= 0) H5Aclose(attribute);
  return code;
}

int um_h5_read_strings(um_h5_strings *out, hid_t object, const char *name, const char *where, um_error *err) {
  int code = UM_OK;
  *out = (um_h5_strings){0};
  if (H5Aexists(object, name) > 0) {
    code = read_attribute(out, object, name, where, err);
  } else {
    for (int part = 0; !code && part < MAX_PARTS; part++) {
      char numbered[128];
      snprintf(numbered, sizeof numbered, "%s%d", name, part);
      if (H5Aexists(object, numbered) <= 0) {
        if (part == 0) code = um_fail(err, UM_EFORMAT, "%s: no attribute %s", where, name);
        break;
      }
      code = read_attribute(out, object, numbered, where, err);
    }
  }
  if (code) um_h5_strings_free(out);
  return code;
}

int um_h5_open(hid_t *out, hid_t group, const char *path, const char *where, um_error *err) {
  char component[1024], why[256];
  hid_t at = group;
  *out = -1;
  for (const char *p = path; *p || at == group;) {
    size_t length = strcspn(p, "/");
    H5L_info_t info;
    hid_t next = -1;
    int code = UM_OK;
    if (length == 0 || length >= sizeof component) {
      code = um_fail(err, UM_EFORMAT, "%s: \"%.200s\" is no path", where, path);
    } else {
      memcpy(component, p, length);
      component[length] = 0;
      if (H5Lget_info(at, component, &info, H5P_DEFAULT) < 0)
        code = um_fail(err, UM_EFORMAT, "%s: the attributes name %.400s, but there is no such object in the file", where, path);
      else if (info.type != H5L_TYPE_HARD)
        code = um_fail(err, UM_EFORMAT, "%s: %.400s is a %s link, which is not followed; save the weights into the file itself", where,
                       path, info.type == H5L_TYPE_EXTERNAL ? "external" : "soft");
      else if ((next = H5Oopen(at, component, H5P_DEFAULT)) < 0)
        code = um_fail(err, UM_EFORMAT, "%s: %.400s cannot be opened: %s", where, path, um_h5_reason(why, sizeof why));
    }
    if (at != group) H5Oclose(at);
    if (code) return code;
    at = next;
    p += length;
    if (*p == '/') p++;
    if (*p == 0) break;
    if (H5Iget_type(at) != H5I_GROUP) {
      H5Oclose(at);
      return um_fail(err, UM_EFORMAT, "%s: in %.400s, %s is not a group", where, path, component);
    }
  }
  *out = at;
  return UM_OK;
}

int um_h5_shape(hid_t dataset, int *ndim, int64_t *dim, int room, const char *where, um_error *err) {
  hsize_t extent[H5S_MAX_RANK] = {0};
  if (H5Iget_type(dataset) != H5I_DATASET) return um_fail(err, UM_EFORMAT, "%s: expected a dataset", where);
  hid_t space = H5Dget_space(dataset);
  if (space < 0) return um_fail(err, UM_EFORMAT, "%s: its shape cannot be read", where);
  int code = UM_OK, rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > room || H5Sget_simple_extent_type(space) == H5S_NULL || H5Sget_simple_extent_dims(space, extent, NULL) < 0) {
    code = um_fail(err, UM_EFORMAT, "%s: %d dimensions, expected 0 to %d", where, rank, room);
    goto done;
  }
  *ndim = rank;
  for (int i = 0; i < rank; i++) {
    if (extent[i] == 0 || extent[i] > INT32_MAX) {
      code = um_fail(err, UM_EFORMAT, "%s: dimension %d is %" PRIu64 ", expected 1 to %d", where, i, (uint64_t)extent[i], INT32_MAX);
      goto done;
    }
    dim[i] = (int64_t)extent[i];
  }
done:
  H5Sclose(space);
  return code;
}

void um_h5_dtype(char *text, size_t size, hid_t dataset) {
  const hid_t type = H5Dget_type(dataset);
  snprintf(text, size, "?");
  if (type < 0) return;
  const H5T_class_t class = H5Tget_class(type);
  const unsigned bits = (unsigned)H5Tget_size(type) * 8;
  if (class == H5T_FLOAT) snprintf(text, size, "f%u", bits);
  if (class == H5T_INTEGER) snprintf(text, size, "%c%u", H5Tget_sign(type) == H5T_SGN_NONE ? 'u' : 'i', bits);
  H5Tclose(type);
}

/* The filters that HDF5 itself brings; any other name would make it look for a plugin to run. */
static int check_filters(hid_t properties, const char *where, um_error *err) {
  int n = H5Pget_nfilters(properties);
  for (int i = 0; i < n; i++) {
    unsigned flags, config;
    size_t values = 0;
    char name[64] = "";
    H5Z_filter_t filter = H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, sizeof name, name, &config);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      return um_fail(err, UM_EUNSUPPORTED, "%s: stored through filter %d (%.63s); repack the file: h5repack -f NONE OLD NEW", where,
                     (int)filter, name[0] ? name : "no name");
  }
  return UM_OK;
}

/* Whether all of it has storage: what has none reads as zeros without a word. chunk is NULL where the layout has no chunks.
 * (H5Dget_space_status takes compressed chunks for missing ones.) */
static bool written(hid_t dataset, const hsize_t *chunk) {
  hsize_t extent[H5S_MAX_RANK], wanted = 1, present = 0;
  if (!chunk) return H5Dget_storage_size(dataset) > 0;
  hid_t space = H5Dget_space(dataset);
  if (space < 0) return false;
  int rank = H5Sget_simple_extent_dims(space, extent, NULL);
  for (int i = 0; i < rank; i++) wanted *= (extent[i] + chunk[i] - 1) / chunk[i];
  bool read = rank >= 0 && H5Dget_num_chunks(dataset, space, &present) >= 0;
  H5Sclose(space);
  return read && present == wanted;
}

/* What the dataset's header says of its storage, held against the values that we want. */
static int check_storage(hid_t dataset, int64_t count, size_t width, uint64_t file_size, const char *where, um_error *err) {
  int code = UM_OK;
  hid_t properties = H5Dget_create_plist(dataset);
  hsize_t chunk[H5S_MAX_RANK] = {0}, stored = H5Dget_storage_size(dataset);

  if (properties < 0) return um_fail(err, UM_EFORMAT, "%s: its storage cannot be read", where);
  H5D_layout_t layout = H5Pget_layout(properties);
  if (H5Pget_external_count(properties) != 0 || layout == H5D_VIRTUAL) {
    code =
        um_fail(err, UM_EFORMAT, "%s: its data lies in another file, which is not followed; save the weights into the file itself", where);
    goto done;
  }
  if (stored > file_size) {
    code =
        um_fail(err, UM_EFORMAT, "%s: claims %" PRIu64 " bytes of storage, but the file has %" PRIu64, where, (uint64_t)stored, file_size);
    goto done;
  }
  if (layout == H5D_CHUNKED) {
    int rank = H5Pget_chunk(properties, H5S_MAX_RANK, chunk);
    uint64_t product = 1, bound = (uint64_t)count * 4 + 262144; /* a chunk may overhang its dataset, but not by much */
    for (int i = 0; i < rank; i++) {
      if (chunk[i] == 0 || chunk[i] > bound / product) {
        code = um_fail(err, UM_EFORMAT, "%s: chunks of more than %" PRIu64 " values for a tensor of %" PRId64, where, bound, count);
        goto done;
      }
      product *= chunk[i];
    }
    if ((code = check_filters(properties, where, err))) goto done;
  } else if (stored != (hsize_t)count * width) {
    code = um_fail(err, UM_EFORMAT, "%s: %" PRIu64 " bytes of storage, expected %" PRId64 " x %zu", where, (uint64_t)stored, count, width);
    goto done;
  }
  if (!written(dataset, layout == H5D_CHUNKED ? chunk : NULL))
    code = um_fail(err, UM_EFORMAT, "%s: its values, or some of them, were never written", where);
done:
  H5Pclose(properties);
  return code;
}

int um_h5_read_floats(float *out, hid_t dataset, int64_t count, uint64_t file_size, const char *where, um_error *err) {
  char why[256];
  hid_t type = H5Dget_type(dataset);
  H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
  size_t width = type < 0 ? 0 : H5Tget_size(type);
  if (type >= 0) H5Tclose(type);
  if (class != H5T_FLOAT || width < 2 || width > 8)
    return um_fail(err, UM_EFORMAT, "%s: expected floating point of 16, 32 or 64 bits, found another type", where);
  int code = check_storage(dataset, count, width, file_size, where, err);
  if (code) return code;
  if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
    return um_fail(err, UM_EFORMAT, "%s: cannot be read: %s", where, um_h5_reason(why, sizeof why));
  return UM_OK;
}

/* JSON: reading members of an object that came from a file, and writing numbers exactly. Each reader returns false where the member is
 * missing or is not what it should be, and leaves *out alone then. */
#ifndef UM_CORE_JSON_H
#define UM_CORE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool um_json_number(const cJSON *o, const char *key, double low, double high, double *out);
bool um_json_int(const cJSON *o, const char *key, double low, double high, int64_t *out);
/* Text that fits into size bytes with its end. */
bool um_json_text(const cJSON *o, const char *key, char *out, size_t size);
/* One of `count` words: *out is its index. */
bool um_json_word(const cJSON *o, const char *key, const char *const *words, int count, int *out);
/* A number written as text ("%a": exact, infinities included), not NaN. */
bool um_json_exact(const cJSON *o, const char *key, double *out);

/* Members that may be nothing: null for NaN, and for NULL or "". False without memory. */
bool um_json_put_number(cJSON *o, const char *key, double v);
bool um_json_put_text(cJSON *o, const char *key, const char *v);

/* Text of it, malloc'd, with every number in the fewest of 15 to 17 digits that read back to the same double; what is not finite is null.
 * (cJSON's own takes 15 digits where they are right but for the last bit.) The object's numbers are of another type afterwards: it is fit
 * for nothing but to be deleted. NULL without memory. */
char *um_json_print(cJSON *o, bool formatted);

#endif

/* What the files of the config share: the table of keys and the head's layers. */
#ifndef UM_CORE_CONFIG_INTERNAL_H
#define UM_CORE_CONFIG_INTERNAL_H

#include <cjson/cJSON.h>

#include "core/config.h"

typedef enum um_key_type {
  UM_KEY_BOOL,
  UM_KEY_INT,       /* int */
  UM_KEY_SEED,      /* uint64_t, up to 2^53: JSON has no more */
  UM_KEY_NUMBER,    /* double */
  UM_KEY_TEXT,      /* char[]; null is "" */
  UM_KEY_CHOICE,    /* one of `choices`, kept as its index in an int or bool */
  UM_KEY_WORD,      /* one of `choices`, kept as text */
  UM_KEY_FIXED,     /* has to be its default; not kept */
  UM_KEY_SIZE,      /* int[2]: [height, width] */
  UM_KEY_RESCALE,   /* double: a number or "a/b" */
  UM_KEY_ZOOM,      /* double[2]: z or [low, high] */
  UM_KEY_RANGE,     /* double[2]: [low, high], or one number for both */
  UM_KEY_AUTO,      /* int: "auto" is 0 */
  UM_KEY_BYTES,     /* int64_t: a number or "512M" */
  UM_KEY_FPS,       /* double: "all" is 0 */
  UM_KEY_TRAINABLE, /* char[]: "all", "head" or a layer's name */
  UM_KEY_HEAD,      /* char *: JSON text of an array of layers */
  UM_KEY_LIST,      /* um_list: rising where flagged so; null is empty */
  UM_KEY_WEIGHTS,   /* um_class_weight */
  UM_KEY_PHASES     /* um_phase[]: read by um_course_read, when all else is known */
} um_key_type;

/* Bits of a key's flags. The first three are 1 << um_optimizer_kind, those from 8 on 1 << (8 + um_schedule_kind): the kinds that have
 * this setting; none: all. */
enum {
  UM_KEY_OPTIMIZERS = 7,
  UM_KEY_FREE = 16,   /* may change when a run is resumed: leaves the numbers alone, or extends the run */
  UM_KEY_RISING = 32, /* a list of growing numbers, the first above 0 */
  UM_KEY_SCHEDULES = 31 << 8,
  UM_KEY_STOPPING = 1 << 13 /* a setting of early stopping */
};

typedef struct um_key {
  const char *name; /* "epochs" or "section.key" */
  um_key_type type;
  size_t offset, size; /* in um_config */
  double low, high;
  const char *choices;  /* "a|b|c" */
  const char *fallback; /* the default, as JSON */
  unsigned flags;
  const char *help;
} um_key;

extern const um_key um_keys[];
extern const int um_keys_count;

const um_key *um_key_find(const char *name);
/* Whether the key is a setting of this config's optimizer, schedule or early stopping (true for all others). */
bool um_key_applies(const um_key *k, const um_config *c);
/* "a number from 0 to 180". */
const char *um_key_expected(const um_key *k, char *text, size_t size);
/* Reads a value into its field; UM_ECONFIG with "where: expected ..., got ...". */
int um_key_read(um_config *c, const um_key *k, const cJSON *value, const char *where, um_error *err);
/* The field as JSON; NULL without memory. */
cJSON *um_key_write(const um_config *c, const um_key *k);

/* What messages need to know of where values came from. */
typedef struct um_config_source {
  const char *name; /* of the file */
  const char *const *set;
  int set_count;
} um_config_source;

/* Every key of a section ("": all) to its default. */
int um_config_defaults(um_config *c, const char *section, um_error *err);
/* Every member of an object that is the section ("": the whole config): known, only once, and right. */
int um_config_read_object(um_config *c, const cJSON *object, const char *section, const um_config_source *s, um_error *err);
/* Settings of another optimizer or schedule than the one chosen would do nothing; a config that holds one means something else. */
int um_config_check_applies(const um_config *c, const cJSON *root, const char *section, const um_config_source *s, um_error *err);
/* "--set" where the key, or its whole section, came from there; else the file's name. */
const char *um_config_where(const um_config_source *s, const char *key);

/* config_phases.c: what is said about the schedule must fit together; then the phases, from what the rest of the config says. */
int um_schedule_check(const um_schedule *s, int epochs, const char *where, um_error *err);
int um_course_read(um_config *c, const cJSON *root, const um_config_source *s, um_error *err);
cJSON *um_phases_write(const um_config *c);
bool um_class_weight_read(um_class_weight *w, const cJSON *value);
cJSON *um_class_weight_write(const um_class_weight *w);

/* A value as short JSON text, for messages. */
const char *um_json_brief(const cJSON *value, char *text, size_t size);
/* The nearest of `count` names to `word`, or NULL where none is near. */
const char *um_nearest(const char *word, const char *const *name, int count);

#define UM_HEAD_MAX 32

typedef struct um_head_layer {
  enum { UM_HEAD_FLATTEN, UM_HEAD_GLOBAL_POOL, UM_HEAD_DENSE, UM_HEAD_DROPOUT } kind;
  char name[UM_NAME_MAX]; /* "": as Keras would */
  int64_t units;
  double rate; /* dropout */
  enum { UM_HEAD_LINEAR, UM_HEAD_RELU, UM_HEAD_SIGMOID } activation;
} um_head_layer;

/* Reads and checks model.head; layers has room for UM_HEAD_MAX. */
int um_head_read(um_head_layer *layers, int *count, const cJSON *head, const char *where, um_error *err);

#endif

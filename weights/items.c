/* The list of tensors that a reader of weights makes. */
#include <stdlib.h>
#include <string.h>

#include "weights/source.h"

um_weight_item *um_weight_source_add(um_weight_source *s, const char *name, const char *from) {
  if (s->count == s->room) {
    int room = s->room ? 2 * s->room : 64;
    um_weight_item *grown = realloc(s->item, sizeof *grown * (size_t)room);
    if (!grown) return NULL;
    s->item = grown;
    s->room = room;
  }
  um_weight_item *item = &s->item[s->count];
  *item = (um_weight_item){.name = strdup(name), .from = strdup(from), .dtype = "f32"};
  if (!item->name || !item->from) {
    free(item->name);
    free(item->from);
    return NULL;
  }
  s->count++;
  return item;
}

void um_weight_source_close(um_weight_source *s) {
  if (s->handle) s->close(s);
  for (int i = 0; i < s->count; i++) {
    free(s->item[i].name);
    free(s->item[i].from);
  }
  free(s->item);
  *s = (um_weight_source){0};
}

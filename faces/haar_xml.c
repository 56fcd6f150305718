/* Reading cascades: opencv-data's XML, both the format of today (opencv-cascade-classifier) and the older one
 * (opencv-haar-classifier), which is turned into the former as OpenCV's haar_cvt::convert does. */
#include "faces/haar_internal.h"

#include <expat.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX    32
#define ELEMENTS_MAX 4000000

/* The document as a tree. Numbers are read from text where they are needed. */
typedef struct element {
  char *name, *text, *type_id;
  size_t text_size, text_room;
  struct element *parent, *child, *last, *next;
} element;

typedef struct document {
  element *root, *open;
  int depth, count;
  bool failed; /* no memory, or absurd */
  const char *name;
  um_error *err;
} document;

static void element_free(element *e) {
  while (e) {
    element *next = e->next;
    element_free(e->child); /* as deep as DEPTH_MAX */
    free(e->name);
    free(e->text);
    free(e->type_id);
    free(e);
    e = next;
  }
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attribute) {
  document *d = user;
  if (d->failed) return;
  element *e = calloc(1, sizeof *e);
  if (e) e->name = strdup(name);
  for (int i = 0; e && attribute[i]; i += 2)
    if (strcmp(attribute[i], "type_id") == 0 && !e->type_id) e->type_id = strdup(attribute[i + 1]);
  if (!e || !e->name || ++d->depth > DEPTH_MAX || ++d->count > ELEMENTS_MAX) {
    element_free(e);
    d->failed = true;
    return;
  }
  e->parent = d->open;
  if (!d->open) {
    d->root = e;
  } else if (!d->open->last) {
    d->open->child = d->open->last = e;
  } else {
    d->open->last->next = e;
    d->open->last = e;
  }
  d->open = e;
}

static void XMLCALL on_end(void *user, const XML_Char *name) {
  document *d = user;
  (void)name;
  if (d->failed) return;
  d->depth--;
  d->open = d->open->parent;
}

static void XMLCALL on_text(void *user, const XML_Char *text, int size) {
  document *d = user;
  element *e = d->open;
  if (d->failed || !e) return;
  if (e->text_size + (size_t)size + 1 > e->text_room) {
    size_t room = 2 * (e->text_size + (size_t)size) + 32;
    char *grown = realloc(e->text, room);
    if (!grown) {
      d->failed = true;
      return;
    }
    e->text = grown;
    e->text_room = room;
  }
  memcpy(e->text + e->text_size, text, (size_t)size);
  e->text_size += (size_t)size;
  e->text[e->text_size] = 0;
}

static element *child(const element *e, const char *name) {
  for (element *c = e ? e->child : NULL; c; c = c->next)
    if (strcmp(c->name, name) == 0) return c;
  return NULL;
}

/* The numbers in an element's text: up to max into value, returns how many there are; -1 where something else is there. */
static int numbers(const element *e, double *value, int max) {
  int n = 0;
  const char *at = e && e->text ? e->text : "";
  for (;;) {
    while (*at && strchr(" \t\r\n", *at)) at++;
    if (!*at) return n;
    char *end;
    double v = strtod(at, &end);
    if (end == at || !isfinite(v)) return -1;
    if (n < max) value[n] = v;
    n++;
    at = end;
  }
}

static bool number(const element *e, double *value) { return e && numbers(e, value, 1) == 1; }

static bool integer(const element *e, int min, int max, int *value) {
  double v;
  if (!number(e, &v) || v != floor(v) || v < min || v > max) return false;
  *value = (int)v;
  return true;
}

static bool text_is(const element *e, const char *text) {
  if (!e || !e->text) return false;
  const char *at = e->text + strspn(e->text, " \t\r\n");
  size_t n = strcspn(at, " \t\r\n");
  return n == strlen(text) && strncmp(at, text, n) == 0;
}

static int bad(const document *d, const char *what) { return um_fail(d->err, UM_EFORMAT, "%s: %s", d->name, what); }

/* Room for one more element of an array that doubles; false where there is no memory or the count is absurd. */
static bool grow(void *array, int count, size_t size) {
  if (count & (count - 1)) return true; /* room is a power of two, at least 1 */
  if (count > (1 << 22)) return false;
  void **p = array;
  void *grown = realloc(*p, (count ? 2 * (size_t)count : 1) * size);
  if (!grown) return false;
  *p = grown;
  return true;
}

/* Rectangles of a feature; they must lie within the window, for their corners become offsets into memory. */
static int parse_feature(const document *d, um_haar *h, const element *e) {
  haar_feature f = {0};
  double v[5] = {0};
  int n = 0, tilted = 0;
  const element *t = child(e, "tilted");
  if (t && !integer(t, 0, 1, &tilted)) return bad(d, "feature: tilted: expected 0 or 1");
  f.tilted = tilted;
  for (element *r = child(e, "rects") ? child(e, "rects")->child : NULL; r; r = r->next, n++) {
    if (n >= HAAR_RECTS) return bad(d, "feature: more than three rectangles");
    if (numbers(r, v, 5) != 5) return bad(d, "feature: a rectangle needs five numbers");
    for (int i = 0; i < 4; i++)
      if (v[i] != floor(v[i]) || v[i] < 0 || v[i] > HAAR_WINDOW_MAX) return bad(d, "feature: rectangle outside of the window");
    int x = (int)v[0], y = (int)v[1], w = (int)v[2], hh = (int)v[3];
    bool inside = f.tilted ? x - hh >= 0 && x + w <= h->width && y + w + hh <= h->height : x + w <= h->width && y + hh <= h->height;
    if (!inside) return bad(d, "feature: rectangle outside of the window");
    f.rect[n].x = x, f.rect[n].y = y, f.rect[n].width = w, f.rect[n].height = hh;
    f.rect[n].weight = (float)v[4];
  }
  if (n < 1) return bad(d, "feature: no rectangles");
  if (!grow(&h->feature, h->features, sizeof *h->feature)) return um_fail(d->err, UM_ENOMEM, "%s: no memory", d->name);
  h->feature[h->features++] = f;
  h->tilted |= f.tilted;
  return UM_OK;
}

static int add_node(const document *d, um_haar *h, haar_node n) {
  if (!grow(&h->node, h->nodes, sizeof *h->node)) return um_fail(d->err, UM_ENOMEM, "%s: no memory", d->name);
  h->node[h->nodes++] = n;
  return UM_OK;
}

static int add_leaf(const document *d, um_haar *h, double v) {
  if (!grow(&h->leaf, h->leaves, sizeof *h->leaf)) return um_fail(d->err, UM_ENOMEM, "%s: no memory", d->name);
  h->leaf[h->leaves++] = (float)v;
  return UM_OK;
}

/* The last tree's nodes and leaves are in: checks its shape. A child comes after its parent, so that every walk ends. */
static int close_tree(const document *d, um_haar *h, haar_tree t) {
  t.nodes = h->nodes - t.node;
  if (t.nodes < 1 || t.nodes > HAAR_TREE_NODES) return bad(d, "weak classifier: expected 1 to 32 nodes");
  if (h->leaves - t.leaf != t.nodes + 1) return bad(d, "weak classifier: expected one leaf more than nodes");
  for (int i = 0; i < t.nodes; i++) {
    const haar_node *n = &h->node[t.node + i];
    for (int side = 0; side < 2; side++) {
      int c = side ? n->right : n->left;
      if (c > 0 ? c <= i || c >= t.nodes : -c > t.nodes) return bad(d, "weak classifier: a child that is not there");
    }
  }
  if (!grow(&h->tree, h->trees, sizeof *h->tree)) return um_fail(d->err, UM_ENOMEM, "%s: no memory", d->name);
  h->tree[h->trees++] = t;
  return UM_OK;
}

static int close_stage(const document *d, um_haar *h, haar_stage s, double threshold) {
  s.trees = h->trees - s.tree;
  if (s.trees < 1) return bad(d, "a stage without weak classifiers");
  s.threshold = (float)threshold - 1e-5f; /* THRESHOLD_EPS */
  double size = 0;
  for (int t = s.tree; t < s.tree + s.trees; t++) {
    double largest = 0;
    for (int l = 0; l <= h->tree[t].nodes; l++) largest = fmax(largest, fabs((double)h->leaf[h->tree[t].leaf + l]));
    size += largest;
  }
  /* n additions, each off by at most half an ulp of a partial sum that is no larger than `size`; doubled to be safe. */
  s.margin = (float)(2 * size * s.trees * 0x1p-24);
  if (!grow(&h->stage, h->stages, sizeof *h->stage)) return um_fail(d->err, UM_ENOMEM, "%s: no memory", d->name);
  h->stage[h->stages++] = s;
  return UM_OK;
}

static int parse_weak(const document *d, um_haar *h, const element *e) {
  double v[4 * HAAR_TREE_NODES];
  int r, n = numbers(child(e, "internalNodes"), v, 4 * HAAR_TREE_NODES);
  haar_tree t = {.node = h->nodes, .leaf = h->leaves};
  if (n < 4 || n % 4 || n > 4 * HAAR_TREE_NODES) return bad(d, "internalNodes: expected four numbers a node");
  for (int i = 0; i < n; i += 4) {
    for (int k = 0; k < 3; k++)
      if (v[i + k] != floor(v[i + k]) || fabs(v[i + k]) > 1e6) return bad(d, "internalNodes: expected indices");
    haar_node node = {.left = (int)v[i], .right = (int)v[i + 1], .feature = (int)v[i + 2], .threshold = (float)v[i + 3]};
    if ((r = add_node(d, h, node)) < 0) return r;
  }
  n = numbers(child(e, "leafValues"), v, HAAR_TREE_NODES + 1);
  if (n < 2 || n > HAAR_TREE_NODES + 1) return bad(d, "leafValues: expected one number more than nodes");
  for (int i = 0; i < n; i++)
    if ((r = add_leaf(d, h, v[i])) < 0) return r;
  return close_tree(d, h, t);
}

static int parse_new(const document *d, um_haar *h, const element *e) {
  int r;
  double threshold;
  const element *type = child(e, "featureType");
  if (!text_is(type, "HAAR"))
    return um_fail(d->err, UM_EUNSUPPORTED, "%s: featureType: expected HAAR, got %.40s (local binary patterns and HOG are not read)",
                   d->name, type && type->text ? type->text : "nothing");
  if (!text_is(child(e, "stageType"), "BOOST")) return bad(d, "stageType: expected BOOST");
  if (!integer(child(e, "width"), 4, HAAR_WINDOW_MAX, &h->width) || !integer(child(e, "height"), 4, HAAR_WINDOW_MAX, &h->height))
    return bad(d, "width, height: expected 4 to 128");
  const element *stages = child(e, "stages"), *features = child(e, "features");
  for (element *f = features ? features->child : NULL; f; f = f->next)
    if ((r = parse_feature(d, h, f)) < 0) return r;
  for (element *s = stages ? stages->child : NULL; s; s = s->next) {
    haar_stage stage = {.tree = h->trees};
    if (!number(child(s, "stageThreshold"), &threshold)) return bad(d, "stageThreshold: expected a number");
    const element *weak = child(s, "weakClassifiers");
    for (element *w = weak ? weak->child : NULL; w; w = w->next)
      if ((r = parse_weak(d, h, w)) < 0) return r;
    if ((r = close_stage(d, h, stage, threshold)) < 0) return r;
  }
  return UM_OK;
}

/* A child of an old node: a value (which becomes a leaf) or a node's number. */
static int parse_old_child(const document *d, um_haar *h, const element *e, const char *val, const char *node, int first_leaf, int *out) {
  double v;
  if (child(e, val)) {
    if (!number(child(e, val), &v)) return bad(d, "left_val, right_val: expected a number");
    *out = -(h->leaves - first_leaf);
    return add_leaf(d, h, v);
  }
  if (!integer(child(e, node), 1, HAAR_TREE_NODES, out)) return bad(d, "a node without left_val, left_node, right_val or right_node");
  return UM_OK;
}

static int parse_old(const document *d, um_haar *h, const element *e) {
  int r;
  double v[2];
  if (numbers(child(e, "size"), v, 2) != 2 || v[0] != floor(v[0]) || v[1] != floor(v[1]) || v[0] < 4 || v[1] < 4 ||
      v[0] > HAAR_WINDOW_MAX || v[1] > HAAR_WINDOW_MAX)
    return bad(d, "size: expected two numbers from 4 to 128");
  h->width = (int)v[0], h->height = (int)v[1];
  const element *stages = child(e, "stages");
  for (element *s = stages ? stages->child : NULL; s; s = s->next) {
    haar_stage stage = {.tree = h->trees};
    if (!number(child(s, "stage_threshold"), &v[0])) return bad(d, "stage_threshold: expected a number");
    const element *trees = child(s, "trees");
    for (element *t = trees ? trees->child : NULL; t; t = t->next) {
      haar_tree tree = {.node = h->nodes, .leaf = h->leaves};
      for (element *n = t->child; n; n = n->next) {
        haar_node node = {.feature = h->features};
        if (!number(child(n, "threshold"), &v[1])) return bad(d, "threshold: expected a number");
        node.threshold = (float)v[1];
        if ((r = parse_feature(d, h, child(n, "feature"))) < 0 ||
            (r = parse_old_child(d, h, n, "left_val", "left_node", tree.leaf, &node.left)) < 0 ||
            (r = parse_old_child(d, h, n, "right_val", "right_node", tree.leaf, &node.right)) < 0 || (r = add_node(d, h, node)) < 0)
          return r;
      }
      if ((r = close_tree(d, h, tree)) < 0) return r;
    }
    if ((r = close_stage(d, h, stage, v[0])) < 0) return r;
  }
  return UM_OK;
}

/* Expat 2.9 counts in 64 bits under another name, and warns of the old one. */
static unsigned long line_of(XML_Parser parser) {
#if XML_MAJOR_VERSION > 2 || (XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION >= 9)
  return (unsigned long)XML_GetCurrentLineNumber64(parser);
#else
  return (unsigned long)XML_GetCurrentLineNumber(parser);
#endif
}

int haar_parse(um_haar *h, const char *text, size_t size, const char *name, um_error *err) {
  document d = {.name = name, .err = err};
  int r;
  memset(h, 0, sizeof *h);
  XML_Parser parser = XML_ParserCreate(NULL);
  if (!parser) return um_fail(err, UM_ENOMEM, "%s: no memory", name);
  XML_SetUserData(parser, &d);
  XML_SetElementHandler(parser, on_start, on_end);
  XML_SetCharacterDataHandler(parser, on_text);
  if (size > INT_MAX || XML_Parse(parser, text, (int)size, 1) != XML_STATUS_OK) {
    r = um_fail(err, UM_EFORMAT, "%s: not a cascade: line %lu: %s", name, line_of(parser), XML_ErrorString(XML_GetErrorCode(parser)));
    goto done;
  }
  if (d.failed) {
    r = um_fail(err, UM_EFORMAT, "%s: too deep or too large to be a cascade", name);
    goto done;
  }
  const element *e = d.root ? d.root->child : NULL;
  const char *type = e && e->type_id ? e->type_id : "";
  if (!d.root || strcmp(d.root->name, "opencv_storage") != 0 || !e)
    r = bad(&d, "not a cascade: expected <opencv_storage>");
  else if (strcmp(type, "opencv-cascade-classifier") == 0 || (!*type && child(e, "stageType")))
    r = parse_new(&d, h, e);
  else if (strcmp(type, "opencv-haar-classifier") == 0 || (!*type && child(e, "size")))
    r = parse_old(&d, h, e);
  else
    r = um_fail(err, UM_EUNSUPPORTED, "%s: expected a cascade (opencv-cascade-classifier or opencv-haar-classifier), got <%.40s> \"%.60s\"",
                name, e->name, type);
  if (r == UM_OK && h->stages < 1) r = bad(&d, "no stages");
  for (int i = 0; r == UM_OK && i < h->nodes; i++)
    if (h->node[i].feature < 0 || h->node[i].feature >= h->features) r = bad(&d, "internalNodes: a feature that is not there");
done:
  if (r < 0) haar_clear(h);
  element_free(d.root);
  XML_ParserFree(parser);
  return r;
}

void haar_clear(um_haar *h) {
  free(h->stage);
  free(h->tree);
  free(h->node);
  free(h->leaf);
  free(h->feature);
  memset(h, 0, sizeof *h);
}

/* Words, names and paths as datasets write them. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/sets/scan.h"

const char *set_part(const char *text) {
  static const struct {
    const char *word, *part;
  } known[] = {{"train", "train"},    {"training", "train"}, {"val", "val"},   {"valid", "val"},
               {"validation", "val"}, {"dev", "val"},        {"test", "test"}, {"testing", "test"}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcasecmp(text, known[i].word) == 0) return known[i].part;
  return NULL;
}

const char *set_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

void set_stem(char *stem, size_t size, const char *path) {
  const char *base = set_base(path), *dot = strrchr(base, '.');
  snprintf(stem, size, "%.*s", dot && dot != base ? (int)(dot - base) : (int)strlen(base), base);
}

int set_split(char *part[], int max, char *room, size_t size, const char *path) {
  int n = 0;
  if (strlen(path) >= size) return -1;
  strcpy(room, path);
  for (char *at = room, *end; at; at = end) {
    if ((end = strchr(at, '/'))) *end++ = 0;
    if (n == max) return -1;
    part[n++] = at;
  }
  return n;
}

const char *set_part_of_path(const char *path) {
  char room[PATH_MAX], *part[SET_DEPTH_MAX + 2];
  for (int i = set_split(part, SET_DEPTH_MAX + 2, room, sizeof room, path) - 2; i >= 0; i--)
    if (set_part(part[i])) return set_part(part[i]);
  return "";
}

bool set_listed(const char *list, const char *word) {
  const size_t n = strlen(word);
  for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (strncasecmp(at, word, n) == 0 && (at[n] == 0 || at[n] == ',')) return true;
  return !list;
}

const char *set_shown(char *buffer, size_t size, const char *text) {
  const size_t n = strlen(text);
  if (n < size) {
    memcpy(buffer, text, n + 1);
  } else { /* not cut inside a UTF-8 character */
    size_t head = (size - 4) / 2, tail = n - (size - 4 - head);
    while (head > 0 && ((unsigned char)text[head] & 0xc0) == 0x80) head--;
    while (tail < n && ((unsigned char)text[tail] & 0xc0) == 0x80) tail++;
    memcpy(buffer, text, head);
    memcpy(buffer + head, "...", 3);
    memcpy(buffer + head + 3, text + tail, n - tail + 1);
  }
  for (unsigned char *c = (unsigned char *)buffer; *c; c++) {
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) *c = c[1] = '?'; /* a control character in UTF-8 */
    if (*c < 0x20 || *c == 0x7f) *c = '?';
  }
  return buffer;
}

const char *set_leads_out(const char *path) {
  if (!*path) return "is empty";
  if (*path == '/') return "is absolute";
  for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
    if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == 0)) return "leads out of the folder";
  return NULL;
}

/* Text of unknown origin made harmless, measured, cut and broken into lines. */
#include <string.h>

#include "plot/display.h"

/* Advance widths of DejaVu Sans 2.37, book and bold, in thousandths of the font's size; from U+0020 on. */
static const uint16_t advance[2][95] = {
    {318, 401, 460, 838, 636, 950, 780, 275, 390,  390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636, 636,
     636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
     603, 787, 695, 635, 611, 732, 684, 989, 685,  611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635,
     634, 278, 278, 579, 278, 974, 634, 612, 635,  635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838},
    {348, 456, 521, 838, 696, 1002, 872, 306,  457,  457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696, 696,
     696, 696, 400, 400, 838, 838,  838, 580,  1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995, 837, 850,
     733, 850, 770, 720, 682, 812,  774, 1103, 771,  724, 725, 457, 365, 457, 838, 500, 500, 675, 716, 593, 716, 678, 435, 716,
     712, 343, 343, 665, 343, 1042, 712, 687,  716,  716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838}};

#define ELLIPSIS "\xe2\x80\xa6"

uint32_t plot_next_character(const char **text) {
  const unsigned char *s = (const unsigned char *)*text;
  const int more = s[0] < 0x80                   ? 0
                   : s[0] >= 0xc2 && s[0] < 0xe0 ? 1
                   : s[0] >= 0xe0 && s[0] < 0xf0 ? 2
                   : s[0] >= 0xf0 && s[0] < 0xf5 ? 3
                                                 : -1;
  static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
  uint32_t c = more <= 0 ? s[0] : s[0] & (0x3fu >> more);
  *text += 1;
  if (more < 0) return 0xfffd;
  for (int i = 1; i <= more; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0xfffd;
    c = c << 6 | (s[i] & 0x3f);
  }
  if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff) return 0xfffd;
  *text += more;
  return c < 0x20 || (c >= 0x7f && c < 0xa0) ? ' ' : c;
}

static double width_of(uint32_t c, bool bold) {
  if (c >= 0x20 && c < 0x7f) return advance[bold][c - 0x20] / 1000.0;
  if (c >= 0x300 && c < 0x370) return 0; /* accents that stand on the letter before */
  if (c == 0x2013 || c == 0xa0) return .5;
  return c < 0x250 ? .8 : bold ? 1.1 : 1;
}

double plot_text_width(const char *text, double size, bool bold) {
  double w = 0;
  while (*text) w += width_of(plot_next_character(&text), bold);
  return w * size;
}

/* Writes the character as UTF-8; returns its bytes. */
static int put(char out[4], uint32_t c) {
  if (c < 0x80) return out[0] = (char)c, 1;
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char first[4] = {0, 0xc0, 0xe0, 0xf0};
  out[0] = (char)(first[more] | c >> 6 * more);
  for (int i = 1; i <= more; i++) out[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
  return more + 1;
}

bool plot_text_fit(char *out, size_t room, const char *text, double most, double size, bool bold) {
  const double dots = width_of(0x2026, bold) * size;
  size_t used = 0, cut = 0; /* cut: where an ellipsis still has room after it */
  double width = 0;
  while (*text) {
    char bytes[4];
    const uint32_t c = plot_next_character(&text);
    const int n = put(bytes, c);
    width += width_of(c, bold) * size;
    if (used + (size_t)n + sizeof ELLIPSIS > room || (most > 0 && width > most + 1e-6)) {
      memcpy(out + cut, ELLIPSIS, sizeof ELLIPSIS);
      return true;
    }
    memcpy(out + used, bytes, (size_t)n);
    used += (size_t)n;
    if (!(most > 0 && width + dots > most)) cut = used;
  }
  out[used] = '\0';
  return false;
}

bool plot_text_line(char *out, size_t room, const char **text, double width, double size, bool bold, bool last) {
  size_t used = 0, space = 0;
  double w = 0;
  const char *at = *text, *after = at; /* after: behind the last space */
  while (*at == ' ') at++;
  if (!*at) return false;
  while (*at) {
    const char *before = at;
    char bytes[4];
    const uint32_t c = plot_next_character(&at);
    const int n = put(bytes, c);
    if (c == ' ' && used > 0) space = used, after = at;
    w += width_of(c, bold) * size;
    if ((!last && w > width && space > 0) || used + (size_t)n + 1 > room) {
      if (!last && space > 0) used = space, before = after;
      out[used] = '\0';
      *text = last ? at + strlen(at) : before;
      return true;
    }
    memcpy(out + used, bytes, (size_t)n);
    used += (size_t)n;
  }
  out[used] = '\0';
  *text = at;
  return true;
}

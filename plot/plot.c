#include "plot/plot.h"

#include <stdlib.h>

#include "core/file.h"
#include "plot/display.h"

enum { PHONE = 320 }; /* what a page leaves of a phone, about */

static double width_of(const um_plot *p) { return p->width > 0 ? p->width : p->panel_count > 1 ? 860 : 460; }

int um_plot_svg(char **svg, const um_plot *plot, um_error *err) {
  plot_drawing d;
  size_t size;
  *svg = NULL;
  int status = plot_layout(&d, NULL, plot, width_of(plot), err);
  if (status) return status;
  FILE *f = open_memstream(svg, &size);
  if (f) status = plot_drawing_svg(f, &d, NULL, "SVG", err);
  plot_drawing_free(&d);
  if (!f || (fclose(f) != 0 && !status)) status = um_fail(err, UM_ENOMEM, "no memory for a plot as SVG");
  if (status) free(*svg), *svg = NULL;
  return status;
}

int um_plot_html(char **html, const um_plot *plot, um_error *err) {
  /* One class for each width in use: pages hold plots of several. */
  plot_drawing wide, narrow;
  size_t size;
  char on[32], off[32];
  const int width = (int)width_of(plot);
  *html = NULL;
  if (width <= PHONE + 40) return um_plot_svg(html, plot, err);
  int status = plot_layout(&wide, NULL, plot, width, err);
  if (status) return status;
  if ((status = plot_layout(&narrow, NULL, plot, PHONE, err))) {
    plot_drawing_free(&wide);
    return status;
  }
  snprintf(on, sizeof on, "um-plot-wide-%d", width);
  snprintf(off, sizeof off, "um-plot-narrow-%d", width);
  FILE *f = open_memstream(html, &size);
  if (f) {
    fprintf(f, "<div><style>.%s{display:none}@media screen and (max-width:%dpx){.%s{display:none}.%s{display:inline}}</style>\n", off,
            width * 3 / 4, on, off);
    if (!(status = plot_drawing_svg(f, &wide, on, "HTML", err))) status = plot_drawing_svg(f, &narrow, off, "HTML", err);
    fputs("</div>\n", f);
  }
  plot_drawing_free(&wide);
  plot_drawing_free(&narrow);
  if (!f || (fclose(f) != 0 && !status)) status = um_fail(err, UM_ENOMEM, "no memory for a plot as HTML");
  if (status) free(*html), *html = NULL;
  return status;
}

int um_plot_write(const um_plot *plot, const char *dir, const char *name, um_error *err) {
  static const char *const endings[] = {"svg", "png"};
  plot_drawing d;
  int status = plot_layout(&d, NULL, plot, width_of(plot), err);
  if (status) return um_fail_context(err, "%s/%s", dir, name);
  for (int i = 0; i < 2 && !status; i++) {
    um_writer w = {0};
    char file[1024], path[4096];
    if (snprintf(file, sizeof file, "%s.%s", name, endings[i]) >= (int)sizeof file)
      status = um_fail(err, UM_EIO, "%s: the name of a plot is too long", name);
    if (!status && !(status = um_path_join(path, sizeof path, dir, file, err)) && !(status = um_writer_open(&w, path, err)))
      status = i == 0 ? plot_drawing_svg(w.file, &d, NULL, path, err) : plot_drawing_png(w.file, &d, path, err);
    if (!status) status = um_writer_commit(&w, err);
    um_writer_abandon(&w);
  }
  plot_drawing_free(&d);
  return status;
}

int um_plot_box_of(um_plot_box *box, const um_plot *plot, int panel, um_error *err) {
  plot_drawing d;
  if (panel < 0 || panel >= plot->panel_count)
    return um_fail(err, UM_EINTERNAL, "panel %d of a plot: there are %d", panel, plot->panel_count);
  um_plot_box *all = calloc((size_t)plot->panel_count, sizeof *all);
  if (!all) return um_fail(err, UM_ENOMEM, "no memory to lay a plot out");
  const int status = plot_layout(&d, all, plot, width_of(plot), err);
  if (!status) *box = all[panel], plot_drawing_free(&d);
  free(all);
  return status;
}

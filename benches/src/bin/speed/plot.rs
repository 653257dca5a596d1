//! The picture for the README: CPU of an echo beside raw TCP, drawn by hand as SVG.

use std::fmt::Write;

use crate::{cell, echo::Measured, results::Results, rounds::Row};

/// The cells that are drawn, each in a panel.
const CELLS: [(&str, &str, &str); 4] = [
    ("64x125x16", "125 B", "64 connections, 16 messages each under way"),
    ("512x1k", "1 KiB", "512 connections, one message each under way"),
    ("8x64kx4", "64 KiB", "8 connections, 4 messages each under way"),
    ("4x1m", "1 MiB", "4 connections, one message each under way"),
];

/// Width of the picture, in pixels.
const WIDTH: f64 = 860.0;

/// Space around everything.
const MARGIN: f64 = 24.0;

/// Space between the two columns of panels.
const GUTTER: f64 = 36.0;

/// Room for the names at the left of the bars.
const NAMES: f64 = 118.0;

/// Room for the figures at the right of the longest bar.
const FIGURES: f64 = 44.0;

/// From one bar to the next.
const STEP: f64 = 24.0;

/// Height of a bar.
const BAR: f64 = 14.0;

/// Height of the picture's heading.
const HEAD: f64 = 74.0;

/// Height of a panel's heading.
const PANEL_HEAD: f64 = 58.0;

/// Height of the legend.
const FOOT: f64 = 44.0;

/// A longer bar is cut, and only its figure tells how long it is.
const LONGEST: f64 = 3.0;

const STYLE: &str = "
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328;
    stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .title { font-size: 17px; font-weight: 600 }
  .panel { font-size: 14px; font-weight: 600 }
  .faint { fill: #59636e; font-size: 12px }
  .axis { stroke: #59636e; stroke-dasharray: 3 3 }
  .peer { fill: #b7c1cc }
  .ours { fill: #0f766e }
  .name { font-weight: 600; fill: #0f766e }
  .mark { fill: #1f2328 }
  .cut { stroke: #ffffff; stroke-width: 3; fill: none }
  @media (prefers-color-scheme: dark) {
    text, .mark { fill: #e6edf3 }
    text { stroke: #0d1117 }
    .card { fill: #0d1117; stroke: #3d444d }
    .faint { fill: #9198a1 }
    .axis { stroke: #9198a1 }
    .peer { fill: #4a5460 }
    .ours { fill: #2dd4bf }
    .name { fill: #2dd4bf }
    .cut { stroke: #0d1117 }
  }
";

/// Draws the results.
pub fn draw(results: &Results) -> String {
    let panels: Vec<Panel> = CELLS
        .iter()
        .filter_map(|(name, title, about)| Some(Panel::new(results.echo(name)?, title, about)))
        .collect();
    let bars = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
    let panel_height = PANEL_HEAD + bars as f64 * STEP;
    let height = HEAD + panel_height * panels.len().div_ceil(2) as f64 + FOOT;
    let mut svg = String::new();
    write_head(&mut svg, height)
        .and_then(|()| {
            let width = (WIDTH - 2.0 * MARGIN - GUTTER) / 2.0;
            panels.iter().enumerate().try_for_each(|(at, panel)| {
                let left = MARGIN + (at % 2) as f64 * (width + GUTTER);
                let top = HEAD + (at / 2) as f64 * panel_height;
                panel.write(&mut svg, [left, top, width])
            })
        })
        .and_then(|()| write_foot(&mut svg, height))
        .expect("a String takes all");
    svg
}

fn write_head(svg: &mut String, height: f64) -> std::fmt::Result {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\">\n<title>CPU time of a server for an echoed message, as a multiple of raw TCP</title>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>",
        WIDTH - 1.0,
        height - 1.0
    )?;
    text(svg, "title", [MARGIN, 34.0], "CPU of an echo server, per message")?;
    text(
        svg,
        "faint",
        [MARGIN, 55.0],
        "Multiples of what raw TCP takes for the same bytes (dashed). Shorter is better.",
    )
}

fn write_foot(svg: &mut String, height: f64) -> std::fmt::Result {
    let base = height - 20.0;
    diamond(svg, MARGIN + 6.0, base - 4.0)?;
    text(
        svg,
        "faint",
        [MARGIN + 18.0, base],
        "the same library, written by hand to gather messages before it flushes",
    )?;
    writeln!(svg, "</svg>")
}

/// A contender's bar.
struct Bar {
    name: String,
    ratio: f64,
    /// The ratio of the same library with messages gathered by hand.
    batched: Option<f64>,
}

/// One cell.
struct Panel {
    title: &'static str,
    about: &'static str,
    bars: Vec<Bar>,
}

impl Panel {
    fn new(measured: &Measured, title: &'static str, about: &'static str) -> Self {
        let ratio = |name: &str| measured.rows.iter().find(|row| row.contender == name)?.ratio.median();
        let drawn = |row: &&Row| {
            let name = row.contender.as_str();
            !cell::is_bare(name) && !cell::is_batched(name) && (!cell::is_ours(name) || name == "converse")
        };
        let bar = |row: &Row| {
            let batched = ratio(&format!("{}-batched", row.contender));
            Some(Bar { name: row.contender.clone(), ratio: row.ratio.median()?, batched })
        };
        let mut bars: Vec<Bar> = measured.rows.iter().filter(drawn).filter_map(bar).collect();
        bars.sort_by(|one, other| one.ratio.total_cmp(&other.ratio));
        Self { title, about, bars }
    }

    fn write(&self, svg: &mut String, [left, top, width]: [f64; 3]) -> std::fmt::Result {
        text(svg, "panel", [left, top + 18.0], self.title)?;
        let about = left + 10.0 + 9.0 * self.title.chars().count() as f64;
        text(svg, "faint", [about, top + 18.0], self.about)?;
        let (start, room) = (left + NAMES, width - NAMES - FIGURES);
        let scale = room / LONGEST;
        let (first, end) = (top + 44.0, top + 44.0 + self.bars.len() as f64 * STEP - (STEP - BAR) + 4.0);
        writeln!(svg, "<path class=\"axis\" d=\"M{0:.1} {1:.1}V{end:.1}\"/>", start + scale, top + 40.0)?;
        writeln!(
            svg,
            "<text class=\"faint\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">raw TCP</text>",
            start + scale,
            top + 36.0
        )?;
        for (at, bar) in self.bars.iter().enumerate() {
            bar.write(svg, [start, first + at as f64 * STEP, scale])?;
        }
        Ok(())
    }
}

impl Bar {
    fn write(&self, svg: &mut String, [start, top, scale]: [f64; 3]) -> std::fmt::Result {
        let ours = cell::is_ours(&self.name);
        let (class, name) = if ours { ("ours", "name") } else { ("peer", "") };
        let length = self.ratio.min(LONGEST) * scale;
        let base = top + BAR - 3.0;
        writeln!(
            svg,
            "<text class=\"{name}\" text-anchor=\"end\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>\n\
             <rect class=\"{class}\" x=\"{start:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>",
            start - 8.0,
            self.name
        )?;
        if self.ratio > LONGEST {
            let at = start + length - 16.0;
            writeln!(svg, "<path class=\"cut\" d=\"M{at:.1} {:.1}l6 -{:.1}\"/>", top + BAR + 1.0, BAR + 2.0)?;
        }
        if let Some(batched) = self.batched.filter(|batched| *batched <= LONGEST) {
            diamond(svg, start + batched * scale, top + BAR / 2.0)?;
        }
        // Behind the mark, where that is close to the end of the bar.
        let mark = self
            .batched
            .map(|batched| batched * scale)
            .filter(|mark| (-4.0..44.0).contains(&(mark - length)));
        let end = mark.map_or(length, |mark| length.max(mark + 5.0));
        text(svg, name, [start + end + 6.0, base], &format!("{:.2}", self.ratio))
    }
}

fn diamond(svg: &mut String, x: f64, y: f64) -> std::fmt::Result {
    writeln!(svg, "<path class=\"mark\" d=\"M{x:.1} {:.1}l4.5 4.5l-4.5 4.5l-4.5 -4.5z\"/>", y - 4.5)
}

fn text(svg: &mut String, class: &str, [x, y]: [f64; 2], words: &str) -> std::fmt::Result {
    writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>")
}

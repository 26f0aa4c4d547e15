//! A benchmark as bars, in SVG.
//!
//! Two bars a way: how long all instances took, and how long one of them did not answer. The whiskers go from the least to
//! the most. Colours follow the reader's own light or dark.

use super::super::export::svg::escaped;
use super::{Row, Spread};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
/// Where bars begin, and the most they take.
const LEFT: f64 = 300.0;
const SPAN: f64 = 430.0;
const BAR: f64 = 13.0;
const ROW: f64 = 46.0;
const TOP: f64 = 86.0;

/// The picture, with a `title` and a line on how it was measured.
pub fn svg(title: &str, how: &str, rows: &[Row]) -> String {
    let most = rows.iter().map(|row| row.took_ms.most).fold(1.0_f64, f64::max);
    let height = rows.iter().fold(TOP + 24.0, |height, _| height + ROW);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\" role=\"img\">\n<title>{}</title>\n<style>\n\
         .bg {{ fill: #ffffff }} text {{ fill: #1f2328 }} .dim {{ fill: #59636e }} .took {{ fill: #2f6fde }} .gap {{ fill: #d9822b }}\n\
         .line {{ stroke: #59636e; stroke-width: 1 }}\n\
         @media (prefers-color-scheme: dark) {{ .bg {{ fill: #0d1117 }} text {{ fill: #e6edf3 }} .dim {{ fill: #9198a1 }}\n\
         .took {{ fill: #6ea0ff }} .gap {{ fill: #f0a355 }} .line {{ stroke: #9198a1 }} }}\n</style>\n\
         <rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n",
        escaped(title)
    );
    // Writing into a string can't fail.
    let _ = writeln!(out, "<text x=\"20\" y=\"30\" font-size=\"17\" font-weight=\"600\">{}</text>", escaped(title));
    let _ = writeln!(out, "<text class=\"dim\" x=\"20\" y=\"50\">{}</text>", escaped(how));
    for (x, class, words) in [(LEFT, "took", "all instances"), (LEFT + 120.0, "gap", "one instance without an answer")]
    {
        let _ = writeln!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"62\" width=\"10\" height=\"10\" rx=\"2\"/>");
        let _ = writeln!(out, "<text class=\"dim\" x=\"{}\" y=\"71\" font-size=\"12\">{words}</text>", x + 15.0);
    }
    let mut y = TOP;
    for row in rows {
        let ratio = row.faster.filter(|_| row.way != row.against).map(|faster| format!("{faster:.1}×"));
        let _ = writeln!(out, "<text x=\"20\" y=\"{}\">{}</text>", y + 12.0, escaped(&row.words));
        if let Some(ratio) = ratio {
            let _ = writeln!(
                out,
                "<text class=\"dim\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{ratio} as fast</text>",
                LEFT - 14.0,
                y + 28.0
            );
        }
        bar(&mut out, "took", y, row.took_ms, most);
        if let Some(gap) = row.gap_ms {
            bar(&mut out, "gap", y + BAR + 3.0, gap, most);
        }
        y += ROW;
    }
    out.push_str("</svg>\n");
    out
}

fn bar(out: &mut String, class: &str, y: f64, figures: Spread, most: f64) {
    let x = |ms: f64| LEFT + SPAN * (ms / most).clamp(0.0, 1.0);
    let (end, middle) = (x(figures.median), y + BAR / 2.0);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
        (end - LEFT).max(1.0)
    );
    let (from, to) = (x(figures.least), x(figures.most));
    let _ = writeln!(out, "<line class=\"line\" x1=\"{from:.1}\" y1=\"{middle}\" x2=\"{to:.1}\" y2=\"{middle}\"/>");
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{}\" font-size=\"12\">{:.0} ms</text>",
        to + 8.0,
        y + 11.0,
        figures.median
    );
}

#[cfg(test)]
mod tests {
    use super::super::{Figures, Sample, Way};
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_figures_and_words_are_escaped() {
        let mut figures = Figures::default();
        let sample = |took_ms, gap| Sample { took_ms, gaps_ms: vec![gap], ..Sample::default() };
        figures.add(Way::Recreate, sample(1000.0, 400.0));
        figures.add(Way::Deploy(1), sample(250.0, 100.0));
        let svg = svg("a <b> & c", "how", &figures.rows());
        assert!(svg.contains("a &lt;b&gt; &amp; c") && !svg.contains("<b>"));
        assert!(
            svg.contains("width=\"430.0\"") && svg.contains("width=\"107.5\"") && svg.contains("4.0× as fast"),
            "{svg}"
        );
        assert_eq!(svg.matches("<rect").count(), 1 + 2 + 4);
    }
}

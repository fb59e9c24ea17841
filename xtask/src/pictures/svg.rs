//! A terminal's screen as SVG: text, so that it is sharp at any size and can be searched.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// Width and height of a cell, and the size of its letters.
const WIDE: f64 = 8.4;
const HIGH: f64 = 18.0;
const LETTERS: f64 = 14.0;
/// Room around the screen.
const MARGIN: f64 = 14.0;

const BACKGROUND: &str = "#16181d";
const TEXT: &str = "#d5d8de";

/// The sixteen colours of a common theme.
const SIXTEEN: [&str; 16] = [
    "#2e3440", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4", "#7f848e",
    "#f28b93", "#b5e08f", "#f2d08f", "#82c4ff", "#dc9bf0", "#7fd7e2", "#ffffff",
];

/// How a run of letters looks.
#[derive(Clone, PartialEq)]
struct Look {
    front: String,
    back: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

/// The screen, with a title for those who cannot see it.
pub fn picture(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (f64::from(columns) * WIDE + 2.0 * MARGIN, f64::from(rows) * HIGH + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         font-family=\"'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace\" font-size=\"{LETTERS}\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n",
        text(title)
    );
    for row in 0..rows {
        for (from, letters, look) in runs(screen, row, columns) {
            run(&mut out, row, from, &letters, &look);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Neighbours that look the same, as column, letters and look.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<(u16, String, Look)> {
    let mut runs: Vec<(u16, String, Look)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        let (letters, look) = (if cell.has_contents() { cell.contents() } else { " " }, look(cell));
        match runs.last_mut() {
            Some((_, run, before)) if *before == look => run.push_str(letters),
            _ => runs.push((column, letters.to_owned(), look)),
        }
    }
    runs
}

fn look(cell: &Cell) -> Look {
    let (mut front, mut back) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
    if cell.inverse() {
        (front, back) = (
            Some(back.unwrap_or_else(|| BACKGROUND.to_owned())),
            Some(front.unwrap_or_else(|| TEXT.to_owned())),
        );
    }
    Look {
        front: front.unwrap_or_else(|| TEXT.to_owned()),
        back,
        bold: cell.bold(),
        dim: cell.dim(),
        underlined: cell.underline(),
    }
}

/// `None` for the terminal's own.
fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Default => None,
        Color::Idx(n) => Some(indexed(n)),
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}

/// A colour of the palette of 256: the sixteen, a cube of six steps, and 24 greys.
fn indexed(n: u8) -> String {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * u32::from(n) };
    match n {
        0..=15 => SIXTEEN[usize::from(n)].to_owned(),
        16..=231 => {
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", step(n / 36), step(n / 6 % 6), step(n % 6))
        }
        232.. => {
            let grey = 8 + 10 * u32::from(n - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

fn run(out: &mut String, row: u16, column: u16, letters: &str, look: &Look) {
    let cells = letters.chars().count() as f64;
    let (x, y) = (MARGIN + f64::from(column) * WIDE, MARGIN + f64::from(row) * HIGH);
    let width = cells * WIDE;
    // Writing to a string cannot fail.
    if let Some(back) = &look.back {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HIGH}\" fill=\"{back}\"/>"
        );
    }
    if letters.trim().is_empty() {
        return;
    }
    let mut style = String::new();
    for (is, attribute) in [
        (look.bold, " font-weight=\"bold\""),
        (look.dim, " opacity=\"0.6\""),
        (look.underlined, " text-decoration=\"underline\""),
    ] {
        if is {
            style.push_str(attribute);
        }
    }
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\" fill=\"{}\"{style}>{}</text>",
        y + HIGH * 0.74,
        look.front,
        text(letters)
    );
}

/// Letters as XML has them.
fn text(letters: &str) -> String {
    letters.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_drawn_run_by_run() {
        let mut terminal = vt100::Parser::new(2.try_into().unwrap(), 20.try_into().unwrap(), 0);
        terminal.process(b"a <b> \x1b[1;31mred\x1b[0m\r\n\x1b[7mback\x1b[0m \x1b[38;5;196mx");
        let svg = picture(terminal.screen(), "t & t");
        assert!(svg.contains("<title>t &amp; t</title>"));
        assert!(svg.contains(">a &lt;b&gt; </text>"), "{svg}");
        assert!(svg.contains("fill=\"#e06c75\" font-weight=\"bold\">red</text>"), "{svg}");
        assert!(svg.contains(&format!("fill=\"{BACKGROUND}\">back</text>")), "{svg}");
        assert!(svg.contains("fill=\"#ff0000\">x</text>"), "{svg}");
        assert_eq!(indexed(244), "#808080");
    }
}

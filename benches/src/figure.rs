//! The memory figure of MXNet's paper again, with our bars beside the paper's, as an SVG file.

use mxr_examples::paper::{MEMORY, Memory as Published};
use mxr_examples::summary::{Memory, Summary};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

const SIZE: (u32, u32) = (1240, 470);
const LEFT: i32 = 52;
const TOP: i32 = 92;
const HEIGHT: i32 = 310;
const BAR: i32 = 13;
const GAP: i32 = 5;
const PAPER: [RGBColor; 4] = greys([0xd8, 0xb4, 0x90, 0x6c]);
const THEN: [RGBColor; 4] = [
    RGBColor(0xc6, 0xdb, 0xef),
    RGBColor(0x9e, 0xca, 0xe1),
    RGBColor(0x6b, 0xae, 0xd6),
    RGBColor(0x2b, 0x7b, 0xba),
];
const NOW: RGBColor = RGBColor(0xe0, 0x6c, 0x10);
const STRATEGIES: [&str; 4] = ["naive", "in-place", "co-share", "both"];

const fn greys(levels: [u8; 4]) -> [RGBColor; 4] {
    let [a, b, c, d] = levels;
    [RGBColor(a, a, a), RGBColor(b, b, b), RGBColor(c, c, c), RGBColor(d, d, d)]
}

/// The memory of a network in the pass of a published row.
pub fn of<'a>(row: &Published, summaries: &'a [Summary]) -> Option<&'a Memory> {
    let s = summaries.iter().find(|s| s.net == row.net)?;
    if row.train { s.train.as_ref() } else { Some(&s.predict) }
}

/// Draw it; the summaries are at batch 64.
///
/// # Errors
///
/// When the text cannot be made.
pub fn draw(summaries: &[Summary]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let title = "Memory of internal arrays, batch 64: MXNet's paper (figure 7), MXNet 2015's rules, mxr";
        root.draw(&Text::new(title, (12, 10), ("sans-serif", 16)))?;
        legend(&root)?;
        let (left, right) = root.split_horizontally(SIZE.0 / 2);
        panel(&left, "prediction", false, summaries)?;
        panel(&right, "training", true, summaries)?;
        root.present()?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn legend(root: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let mut x = 12;
    let mut entry = |color: RGBColor, text: String| -> Result<(), Box<dyn Error>> {
        root.draw(&Rectangle::new([(x, 42), (x + 11, 53)], color.filled()))?;
        root.draw(&Text::new(text.clone(), (x + 15, 41), ("sans-serif", 12)))?;
        x += 30 + 7 * text.len() as i32;
        Ok(())
    };
    for (color, name) in PAPER.into_iter().zip(STRATEGIES) {
        entry(color, format!("paper, {name}"))?;
    }
    for (color, name) in THEN.into_iter().zip(STRATEGIES) {
        entry(color, format!("2015, {name}"))?;
    }
    entry(NOW, "mxr".to_string())?;
    entry(BLACK, "bound".to_string())
}

fn panel(area: &Area<'_>, title: &str, train: bool, summaries: &[Summary]) -> Result<(), Box<dyn Error>> {
    let rows: Vec<(&Published, &Memory)> =
        MEMORY.iter().filter(|r| r.train == train).filter_map(|r| Some((r, of(r, summaries)?))).collect();
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let then = |m: &Memory| m.mxnet2015.map_or([0.0; 4], |b| b.all().map(mib));
    let highest = rows.iter().flat_map(|(_, m)| then(m)).fold(1.0, f64::max);
    let top = (highest * 1.12 / 1024.0).ceil() * 1024.0;
    let y = |mib: f64| TOP + HEIGHT - (mib / top * f64::from(HEIGHT)) as i32;
    let small = ("sans-serif", 11).into_font();
    let right = SIZE.0 as i32 / 2 - 10;
    area.draw(&Text::new(format!("{title}, GiB"), (LEFT, TOP - 24), ("sans-serif", 14)))?;
    let ticks = TextStyle::from(small.clone()).pos(Pos::new(HPos::Right, VPos::Center));
    let apart = if top > 5000.0 { 2 } else { 1 };
    for gib in (0..=(top / 1024.0) as u32).step_by(apart) {
        let at = y(f64::from(gib) * 1024.0);
        area.draw(&PathElement::new([(LEFT, at), (right, at)], BLACK.mix(0.15)))?;
        area.draw(&Text::new(gib.to_string(), (LEFT - 6, at), &ticks))?;
    }
    let turned = TextStyle::from(("sans-serif", 9).into_font().transform(FontTransform::Rotate270))
        .pos(Pos::new(HPos::Left, VPos::Center));
    let names = TextStyle::from(small).pos(Pos::new(HPos::Center, VPos::Top));
    let group = (right - LEFT) / rows.len().max(1) as i32;
    for (i, (row, m)) in rows.iter().enumerate() {
        let start = LEFT + i as i32 * group + (group - 9 * BAR - 2 * GAP) / 2;
        let mut x = start;
        let mut bar = |mib: f64, color: RGBColor| -> Result<(), Box<dyn Error>> {
            area.draw(&Rectangle::new([(x, y(mib)), (x + BAR - 1, y(0.0))], color.filled()))?;
            area.draw(&Text::new(format!("{mib:.0}"), (x + BAR / 2, y(mib) - 3), &turned))?;
            x += BAR;
            Ok(())
        };
        for (mib, color) in row.paper.unwrap_or_default().into_iter().zip(PAPER) {
            if mib > 0 {
                bar(mib as f64, color)?;
            }
        }
        for (mib, color) in then(m).into_iter().zip(THEN) {
            bar(mib, color)?;
        }
        bar(mib(m.planned), NOW)?;
        let bound = y(mib(m.lower_bound));
        area.draw(&PathElement::new([(x - BAR - 2, bound), (x + 1, bound)], BLACK.stroke_width(2)))?;
        area.draw(&Text::new(row.net.to_string(), ((start + x) / 2, y(0.0) + 8), &names))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxr_examples::zoo;

    #[test]
    fn every_bar_has_its_number() {
        let nets = ["alexnet_lrn", "googlenet", "vgg_a", "inception_bn"];
        let summaries: Vec<Summary> = nets
            .iter()
            .map(|n| Summary::new(n, zoo::find(n).expect("in the zoo").programs, 64).expect("any batch fits"))
            .collect();
        let svg = draw(&summaries).expect("text can be made");
        assert!(svg.len() < 60_000, "{} bytes", svg.len());
        for row in &MEMORY {
            let m = of(row, &summaries).expect("one of the four");
            let ours = format!("{:.0}", m.planned as f64 / f64::from(1 << 20));
            assert!(svg.contains(&ours), "{} {ours}", row.net);
            for paper in row.paper.into_iter().flatten() {
                assert!(svg.contains(&format!("\n{paper}\n")), "{} {paper} in {svg}", row.net);
            }
        }
    }
}

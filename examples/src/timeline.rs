//! Memory over time as an SVG file: the bytes of the arena that are needed at each step, beside the arena's size.

use crate::plan::Planned;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

const LEFT: i32 = 84;
const TOP: i32 = 56;
const HEIGHT: i32 = 340;
/// Below the axis, for the names of layers.
const NAMES: i32 = 170;
const FORWARD: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const BACKWARD: RGBColor = RGBColor(0xd9, 0x5f, 0x0e);
/// Pixels that a rotated name needs.
const NAME: i32 = 11;

/// Draw it.
///
/// # Errors
///
/// When the text cannot be made.
pub fn timeline(title: &str, p: &Planned) -> Result<String, Box<dyn Error>> {
    let live = p.live();
    let arena = p.plan.bytes.max(1);
    let count = live.len().max(1) as i32;
    let step = (900 / count).clamp(3, 24);
    let width = LEFT + count * step + 30;
    let top = live.iter().copied().max().unwrap_or(0).max(arena);
    let x = |t: usize| LEFT + t as i32 * step;
    let y = |bytes: u64| TOP + HEIGHT - (bytes as f64 / top as f64 * f64::from(HEIGHT)) as i32;
    let boundary = p.program.forward as usize;
    let small = ("sans-serif", 11).into_font();
    let mut svg = String::new();
    {
        let size = (width.max(560) as u32, (TOP + HEIGHT + NAMES) as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw(&Text::new(title.to_string(), (12, 10), ("sans-serif", 16)))?;
        let right = TextStyle::from(small.clone()).pos(Pos::new(HPos::Right, VPos::Center));
        for tick in 0..=4u64 {
            let bytes = top * tick / 4;
            root.draw(&PathElement::new([(LEFT, y(bytes)), (x(live.len()), y(bytes))], BLACK.mix(0.15)))?;
            root.draw(&Text::new(mib(bytes), (LEFT - 6, y(bytes)), &right))?;
        }
        for (from, to, color) in [(0, boundary.min(live.len()), FORWARD), (boundary, live.len(), BACKWARD)] {
            if from >= to {
                continue;
            }
            let mut outline = vec![(x(from), y(0))];
            for (t, bytes) in live[from..to].iter().enumerate() {
                outline.extend([(x(from + t), y(*bytes)), (x(from + t + 1), y(*bytes))]);
            }
            outline.push((x(to), y(0)));
            root.draw(&Polygon::new(outline.clone(), color.mix(0.25)))?;
            root.draw(&PathElement::new(outline, color))?;
        }
        if boundary < live.len() {
            root.draw(&PathElement::new([(x(boundary), TOP - 14), (x(boundary), y(0))], BLACK.mix(0.5)))?;
            let before = TextStyle::from(small.clone()).pos(Pos::new(HPos::Right, VPos::Bottom));
            root.draw(&Text::new("forward", (x(boundary) - 6, TOP - 4), before.color(&FORWARD)))?;
            let after = TextStyle::from(small.clone()).pos(Pos::new(HPos::Left, VPos::Bottom));
            root.draw(&Text::new("backward", (x(boundary) + 6, TOP - 4), after.color(&BACKWARD)))?;
        }
        root.draw(&PathElement::new([(LEFT, y(arena)), (x(live.len()), y(arena))], RED.stroke_width(2)))?;
        let over = TextStyle::from(small.clone()).pos(Pos::new(HPos::Left, VPos::Bottom)).color(&RED);
        root.draw(&Text::new(format!("arena {}", mib(arena)), (LEFT + 4, y(arena) - 3), &over))?;
        if let Some((t, bytes)) = peak(&live) {
            let at = (x(t) + step / 2, y(bytes));
            root.draw(&Circle::new(at, 4, BLACK.filled()))?;
            let text = format!("peak {} at {}", mib(bytes), layer(p, t));
            let side = if t * 2 > live.len() { HPos::Right } else { HPos::Left };
            let away = if t * 2 > live.len() { -8 } else { 8 };
            let style = TextStyle::from(small.clone()).pos(Pos::new(side, VPos::Top));
            root.draw(&Text::new(text, (at.0 + away, at.1 + 22), &style))?;
        }
        let turned = TextStyle::from(("sans-serif", 10).into_font().transform(FontTransform::Rotate90));
        let mut free = 0;
        for t in 0..live.len() {
            let name = layer(p, t);
            if x(t) >= free && (t == 0 || t == boundary || name != layer(p, t - 1)) {
                root.draw(&PathElement::new([(x(t), y(0)), (x(t), y(0) + 4)], BLACK))?;
                root.draw(&Text::new(name.to_string(), (x(t) + 5, y(0) + 6), &turned))?;
                free = x(t) + NAME;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// The first step at which the most is alive.
fn peak(live: &[u64]) -> Option<(usize, u64)> {
    let most = *live.iter().max()?;
    live.iter().position(|b| *b == most).map(|t| (t, most))
}

fn layer(p: &Planned, step: usize) -> &str {
    p.program.layers.get(p.program.steps[step].layer as usize).map_or("", |l| &*l.name)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo;

    #[test]
    fn peak_arena_boundary_and_layers_are_named() {
        let entry = zoo::find("lenet").expect("a network of the zoo");
        let p = Planned::train(entry.programs, 64).expect("any batch fits").expect("trains");
        let text = timeline("lenet, training", &p).expect("text can be made");
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
        for word in ["arena ", "peak ", "forward", "backward", "conv1", "fc2", "MiB"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        let p = Planned::predict(entry.programs, 64).expect("any batch fits");
        let text = timeline("lenet, prediction", &p).expect("text can be made");
        assert!(!text.contains("backward") && text.contains("peak "), "{text}");
    }

    #[test]
    fn the_first_of_equal_peaks_is_marked() {
        assert_eq!(peak(&[1, 5, 2, 5]), Some((1, 5)));
        assert_eq!(peak(&[]), None);
    }
}

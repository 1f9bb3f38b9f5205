//! Learning curves as SVG files.

use mxr::train::EpochRecord;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const SIZE: (u32, u32) = (960, 420);
const TRAIN: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const TEST: RGBColor = RGBColor(0xd9, 0x5f, 0x0e);

/// A panel of the chart.
struct Panel {
    title: &'static str,
    /// The metric's name in [`EpochRecord`].
    metric: &'static str,
    /// Of the vertical axis; otherwise from 0 to the largest value.
    top: Option<f64>,
}

const PANELS: [Panel; 2] = [
    Panel { title: "loss", metric: "cross_entropy", top: None },
    Panel { title: "accuracy", metric: "accuracy", top: Some(1.0) },
];

/// Write loss (the metric `cross_entropy`) and accuracy per epoch, on what was learned and on what was not.
///
/// # Errors
///
/// When the file cannot be written.
pub fn learning_curve(path: &Path, title: &str, history: &[EpochRecord]) -> Result<(), Box<dyn Error>> {
    let text = draw(title, history)?;
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()).into())
}

fn draw(title: &str, history: &[EpochRecord]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(title, ("sans-serif", 20))?;
        for (area, panel) in root.split_evenly((1, PANELS.len())).iter().zip(&PANELS) {
            draw_panel(area, panel, history)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel,
    history: &[EpochRecord],
) -> Result<(), Box<dyn Error>> {
    let series = [
        ("train", TRAIN, points(panel, history, |r| &r.train)),
        ("test", TEST, points(panel, history, |r| &r.validation)),
    ];
    let values = || series.iter().flat_map(|(_, _, points)| points).map(|(_, v)| *v);
    let top = panel.top.unwrap_or_else(|| values().fold(1e-3, f64::max) * 1.05);
    let epochs = history.iter().map(|r| r.epoch + 1).max().unwrap_or(1).max(2);
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(1.0..f64::from(epochs), 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("epoch")
        .x_labels(epochs.min(10) as usize)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .draw()?;
    for (name, color, points) in series {
        let last = points.last().map_or(String::new(), |(_, v)| format!(" {v:.4}"));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(format!("{name}{last}"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    let corner =
        if panel.top.is_some() { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight };
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}

fn points(
    panel: &Panel,
    history: &[EpochRecord],
    part: fn(&EpochRecord) -> &Vec<(String, f64)>,
) -> Vec<(f64, f64)> {
    history
        .iter()
        .filter_map(|r| {
            let (_, value) = part(r).iter().find(|(name, _)| name == panel.metric)?;
            value.is_finite().then_some((f64::from(r.epoch + 1), *value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(epoch: u32, loss: f64, accuracy: f64) -> EpochRecord {
        let both = vec![("cross_entropy".to_string(), loss), ("accuracy".to_string(), accuracy)];
        EpochRecord {
            epoch,
            train: both.clone(),
            validation: both,
            learning_rate: 0.1,
            samples: 1,
            time: Duration::from_secs(1),
        }
    }

    #[test]
    fn four_curves_with_their_last_values() {
        let svg = draw("digits", &[record(0, 2.0, 0.5), record(1, 1.0, 0.75)]).expect("text can be written");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.matches("<polyline").count() >= 4, "{svg}");
        for text in ["loss", "accuracy", "train 1.0000", "test 0.7500", "epoch"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    #[test]
    fn one_epoch_and_none_are_charts_too() {
        draw("digits", &[record(0, f64::NAN, 0.5)]).expect("text can be written");
        draw("digits", &[]).expect("text can be written");
    }
}

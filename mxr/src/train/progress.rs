//! What a person sees while a network trains.

use super::fit::EpochRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A bar per epoch on a terminal; one line per epoch everywhere.
pub(super) struct Progress {
    bar: ProgressBar,
    shown: bool,
    epochs: u32,
}

impl Progress {
    pub(super) fn new(show: bool, epoch: u32, epochs: u32, batches: Option<usize>) -> Progress {
        let target = if show { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(batches.map(|b| b as u64), target);
        let template = "{prefix} [{bar:30}] {pos}/{len} {msg}";
        bar.set_style(
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> "),
        );
        bar.set_prefix(format!("epoch {}/{epochs}", epoch + 1));
        Progress { bar, shown: show, epochs }
    }

    pub(super) fn batch(&self, metrics: &[(String, f64)], samples: usize, time: Duration) {
        self.bar.inc(1);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!(
                "{} {:.0} samples/s",
                text(metrics),
                samples as f64 / time.as_secs_f64()
            ));
        }
    }

    pub(super) fn epoch(&self, r: &EpochRecord) {
        self.bar.finish_and_clear();
        if !self.shown {
            return;
        }
        let rate = r.samples as f64 / r.time.as_secs_f64();
        let mut line = format!("epoch {}/{}  {}", r.epoch + 1, self.epochs, text(&r.train));
        if !r.validation.is_empty() {
            line.push_str(&format!("  validation {}", text(&r.validation)));
        }
        eprintln!("{line}  {rate:.0} samples/s");
    }
}

fn text(metrics: &[(String, f64)]) -> String {
    let all: Vec<String> = metrics.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
    all.join("  ")
}
